//! Postfix's policy delegation against the whole program.

use std::fs;

use crate::asking::{FOREIGN, Maps, Policy, request};
use crate::support::Demo;

const CLIENT: &str = "192.0.2.7";
const OUTSIDE: &str = "friend@outside.example";
const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// What the action is without the id of a refusal.
fn plain(action: &str) -> &str {
    action.split(" [").next().unwrap()
}

const DENIED: &str = "550 5.7.1 <friend@outside.example>: we do not relay";
const NOBODY: &str = "550 5.1.1 <nobody@example.test>: no such user here";
const NOT_ALICE_S: &str = "553 5.7.1 <bob@example.test>: this sender address is not yours";

fn with_rights(more: &[&str]) -> Demo {
    let mut sets = vec!["relay.networks=['198.51.100.0/28']"];
    sets.extend(more);
    let demo = Demo::start_with(&sets);
    demo.ruled(&["grant", "add", CLIENT, ALICE]);
    assert_eq!(demo.sekisho(&["grant", "add", "0.0.0.0", ALICE]).status.code(), Some(2), "it is nobody's address");
    demo
}

/// The stage, what is told, the action.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn permitting_a_right_is_ok_and_none_is_a_refusal() {
    let demo = with_rights(&[]);
    let mut policy = Policy::connect(&demo);
    let ip = |client| ("client_address", client);
    let (from, to, login) = (|s| ("sender", s), |r| ("recipient", r), |l| ("sasl_username", l));
    let table: &[Row<'_>] = &[
        ("CONNECT", &[ip(CLIENT)], "DUNNO"),
        ("EHLO", &[ip(CLIENT)], "DUNNO"),
        ("HELO", &[ip("unknown")], "DUNNO"),
        ("MAIL", &[ip(CLIENT), from(BOB)], "DUNNO"),
        ("MAIL", &[ip(CLIENT), from(BOB), login(ALICE)], NOT_ALICE_S),
        ("MAIL", &[ip(CLIENT), from(ALICE), login(ALICE)], "DUNNO"),
        ("MAIL", &[ip(CLIENT), from("root")], "DUNNO"),
        ("MAIL", &[ip(CLIENT), from("root"), login(ALICE)], "553 5.1.2 the address has no domain"),
        ("RCPT", &[ip(CLIENT), from(ALICE), to(OUTSIDE)], "OK"),
        ("RCPT", &[ip(CLIENT), from(BOB), to(OUTSIDE)], DENIED),
        ("RCPT", &[ip(CLIENT), from(""), to(OUTSIDE)], DENIED),
        ("RCPT", &[ip("192.0.2.8"), from(ALICE), to(OUTSIDE)], DENIED),
        ("RCPT", &[ip("::ffff:192.0.2.7"), from(ALICE), to(OUTSIDE)], "OK"),
        ("RCPT", &[ip("198.51.100.7"), from("x@outside.example"), to(OUTSIDE)], "OK"),
        ("RCPT", &[ip("198.51.100.7"), from(""), to(OUTSIDE)], "OK"),
        ("RCPT", &[ip("unknown"), from(ALICE), to(OUTSIDE)], DENIED),
        ("RCPT", &[from(ALICE), to(OUTSIDE)], DENIED),
        ("RCPT", &[ip("0.0.0.0"), from(ALICE), to(OUTSIDE)], DENIED),
        ("RCPT", &[ip("unknown"), from("x@outside.example"), to(BOB)], "DUNNO"),
        ("RCPT", &[ip("unknown"), from(ALICE), to(OUTSIDE), login(ALICE)], "OK"),
        ("RCPT", &[ip("192.0.2.8"), from(ALICE), to(OUTSIDE), login(ALICE)], "OK"),
        ("RCPT", &[ip("192.0.2.8"), from(""), to(OUTSIDE), login("alice")], "OK"),
        ("RCPT", &[ip("192.0.2.8"), from(ALICE), to(OUTSIDE), login(ALICE), ("sasl_method", "XCLIENT")], DENIED),
        ("RCPT", &[ip("192.0.2.8"), from(BOB), to(OUTSIDE), login(ALICE)], NOT_ALICE_S),
        ("RCPT", &[ip("192.0.2.8"), from(BOB), to("carol@example.test"), login(ALICE)], NOT_ALICE_S),
        ("RCPT", &[ip("192.0.2.8"), from(ALICE), to(OUTSIDE), login("stranger@elsewhere.example")], DENIED),
        ("RCPT", &[ip("192.0.2.8"), from("x@outside.example"), to(BOB)], "DUNNO"),
        ("RCPT", &[ip("192.0.2.8"), from("x@outside.example"), to("nobody@example.test")], NOBODY),
        ("RCPT", &[ip("192.0.2.8"), from("x@outside.example"), to("postmaster")], "DUNNO"),
        ("RCPT", &[ip(CLIENT), from(ALICE), to("friend")], "553 5.1.2 the address has no domain"),
        ("RCPT", &[ip(CLIENT), from(ALICE), to("")], "553 5.1.3 the local part is malformed"),
        ("RCPT", &[ip(CLIENT), from(ALICE), to("a b@outside.example")], "OK"),
        ("RCPT", &[ip("198.51.100.7"), from("root"), to(OUTSIDE)], "553 5.1.2 the address has no domain"),
        ("RCPT", &[ip("192.0.2.8"), from(""), to("x@[192.0.2.99]")], "550 5.7.1 <x@[192.0.2.99]>: we do not relay"),
        ("RCPT", &[ip("192.0.2.8"), from("root"), to(OUTSIDE), login(ALICE)], "553 5.1.2 the address has no domain"),
        ("DATA", &[ip(CLIENT), from(ALICE)], "DUNNO"),
        ("END-OF-MESSAGE", &[ip(CLIENT), from(ALICE), to(OUTSIDE)], "DUNNO"),
        ("VRFY", &[ip(CLIENT), to("nobody@example.test")], "DUNNO"),
        ("ETRN", &[ip(CLIENT), ("etrn_domain", "example.test")], "DUNNO"),
        ("XYZZY", &[ip("198.51.100.7"), to(OUTSIDE)], "DUNNO"),
    ];
    for (stage, attributes, expected) in table {
        let foreign = [*attributes, &[FOREIGN]].concat();
        assert_eq!(plain(&policy.ask(stage, &foreign)), *expected, "{stage} {attributes:?}");
        // Who may have the recipient itself is not told to refuse it. A login of ours is bound all the same.
        let of_relaying = ["we do not relay", "address has no domain", "is malformed"];
        let is_left = *stage == "RCPT"
            && of_relaying.iter().any(|words| expected.contains(words))
            && !(attributes.contains(&from("root")) && attributes.contains(&login(ALICE)));
        let expected = if is_left { "DUNNO" } else { *expected };
        for context in ["", "grant", "another", "FOREIGN"] {
            let asked = [*attributes, &[("policy_context", context)]].concat();
            assert_eq!(plain(&policy.ask(stage, &asked)), expected, "{context:?} {stage} {attributes:?}");
        }
        assert_eq!(plain(&policy.ask(stage, attributes)), expected, "{stage} {attributes:?}");
    }
}

