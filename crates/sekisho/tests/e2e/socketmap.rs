//! Socketmap against the whole program.

use std::fs;

use crate::asking::Maps;
use crate::support::Demo;

const CLIENT: &str = "192.0.2.7";
const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";
const YES: &str = "OK OK";
const NO: &str = "NOTFOUND ";

fn with_rights(more: &[&str]) -> Demo {
    let mut sets = vec!["relay.networks=['198.51.100.0/28','2001:db8:1::/64']"];
    sets.extend(more);
    let demo = Demo::start_with(&sets);
    demo.ruled(&["grant", "add", CLIENT, ALICE]);
    assert_eq!(demo.sekisho(&["grant", "add", "0.0.0.0", ALICE]).status.code(), Some(2), "it is nobody's address");
    demo
}

fn answers(maps: &mut Maps, table: &[(&str, &str)]) {
    for (question, expected) in table {
        assert_eq!(maps.ask(question), *expected, "{question}");
    }
}

#[test]
fn who_may_relay() {
    let demo = with_rights(&[]);
    let mut maps = Maps::connect(&demo);
    answers(
        &mut maps,
        &[
            ("relay 192.0.2.7", YES),
            ("relay 192.0.2.8", NO),
            ("relay 198.51.100.7", YES),
            ("relay 198.51.100.17", NO),
            ("relay 2001:db8:1::7", YES),
            ("relay IPv6:2001:db8:1:0:0:0:0:7", YES),
            ("relay 2001:db8:2::7", NO),
            ("relay ::ffff:192.0.2.7", YES),
            ("relay 192.0.2", NO),
            ("relay 192", NO),
            ("relay client.example.net", NO),
            ("relay unknown", NO),
            ("relay 0.0.0.0", NO),
            ("relay 0.0.0.0<alice@example.test><friend@outside.example>", NO),
            ("relay ", NO),
            ("relay 192.0.2.7<alice@example.test><friend@outside.example>", YES),
            ("relay 192.0.2.7 <alice@example.test> <friend@outside.example>", YES),
            ("relay 192.0.2.7 alice@example.test friend@outside.example", YES),
            ("relay 192.0.2.7<bob@example.test><friend@outside.example>", NO),
            ("relay 192.0.2.7<><friend@outside.example>", NO),
            ("relay 192.0.2.7 <> friend@outside.example", NO),
            ("relay 192.0.2.8<alice@example.test><friend@outside.example>", NO),
            ("relay 198.51.100.7<><friend@outside.example>", YES),
            ("relay 198.51.100.7<x@outside.example><\"a b\"@outside.example>", YES),
            ("relay 192.0.2.7<alice@example.test><bob@example.test>", NO),
            ("relay 192.0.2.7<alice@example.test><nobody@example.test>", NO),
            ("relay 192.0.2.7<alice@example.test><friend%outside.example@example.test>", NO),
            ("relay 198.51.100.7<alice><friend@outside.example>", NO),
            ("relay 192.0.2.7<alice@example.test><friend@outside.example", NO),
        ],
    );
}

/// An address alone says nothing of the sender, so there a POP login is no right; with the sender it is.
#[test]
fn restricting_an_address_alone_has_only_rights_of_every_sender() {
    let demo = with_rights(&["listener.socketmap.relay=restrict"]);
    let mut maps = Maps::connect(&demo);
    answers(
        &mut maps,
        &[
            ("relay 192.0.2.7", NO),
            ("relay 198.51.100.7", YES),
            ("relay 192.0.2.7<alice@example.test><friend@outside.example>", YES),
            ("relay 192.0.2.7<bob@example.test><friend@outside.example>", NO),
        ],
    );
}

/// With sender and recipient each question is charged; the limit is a fault that passes, not a no.
#[test]
fn a_limit_reached_is_temporary_and_an_address_alone_charges_nothing() {
    let demo = with_rights(&["relay.pop.messages_per_hour=2"]);
    let mut maps = Maps::connect(&demo);
    let question = "relay 192.0.2.7<alice@example.test><friend@outside.example>";
    for _ in 0..10 {
        assert_eq!(maps.ask("relay 192.0.2.7"), YES);
        assert_eq!(maps.ask("relay 192.0.2.7<bob@example.test><friend@outside.example>"), NO);
    }
    let told: Vec<String> = (0..4).map(|_| maps.ask(question)).collect();
    assert_eq!(told, [YES, YES, "TEMP grant-exhausted", "TEMP grant-exhausted"]);
}

#[test]
fn domains_and_addresses() {
    let demo = Demo::start_with(&["domains.relay=[{domain='relay.test'}]"]);
    demo.ruled(&["alias", "add", "team@example.test", ALICE, BOB, "friend@outside.example"]);
    let mut maps = Maps::connect(&demo);
    answers(
        &mut maps,
        &[
            ("local example.test", YES),
            ("local Example.TEST", YES),
            ("local relay.test", YES),
            ("local sub.example.test", NO),
            ("local .example.test", NO),
            ("local outside.example", NO),
            ("local ", NO),
            ("local 192.0.2.7", NO),
            ("mailbox alice@example.test", "OK alice@example.test"),
            ("mailbox Alice@Example.Test", "OK alice@example.test"),
            ("mailbox alice+lists@example.test", "OK alice@example.test"),
            ("mailbox nobody@example.test", NO),
            ("mailbox x%outside.example@example.test", NO),
            ("mailbox postmaster@example.test", "OK alice@example.test"),
            ("mailbox anybody@relay.test", "OK anybody@relay.test"),
            ("mailbox friend@outside.example", NO),
            ("mailbox @example.test", NO),
            ("mailbox alice", NO),
            ("alias alice@example.test", NO),
            ("alias nobody@example.test", NO),
            ("alias postmaster@example.test", "OK alice@example.test"),
            ("alias team@example.test", "OK alice@example.test,bob@example.test,friend@outside.example"),
        ],
    );
}

