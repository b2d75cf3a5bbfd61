//! One brain: the same facts come to the same fate whatever interface tells them, and all of them count in the same counters.

use crate::asking::{FOREIGN, Maps, Milter, Policy};
use crate::support::{Demo, Dialogue};

const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const CAROL: &str = "carol@example.test";
/// Messages that a POP login may send in an hour: what Alice sends in the table, over all four interfaces.
const MESSAGES: usize = 8;

/// A client, and what becomes of its mail to the outside: in its own name, in Bob's, without a sender.
struct Client {
    ip: &'static str,
    own: &'static str,
    outside: [Fate; 3],
}

/// What becomes of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    Denied,
    Exhausted,
    Unknown,
    Routed,
    Suspicious,
}
use Fate::{Denied, Exhausted, Routed, Suspicious, Taken, Unknown};

impl Fate {
    /// What our own server says; nothing when it takes the recipient.
    fn reply(self, to: &str) -> Option<String> {
        Some(match self {
            Taken => return None,
            Denied => format!("550 5.7.1 <{to}>: we do not relay"),
            Exhausted => format!("450 4.7.1 <{to}>: your sending limit is reached, try again later"),
            Unknown => format!("550 5.1.1 <{to}>: no such user here"),
            Suspicious => format!("550 5.7.1 <{to}>: refused, your server looks like a source of spam"),
            Routed => format!("550 5.7.1 <{to}>: routes in addresses are not followed, we do not relay"),
        })
    }
}

const CLIENTS: [Client; 4] = [
    Client { ip: "192.0.2.9", own: ALICE, outside: [Denied, Denied, Denied] },
    Client { ip: "198.51.100.7", own: ALICE, outside: [Taken, Taken, Taken] },
    Client { ip: "192.0.2.7", own: ALICE, outside: [Taken, Denied, Denied] },
    Client { ip: "192.0.2.8", own: CAROL, outside: [Exhausted, Denied, Denied] },
];

/// Who has no right of any kind.
const STRANGER: &str = "192.0.2.9";

/// Recipients; `None`: elsewhere, so that it depends on the client and the sender.
const RECIPIENTS: [(&str, Option<Fate>); 5] = [
    (BOB, Some(Taken)),
    ("nobody@example.test", Some(Unknown)),
    ("friend@outside.example", None),
    ("friend%outside.example@example.test", Some(Routed)),
    ("friend@[192.0.2.99]", None),
];

/// One client at all interfaces.
struct Everywhere {
    ip: &'static str,
    smtp: Dialogue,
    policy: Policy,
    maps: Maps,
    milter: Milter,
}

impl Everywhere {
    fn new(demo: &Demo, ip: &'static str) -> Self {
        let smtp = demo.speaks_for(ip, "client.example");
        let (policy, maps) = (Policy::connect(demo), Maps::connect(demo));
        Self { ip, smtp, policy, maps, milter: Milter::connect(demo, ip) }
    }

    /// Asks one of the four, and sends the mail where that is told.
    fn ask(&mut self, interface: usize, from: &str, to: &str) -> String {
        match interface {
            0 => {
                let answer = self.smtp.rcpt(from, to);
                if answer.starts_with("250") {
                    let taken = self.smtp.data("Subject: x\r\n\r\nx\r\n");
                    assert!(taken.starts_with("250"), "{taken}");
                }
                answer
            }
            1 => self.policy.rcpt(self.ip, from, to),
            2 => self.milter.mail(None, from, to),
            _ => self.maps.ask(&format!("relay {}<{from}><{to}>", self.ip)),
        }
    }

    /// All four must say so, each in its own words.
    fn says(&mut self, from: &str, to: &str, fate: Fate) {
        let told = |answer: &str| answer.split(" [").next().unwrap().trim_end().to_owned();
        let is_ours = to.ends_with("@example.test");
        for interface in 0..4 {
            let answer = self.ask(interface, from, to);
            let expected = match (interface, fate.reply(to)) {
                (0..=2, Some(reply)) => reply,
                (0, None) => "250 2.1.5 Recipient ok".to_owned(),
                (1, None) => if is_ours { "DUNNO" } else { "OK" }.to_owned(),
                (2, None) => "continue".to_owned(),
                (_, None) if !is_ours => "OK OK".to_owned(),
                _ if fate == Exhausted => "TEMP grant-exhausted".to_owned(),
                _ => "NOTFOUND".to_owned(),
            };
            let answer = if interface == 0 && answer.starts_with("250") { expected.clone() } else { told(&answer) };
            assert_eq!(answer, expected, "interface {interface}: {} <{from}> <{to}>", self.ip);
        }
    }
}