/// What binds a client that has a right, and what cannot be found out, is no reason to refuse what the mail server has: asked
/// before it has looked, nothing is said. Asked once only, it is said, since a right that is there must not be refused for good.
#[test]
fn t59_a_used_up_right_does_not_keep_the_mail_server_s_own_mail_away() {
    let demo = with_rights(&["relay.pop.messages_per_hour=1"]);
    demo.ruled(&["user", "device", "add", ALICE, "inside"]);
    let mut policy = Policy::connect(&demo);
    let mut asked = |context: &str, more: &[(&str, &str)]| {
        let told = [("client_address", CLIENT), ("sender", ALICE), ("policy_context", context), ("instance", "1.1")];
        plain(&policy.ask("RCPT", &[&told[..], &[("recipient", "friend@own.example")], more].concat())).to_owned()
    };
    let second = [("instance", "1.2")];
    let exhausted = "450 4.7.1 <friend@own.example>: your sending limit is reached, try again later";
    assert_eq!(asked("grant", &[]), "OK");
    assert_eq!(asked("foreign", &[]), "OK", "the same message");
    for (context, said) in [("grant", "DUNNO"), ("", exhausted), ("foreign", exhausted), ("grant", "DUNNO")] {
        assert_eq!(asked(context, &second), said, "{context}");
    }
    let device = [("instance", "1.3"), ("sasl_username", "alice-inside@example.test")];
    let bound = "550 5.7.1 <friend@own.example>: you may not write";
    assert_eq!(asked("grant", &device), "DUNNO");
    assert!(asked("foreign", &device).starts_with(bound) && asked("", &device).starts_with(bound));
    // What was permitted is so no more once the right is gone.
    demo.ruled(&["grant", "revoke", "--address", CLIENT]);
    for (context, said) in [("grant", "DUNNO"), ("", "DUNNO")] {
        assert_eq!(asked(context, &[]), said, "{context}");
    }
    assert_eq!(asked("foreign", &[]), "550 5.7.1 <friend@own.example>: we do not relay");
}

