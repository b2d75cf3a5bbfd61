//! The example's files are those of the documents, and each is used.

use std::fs;
use std::process::Command;

use super::{EXAMPLES, PACKAGES, Sendmail, Setup, installed};
use crate::demo::run;
use crate::support::{Folder, example, file_text, root};

#[test]
fn documents_name_every_file_and_say_the_same() {
    for document in ["docs/sendmail.md", "docs/sendmail.ja.md"] {
        let text = file_text(&root().join(document));
        for entry in fs::read_dir(root().join(EXAMPLES)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let named = text.contains(&format!("(examples/sendmail/{name})")) || text.contains(&format!("`{name}`"));
            assert!(named, "{document} does not name {name}");
        }
        // Times and replies that the text tells of.
        assert!(text.contains("-d10") && file_text(&root().join(EXAMPLES).join("sekisho.m4")).contains("-d10"));
        assert!(text.contains("451 4.3.0 We cannot check now"));
    }
}

/// The example as it is, without what the tests put above it but the folder.
#[test]
fn example_makes_a_configuration() {
    let folder = Folder::new();
    for entry in fs::read_dir(root().join(EXAMPLES)).unwrap() {
        let entry = entry.unwrap();
        folder.write(entry.file_name().to_str().unwrap(), &file_text(&entry.path()));
    }
    let above = folder.write("above.mc", &format!("define(`MAIL_SETTINGS_DIR', `{}/')dnl\n", folder.text()));
    let cf = installed().join("usr/share/sendmail/cf");
    let made = Command::new("m4")
        .arg(format!("-D_CF_DIR_={}/", cf.display()))
        .args([cf.join("m4/cf.m4"), above, folder.join("sendmail.mc")])
        .output()
        .unwrap();
    assert!(made.status.success() && made.stderr.is_empty(), "{PACKAGES:?}: {}", String::from_utf8_lossy(&made.stderr));
    let made = String::from_utf8(made.stdout).unwrap();
    for line in [
        "Krelay socket -f -q -d10 -a<GRANT> -T<TMPF> inet:10032@127.0.0.1",
        "Kconnect socket -f -q -d10 -T<TMPF> inet:10032@127.0.0.1",
        "Xsekisho, S=inet:10033@127.0.0.1, F=T, T=C:10s;S:10s;R:30s;E:2m",
        "O InputMailFilters=sekisho",
    ] {
        assert!(made.lines().any(|made| made == line), "no line {line}");
    }
    // Nothing of m4 is left behind.
    assert!(!made.contains("SEKISHO_") && !made.contains("MAIL_SETTINGS_DIR"));
}

/// The document's way to ask by hand.
#[test]
fn asked_by_hand() {
    let sendmail = Sendmail::configure(&Setup::with(&["sekisho.m4"]).socketmap(1));
    let questions =
        sendmail.folder.write("questions", ".D{client_addr}198.51.100.7\nLocal_check_rcpt <friend@outside.example>\n");
    let mut command = sendmail.command();
    let said = run(command.arg("-bt").stdin(fs::File::open(questions).unwrap()));
    assert!(said.contains("Local_check_rcpt returns: $# error $@ 4 . 3 . 0"), "{said}");
}

#[test]
fn documented_configurations_load() {
    for file in ["sendmail/sekisho.toml", "sendmail/sekisho-maps.toml"] {
        let folder = Folder::new();
        let sekisho = || Command::new(env!("CARGO_BIN_EXE_sekisho"));
        let made = ["init", "--hostname", "mail.example.net", "--domain", "example.net", "--dir"];
        let password = fs::File::open(folder.write("password", "first secret\n")).unwrap();
        run(sekisho().args(made).arg(folder.join("server")).stdin(password));
        let config = folder.join("server/sekisho.toml");
        let ours = example(file, &[]).replace("/etc/mail", &root().join(EXAMPLES).display().to_string());
        let mut whole: toml::Table = toml::from_str(&file_text(&config)).unwrap();
        let ours: toml::Table = toml::from_str(&ours).unwrap();
        add(&mut whole, ours);
        fs::write(&config, toml::to_string(&whole).unwrap()).unwrap();
        run(sekisho().arg("-c").arg(&config).args(["config", "check"]));
    }
}

/// Puts the tables of one configuration into those of another.
fn add(whole: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (whole.get_mut(&key), value) {
            (Some(toml::Value::Table(there)), toml::Value::Table(value)) => add(there, value),
            (Some(toml::Value::Array(there)), toml::Value::Array(value)) => there.extend(value),
            (_, value) => {
                whole.insert(key, value);
            }
        }
    }
}
