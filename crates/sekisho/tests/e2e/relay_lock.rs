//! The server's own relay probes: a configuration by which strangers can relay locks relaying down, until an operator unlocks it.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::{Demo, Dialogue};

/// Listed among what must not be: every network that is nobody's (RFC 5737), from which the probes come.
const LISTED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);
const NETWORKS: &str = "relay.networks=['192.0.2.0/24','198.51.100.0/24','203.0.113.0/24','127.0.0.77']";
const OUTSIDE: &str = "friend@outside.example";

fn status(demo: &Demo) -> Value {
    serde_json::from_slice(&demo.sekisho(&["relay", "status", "--json"]).stdout).unwrap()
}

fn rcpt_from(demo: &Demo, client: Ipv4Addr) -> String {
    Dialogue::connect(client, demo.port("smtp")).greeted().rcpt("x@x.example", OUTSIDE)
}

/// A listed client is put off, a login relays, and a stranger has no right as ever.
fn is_locked(demo: &Demo) {
    let listed = rcpt_from(demo, LISTED);
    assert!(listed.starts_with("451 4.7.1") && listed.contains("suspended"), "{listed}");
    let alice = demo.account("alice");
    let by_login = demo.submission(&alice).rcpt(&alice.address, OUTSIDE);
    assert!(by_login.starts_with("250"), "{by_login}");
    let stranger = rcpt_from(demo, Ipv4Addr::new(127, 0, 0, 66));
    assert!(stranger.starts_with("550 5.7.1"), "{stranger}");
}

#[test]
fn a_stranger_who_can_relay_locks_relaying_down() {
    let mut demo = Demo::start_with(&[NETWORKS, "relay.self_probe_after_secs=0"]);
    let alarm = demo.logged(&["relay_locked", "plain-foreign"]);
    assert!(alarm.contains("error") || alarm.contains("ERROR"), "{alarm}");
    is_locked(&demo);
    assert_eq!(demo.sekisho(&["relay", "status"]).status.code(), Some(1));
    let told = status(&demo);
    assert!(told["locked"] == true && told["alarms"] == 1, "{told}");
    let causes = told["causes"].to_string();
    assert!(causes.contains("smtp ") && causes.contains(" plain-foreign network"), "{causes}");
    let seen = demo.ruled(&["status", "--json"]);
    assert!(seen.contains("\"relay_locked\": true"), "{seen}");
    // Nothing of the probes is left but their result.
    assert!(demo.outside().is_empty());
    let is_told = |client: &str| demo.log().contains(&format!("client={client} "));
    assert!(!is_told("192.0.2.1") && !is_told("198.51.100.1"), "{}", demo.log());
    assert!(demo.stop());
    demo.restart();
    is_locked(&demo);
    // After the restart it is probed again; then the operator frees it, whatever the cause.
    demo.until("the probes", || (!status(&demo)["probed_at"].is_null()).then_some(()));
    demo.ruled(&["relay", "unlock"]);
    assert!(rcpt_from(&demo, LISTED).starts_with("250"));
    assert_eq!(demo.sekisho(&["relay", "unlock"]).status.code(), Some(1), "it was unlocked already");
    assert!(demo.ruled(&["log", "admin"]).contains("relay unlock"));
}

#[test]
fn our_own_probes_find_a_closed_server() {
    let demo = Demo::start_with(&["relay.self_probe_after_secs=0", "relay.networks=['192.0.2.0/26','127.0.0.77']"]);
    demo.until("the probes", || (!status(&demo)["probed_at"].is_null()).then_some(()));
    let told = status(&demo);
    assert!(told["locked"] == false && told["tried"].as_u64() > Some(300), "{told}");
    assert!(rcpt_from(&demo, LISTED).starts_with("250"));
    assert_eq!(demo.sekisho(&["ban", "list", "--json"]).stdout, b"[]\n", "nobody is held to have guessed");
}