/// Where it only takes away, no right is ever told, and none is used up.
#[test]
fn restricting_nothing_is_permitted_and_nothing_charged() {
    let demo = with_rights(&["listener.policy.relay=restrict", "relay.pop.messages_per_hour=1"]);
    let mut policy = Policy::connect(&demo);
    for (client, from, to) in [
        (CLIENT, ALICE, OUTSIDE),
        (CLIENT, BOB, OUTSIDE),
        (CLIENT, "", OUTSIDE),
        ("192.0.2.8", "x@outside.example", OUTSIDE),
        ("198.51.100.7", ALICE, OUTSIDE),
        ("unknown", ALICE, OUTSIDE),
        (CLIENT, ALICE, "x@[192.0.2.99]"),
        (CLIENT, ALICE, BOB),
        (CLIENT, "root", OUTSIDE),
        (CLIENT, ALICE, ""),
        (CLIENT, ALICE, "friend"),
    ] {
        for _ in 0..3 {
            assert_eq!(policy.rcpt(client, from, to), "DUNNO", "{client} {from} {to}");
        }
    }
    assert_eq!(plain(&policy.rcpt(CLIENT, ALICE, "nobody@example.test")), NOBODY);
    let routed = policy.rcpt(CLIENT, ALICE, "friend%outside.example@example.test");
    assert!(routed.starts_with("550 5.7.1 <friend%outside.example@example.test>: routes"), "{routed}");
    let login = |from, to| {
        let mut policy = Policy::connect(&demo);
        let attributes = [("client_address", CLIENT), ("sender", from), ("recipient", to), ("sasl_username", ALICE)];
        policy.ask("RCPT", &attributes)
    };
    assert_eq!(login(ALICE, OUTSIDE), "DUNNO");
    assert_eq!(plain(&login(BOB, OUTSIDE)), NOT_ALICE_S);
    assert!(login("alice", OUTSIDE).starts_with("553 5.1.2"), "whose it is cannot be told");
    // The one message that Alice's right is for has not been sent yet.
    let mut maps = Maps::connect(&demo);
    let question = format!("relay {CLIENT}<{ALICE}><{OUTSIDE}>");
    assert_eq!((maps.ask(&question).as_str(), maps.ask(&question).as_str()), ("OK OK", "TEMP grant-exhausted"));
}