fn demo() -> Demo {
    let messages = format!("relay.pop.messages_per_hour={MESSAGES}");
    let demo = Demo::start_with(&[
        "relay.networks=['198.51.100.0/28']",
        "listener.smtp.xclient_from=['127.0.0.1']",
        // What is held against a stranger: nobody else's bounces are refused.
        "guard.rule=[{ name = 'bounces', when = ['null-sender'], action = 'refuse' }]",
        &messages,
    ]);
    demo.ruled(&["grant", "add", "192.0.2.7", ALICE]);
    demo.ruled(&["grant", "add", "192.0.2.8", CAROL]);
    demo
}

#[test]
fn every_interface_says_the_same_and_counts_the_same() {
    let demo = demo();
    // Carol's right is used up a bit everywhere.
    let mut carol = Everywhere::new(&demo, "192.0.2.8");
    for sent in 0..MESSAGES {
        let answer = carol.ask(sent % 4, CAROL, "friend@outside.example");
        let taken = ["250", "OK", "continue", "OK OK"][sent % 4];
        assert!(answer.starts_with(taken), "{sent}: {answer}");
    }
    for Client { ip, own, outside } in CLIENTS {
        let mut client = Everywhere::new(&demo, ip);
        for (from, elsewhere) in [own, BOB, ""].into_iter().zip(outside) {
            for (to, fate) in RECIPIENTS {
                let is_bounce_of_a_stranger = (ip, from, to) == (STRANGER, "", BOB);
                client.says(from, to, if is_bounce_of_a_stranger { Suspicious } else { fate.unwrap_or(elsewhere) });
            }
        }
    }
    // Alice has sent eight by now, two over each interface: it is enough, whoever asks; by her address alone she still is one
    // who may.
    let mut alice = Everywhere::new(&demo, "192.0.2.7");
    alice.says(ALICE, "friend@outside.example", Exhausted);
    assert_eq!(alice.maps.ask("relay 192.0.2.7"), "OK OK");
    // Who is revoked is so everywhere.
    demo.ruled(&["grant", "revoke", "--address", "192.0.2.7"]);
    alice.says(ALICE, "friend@outside.example", Denied);
    assert_eq!(alice.maps.ask("relay 192.0.2.7"), "NOTFOUND ");
}

/// What the mail server says of where a recipient goes keeps its own mail from being refused, and gives nobody a right.
#[test]
fn t59_where_a_recipient_goes_is_a_hint_and_no_right() {
    let demo = demo();
    let mut milter = Milter::connect(&demo, "192.0.2.9");
    assert_eq!(milter.from(None, "x@outside.example"), "continue");
    for own in ["local", "virtual", "lmtp", "Local", "dovecot", "prog"] {
        assert_eq!(milter.rcpt_by(own, "friend@own.example"), "continue", "{own}");
    }
    for onward in ["smtp", "esmtp", "relay", "smtp-slow", ""] {
        let said = milter.rcpt_by(onward, "friend@own.example");
        assert!(said.starts_with("550 5.7.1 <friend@own.example>: we do not relay"), "{onward}: {said}");
    }
    assert!(milter.to("friend@own.example").starts_with("550 5.7.1"), "without a hint");
    let unknown = milter.rcpt_by("local", "nobody@example.test");
    assert!(unknown.starts_with("550 5.1.1"), "what is ours is judged by us: {unknown}");
    let refused = demo.logged(&["refused", "listener=milter", "relay-denied"]);
    assert!(refused.contains("domains.relay"), "{refused}");
    // A sender without a domain is nobody's, and may write to the mail server's own users.
    assert_eq!(milter.from(None, "root"), "continue");
    assert_eq!(milter.rcpt_by("local", "friend@own.example"), "continue");
    assert_eq!(milter.rcpt_by("local", "friend"), "continue");
    assert!(milter.rcpt_by("smtp", "friend@outside.example").starts_with("553"));
    assert!(milter.from(Some("alice@example.test"), "root").starts_with("553"), "a login of ours is bound");
}

