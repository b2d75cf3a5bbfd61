//! An operator's changes that can be looked at before and taken back after: reloads, and another server key.

use std::fs;

use serde_json::Value;

use crate::support::{Demo, message};

/// Exit code, and what was printed.
fn ended(demo: &Demo, arguments: &[&str]) -> (i32, String) {
    let output = demo.sekisho(arguments);
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&said).into_owned())
}

fn running_hops(demo: &Demo) -> Value {
    let shown: Value = serde_json::from_str(&demo.ruled(&["config", "show", "--running", "--json"])).unwrap();
    shown["limits"]["hops"].clone()
}

#[test]
fn a_reload_is_seen_before_and_taken_back_after() {
    let demo = Demo::start_with(&["limits.recipients=177"]);
    let config = demo.facts["config"].as_str().unwrap().to_owned();
    let (code, said) = ended(&demo, &["config", "diff"]);
    assert!(code == 0 && said.contains("the same"), "what --set says is no difference: {code} {said}");
    let (code, said) = ended(&demo, &["reload", "--rollback"]);
    assert!(code == 2 && said.contains("no earlier configuration"), "{code} {said}");

    let before = running_hops(&demo);
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[limits]\nhops = 41\n")).unwrap();
    let line = text.lines().count() + 3;
    let (code, said) = ended(&demo, &["config", "diff"]);
    let row =
        said.lines().map(str::trim).find(|row| row.starts_with("limits.hops")).unwrap_or_else(|| panic!("{said}"));
    assert!(code == 1 && row.contains("41") && row.contains(&format!("sekisho.toml:{line}:")), "{code} {said}");
    assert!(row.ends_with("reload") && said.lines().count() == 2, "{said}");
    demo.ruled(&["reload"]);
    assert_eq!((running_hops(&demo), ended(&demo, &["config", "diff"]).0), (Value::from(41), 0));

    let said = demo.ruled(&["reload", "--rollback"]);
    assert!(said.contains("in force again") && said.contains(&config), "{said}");
    assert_eq!((running_hops(&demo), ended(&demo, &["config", "diff"]).0), (before, 1));
    assert!(demo.ruled(&["log", "admin"]).contains("reload rollback"));
    // The file still says otherwise.
    demo.ruled(&["reload"]);
    assert_eq!(running_hops(&demo), 41);
    let kept = fs::read_to_string(demo.dir().join("configuration/in-force.toml")).unwrap();
    assert!(kept.ends_with("hops = 41\n"));

    // What needs a restart is said before the reload refuses it; a mistake is one of the file.
    fs::write(&config, text.replace("hostname = \"mail.", "hostname = \"mx.")).unwrap();
    let (code, said) = ended(&demo, &["config", "diff"]);
    let row = said.lines().map(str::trim).find(|row| row.starts_with("hostname")).unwrap_or_else(|| panic!("{said}"));
    assert!(code == 1 && row.ends_with("restart"), "{said}");
    let (code, said) = ended(&demo, &["reload"]);
    assert!(code == 2 && said.contains("hostname"), "{code} {said}");
    fs::write(&config, text.replace("hostname = ", "hostnam = ")).unwrap();
    assert_eq!(ended(&demo, &["config", "diff"]).0, 2);
}

#[test]
fn another_key_changes_nothing_for_devices_and_records() {
    let mut demo = Demo::start();
    let alice = demo.account("alice");
    let relays = |demo: &Demo, subject: &str| {
        let text = message(&alice.address, "far@outside.example", subject);
        let said = demo.submission(&alice).mail(&alice.address, "far@outside.example", text);
        assert!(said.starts_with("250"), "{said}");
    };
    relays(&demo, "before");
    demo.ruled(&["queue", "hold", "--login", "bob@example.test"]);
    let (code, said) = ended(&demo, &["key", "rotate"]);
    assert!(code == 75 && said.contains("in use"), "{code} {said}");
    assert!(demo.stop());
    let key = demo.dir().join("server.key");
    let old = fs::read(&key).unwrap();
    let said = demo.ruled(&["key", "rotate"]);
    assert!(said.contains("devices are sealed with it") && !said.contains("could not be read"), "{said}");
    assert_ne!(fs::read(&key).unwrap(), old);
    demo.restart();
    let mut dialogue = demo.under_tls("submission");
    let proof = crate::support::base64(&format!("\0{}\0{}", alice.device_login, alice.device_secret));
    assert!(dialogue.say(&format!("AUTH PLAIN {proof}")).starts_with("235"));
    relays(&demo, "after");
    demo.ruled(&["queue", "hold", "--login", "bob@example.test"]);
    for log in ["relay", "admin"] {
        let (code, said) = ended(&demo, &["log", log, "--verify"]);
        assert_eq!(code, 0, "the chain goes on: {said}");
    }
}