/// All complete requests are answered in order, over TCP and Unix sockets.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let demo = Demo::start_with(&[
        "listener.policy.bind=['unix:policy.sock']",
        "limits.unknown_recipients_per_client=1000",
        "limits.unknown_recipients_per_network=1000",
        "limits.unknown_recipients_per_sender_domain=1000",
    ]);
    let mut policy = Policy::connect_unix(&demo.dir().join("policy.sock"));
    let mut octets = String::new();
    for n in 0..500 {
        let to = if n % 3 == 0 { BOB.to_owned() } else { format!("nobody{n}@example.test") };
        // Of many clients: one that tries so many names is banned.
        let client = format!("192.0.2.{}", 1 + n % 250);
        octets += &request("RCPT", &[("client_address", &client), ("sender", ""), ("recipient", &to)]);
    }
    let half = octets.len() - 20;
    policy.send(&octets[..half]);
    for n in 0..500 {
        if n == 499 {
            policy.send(&octets[half..]);
        }
        let expected = if n % 3 == 0 { "DUNNO".to_owned() } else { format!("550 5.1.1 <nobody{n}@example.test>") };
        let action = policy.action();
        assert!(action.starts_with(&expected), "{n}: {action}");
    }
}

/// One message, asked about twice, from two lists of restrictions and over two connections: one charge, always an answer.
#[test]
fn t24_the_same_instance_asked_twice_is_one_charge() {
    let demo = with_rights(&["relay.pop.messages_per_hour=2", "relay.pop.recipients_per_hour=3"]);
    let (mut first, mut second) = (Policy::connect(&demo), Policy::connect(&demo));
    let told = |instance, to| {
        let from = [("client_address", CLIENT), ("sender", ALICE), ("instance", instance)];
        [&from[..], &[("recipient", to), ("recipient_count", "0"), ("queue_id", "")]].concat()
    };
    for _ in 0..5 {
        assert_eq!(first.ask("RCPT", &told("1.1", OUTSIDE)), "OK");
        assert_eq!(second.ask("RCPT", &told("1.1", OUTSIDE)), "OK");
    }
    assert_eq!(second.ask("RCPT", &told("1.1", "other@outside.example")), "OK", "the second recipient of one message");
    assert_eq!(first.ask("END-OF-MESSAGE", &told("1.1", "")), "DUNNO");
    assert_eq!(first.ask("END-OF-MESSAGE", &[]), "DUNNO", "nothing is told at all");
    assert_eq!(first.ask("RCPT", &told("1.2", OUTSIDE)), "OK", "the second message, the third recipient");
    let exhausted = format!("450 4.7.1 <{OUTSIDE}>: your sending limit is reached, try again later");
    assert_eq!(plain(&second.ask("RCPT", &told("1.3", OUTSIDE))), exhausted);
    assert_eq!(plain(&second.ask("RCPT", &told("1.3", OUTSIDE))), exhausted, "and again");
    assert_eq!(second.ask("RCPT", &told("1.2", OUTSIDE)), "OK", "what was permitted stays so");
    // The same `instance` from somebody else, by chance or by malice, is no permission.
    let stranger = [("client_address", "192.0.2.8"), ("sender", ALICE), ("instance", "1.2"), ("recipient", OUTSIDE)];
    assert_eq!(plain(&second.ask("RCPT", &[&stranger[..], &[FOREIGN]].concat())), DENIED);
    assert_eq!(plain(&second.ask("RCPT", &stranger)), "DUNNO");
    // Without an instance each question is a message of its own, and the limit is reached.
    assert_eq!(plain(&second.rcpt(CLIENT, ALICE, OUTSIDE)), exhausted);
}

