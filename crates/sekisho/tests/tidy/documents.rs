//! What is written outside the product: the traps' tests, and the documents' links.

use std::fs;

use crate::TRAPS;
use crate::sources::{root, rust_files};

#[test]
fn every_trap_is_a_test() {
    let mut found = Vec::new();
    rust_files(&root().join("crates"), &mut found);
    let texts: Vec<String> = found.iter().filter_map(|path| fs::read_to_string(path).ok()).collect();
    for trap in TRAPS {
        // One test may hold two, as `t10_t11_…`.
        let names = [format!("fn t{trap:02}_"), format!("_t{trap:02}_")];
        let is_named = texts.iter().any(|text| names.iter().any(|name| text.contains(name)));
        assert!(is_named, "trap T{trap} has no test");
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
