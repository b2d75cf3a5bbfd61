//! The house rules as tests: imports run downwards and in no circle, files and functions stay small, documents' links lead somewhere.

mod circles;
mod documents;
mod manifests;
mod modules;
mod newcomer;
mod parameters;
mod pins;
mod sources;

use std::fs;

use sources::{root, rust_files};

/// What each crate may use of the others, in the order of a mail's way (ARCHITECTURE.md).
const MAY_USE: &[(&str, &[&str])] = &[
    ("keep", &[]),
    ("smtp", &[]),
    ("pop3", &["smtp"]),
    ("sasl", &[]),
    ("dns", &["smtp"]),
    ("guard", &["smtp"]),
    ("records", &["keep", "guard"]),
    ("state", &["keep", "guard"]),
    ("directory", &["keep", "sasl"]),
    ("spool", &["keep"]),
    ("maildir", &["keep"]),
    ("delivery", &["keep", "smtp", "sasl", "dns", "spool", "maildir"]),
    ("drac", &[]),
    ("libdrac", &["drac"]),
    ("bdb", &[]),
    ("maps", &["smtp", "bdb"]),
    ("mta", &["smtp"]),
    ("listen", &["keep", "smtp", "guard"]),
    ("config", &["keep", "smtp", "guard", "maps"]),
    ("backup", &["keep", "state", "directory", "spool", "config"]),
    ("sqlmaps", &["maps"]),
    ("reputation", &["keep", "smtp", "dns", "guard", "config"]),
    (
        "judge",
        &[
            "keep",
            "smtp",
            "sasl",
            "dns",
            "guard",
            "state",
            "directory",
            "maildir",
            "drac",
            "bdb",
            "maps",
            "config",
            "reputation",
            "sqlmaps",
        ],
    ),
    ("report", &["keep", "guard", "records"]),
    ("probe", &["keep", "smtp", "dns", "guard", "config", "reputation", "judge"]),
    ("replay", &["smtp", "guard", "records", "config", "judge"]),
    ("witness", &["keep", "guard", "state", "bdb", "config", "judge"]),
    ("audit", &["keep", "smtp", "dns", "guard", "directory", "config", "reputation", "judge"]),
    ("acme", &["keep", "guard", "listen", "config"]),
    ("telemetry", &["keep", "dns", "guard", "spool", "delivery", "config"]),
    (
        "serve",
        &[
            "keep",
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
            "mta",
            "listen",
            "config",
            "backup",
            "reputation",
            "judge",
            "records",
            "probe",
            "replay",
            "audit",
            "telemetry",
            "witness",
        ],
    ),
    (
        "migrate",
        &["keep", "smtp", "guard", "directory", "drac", "bdb", "maps", "listen", "config", "judge", "audit", "serve"],
    ),
    ("setup", &["keep", "dns"]),
    (
        "admin",
        &[
            "keep",
            "sasl",
            "guard",
            "records",
            "state",
            "directory",
            "spool",
            "delivery",
            "listen",
            "config",
            "probe",
            "judge",
            "replay",
            "audit",
            "telemetry",
        ],
    ),
    ("terminal", &["keep"]),
    ("top", &["keep", "records", "admin", "terminal"]),
    ("logging", &["keep", "config"]),
    ("account", &["keep", "guard", "state", "directory", "listen", "config", "judge"]),
    ("roster", &["keep", "admin", "terminal"]),
    (
        "sekisho",
        &[
            "keep",
            "smtp",
            "sasl",
            "guard",
            "state",
            "directory",
            "spool",
            "drac",
            "bdb",
            "maps",
            "mta",
            "listen",
            "config",
            "backup",
            "sqlmaps",
            "judge",
            "witness",
            "serve",
            "migrate",
            "admin",
            "account",
            "terminal",
            "roster",
            "logging",
            "records",
            "probe",
            "replay",
            "report",
            "audit",
            "acme",
            "setup",
            "logging",
            "telemetry",
            "top",
        ],
    ),
];

/// Crates that know no socket, no file and no runtime.
const PURE: &[&str] = &["smtp", "pop3", "sasl", "guard", "bdb", "maps", "mta"];

/// What would give them one.
const OUTSIDE: &[&str] = &["tokio", "socket2", "nix", "sqlx"];

/// Traps that other servers fell into; each is a test by its name (`t06_…`).
const TRAPS: &[u8] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35,
    36, 37, 38, 39, 40, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57,
];

/// Who can vouch for evidence that the guard cannot check itself, and the only places that do.
const VOUCHERS: &[(&str, &str)] = &[
    ("attest_authenticated", "crates/judge/src/auth.rs"),
    ("attest_drac_grant", "crates/state/src/evidence.rs"),
    ("attest_forward_confirmed", "crates/judge/src/client_name.rs"),
    ("attest_pop_login", "crates/state/src/evidence.rs"),
    // What was recorded or is supposed, for judgements that nobody acts on: only their words leave the crate.
    ("attest_authenticated", "crates/replay/src/values.rs"),
    ("attest_drac_grant", "crates/replay/src/values.rs"),
    ("attest_forward_confirmed", "crates/replay/src/values.rs"),
    ("attest_pop_login", "crates/replay/src/values.rs"),
];

/// Lines of a file without its tests.
const FILE_LINES_MAX: usize = 500;

/// Lines below a crate's `src`, with its tests.
const CRATE_LINES_MAX: usize = 8000;

/// So many parameters of the product's functions are bools. The number only falls.
const BOOLS_MAX: usize = 26;

/// What the product of a crate is built from: its dependencies on every platform, not those of its tests.
fn dependencies(name: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).expect("a crate has a manifest");
    let manifest: toml::Table = text.parse().unwrap_or_else(|e| panic!("{name}: {e}"));
    let platforms = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = platforms.filter_map(toml::Value::as_table).chain([&manifest]);
    let lists = tables.flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)));
    lists.flatten().filter_map(toml::Value::as_table).flat_map(|list| list.keys().cloned()).collect()
}

#[test]
fn imports_run_downwards() {
    let names: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    for (name, may_use) in MAY_USE {
        for used in dependencies(name) {
            let ours = names.contains(&used.as_str());
            assert!(!ours || may_use.contains(&used.as_str()), "crate {name} may not use {used}");
            let outside = PURE.contains(name) && OUTSIDE.contains(&used.as_str());
            assert!(!outside, "crate {name} is pure and may not use {used}");
        }
    }
}

/// Who stands further up the way may use those before him, never the other way round.
#[test]
fn the_list_of_imports_is_in_its_own_order() {
    for (at, (name, may_use)) in MAY_USE.iter().enumerate() {
        for used in *may_use {
            assert!(MAY_USE[..at].iter().any(|(before, _)| before == used), "{used} must stand before {name}");
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

fn all_lines_of(name: &str) -> usize {
    let mut files = Vec::new();
    rust_files(&root().join("crates").join(name).join("src"), &mut files);
    files.iter().map(|path| fs::read_to_string(path).expect("a source is text").lines().count()).sum()
}