/// A broken request ends its connection with a line in the log, and no other; a restart is met by connecting anew.
#[test]
fn t39_a_broken_request_closes_its_own_connection_only() {
    let mut demo = Demo::start();
    let mut idle = Policy::connect(&demo);
    for broken in ["GET / HTTP/1.1\r\n\r\n", "request=other\n\n", "no attribute\n\n", "a=b\0\n\n"] {
        let mut policy = Policy::connect(&demo);
        let good = request("RCPT", &[("client_address", CLIENT), ("sender", ""), ("recipient", BOB)]);
        policy.send(format!("{good}{broken}{good}"));
        assert_eq!(policy.action(), "DUNNO", "what came before is answered");
        assert_eq!(policy.action(), "", "{broken:?}");
        demo.logged(&["connection_aborted", "listener=policy", "policy request"]);
    }
    let mut endless = Policy::connect(&demo);
    endless.send("request=".to_owned() + &"x".repeat(10_000));
    assert_eq!(endless.action(), "");
    let mut cut = Policy::connect(&demo);
    cut.send("request=smtpd_access_policy\n");
    drop(cut);
    assert_eq!(idle.rcpt(CLIENT, ALICE, BOB), "DUNNO");
    assert!(demo.stop());
    assert_eq!(idle.rcpt(CLIENT, ALICE, BOB), "", "the server is gone");
    demo.restart();
    assert_eq!(Policy::connect(&demo).rcpt(CLIENT, ALICE, BOB), "DUNNO");
}

/// A list of senders lets nobody relay by his address alone, whatever he says he is.
#[test]
fn t05_a_list_of_senders_opens_nothing() {
    let demo = Demo::start_with(&["relay.drac.senders=['@example.test']"]);
    let mut policy = Policy::connect(&demo);
    for from in [ALICE, BOB, "anybody@example.test", ""] {
        let action = policy.rcpt("192.0.2.8", from, OUTSIDE);
        assert!(action.starts_with("550 5.7.1"), "{from}: {action}");
        assert_eq!(demo.dial("smtp").greeted().rcpt(from, OUTSIDE).get(..9), Some("550 5.7.1"), "{from}");
    }
    // Our own domain as the client's name is none either.
    let told = [("client_address", "192.0.2.8"), ("client_name", "mail.example.test"), ("helo_name", "example.test")];
    let told = [&told[..], &[("sender", ALICE), ("recipient", OUTSIDE), FOREIGN]].concat();
    assert!(policy.ask("RCPT", &told).starts_with("550 5.7.1"));
}

fn gateway_is_a_stranger(gateway: &str) {
    let demo = Demo::start_with(&["listener.smtp.xclient_from=['127.0.0.1']"]);
    let mut policy = Policy::connect(&demo);
    let mut smtp = demo.dial("smtp").greeted();
    let tag = if gateway.contains(':') { "IPV6:" } else { "" };
    assert!(smtp.say(&format!("XCLIENT ADDR={tag}{gateway}")).starts_with("220"));
    assert!(smtp.say("EHLO client.example").starts_with("250"));
    for from in ["x@outside.example", ALICE, ""] {
        assert_eq!(plain(&policy.rcpt(gateway, from, OUTSIDE)), DENIED, "{gateway} {from}");
        assert!(smtp.rcpt(from, OUTSIDE).starts_with(DENIED), "{gateway} {from}");
    }
    assert_eq!(policy.rcpt(gateway, "x@outside.example", BOB), "DUNNO");
    // No right for whoever stands behind this machine's own gateway.
    let added = demo.sekisho(&["grant", "add", gateway, ALICE]);
    if !added.status.success() {
        let said = String::from_utf8_lossy(&added.stderr);
        assert!(said.contains("never granted") && said.contains("PROXY protocol"), "{said}");
        assert_eq!(plain(&policy.rcpt(gateway, ALICE, OUTSIDE)), DENIED);
        return;
    }
    // Even when somebody behind another has a right, it is one for his own name.
    assert_eq!(policy.rcpt(gateway, ALICE, OUTSIDE), "OK");
    assert_eq!(plain(&policy.rcpt(gateway, BOB, OUTSIDE)), DENIED);
    assert_eq!(plain(&policy.rcpt(gateway, "x@outside.example", OUTSIDE)), DENIED);
}

