//! What this version and earlier ones wrote on disk is read by this one: `tests/forms` has a `data_dir` and a backup of each version,
//! as they lay there. Nothing in them is ever changed; a new form gets new files beside the old.
//!
//! They are written by `SEKISHO_WRITE_FORMS=NAME cargo nextest run -p sekisho --run-ignored only -E 'test(forms_are_written)'`.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Account, Demo, Dialogue, base64, message, run};

/// The versions that there are.
const NAMES: &[&str] = &["0.1.0"];
/// Small, so that the test data is; kept for long, so that it can be read for long.
const SETTINGS: &[&str] = &[
    "spool.segment_octets=1048576",
    "spool.inline_octets=4096",
    "records.keep_days=3650",
    "domains.relay=[{domain='inside.test',next_hop='127.0.0.1:9',verify='no'}]",
];
const PASSPHRASE: &str = "correct horse battery staple";
/// The body of the large message, which has a file of its own.
const LARGE_LINES: usize = 200;

fn forms() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forms")
}

fn passphrase(dir: &Path) -> String {
    let path = dir.join("passphrase");
    fs::write(&path, format!("{PASSPHRASE}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn large() -> String {
    format!("Subject: large\r\n\r\n{}", "0123456789abcdef0123456789abcdef\r\n".repeat(LARGE_LINES))
}

fn json(demo: &Demo, arguments: &[&str]) -> Value {
    serde_json::from_str(&demo.ruled(&[arguments, &["--json"]].concat())).unwrap()
}

/// A POP login by APOP's elder: it becomes a login record.
fn pops(demo: &Demo, account: &Account) {
    let mut pop = Dialogue::connect(Ipv4Addr::LOCALHOST, demo.port("pop3"));
    assert!(pop.reply().starts_with("+OK"));
    assert!(pop.say("STLS").starts_with("+OK"));
    let mut pop = pop.start_tls(demo.certificate());
    assert!(pop.say(&format!("USER {}", account.login)).starts_with("+OK"));
    assert!(pop.say(&format!("PASS {}", account.password)).starts_with("+OK"));
    pop.say("QUIT");
}

#[test]
#[ignore = "writes test data: see the head of this file"]
fn forms_are_written() {
    let Ok(name) = std::env::var("SEKISHO_WRITE_FORMS") else { return };
    let mut demo = Demo::start_with(SETTINGS);
    let alice = demo.account("alice");
    demo.ruled(&["alias", "add", "team@example.test", "alice@example.test", "bob@example.test"]);
    demo.ruled(&["domain", "add", "second.test", "--catch-all", "bob@example.test"]);
    demo.ruled(&["user", "choice", "refuse", "alice@example.test", "spam.example"]);
    demo.ruled(&["ban", "add", "198.51.100.7", "--minutes", "60", "--reason", "tests"]);
    let mut smtp = demo.dial("smtp").greeted();
    for (to, text) in
        [("small@inside.test", "Subject: small\r\n\r\nsmall\r\n".to_owned()), ("large@inside.test", large())]
    {
        assert!(smtp.mail("a@stranger.example", to, text).starts_with("250"), "{to}");
    }
    assert!(smtp.rcpt("a@stranger.example", "nobody@elsewhere.example").starts_with("550"));
    pops(&demo, &alice);
    let text = message(&alice.address, "far@outside.example", "relayed");
    assert!(demo.submission(&alice).mail(&alice.address, "far@outside.example", text).starts_with("250"));
    demo.until("the relayed mail", || (demo.outside().len() == 1).then_some(()));
    let ids: Vec<String> = demo.until("both tried", || {
        let listed = json(&demo, &["queue", "list"]);
        let tried = |it: &Value| it["recipients"][0]["attempts"].as_u64() > Some(0);
        let listed = listed.as_array().unwrap();
        (listed.len() == 2 && listed.iter().all(tried))
            .then(|| listed.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect())
    });
    demo.ruled(&["queue", "hold", &ids[0], &ids[1]]);
    fs::create_dir_all(forms()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let backup = forms().join(format!("{name}.backup.tar.gz")).display().to_string();
    demo.ruled(&["backup", "--replace", "--passphrase-file", &passphrase(place.path()), &backup]);
    assert!(demo.stop());
    let data = forms().join(format!("{name}.data.tar.gz")).display().to_string();
    let dir = demo.dir().display().to_string();
    let but = ["./*.log", "./sink", "./admin.sock", "./configuration"].map(|path| format!("--exclude={path}"));
    run(Command::new("tar").args(["-C", &dir, "--sort=name"]).args(but).args(["-czf", &data, "."]));
}

/// All that was there when it was written.
fn as_written(demo: &Demo) {
    let alice = demo.account("alice");
    let listed = json(demo, &["queue", "list"]);
    let to: Vec<&str> =
        listed.as_array().unwrap().iter().map(|it| it["recipients"][0]["forward_path"].as_str().unwrap()).collect();
    assert_eq!(to, ["small@inside.test", "large@inside.test"]);
    assert!(listed.as_array().unwrap().iter().all(|it| it["hold"] == "operator"), "{listed}");
    assert!(listed[1]["message_octets"].as_u64() > Some(34 * LARGE_LINES as u64));
    let aliases = demo.ruled(&["alias", "list"]);
    assert!(aliases.contains("team@example.test") && aliases.contains("bob@example.test"), "{aliases}");
    assert!(demo.ruled(&["domain", "list"]).contains("second.test"));
    let choices = json(demo, &["user", "choice", "list", "alice@example.test"]).to_string();
    assert!(choices.contains("spam.example"), "{choices}");
    for (login, secret) in [(&alice.login, &alice.password), (&alice.device_login, &alice.device_secret)] {
        let mut dialogue = demo.under_tls("submission");
        let said = dialogue.say(&format!("AUTH PLAIN {}", base64(&format!("\0{login}\0{secret}"))));
        assert!(said.starts_with("235"), "{login}: {said}");
    }
    // Login records are read, those that have expired too.
    demo.logged(&["opened", "messages=2", "grants=1"]);
    let relayed = demo.ruled(&["log", "relay"]);
    assert!(relayed.contains("far@outside.example"), "{relayed}");
    let changes = demo.ruled(&["log", "admin"]);
    assert!(changes.contains("alias add") && changes.contains("ban add"), "{changes}");
    for log in ["relay", "admin"] {
        demo.ruled(&["log", log, "--verify"]);
    }
}

#[test]
fn what_every_version_left_is_read() {
    for name in NAMES {
        let dir = tempfile::tempdir().unwrap();
        let data = forms().join(format!("{name}.data.tar.gz")).display().to_string();
        run(Command::new("tar").args(["-C", &dir.path().display().to_string(), "-xzf", &data]));
        let demo = Demo::start_over(dir, SETTINGS, &[]);
        as_written(&demo);
        let records = json(&demo, &["records", "list"]).to_string();
        assert!(records.contains("nobody@elsewhere.example"), "{name}: {records}");
    }
}

#[test]
fn every_versions_backup_is_restored() {
    for name in NAMES {
        let (dir, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let backup = forms().join(format!("{name}.backup.tar.gz")).display().to_string();
        let into = dir.path().display().to_string();
        let mut restore = Command::new(env!("CARGO_BIN_EXE_sekisho"));
        restore.args(["restore", &backup, "--into", &into, "--passphrase-file", &passphrase(place.path())]);
        let said = run(&mut restore);
        assert!(said.contains("2 messages"), "{said}");
        // Certificates and the demo's own notes are in no backup.
        let data = forms().join(format!("{name}.data.tar.gz")).display().to_string();
        let named = ["./certificate.pem", "./key.pem", "./demo-accounts.json", "./auth-policy-secret"];
        run(Command::new("tar").args(["-C", &into, "-xzf", &data]).args(named));
        as_written(&Demo::start_over(dir, SETTINGS, &[]));
    }
}
