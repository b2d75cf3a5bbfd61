//! Which events are the program's own, and which a library's.
//!
//! An event of ours has its name as its message and is told from the configured level on; a library's message is prose, and is only
//! told from `warn` on. A crate of the workspace that is missing here would be silent at `info`, so a test holds the list to the
//! workspace's members.

/// The crates of the workspace.
const CRATES: &[&str] = &[
    "keep",
    "smtp",
    "pop3",
    "sasl",
    "dns",
    "guard",
    "records",
    "state",
    "directory",
    "spool",
    "maildir",
    "delivery",
    "drac",
    "libdrac",
    "bdb",
    "maps",
    "mta",
    "listen",
    "config",
    "backup",
    "reputation",
    "sqlmaps",
    "probe",
    "judge",
    "replay",
    "report",
    "witness",
    "audit",
    "acme",
    "telemetry",
    "serve",
    "migrate",
    "setup",
    "admin",
    "top",
    "account",
    "roster",
    "logging",
    "terminal",
    "sekisho",
];

/// Whether a target, which is the path of a module, lies in one of our crates.
pub(super) fn is_own(target: &str) -> bool {
    CRATES.contains(&target.split("::").next().unwrap_or(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever adds a crate to the workspace adds it here.
    #[test]
    fn every_member_of_the_workspace_is_heard() {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        let members = manifest["workspace"]["members"].as_array().unwrap().iter();
        let mut members: Vec<&str> =
            members.map(|member| member.as_str().and_then(|path| path.strip_prefix("crates/")).unwrap()).collect();
        let mut listed = CRATES.to_vec();
        members.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, members);
    }

    #[test]
    fn a_target_is_of_the_crate_that_it_begins_with() {
        assert!(is_own("sekisho") && is_own("spool::writer"));
        assert!(!is_own("hyper::proto") && !is_own("spooler::writer"));
    }
}