/// Behind a bridge every client has the gateway's address: it is nobody in particular.
#[test]
fn t01_the_gateway_of_a_bridge_is_a_stranger() {
    for gateway in ["172.17.0.1", "10.0.0.1", "fd00::1"] {
        gateway_is_a_stranger(gateway);
    }
}

/// The same behind a load balancer that writes its own address into every connection.
#[test]
fn t02_a_balancer_s_address_is_a_stranger() {
    gateway_is_a_stranger("10.244.0.1");
}

/// A device that has logged in may greet as it likes; of others a rule may want a name.
#[test]
fn t43_a_registered_device_may_greet_with_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let map = dir.path().join("helo");
    fs::write(&map, "/^[^.]+$/ 550 5.7.1 A full name is wanted\n").unwrap();
    let access = format!("access=[{{map='regexp:{}',at='helo'}}]", map.display());
    let demo = Demo::start_with(&[&access]);
    let device = demo.account("alice").device_login;
    let mut policy = Policy::connect(&demo);
    let mut told = |stage: &str, helo: &str, login: &str, to: &str| {
        let from = [("client_address", CLIENT), ("helo_name", helo), ("sender", ALICE), ("recipient", to)];
        policy.ask(stage, &[&from[..], &[("sasl_username", login)]].concat())
    };
    assert_eq!(told("RCPT", "printer", &device, OUTSIDE), "OK");
    assert_eq!(told("EHLO", "client.example", "", ""), "DUNNO");
    assert!(told("EHLO", "printer", "", "").starts_with("550 5.7.1 192.0.2.7: A full name is wanted"));
    assert!(told("RCPT", "printer", "", BOB).starts_with(&format!("550 5.7.1 <{BOB}>: A full name is wanted")));
    assert!(told("RCPT", "printer", "stranger", BOB).starts_with("550 5.7.1"), "a login that we do not know");
    assert_eq!(told("RCPT", "client.example", "", BOB), "DUNNO");
}

/// What access rules want done with a message is told once, whatever the stage at which it is asked.
#[test]
fn effects_of_access_rules_are_done_once() {
    let dir = tempfile::tempdir().unwrap();
    let map = dir.path().join("sender");
    let entries = "held@outside.example HOLD\nbad@outside.example DISCARD\nnew@outside.example PREPEND X-Seen: yes\n";
    fs::write(&map, entries).unwrap();
    let access = format!("access=[{{map='access:{}',at='sender'}}]", map.display());
    let demo = Demo::start_with(&[&access, "relay.networks=['198.51.100.0/28']"]);
    let mut policy = Policy::connect(&demo);
    let mut asked = |stage: &str, from: &str, to: &str, instance: &str| {
        let told = [("client_address", "198.51.100.7"), ("sender", from), ("recipient", to), ("instance", instance)];
        policy.ask(stage, &told)
    };
    for (n, (from, done)) in [
        ("held@outside.example", "HOLD access rule"),
        ("bad@outside.example", "DISCARD access rule"),
        ("new@outside.example", "PREPEND X-Seen: yes"),
    ]
    .into_iter()
    .enumerate()
    {
        let (hosted, relayed) = (format!("1.{n}"), format!("2.{n}"));
        assert_eq!(asked("RCPT", from, BOB, &hosted), done);
        assert_eq!(asked("RCPT", from, ALICE, &hosted), "DUNNO");
        assert_eq!(asked("DATA", from, "", &hosted), "DUNNO");
        assert_eq!(asked("END-OF-MESSAGE", from, "", &hosted), "DUNNO");
        // A right must be told at RCPT: the rest waits.
        assert_eq!(asked("RCPT", from, OUTSIDE, &relayed), "OK");
        assert_eq!(asked("DATA", from, OUTSIDE, &relayed), done);
        assert_eq!(asked("END-OF-MESSAGE", from, OUTSIDE, &relayed), "DUNNO");
    }
}