/// What is taken back was never counted: not by RSET, not by another beginning, not by the end of a connection, not by a
/// refused message; nor does the milter count what the mail server gives up.
#[test]
fn a_recipient_that_is_taken_back_counts_nothing() {
    let demo = Demo::start_with(&[
        "relay.pop.messages_per_hour=1",
        "relay.pop.recipients_per_hour=1",
        "listener.smtp.xclient_from=['127.0.0.1']",
        "limits.hops=20",
    ]);
    demo.ruled(&["grant", "add", "192.0.2.7", ALICE]);
    let outside = "friend@outside.example";
    let mut alice = Everywhere::new(&demo, "192.0.2.7");
    let looping = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n".repeat(21) + "\r\nx\r\n";
    for _ in 0..3 {
        assert!(alice.smtp.rcpt(ALICE, outside).starts_with("250"));
        assert!(alice.smtp.say("EHLO again.example").starts_with("250"));
        assert!(alice.smtp.mail(ALICE, outside, &looping).starts_with("554"));
        assert_eq!(alice.milter.rcpt(None, ALICE, outside), "continue");
    }
    assert!(alice.smtp.rcpt(ALICE, outside).starts_with("250"));
    assert!(alice.smtp.say(&format!("RCPT TO:<{outside}>")).starts_with("450"), "one is on its way");
    let mut another = Everywhere::new(&demo, "192.0.2.7");
    assert!(another.smtp.rcpt(ALICE, outside).starts_with("450"), "and counts for others, too");
    assert!(another.milter.rcpt(None, ALICE, outside).starts_with("450"));
    drop(alice);
    demo.until("the connection's end", || another.smtp.rcpt(ALICE, outside).starts_with("250").then_some(()));
    assert!(another.smtp.data("Subject: x\r\n\r\nx\r\n").starts_with("250"));
    assert!(another.smtp.rcpt(ALICE, outside).starts_with("450"), "now it is used up");
    assert!(another.milter.rcpt(None, ALICE, outside).starts_with("450"));
}

/// A login that the mail server has checked counts like one of our own, for the same senders, with the device's own limits.
#[test]
fn a_login_says_the_same_everywhere() {
    let demo = demo();
    demo.ruled(&["user", "device", "add", ALICE, "limited", "--messages-per-hour", "3", "--anywhere"]);
    demo.ruled(&["user", "device", "add", ALICE, "inside"]);
    let alice = demo.account("alice");
    let mut smtp = demo.submission(&alice);
    let mut policy = Policy::connect(&demo);
    let mut milter = Milter::connect(&demo, "192.0.2.9");
    let not_hers = "553 5.7.1 <bob@example.test>: this sender address is not yours";
    for (from, to, expected) in [
        (ALICE, "friend@outside.example", ""),
        (ALICE, BOB, ""),
        ("", "friend@outside.example", ""),
        (BOB, "friend@outside.example", not_hers),
        (BOB, CAROL, not_hers),
        (ALICE, "nobody@example.test", "550 5.1.1 <nobody@example.test>: no such user here"),
    ] {
        let told = [("client_address", "192.0.2.9"), ("sasl_username", alice.login.as_str())];
        let asked = [&told[..], &[("sender", from), ("recipient", to)]].concat();
        let answers = [smtp.rcpt(from, to), policy.ask("RCPT", &asked), milter.rcpt(Some(&alice.login), from, to)];
        for (answer, taken) in answers.iter().zip([&["250"][..], &["OK", "DUNNO"], &["continue"]]) {
            if expected.is_empty() {
                assert!(taken.iter().any(|word| answer.starts_with(word)), "{from} {to}: {answers:?}");
            } else {
                assert_eq!(answer.split(" [").next(), Some(expected), "{from} {to}: {answers:?}");
            }
        }
    }
    let inside = Some("alice-inside@example.test");
    let out_of_scope = milter.rcpt(inside, ALICE, "friend@outside.example");
    assert!(out_of_scope.starts_with("550 5.7.1 <friend@outside.example>: you may not write"), "{out_of_scope}");
    assert_eq!(milter.rcpt(inside, ALICE, BOB), "continue");
    let device = "alice-limited@example.test";
    let asked = [("client_address", "192.0.2.9"), ("sasl_username", device), ("sender", ALICE)];
    let asked = [&asked[..], &[("recipient", "friend@outside.example")]].concat();
    assert_eq!(policy.ask("RCPT", &asked), "OK");
    assert_eq!(milter.mail(Some(device), ALICE, "friend@outside.example"), "continue");
    assert_eq!(policy.ask("RCPT", &asked), "OK");
    for answer in [milter.rcpt(Some(device), ALICE, "friend@outside.example"), policy.ask("RCPT", &asked)] {
        assert!(answer.starts_with("450 4.7.1 <friend@outside.example>: your sending limit"), "{answer}");
    }
    demo.ruled(&["user", "lock", ALICE]);
    assert_eq!(policy.ask("RCPT", &asked), "DUNNO", "a locked account has no right");
    let foreign = [&asked[..], &[FOREIGN]].concat();
    assert!(policy.ask("RCPT", &foreign).starts_with("550 5.7.1"), "a locked account has no right");
}
