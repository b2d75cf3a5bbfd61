//! `sekisho audit` of a running server, and of its file once it has ended: the same set, and when a right was used.

use serde_json::Value;
use std::process::Output;

use crate::support::Demo;

const NETWORK: &str = "relay.networks=[\"127.0.0.1\"]";

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    })
}

fn has(report: &Value, code: &str) -> bool {
    report["findings"].as_array().unwrap().iter().any(|it| it["code"] == code)
}

#[test]
fn the_audit_shows_who_may_relay_and_who_did() {
    let mut demo = Demo::start_with(&[NETWORK]);
    let before = report(&demo.sekisho(&["audit", "--json"]));
    assert_eq!((&before["running"], &before["networks"][0]["network"]), (&Value::Bool(true), &"127.0.0.1/32".into()));
    assert_eq!(before["networks"][0]["used"]["last_secs"], Value::Null);
    assert_eq!(before["everybody_else"]["ipv4_addresses"], u32::MAX);
    assert!(before["logins"].as_array().unwrap().iter().any(|it| it["login"] == "alice@example.test"));
    assert!(has(&before, "own-address") && !has(&before, "no-postmaster"), "{before:#}");
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.say("EHLO office.example").starts_with("250"));
    assert!(smtp.mail("anybody@example.test", "friend@outside.example", "Subject: a\r\n\r\nb\r\n").starts_with("250"));
    let after = report(&demo.sekisho(&["audit", "--json"]));
    let used = &after["networks"][0]["used"];
    assert!(used["last_secs"].is_u64() && used["from"] == "127.0.0.1", "{used}");
    let text = demo.sekisho(&["audit"]);
    assert!(text.status.success() && String::from_utf8_lossy(&text.stdout).contains("last used 20"));
    assert_eq!(demo.sekisho(&["audit", "--fail-on", "warning"]).status.code(), Some(1));
    assert!(demo.stop());
    let ended = report(&demo.sekisho(&["--set", NETWORK, "audit", "--json"]));
    assert_eq!((&ended["running"], &ended["networks"][0]["used"]), (&Value::Bool(false), used));
    assert_eq!(ended["logins"], after["logins"]);
}
