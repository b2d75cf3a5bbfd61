//! The Debian package: what is in it.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::root;

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The package with the program under test in it.
pub(crate) fn packed(dir: &tempfile::TempDir) -> PathBuf {
    let mut package = Command::new(root().join("scripts/package"));
    package.arg(dir.path()).env("SEKISHO_PACKAGE_PROGRAM", env!("CARGO_BIN_EXE_sekisho"));
    let made = package.output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

#[test]
fn the_package_holds_what_a_server_needs() {
    let dir = tempfile::tempdir().unwrap();
    let file = packed(&dir);
    let told = |option: &str| text(&Command::new("dpkg-deb").arg(option).arg(&file).output().unwrap());
    let contents = told("--contents");
    for (path, mode) in [
        ("./usr/bin/sekisho", "-rwxr-xr-x 0/0 "),
        ("./usr/lib/systemd/system/sekisho.service", "-rw-r--r-- 0/0 "),
        ("./usr/share/man/man1/sekisho.1.gz", "-rw-r--r-- 0/0 "),
        ("./usr/share/man/man1/sekisho-init.1.gz", "-rw-r--r-- 0/0 "),
        ("./usr/share/man/man5/sekisho.toml.5.gz", "-rw-r--r-- 0/0 "),
        ("./usr/share/bash-completion/completions/sekisho", "-rw-r--r-- 0/0 "),
        ("./usr/share/sekisho/certbot-deploy-hook", "-rwxr-xr-x 0/0 "),
        ("./usr/share/doc/sekisho/copyright", "-rw-r--r-- 0/0 "),
        ("./usr/share/doc/sekisho/docs/install.md", "-rw-r--r-- 0/0 "),
    ] {
        let line = contents.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path}: {contents}"));
        assert!(line.starts_with(mode), "{line}");
    }
    assert!(!contents.contains("./etc/"), "the configuration is the operator's: {contents}");
    let about = told("--info");
    for part in ["Package: sekisho", "Section: mail", "adduser", "ca-certificates", "libc6"] {
        assert!(about.contains(part), "{part}: {about}");
    }
    assert!(!about.contains("mail-transport-agent"), "there is no /usr/sbin/sendmail in it");
    let control = dir.path().join("control");
    assert!(Command::new("dpkg-deb").arg("--control").args([&file, &control]).status().unwrap().success());
    for script in ["postinst", "prerm", "postrm"] {
        let checked = Command::new("sh").arg("-n").arg(control.join(script)).output().unwrap();
        assert!(checked.status.success(), "{script}: {}", text(&checked));
        let script = std::fs::read_to_string(control.join(script)).unwrap();
        assert!(!script.contains("#DEBHELPER#") && script.contains("sekisho.service"), "{script}");
    }
}
