//! The examples that the documents lead to: each is led to, and the listeners among them load.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::demo::run;
use crate::support::{Folder, example, root};

/// The listeners of the documents are a configuration that the server takes.
#[test]
fn the_documented_listeners_are_a_configuration() {
    for file in ["dovecot/sekisho.toml", "exim/sekisho.toml", "postfix/sekisho.toml", "qmail/sekisho.toml"] {
        let folder = Folder::new();
        let sekisho = || Command::new(env!("CARGO_BIN_EXE_sekisho"));
        let made = ["init", "--hostname", "mail.example.test", "--domain", "example.test", "--dir"];
        let password = fs::File::open(folder.write("password", "first secret\n")).unwrap();
        run(sekisho().args(made).arg(folder.join("server")).stdin(password));
        let config = folder.join("server/sekisho.toml");
        let whole = fs::read_to_string(&config).unwrap() + "\n" + &example(file, &[]);
        fs::write(&config, whole).unwrap();
        let secret = folder.write("server/auth-policy-secret", "0123456789abcdef\n");
        fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
        run(sekisho().arg("-c").arg(&config).args(["config", "check"]));
    }
}

/// Both languages lead to every file.
#[test]
fn every_example_is_in_the_documents() {
    const FOLDERS: [&str; 5] = ["dovecot", "exim", "postfix", "qmail", "qmail/qpsmtpd"];
    // What is about the guard and not beside a mail server is on one page.
    const OF_THE_GUARD: [&str; 6] = [
        "",
        "crowdsec/acquis.d",
        "crowdsec/parsers/s01-parse",
        "crowdsec/scenarios",
        "fail2ban/filter.d",
        "fail2ban/jail.d",
    ];
    for folder in OF_THE_GUARD {
        for entry in fs::read_dir(root().join("docs/examples").join(folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if entry.file_type().unwrap().is_file() {
                // What Prometheus and Grafana read is on the page about watching.
                let watches = path.starts_with("prometheus-") || path.starts_with("grafana-");
                is_linked(if watches { "monitoring" } else { "guard" }, &path);
            }
        }
    }
    for folder in FOLDERS {
        let name = folder.split('/').next().unwrap();
        for entry in fs::read_dir(root().join("docs/examples").join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                assert!(FOLDERS.contains(&path.as_str()), "{path} is not looked into");
                continue;
            }
            is_linked(name, &path);
        }
    }
}

fn is_linked(name: &str, path: &str) {
    let link = format!("](examples/{path})");
    for document in [format!("docs/{name}.md"), format!("docs/{name}.ja.md")] {
        assert!(fs::read_to_string(root().join(&document)).unwrap().contains(&link), "{document}: {link}");
    }
}
