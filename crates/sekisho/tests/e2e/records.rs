//! Decisions that were kept: the id in a reply leads to the rule and line that decided, with a server and without.

use std::fs;
use std::net::Ipv4Addr;

use crate::support::{Demo, Dialogue, base64, message};

const BOB: &str = "bob@example.test";
const OUTSIDE: &str = "x@outside.example";
const GUESS: &str = "no such password 4711";

/// The id at the end of a reply.
pub(crate) fn id(reply: &str) -> &str {
    let (_, id) = reply.trim_end().rsplit_once('[').unwrap_or_else(|| panic!("no id: {reply}"));
    id.trim_end_matches(']')
}

fn explained(demo: &Demo, reply: &str, expected: &[&str]) -> String {
    let told = demo.ruled(&["explain", id(reply)]);
    for words in expected {
        assert!(told.contains(words), "{words:?} is not in what is told of {reply}\n{told}");
    }
    told
}

#[test]
fn the_id_in_a_reply_names_the_rule_and_the_line() {
    let files = tempfile::tempdir().unwrap();
    let senders = files.path().join("senders");
    fs::write(&senders, "good.example OK\nbad.example REJECT\n").unwrap();
    let access = format!("access=[{{map=\"hash:{}\",at=\"sender\"}}]", senders.display());
    let mut demo = Demo::start_with(&[
        "listener.smtp.xclient_from=['127.0.0.1']",
        "listener.smtp.deny=['127.0.9.9']",
        "listener.submission.hide_client=true",
        "guard.rule=[{ name = 'strict', when = ['helo-invalid'], action = 'refuse' }]",
        &access,
    ]);

    let mut stranger = Dialogue::connect(Ipv4Addr::new(127, 0, 1, 5), demo.port("smtp")).greeted();
    let denied = stranger.rcpt(OUTSIDE, "x@elsewhere.example");
    let told =
        explained(&demo, &denied, &["relay-denied", "relay.networks", "x@elsewhere.example", "Steps", "accounts"]);
    assert!(told.contains(&denied.trim_end().replace("\r\n", "")), "{told}");
    let unknown = stranger.rcpt(OUTSIDE, "nobody@example.test");
    explained(&demo, &unknown, &["unknown-user", "Others of its session", id(&denied)]);
    let refused = stranger.rcpt("a@bad.example", BOB);
    explained(&demo, &refused, &["access-denied", &format!("{}:2", senders.display())]);
    assert!(stranger.rcpt(OUTSIDE, BOB).starts_with("250"));

    let odd = demo.speaks_for("192.0.2.44", "localhost").rcpt(OUTSIDE, BOB);
    explained(&demo, &odd, &["helo-refused", "strict", "192.0.2.44", "greeting   localhost"]);

    let banned = Dialogue::connect(Ipv4Addr::new(127, 0, 9, 9), demo.port("smtp")).reply();
    assert!(banned.starts_with("554 5.7.1 Access denied ["), "{banned}");
    explained(&demo, &banned, &["Connection", "access-denied", "decided by", "127.0.9.9"]);

    let failed = demo.under_tls("submission").say(&format!("AUTH PLAIN {}", base64(&format!("\0{BOB}\0{GUESS}"))));
    let told = explained(&demo, &failed, &["Login", "login-failed", "PLAIN: wrong password", BOB]);
    assert!(!told.contains(GUESS), "{told}");
    assert!(demo.logged(&["login_failed", BOB]).contains(id(&failed)));

    let listed = demo.ruled(&["records", "list", "--address", "@Elsewhere.example", "--since", "1h"]);
    assert!(listed.contains(id(&denied)) && !listed.contains(id(&unknown)), "{listed}");
    let accepted = demo.ruled(&["--json", "records", "list", "--client", "127.0.0.0/8", "--address", BOB]);
    assert!(accepted.contains("\"outcome\": \"hosted\""), "{accepted}");
    assert!(demo.ruled(&["records", "list", "--login", BOB, "--reason", "login-failed"]).contains(id(&failed)));
    assert!(demo.ruled(&["status"]).contains(" 0 dropped"));

    // Whoever logged in is not told to those whom he writes to.
    let alice = demo.account("alice");
    let mut mail = demo.submission(&alice);
    assert!(mail.mail(&alice.address, BOB, message(&alice.address, BOB, "hidden")).starts_with("250"));
    let came = demo.until("the mail", || demo.mailbox("bob").into_iter().find(|mail| mail.contains("hidden")));
    assert!(came.contains("Received: from unknown") && !came.contains("[127.0."), "{came}");

    let none = demo.sekisho(&["explain", "zzzzzzzz"]);
    let said = String::from_utf8_lossy(&none.stderr);
    assert!(none.status.code() == Some(1) && said.contains("30 days"), "{said}");
    // Without a server the files say the same.
    assert!(demo.stop());
    reported(&demo, id(&denied));
    explained(&demo, &denied, &["relay-denied", "relay.networks"]);
    assert!(demo.ruled(&["records", "show", id(&odd)]).contains("\"helo\": \"localhost\""));
    assert_eq!(demo.sekisho(&["explain", "zzzzzzzz"]).status.code(), Some(1));

    // What cannot be read is said to be missing, by whatever reads.
    fs::write(demo.dir().join("records/0000000000009999.records"), [0; 64]).unwrap();
    for command in [&["records", "list"][..], &["report", "--lang", "en"], &["explain", id(&odd)]] {
        let told = demo.ruled(command);
        assert!(told.contains("1 stretches of the"), "{command:?}\n{told}");
    }
}

