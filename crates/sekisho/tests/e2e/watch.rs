//! `[[watch]]`: logins in the logs of other servers.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::asking::Policy;
use crate::support::{Demo, run};

const OUTSIDE: &str = "friend@outside.example";

fn append(path: &Path, line: &str) {
    let mut file = fs::File::options().append(true).create(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn dovecot(user: &str, client: &str) -> String {
    format!(
        "Nov 22 03:04:05 mx dovecot: pop3-login: Login: user=<{user}>, method=PLAIN, rip={client}, lip=192.0.2.1, mpid=9"
    )
}

fn setting(format: &str, log: &Path) -> String {
    format!("watch=[{{format=\"{format}\",file=\"{}\"}}]", log.display())
}

fn has_right(demo: &Demo, client: &str) -> bool {
    let listed: Value = serde_json::from_str(&demo.ruled(&["grant", "list", "--json"])).unwrap();
    listed.as_array().unwrap().iter().any(|right| right.to_string().contains(&format!("\"{client}")))
}

fn until_right(demo: &Demo, client: &str) {
    demo.until(&format!("the right of {client}"), || has_right(demo, client).then_some(()));
}

#[test]
fn a_login_in_dovecots_log_gives_the_right_in_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    append(&log, &dovecot("early", "192.0.2.99"));
    let demo = Demo::start_with(&[&setting("dovecot", &log)]);
    let mut policy = Policy::connect(&demo);
    let forged = dovecot("mallory", "203.0.113.9");
    append(&log, &format!("Nov 22 03:04:05 mx dovecot: auth: sql({forged},192.0.2.66): unknown user"));
    append(&log, &dovecot("mallory>, method=PLAIN, rip=203.0.113.9, x=<", "192.0.2.66"));
    append(&log, &dovecot("Dave", "192.0.2.7"));
    until_right(&demo, "192.0.2.7");
    assert_eq!(policy.rcpt("192.0.2.7", "dave@example.test", OUTSIDE), "OK");
    assert!(policy.rcpt("192.0.2.7", "bob@example.test", OUTSIDE).starts_with("550"));
    assert!(demo.ruled(&["grant", "list"]).contains("log"));
    for nobody in ["203.0.113.9", "192.0.2.66", "192.0.2.99"] {
        assert!(!has_right(&demo, nobody), "{nobody}");
    }
    // Rotated, then made anew.
    fs::rename(&log, dir.path().join("mail.log.1")).unwrap();
    append(&log, &"something else\n".repeat(100));
    append(&log, &dovecot("erin", "192.0.2.8"));
    until_right(&demo, "192.0.2.8");
    // Cut off and written anew.
    fs::write(&log, dovecot("frank", "192.0.2.10") + "\n").unwrap();
    until_right(&demo, "192.0.2.10");
}

#[test]
fn a_log_that_comes_later_and_addresses_of_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("mail.log");
    let demo = Demo::start_with(&[&setting("courier", &log), "relay.drac.loopback=false"]);
    demo.logged(&["log_unreadable"]);
    let courier = |client: &str| format!("Nov 22 03:04:05 mx pop3d: LOGIN, user=dave, ip=[::ffff:{client}], port=[5]");
    append(&log, &courier("127.0.0.1"));
    append(&log, &courier("192.0.2.7"));
    until_right(&demo, "192.0.2.7");
    demo.logged(&["log_watched"]);
    demo.logged(&["login_ungranted", "client=127.0.0.1", "told_by=log"]);
    assert!(!has_right(&demo, "127.0.0.1"));
}

/// A log that stays watched goes on where it was, one that is taken out is read no more.
#[test]
fn a_reload_changes_what_is_watched() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("first.log"), dir.path().join("second.log"));
    for log in [&first, &second] {
        fs::write(log, "").unwrap();
    }
    let demo = Demo::start();
    let config = demo.dir().join("sekisho.toml");
    let bare = fs::read_to_string(&config).unwrap();
    let entry = |log: &Path| format!("\n[[watch]]\nformat = \"dovecot\"\nfile = \"{}\"\n", log.display());
    let reload = |text: &str| {
        fs::write(&config, text).unwrap();
        let before = demo.log().matches(" reloaded ").count();
        run(Command::new("kill").args(["-HUP", &demo.pid().to_string()]));
        demo.until("the reload", || (demo.log().matches(" reloaded ").count() > before).then_some(()));
    };
    reload(&(bare.clone() + &entry(&first) + &entry(&second)));
    append(&first, &dovecot("dave", "192.0.2.11"));
    append(&second, &dovecot("dave", "192.0.2.12"));
    until_right(&demo, "192.0.2.11");
    until_right(&demo, "192.0.2.12");
    reload(&(bare + &entry(&second)));
    append(&first, &dovecot("dave", "192.0.2.13"));
    // Two looks at the second are further apart than two at the first would be.
    for client in ["192.0.2.14", "192.0.2.15", "192.0.2.16"] {
        append(&second, &dovecot("dave", client));
        until_right(&demo, client);
    }
    assert!(!has_right(&demo, "192.0.2.13"));
}

/// The journal by a `journalctl` of our own, which fails at first.
#[test]
fn the_journal_is_followed_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let program = dir.path().join("journalctl");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {at}/calls\n[ -e {at}/pid ] || {{ echo 0 > {at}/pid; exit 3; }}\necho $$ > {at}/pid\nexec tail -n +1 -f {at}/entries\n"
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let entries = dir.path().join("entries");
    let entry = |program: &str, message: &str| json!({"SYSLOG_IDENTIFIER": program, "MESSAGE": message}).to_string();
    append(&entries, &"x".repeat(100_000));
    append(
        &entries,
        &entry("pop3d", "x\nNov 22 03:04:05 mx pop3[1]: login: h [203.0.113.9] mallory plaintext User logged in"),
    );
    append(&entries, &entry("cyrus/pop3", "login: client.example [192.0.2.7] dave plaintext User logged in"));
    let path = format!("{at}:{}", std::env::var("PATH").unwrap());
    let mut demo =
        Demo::start_in(&["watch=[{format=\"cyrus\",unit=\"cyrus-imapd.service\"}]"], &[("PATH", path.as_str())]);
    until_right(&demo, "192.0.2.7");
    assert!(!has_right(&demo, "203.0.113.9"));
    demo.logged(&["journalctl_ended", "cyrus-imapd.service", "exit status: 3"]);
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(calls.lines().count() == 2 && calls.contains("--unit=cyrus-imapd.service"), "{calls}");
    append(&entries, &entry("imaps", "login: [192.0.2.8] erin PLAIN+TLS User logged in SESSIONID=<s>"));
    until_right(&demo, "192.0.2.8");
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap();
    assert!(Path::new("/proc").join(pid.trim()).exists());
    assert!(demo.stop());
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "it ended with us");
}
