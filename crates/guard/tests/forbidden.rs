//! Code outside the authorities cannot make a grant, and it is for the reason we mean: rustdoc checks the error codes
//! of `compile_fail` on nightly only, so the compiler is asked here, with the library that this test is linked to.

use std::path::PathBuf;

/// What is tried, and the error that must stop it.
const FORBIDDEN: &[(&str, &str)] = &[
    ("pub fn f(right: guard::Right) -> guard::RelayGrant { guard::RelayGrant { right } }", "E0451"),
    ("pub fn f(right: guard::Right) -> guard::RelayGrant { guard::RelayGrant::new(right) }", "E0599"),
    ("pub fn f(right: guard::Right) -> guard::RelayGrant { guard::RelayGrant::from(right) }", "E0308"),
    ("pub fn f() -> guard::RelayGrant { Default::default() }", "E0277"),
    ("pub fn f(g: &guard::RelayGrant) -> guard::RelayGrant { g.clone() }", "E0308"),
    ("pub fn f(g: guard::RelayGrant) -> (guard::RelayGrant, guard::RelayGrant) { (g, g) }", "E0382"),
    ("pub fn f(g: &mut guard::RelayGrant, right: guard::Right) { g.right = right; }", "E0616"),
    (
        "pub fn f(p: smtp::ForwardPath) -> guard::HostedPath { guard::HostedPath::new(p, None, guard::Hosting::Mailbox) }",
        "E0624",
    ),
    (
        "pub fn f(p: smtp::ForwardPath) -> guard::HostedPath { guard::HostedPath { path: p, own: None, hosting: guard::Hosting::Alias, sent_by: guard::Proof::Login } }",
        "E0451",
    ),
    ("pub fn f(h: &guard::HostedPath) -> guard::HostedPath { h.clone() }", "E0308"),
    ("pub fn f(p: smtp::ForwardPath) -> guard::Recipient { guard::Recipient::Relayed(p, ()) }", "E0308"),
    ("pub fn f() -> guard::RelayPolicy { Default::default() }", "E0277"),
    ("pub fn f(p: &guard::RelayPolicy) { let _ = &p.networks; }", "E0616"),
    ("pub fn f() -> guard::Login { guard::Login { login: \"a\".into(), device: None } }", "E0451"),
    ("pub fn f(d: smtp::Domain) -> guard::ConfirmedName { guard::ConfirmedName(d) }", "E0423"),
    ("pub fn f() -> guard::Fact<bool> { Default::default() }", "E0277"),
    ("pub fn f(e: &mut guard::PopEvidence) { e.shared = true; }", "E0616"),
];

/// What everybody may do; it shows that the names above are spelt right.
const ALLOWED: &[&str] = &[
    "pub fn f(g: &guard::RelayGrant) -> &guard::Right { g.right() }",
    "pub fn f(p: smtp::ForwardPath, g: guard::RelayGrant) -> guard::Recipient { guard::Recipient::Relayed(p, g) }",
    "pub fn f(h: guard::HostedPath) -> guard::Recipient { guard::Recipient::Hosted(h) }",
    "pub fn f(s: guard::RelayPolicySpec) -> bool { guard::RelayPolicy::new(s).is_ok() }",
];

#[test]
fn only_authorities_make_grants() {
    let deps = PathBuf::from(std::env::current_exe().unwrap().parent().unwrap());
    for code in ALLOWED {
        let errors = compiler::errors(&deps, code);
        assert!(errors.is_empty(), "{code}\n{errors}");
    }
    for (code, expected) in FORBIDDEN {
        let errors = compiler::errors(&deps, code);
        assert!(errors.contains(expected), "{code}\nexpected {expected}, got: {errors}");
    }
}

#[cfg(test)]
mod compiler {
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The compiler's errors, one a line; empty if it compiles.
    pub(crate) fn errors(deps: &Path, code: &str) -> String {
        let out = tempdir();
        let file = out.join("case.rs");
        std::fs::write(&file, code).unwrap();
        let library = |name: &str| format!("{name}={}", newest(deps, name).display());
        let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--error-format=short", "-Awarnings"])
            .args(["--extern", &library("guard"), "--extern", &library("smtp")])
            .arg("-L")
            .arg(format!("dependency={}", deps.display()))
            .arg("--out-dir")
            .arg(&out)
            .arg(&file)
            .output()
            .unwrap();
        std::fs::remove_dir_all(&out).unwrap();
        if output.status.success() { String::new() } else { String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    /// Older builds lie beside it; this test was linked after the newest.
    fn newest(deps: &Path, name: &str) -> PathBuf {
        let prefix = format!("lib{name}-");
        let files = std::fs::read_dir(deps).unwrap().map(|entry| entry.unwrap().path());
        let mine = files.filter(|path| {
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or("");
            file.starts_with(&prefix) && path.extension().is_some_and(|extension| extension == "rlib")
        });
        mine.max_by_key(|path| path.metadata().unwrap().modified().unwrap()).unwrap()
    }

    fn tempdir() -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("guard-forbidden-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }
}
