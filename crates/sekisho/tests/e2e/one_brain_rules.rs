//! One brain: what a rule holds against a stranger it holds over every interface that can know it.

use std::net::Ipv4Addr;

use crate::asking::{Milter, Policy};
use crate::dns::{NameServer, Otherwise, Record};
use crate::support::Demo;

const BOB: &str = "bob@example.test";

/// A stranger of whom one rule holds.
struct Sign {
    /// What the rule goes by, which is its name here.
    when: &'static str,
    client: &'static str,
    helo: &'static str,
    from: &'static str,
}

const fn sign(when: &'static str, client: &'static str) -> Sign {
    Sign { when, client, helo: "good.host.example", from: "x@alive.example" }
}

/// By the rules' order, so that none is hidden by one before it.
const SIGNS: [Sign; 11] = [
    Sign { helo: "mail.example.test", ..sign("helo-ours", "192.0.2.10") },
    Sign { helo: "localhost", ..sign("helo-invalid", "192.0.2.10") },
    sign("no-name", "192.0.2.11"),
    sign("name-unconfirmed", "192.0.2.12"),
    Sign { helo: "ip-192-0-2-13.dsl.example", ..sign("dynamic-name", "192.0.2.13") },
    Sign { from: "x@nowhere.example", ..sign("sender-domain-dead", "192.0.2.10") },
    Sign { from: "x@closed.example", ..sign("spf-fail", "192.0.2.10") },
    Sign { from: "x@doubtful.example", ..sign("spf-softfail", "192.0.2.10") },
    Sign { from: "", ..sign("null-sender", "192.0.2.10") },
    Sign { helo: "listed.host.example", ..sign("listed", "192.0.2.14") },
    Sign { helo: "mail.elsewhere.example", ..sign("helo-mismatch", "192.0.2.10") },
];

fn zone() -> Vec<(&'static str, Record)> {
    let a = |last| Record::A(Ipv4Addr::new(192, 0, 2, last));
    vec![
        ("10.2.0.192.in-addr.arpa.", Record::Ptr("good.host.example.")),
        ("good.host.example.", a(10)),
        ("12.2.0.192.in-addr.arpa.", Record::Ptr("good.host.example.")),
        ("13.2.0.192.in-addr.arpa.", Record::Ptr("ip-192-0-2-13.dsl.example.")),
        ("ip-192-0-2-13.dsl.example.", a(13)),
        ("14.2.0.192.in-addr.arpa.", Record::Ptr("listed.host.example.")),
        ("listed.host.example.", a(14)),
        ("alive.example.", a(10)),
        ("closed.example.", a(10)),
        ("closed.example.", Record::Txt("v=spf1 -all")),
        ("doubtful.example.", a(10)),
        ("doubtful.example.", Record::Txt("v=spf1 ~all")),
        ("2.0.0.127.list.example.", Record::A(Ipv4Addr::new(127, 0, 0, 2))),
        ("14.2.0.192.list.example.", Record::A(Ipv4Addr::new(127, 0, 0, 2))),
    ]
}

fn settings(server: &NameServer) -> Vec<String> {
    let condition = |when: &str| match when {
        "spf-fail" => "spf fail".to_owned(),
        "spf-softfail" => "spf softfail".to_owned(),
        "listed" => "listed list.example".to_owned(),
        other => other.to_owned(),
    };
    let rules: Vec<String> = SIGNS
        .iter()
        .map(|sign| format!("{{name='by-{}',when=['{}'],action='refuse'}}", sign.when, condition(sign.when)))
        .chain(["{name='by-plain-text',when=['plain-text'],action='refuse'}".to_owned()])
        .collect();
    vec![
        server.setting(),
        "listener.smtp.xclient_from=['127.0.0.1']".to_owned(),
        "guard.defaults=false".to_owned(),
        "dnsbl=[{zone='list.example',weight=5,codes=['127.0.0.2']}]".to_owned(),
        format!("guard.rule=[{}]", rules.join(",")),
    ]
}

fn over_smtp(demo: &Demo, sign: &Sign) -> String {
    demo.speaks_for(sign.client, sign.helo).rcpt(sign.from, BOB)
}

fn over_policy(policy: &mut Policy, sign: &Sign, under: &str) -> String {
    policy.ask(
        "RCPT",
        &[
            ("client_address", sign.client),
            ("helo_name", sign.helo),
            ("sender", sign.from),
            ("recipient", BOB),
            ("encryption_protocol", under),
        ],
    )
}

#[test]
fn a_rule_holds_over_every_interface() {
    let server = NameServer::start(&zone(), Otherwise::Denies);
    let settings = settings(&server);
    let demo = Demo::start_with(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    let list = || demo.ruled(&["dnsbl", "list"]).contains("sound").then_some(());
    demo.until("the list to be tested", list);
    let mut policy = Policy::connect(&demo);
    for sign in &SIGNS {
        let refused = format!("550 5.7.1 <{BOB}>: refused, ");
        let mut milter = Milter::greeted_as(&demo, sign.client, sign.helo);
        for answer in
            [over_smtp(&demo, sign), over_policy(&mut policy, sign, "TLSv1.3"), milter.rcpt(None, sign.from, BOB)]
        {
            assert!(answer.starts_with(&refused), "{}: {answer}", sign.when);
            let id = answer.rsplit_once('[').and_then(|(_, id)| id.split_once(']')).expect(&answer).0;
            let line = demo.logged(&["refused", &format!("explain={id}")]);
            assert!(line.contains(&format!("by-{}", sign.when)), "{}: {line}", sign.when);
        }
    }
    // Nothing is held against this one, but that it speaks in clear.
    let good = sign("plain-text", "192.0.2.10");
    assert_eq!(over_policy(&mut policy, &good, "TLSv1.3"), "DUNNO");
    // What a proxy's client speaks with the proxy, XCLIENT does not tell.
    assert!(over_smtp(&demo, &good).starts_with("250"));
    for answer in [
        over_policy(&mut policy, &good, ""),
        Milter::greeted_as(&demo, good.client, good.helo).rcpt(None, good.from, BOB),
    ] {
        assert!(answer.starts_with("550 5.7.1"), "{answer}");
    }
    let under_tls = Milter::greeted_as(&demo, good.client, good.helo).rcpt_under("TLSv1.3", good.from, BOB);
    assert_eq!(under_tls, "continue");
    // Who is banned is so everywhere, unless he has logged in.
    demo.ruled(&["ban", "add", "192.0.2.10"]);
    for answer in [
        over_smtp(&demo, &good),
        over_policy(&mut policy, &good, "TLSv1.3"),
        Milter::greeted_as(&demo, good.client, good.helo).rcpt(None, good.from, BOB),
    ] {
        assert!(answer.starts_with("554 5.7.1"), "{answer}");
    }
    let login =
        Milter::greeted_as(&demo, good.client, good.helo).rcpt(Some("alice@example.test"), "alice@example.test", BOB);
    assert_eq!(login, "continue");
}
