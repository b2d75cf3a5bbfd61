//! The house rules as tests: imports run downwards, files and functions stay small, documents' links lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each crate may use of the others, in the order of a mail's way (ARCHITECTURE.md).
const MAY_USE: &[(&str, &[&str])] = &[
    ("keep", &[]),
    ("smtp", &[]),
    ("pop3", &[]),
    ("sasl", &[]),
    ("dns", &["smtp"]),
    ("guard", &["smtp"]),
    ("state", &["guard"]),
    ("directory", &["sasl"]),
    ("spool", &[]),
    ("maildir", &[]),
    ("delivery", &["smtp", "sasl", "dns", "spool", "maildir"]),
    ("drac", &[]),
    ("libdrac", &["drac"]),
    ("bdb", &[]),
    ("maps", &["smtp", "bdb"]),
    ("mta", &["smtp"]),
    (
        "sekisho",
        &[
            "smtp",
            "pop3",
            "sasl",
            "dns",
            "guard",
            "state",
            "directory",
            "spool",
            "maildir",
            "delivery",
            "drac",
            "bdb",
            "maps",
            "mta",
            "interop",
        ],
    ),
];

/// Crates that know no socket, no file and no runtime.
const PURE: &[&str] = &["smtp", "pop3", "sasl", "guard", "bdb", "maps", "mta"];

/// Traps that other servers fell into; each is a test by its name (`t06_…`).
const TRAPS: &[u8] =
    &[1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 15, 16, 17, 18, 19, 20, 24, 25, 26, 34, 35, 37, 38, 39, 42, 43, 44, 45];

/// Who can vouch for evidence that the guard cannot check itself, and the only places that do.
const VOUCHERS: &[(&str, &str)] = &[
    ("attest_authenticated", "crates/sekisho/src/serve/auth.rs"),
    ("attest_drac_grant", "crates/state/src/table.rs"),
    ("attest_forward_confirmed", "crates/sekisho/src/lookup/resolver.rs"),
    ("attest_pop_login", "crates/state/src/table.rs"),
];

/// Lines of a file before its tests.
const FILE_LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is above this crate")
}

fn sources(below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn product_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (name, _) in MAY_USE {
        sources(&root().join("crates").join(name).join("src"), &mut found);
    }
    assert!(found.len() > 50, "the sources were found");
    found
}

fn before_tests(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"))
}

#[test]
fn imports_run_downwards() {
    let names: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for (name, may_use) in MAY_USE {
        let manifest = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
        let product = manifest.split("[dev-dependencies]").next().unwrap_or_default();
        for other in names.iter().filter(|other| *other != name) {
            let uses = product
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
            assert!(!uses || may_use.contains(other), "crate {name} may not use {other}");
        }
        if PURE.contains(name) {
            for line in product.lines() {
                let outside = ["tokio", "socket2", "nix", "sqlx"].iter().any(|c| line.starts_with(c));
                assert!(!outside, "crate {name} is pure and may not use {line}");
            }
        }
    }
}

#[test]
fn every_member_is_listed() {
    let mut listed: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let mut there: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    listed.sort_unstable();
    there.sort_unstable();
    assert_eq!(listed, there);
}

#[test]
fn files_stay_small_and_say_what_they_are() {
    let mut wrong = Vec::new();
    // A file `tests.rs` is all tests.
    for path in product_sources().iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(path).unwrap();
        let lines = before_tests(&text).count();
        if lines > FILE_LINES_MAX {
            wrong.push(format!("{}: {lines} lines before its tests", path.display()));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{}: opens without saying what it answers for", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_panics_outside_tests() {
    let mut wrong = Vec::new();
    for path in product_sources().iter().filter(|path| !path.ends_with("tests.rs")) {
        let text = fs::read_to_string(path).unwrap();
        for (number, line) in before_tests(&text).enumerate() {
            if [".unwrap()", "todo!(", "unimplemented!(", "dbg!("].iter().any(|word| code(line).contains(word)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn below_root(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A line of code, without what is only said about it.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// Grants are made by the authorities alone, and nobody else vouches for evidence.
#[test]
fn who_can_vouch_is_pinned() {
    let mut vouched = BTreeSet::new();
    for path in product_sources().iter().filter(|path| !path.ends_with("tests.rs")) {
        let (text, place) = (fs::read_to_string(path).unwrap(), below_root(path));
        for line in before_tests(&text).map(code) {
            let makes = line.contains("RelayGrant {") && !line.contains("struct") && !line.contains("impl");
            assert!(!makes || place.starts_with("crates/guard/src/authority"), "a grant is made in {place}");
            for (at, _) in line.match_indices("attest_") {
                let name: String = line[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !place.starts_with("crates/guard/src") {
                    vouched.insert((name, place.clone()));
                } else if line.contains("fn attest_") {
                    assert!(VOUCHERS.iter().any(|(known, _)| *known == name), "{name} in {place} is not on the list");
                }
            }
        }
    }
    let expected = VOUCHERS.iter().map(|(name, place)| ((*name).to_owned(), (*place).to_owned())).collect();
    assert_eq!(vouched, expected);
}

#[test]
fn every_trap_is_a_test() {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    let texts: Vec<String> = found.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    for trap in TRAPS {
        let name = format!("fn t{trap:02}_");
        assert!(texts.iter().any(|text| text.contains(&name)), "trap T{trap} has no test");
    }
}

/// What is committed works on any machine.
#[test]
fn no_text_names_one_machine() {
    let listed = std::process::Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    // A source archive has no git; the check was made before it was packed.
    let Ok(listed) = listed else { return };
    for name in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|name| !name.is_empty()) {
        let Ok(text) = fs::read_to_string(root().join(name)) else { continue };
        for place in [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")] {
            assert!(!text.contains(place), "{name} names {place}");
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut documents = vec![root().join("README.md"), root().join("README.ja.md"), root().join("ARCHITECTURE.md")];
    documents.push(root().join("CHANGELOG.md"));
    documents.extend(fs::read_dir(root().join("docs")).into_iter().flatten().flatten().map(|entry| entry.path()));
    for document in documents.iter().filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(document).unwrap_or_else(|e| panic!("{}: {e}", document.display()));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{}: {link} leads nowhere", document.display());
        }
    }
}