/// The digest of these records, and the statement about somebody, in both languages and forms.
fn reported(demo: &Demo, denied: &str) {
    let told = demo.ruled(&["report", "--since", "1h", "--lang", "en"]);
    for words in
        ["relay-denied", denied, "Refused logins", BOB, "Recipients here: ", "What to do", "delivery.remote = "]
    {
        assert!(told.contains(words), "{words}\n{told}");
    }
    let page = demo.dir().join("report.html");
    demo.ruled(&["report", "--since", "1h", "--lang", "ja", "--html", page.to_str().unwrap()]);
    let html = fs::read_to_string(page).unwrap();
    assert!(html.contains("拒否と一時拒否") && html.contains("<td>relay-denied</td>"), "{html}");
    assert!(html.contains("対処") && html.contains("<td>警告</td>"), "{html}");
    let digest: serde_json::Value = serde_json::from_str(&demo.ruled(&["report", "--since", "1h", "--json"])).unwrap();
    assert!(digest["not_audited"].is_null() && digest["dropped"] == 0 && digest["damaged"] == 0, "{digest:#}");
    let audited = demo.sekisho(&["audit", "--json"]).stdout;
    let audited: serde_json::Value = serde_json::from_slice(&audited).unwrap();
    let bad = audited["totals"]["danger"].as_u64().unwrap() + audited["totals"]["warning"].as_u64().unwrap();
    assert_eq!(digest["dangers"].as_array().unwrap().len() as u64, bad, "{digest:#}");
    let mail = demo.ruled(&["report", "--since", "1h", "--mail-to", BOB]);
    assert!(mail.contains("multipart/alternative") && mail.contains("To: <bob@example.test>"), "{mail}");
    let statement = demo.ruled(&["report", "abuse", "--login", "alice", "--since", "1h", "--lang", "en"]);
    assert!(statement.contains("the account alice@example.test"), "{statement}");
    for command in [&["report"][..], &["records", "list"], &["replay"], &["log", "relay"]] {
        for (since, said) in [("yesterday", "is no time"), ("24", "24 has no unit; write 24h")] {
            let output = demo.sekisho(&[command, &["--since", since]].concat());
            let told = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && told.contains(said), "{command:?} {told}");
        }
    }
}
