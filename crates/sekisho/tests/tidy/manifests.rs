//! What the workspace's manifest offers is asked for by somebody; that a crate uses what it asks for is cargo-machete's to tell.

use std::collections::BTreeSet;
use std::fs;

use crate::sources::root;
use crate::{MAY_USE, dependencies};

#[test]
fn every_dependency_of_the_workspace_has_a_crate_that_asks_for_it() {
    let read = |path: &str| -> toml::Table {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.parse().unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    let workspace = read("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array().expect("the members are a list");
    let asked: BTreeSet<String> = members
        .iter()
        .filter_map(toml::Value::as_str)
        .flat_map(|member| asked_for(&read(&format!("{member}/Cargo.toml"))))
        .collect();
    let offered = workspace["workspace"]["dependencies"].as_table().expect("the dependencies are a table");
    let unused: Vec<&String> = offered.keys().filter(|name| !asked.contains(*name)).collect();
    assert!(unused.is_empty(), "no crate asks for {unused:?}");
}

/// `ARCHITECTURE.md` says of each crate what it is built on.
#[test]
fn the_page_names_what_each_crate_uses() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("the page is there");
    let names: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let row = |name: &&str| {
        let used = dependencies(name);
        let ours: Vec<&str> = names.iter().copied().filter(|it| used.iter().any(|used| used == it)).collect();
        format!("{:<11}{}", format!("{name}:"), ours.join(" ")).trim_end().to_owned()
    };
    let rows: Vec<String> = names.iter().map(row).collect();
    assert!(page.contains(&format!("```text\n{}\n```", rows.join("\n"))), "it should be:\n{}", rows.join("\n"));
}

/// All dependencies of a manifest: on every platform, and for its tests too.
fn asked_for(manifest: &toml::Table) -> Vec<String> {
    let platforms = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = platforms.filter_map(toml::Value::as_table).chain([manifest]);
    let kinds = ["dependencies", "build-dependencies", "dev-dependencies"];
    let lists = tables.flat_map(|table| kinds.map(|kind| table.get(kind)));
    lists.flatten().filter_map(toml::Value::as_table).flat_map(|list| list.keys().cloned()).collect()
}
