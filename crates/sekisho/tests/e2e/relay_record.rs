//! The lines that relayed messages leave, on the whole program: what is in them, and that a change is found.
#![expect(clippy::cloned_ref_to_slice_refs, reason = "a line each, as the others")]

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::support::{Demo, Dialogue};

const NETWORK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const OUTSIDE: &str = "x@elsewhere.example";
const TEXT: &str = "Subject: x\r\n\r\nx\r\n";

fn listed(demo: &Demo, more: &[&str]) -> Vec<Value> {
    let arguments = [&["log", "relay", "--json"], more].concat();
    let listed: Value = serde_json::from_str(&demo.ruled(&arguments)).unwrap();
    assert_eq!(listed["unreadable"], 0);
    listed["relayed"].as_array().unwrap().clone()
}

/// The exit code, and what was said.
fn verified(demo: &Demo, log: &str, more: &[&str]) -> (i32, String) {
    let output = demo.sekisho(&[&["log", log, "--verify"], more].concat());
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn relayed_from_network(demo: &Demo) -> String {
    let accepted = Dialogue::connect(NETWORK, demo.port("smtp")).greeted().mail("a@b.example", OUTSIDE, TEXT);
    assert!(accepted.starts_with("250"), "{accepted}");
    accepted
}

#[test]
fn each_relayed_message_leaves_a_line_that_stays() {
    let mut demo = Demo::start_with(&["relay.networks=[\"127.0.0.9\"]", "relay.record.head_file=\"relay.head\""]);
    let alice = demo.account("alice");
    relayed_from_network(&demo);
    assert!(demo.dial("smtp").greeted().mail("a@b.example", &alice.address, TEXT).starts_with("250"), "ours");
    let mut smtp = demo.submission(&alice);
    assert!(smtp.say(&format!("MAIL FROM:<{}>", alice.address)).starts_with("250"));
    for to in [OUTSIDE, "y@other.example", "bob@example.test"] {
        assert!(smtp.say(&format!("RCPT TO:<{to}>")).starts_with("250"));
    }
    assert!(smtp.data(TEXT).starts_with("250"));
    let lines = listed(&demo, &[]);
    assert_eq!(lines.len(), 2, "mail for our own leaves none: {lines:?}");
    let (network, login) = (&lines[0], &lines[1]);
    assert_eq!((&network["client"], &network["rights"][0]["right"]), (&"127.0.0.9".into(), &"network".into()));
    assert_eq!((&network["rights"][0]["to"][0], &network["recipients"]), (&format!("<{OUTSIDE}>").into(), &1.into()));
    assert!(network["rights"][0]["line"].is_string(), "{network}");
    assert_eq!(network["configuration"].as_str().map(str::len), Some(16));
    let by = &login["rights"][0];
    assert_eq!(
        (&by["right"], &by["login"], &by["recipients"]),
        (&"auth".into(), &alice.login.as_str().into(), &2.into())
    );
    assert_eq!((&login["recipients"], &by["domains"][1]), (&3.into(), &"other.example".into()));
    for line in &lines {
        demo.logged(&["relayed", line["rights"][0]["explain"][0].as_str().unwrap()]);
        demo.logged(&["accepted", line["queue_id"].as_str().unwrap()]);
    }
    assert_eq!(listed(&demo, &["--login", &alice.login, "--since", "1h"]), [login.clone()]);
    assert_eq!(listed(&demo, &["--client", "127.0.0.9"]), [network.clone()]);

    // A kill drops nothing, and the end notes where it stands.
    relayed_from_network(&demo);
    demo.kill_9();
    demo.restart();
    assert_eq!(listed(&demo, &[]).len(), 3);
    demo.ruled(&["user", "lock", "bob@example.test"]);
    assert!(demo.stop());
    demo.logged(&["relay_chain"]);
    let noted = std::fs::read_to_string(demo.dir().join("relay.head")).unwrap();
    let noted = ["--head", noted.trim()];
    for (log, head) in [("relay", &noted[..]), ("relay", &[]), ("admin", &[])] {
        let (code, said) = verified(&demo, log, head);
        assert!(code == 0 && said.contains("intact"), "{log}: {said}");
    }
    assert_eq!(demo.sekisho(&["log", "relay", "--head", noted[1]]).status.code(), Some(2), "only with --verify");

    let file = demo.dir().join("record/relay.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("elsewhere.example", "elsewhere.exampel", 1)).unwrap();
    let (code, said) = verified(&demo, "relay", &noted);
    assert!(code == 1 && said.contains("relay.jsonl:2: this line"), "{said}");
    let last = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&file, &text[..last]).unwrap();
    assert_eq!(verified(&demo, "relay", &[]).0, 0, "nothing tells of a cut-off end but the note");
    let (code, said) = verified(&demo, "relay", &noted);
    assert!(code == 1 && said.contains("its end was cut off"), "{said}");
    let audit = demo.dir().join("audit.jsonl");
    let text = std::fs::read_to_string(&audit).unwrap();
    std::fs::write(&audit, text.replacen("bob@", "eve@", 1)).unwrap();
    assert_eq!(verified(&demo, "admin", &[]).0, 1);
}
