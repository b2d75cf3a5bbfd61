//! `sekisho explain --client`: the running server's own judgement of a session that nobody had, which leaves nothing behind; and what
//! it says would have a mail accepted is true when it is tried.

use crate::support::Demo;

const SENDER: &str = "x@outside.example";
const BOB: &str = "bob@example.test";

/// What the command says, and whether the session would go through.
fn explained(demo: &Demo, arguments: &[&str]) -> (String, bool) {
    let output = demo.sekisho(&[&["explain", "--helo", "localhost"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    (said, code == Some(0))
}

fn demo() -> Demo {
    Demo::start_with(&[
        "listener.smtp.xclient_from=['127.0.0.1']",
        "relay.networks=['198.51.100.0/28']",
        "guard.rule=[{ name = 'strict', when = ['helo-invalid'], action = 'greylist' }]",
    ])
}

#[test]
fn a_session_is_judged_as_it_would_be_and_leaves_nothing_behind() {
    let demo = demo();
    let alice = demo.account("alice").address;
    // Client, sender, recipient, login.
    let table = [
        ("192.0.2.44", SENDER, BOB, None),
        ("192.0.2.44", SENDER, "nobody@example.test", None),
        ("192.0.2.44", SENDER, "a@elsewhere.example", None),
        ("198.51.100.3", SENDER, "a@elsewhere.example", None),
        ("192.0.2.44", alice.as_str(), "a@elsewhere.example", Some(alice.as_str())),
        ("192.0.2.44", BOB, "a@elsewhere.example", Some(alice.as_str())),
        ("192.0.2.44", "", "a@elsewhere.example", None),
    ];
    let ask = |client: &str, from: &str, to: &str, auth: Option<&str>| {
        let mut arguments = vec!["--client", client, "--from", from, "--to", to];
        arguments.extend(auth.iter().flat_map(|login| ["--auth", login]));
        explained(&demo, &arguments)
    };
    for _ in 0..2 {
        let came: Vec<bool> = table.iter().map(|(client, from, to, auth)| ask(client, from, to, *auth).1).collect();
        assert_eq!(came, [false, false, false, true, true, false, false]);
    }
    let (said, _) = ask("192.0.2.44", SENDER, BOB, None);
    assert!(said.contains("greylisted") && said.contains("strict"), "{said}");
    assert!(!demo.log().contains(" refused ") && !demo.log().contains(" relayed "), "{}", demo.log());
    // It was never there: it begins to wait with its first mail.
    let arguments = ["--client", "192.0.2.44", "--from", SENDER, "--to", BOB, "--json"];
    assert!(explained(&demo, &arguments).0.contains("\"new\""));
    let answer = demo.speaks_for("192.0.2.44", "localhost").rcpt(SENDER, BOB);
    assert!(answer.starts_with("451 4.7.1"), "{answer}");
    assert!(explained(&demo, &arguments).0.contains("\"waiting\""));
    let real: Vec<bool> = table[1..4]
        .iter()
        .map(|(client, from, to, _)| demo.speaks_for(client, "localhost").rcpt(from, to).starts_with("250"))
        .collect();
    assert_eq!(real, [false, false, true]);
}

#[test]
fn what_would_have_it_accepted_does_when_it_is_tried() {
    let demo = demo();
    let alice = demo.account("alice");
    let tried = |from: &str, to: &str| demo.speaks_for("192.0.2.44", "localhost").rcpt(from, to);
    let lines = |from: &str, to: &str| {
        let (said, accepted) = explained(&demo, &["--client", "192.0.2.44", "--from", from, "--to", to]);
        assert!(!accepted && !tried(from, to).starts_with("250"), "{from} {to}: {said}");
        said
    };
    let has = |said: &str, line: &str| {
        assert!(said.contains("Would be accepted if") && said.contains(&format!("  {line}")), "{line}\n{said}");
    };
    // Its own name in its greeting, an exemption, the rule only tried.
    let said = lines(SENDER, BOB);
    has(&said, "192.0.2.44 were exempted (sekisho guard exempt 192.0.2.44)");
    has(&said, "it greeted with [192.0.2.44]");
    has(&said, "it came again after the wait");
    has(&said, "the rule strict");
    assert!(demo.speaks_for("192.0.2.44", "[192.0.2.44]").rcpt(SENDER, BOB).starts_with("250"));
    demo.ruled(&["guard", "exempt", "192.0.2.44"]);
    assert!(tried(SENDER, BOB).starts_with("250"));
    // An address that exists; before the exemption it would have taken two things.
    let said = lines(SENDER, "carla@example.test");
    has(&said, "carla@example.test existed here");
    demo.ruled(&["guard", "unexempt", "192.0.2.44"]);
    let said = lines(SENDER, "carla@example.test");
    assert!(said.contains("carla@example.test existed here (sekisho user add, sekisho alias add), and"), "{said}");
    assert!(!said.contains("existed here (sekisho user add, sekisho alias add)\n"), "{said}");
    demo.ruled(&["alias", "add", "carla@example.test", BOB]);
    demo.ruled(&["guard", "exempt", "192.0.2.44"]);
    assert!(tried(SENDER, "carla@example.test").starts_with("250"));
    // A login that owns the address.
    let said = lines(&alice.address, "a@elsewhere.example");
    has(&said, "alice@example.test logged in (AUTH)");
    has(&said, "192.0.2.44 were in relay.networks");
    assert!(demo.submission(&alice).rcpt(&alice.address, "a@elsewhere.example").starts_with("250"));
    // A domain that is switched off.
    demo.ruled(&["domain", "off", "example.test"]);
    has(&lines(SENDER, BOB), "example.test were not switched off");
    demo.ruled(&["domain", "on", "example.test"]);
    assert!(tried(SENDER, BOB).starts_with("250"));
}