#[test]
fn what_access_rules_say() {
    let dir = tempfile::tempdir().unwrap();
    let map = |name: &str, entries: &str| {
        let path = dir.path().join(name);
        fs::write(&path, entries).unwrap();
        path.display().to_string()
    };
    let client = map("client", "192.0.2.0/28 554 5.7.1 (Go) <away>\n203.0.113.0/24 450 Come back\n");
    let sender = map("sender", "bad@outside.example REJECT\nheld@outside.example HOLD\nok@outside.example OK\n");
    let recipient = map("recipient", "bob@example.test REJECT Bob is away\nseen@example.test PREPEND X-Seen: yes\n");
    let helo = map("helo", "bad.example REJECT\n");
    let access = format!(
        "access=[{{map='cidr:{client}',at='client'}},{{map='access:{sender}',at='sender'}},\
         {{map='access:{recipient}',at='recipient'}},{{map='access:{helo}',at='helo'}}]"
    );
    let demo = Demo::start_with(&[&access, "relay.networks=['192.0.2.0/26']"]);
    let mut maps = Maps::connect(&demo);
    let table = [
        ("connect 192.0.2.7", "OK REJECT 192.0.2.7: Go away"),
        ("connect 192.0.2.7 client.example", "OK REJECT 192.0.2.7: Go away"),
        ("connect 203.0.113.7", "OK DEFER 203.0.113.7: Come back"),
        ("connect 192.0.2.17", NO),
        ("connect unknown", NO),
        ("connect 192.0.2", NO),
        ("access client 192.0.2.7", "OK 554 5.7.1 192.0.2.7: (Go) <away>"),
        ("access 192.0.2.7", "OK 554 5.7.1 192.0.2.7: (Go) <away>"),
        ("access-client 203.0.113.7", "OK 450 4.7.1 203.0.113.7: Come back"),
        ("access-client client.example", NO),
        ("access sender <bad@outside.example>", "OK 550 5.7.1 <bad@outside.example>: Access denied"),
        ("access sender bad@outside.example", "OK 550 5.7.1 <bad@outside.example>: Access denied"),
        ("access bad@outside.example", "OK 550 5.7.1 <bad@outside.example>: Access denied"),
        ("access-sender held@outside.example", "OK HOLD"),
        ("access-sender ok@outside.example", NO),
        ("access-sender <>", NO),
        ("access recipient bob@example.test", "OK 550 5.7.1 <bob@example.test>: Bob is away"),
        ("access-recipient seen@example.test", "OK PREPEND X-Seen: yes"),
        ("access helo bad.example", "OK 550 5.7.1 bad.example: Access denied"),
        ("access-helo good.example", NO),
        ("access bad.example", NO),
        ("access nonsense bad.example", NO),
        // A rule takes the right of a network away.
        ("relay 192.0.2.7", NO),
        ("relay 192.0.2.17", YES),
        ("relay 192.0.2.17<bad@outside.example><friend@outside.example>", NO),
        ("relay 192.0.2.17<ok@outside.example><friend@outside.example>", YES),
    ];
    for (question, expected) in table {
        assert_eq!(maps.ask(question).split(" [").next(), Some(expected), "{question}");
    }
}

/// Exim says all that it has to say, closes its side, and reads.
#[test]
fn who_closes_his_side_is_answered_first() {
    let demo = with_rights(&[]);
    let mut maps = Maps::connect(&demo);
    let question = "relay 192.0.2.7<alice@example.test><friend@outside.example>";
    maps.send(format!("{}:{question},15:relay 192.0.2.8,", question.len()));
    maps.half_close();
    assert_eq!((maps.answer().as_str(), maps.answer().as_str(), maps.answer().as_str()), (YES, NO, ""));
}

/// What breaks the form ends its own connection; an unknown map is a mistake that the log names.
#[test]
fn t39_a_broken_request_closes_its_own_connection_only() {
    let mut demo = with_rights(&[]);
    let mut idle = Maps::connect(&demo);
    for broken in ["x", "00:,", "5:relay,", "3:a b;", "99999:", "GET / HTTP/1.1\r\n\r\n"] {
        let mut maps = Maps::connect(&demo);
        maps.send(format!("15:relay 192.0.2.7,{broken}"));
        assert_eq!((maps.answer().as_str(), maps.answer().as_str()), (YES, ""), "{broken:?}");
        demo.logged(&["connection_aborted", "listener=socketmap", "socketmap request"]);
    }
    assert_eq!(idle.ask("virtual alice@example.test"), "PERM no such map");
    demo.logged(&["map_unknown", "virtual"]);
    assert_eq!(idle.ask("relay 192.0.2.7"), YES);
    assert!(demo.stop());
    assert_eq!(idle.ask("relay 192.0.2.7"), "", "the server is gone");
    demo.restart();
    assert_eq!(Maps::connect(&demo).ask("relay 192.0.2.7"), YES);
}
