//! The relay probes that need an environment of their own (kind `fixture` in `crates/probe/data/relay-probes.json`).
//!
//! `drac-one-address` is a test of `drac`.

use std::net::Ipv4Addr;

use crate::dns::{NameServer, Otherwise, Record};
use crate::support::{Demo, Dialogue};

/// No loopback address: of those nobody asks a name server. So the prober comes by a proxy.
const PROBER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const PTR: &str = "66.2.0.192.in-addr.arpa.";
const BY_PROXY: &str = "listener.smtp.proxy_from=[\"127.0.0.1\"]";
const FROM: &str = "spamtest@target.example";
const TARGET: &str = "relaytest@target.example";
/// The name-based rule that the probes try to satisfy.
const BY_NAME: &str = "relay.clients=[{name=\".example.test\"},{name=\"localhost.localdomain\"}]";

fn prober(demo: &Demo) -> Dialogue {
    let mut smtp = demo.dial("smtp");
    smtp.send(format!("PROXY TCP4 {PROBER} 192.0.2.1 40000 25\r\n"));
    smtp.greeted()
}

fn probed(demo: &Demo) -> String {
    let mut prober = prober(demo);
    let answer = prober.rcpt(FROM, TARGET);
    if answer.starts_with('2') {
        // So that what was wrongly accepted would arrive.
        prober.mail(FROM, TARGET, "Subject: probe\r\n\r\nx\r\n");
    }
    answer
}

fn with_zone(zone: &[(&'static str, Record)]) -> (Demo, NameServer) {
    let server = NameServer::start(zone, Otherwise::Denies);
    (Demo::start_with(&[&server.setting(), BY_PROXY, BY_NAME]), server)
}

#[test]
fn ptr_spoof() {
    let elsewhere = Record::A(Ipv4Addr::new(192, 0, 2, 80));
    for forward in [None, Some(elsewhere)] {
        let mut zone = vec![(PTR, Record::Ptr("mail.example.test."))];
        zone.extend(forward.map(|record| ("mail.example.test.", record)));
        let (demo, server) = with_zone(&zone);
        let answer = probed(&demo);
        assert!(answer.starts_with("550 5.7.1"), "{forward:?}: {answer}");
        assert!(server.was_asked(), "the rule was tried");
        assert!(demo.outside().is_empty());
    }
}

/// The control of the probe above: the same rule lets the host in whose name leads back.
#[test]
fn a_forward_confirmed_name_may_relay() {
    let zone = [(PTR, Record::Ptr("mail.example.test.")), ("mail.example.test.", Record::A(PROBER))];
    let (demo, _server) = with_zone(&zone);
    let answer = probed(&demo);
    assert!(answer.starts_with("250"), "{answer}");
    demo.until("the mail", || (demo.outside().len() == 1).then_some(()));
}

#[test]
fn ptr_localhost() {
    for name in ["localhost.", "localhost.localdomain.", "127.0.0.1."] {
        let (demo, _server) = with_zone(&[(PTR, Record::Ptr(name))]);
        let answer = probed(&demo);
        assert!(answer.starts_with("550 5.7.1"), "{name}: {answer}");
        assert!(demo.outside().is_empty());
    }
}

#[test]
fn mx_points_here() {
    let zone = [
        ("target.example.", Record::Mx("mail.example.test.")),
        ("mail.example.test.", Record::A(Ipv4Addr::LOCALHOST)),
        ("target.example.", Record::A(Ipv4Addr::LOCALHOST)),
    ];
    let (demo, _server) = with_zone(&zone);
    let answer = probed(&demo);
    assert!(answer.starts_with("550 5.7.1"), "{answer}");
    assert!(demo.outside().is_empty());
}

#[test]
fn dns_failure() {
    for otherwise in [Otherwise::Fails, Otherwise::IsSilent] {
        let server = NameServer::start(&[], otherwise);
        let setting = server.setting();
        let demo = Demo::start_with(&[&setting, BY_PROXY, BY_NAME, "dns.timeout_ms=500"]);
        let answer = probed(&demo);
        assert!(answer.starts_with("451 4.3.0"), "{otherwise:?}: {answer}");
        assert!(server.was_asked());
        // Our own mail needs no name of the client.
        assert!(prober(&demo).rcpt(FROM, "alice@example.test").starts_with("250"));
        assert!(demo.outside().is_empty());
    }
}

/// A mapped address comes only from a proxy's header: our sockets for IPv6 take no IPv4.
#[test]
fn v4mapped_client() {
    let demo = Demo::start_with(&[BY_PROXY, "relay.networks=[\"192.0.2.10\"]"]);
    for (client, right) in [([192, 0, 2, 10], true), ([192, 0, 2, 11], false)] {
        let mapped = Ipv4Addr::from(client).to_ipv6_mapped();
        for header in [
            format!("PROXY TCP4 {} 192.0.2.1 40000 25\r\n", Ipv4Addr::from(client)),
            format!("PROXY TCP6 {mapped} ::ffff:192.0.2.1 40000 25\r\n"),
        ] {
            let mut smtp = demo.dial("smtp");
            smtp.send(&header);
            let answer = smtp.greeted().rcpt(FROM, TARGET);
            assert_eq!(answer.starts_with("250"), right, "{header}: {answer}");
            demo.logged(&[&format!("client={}", Ipv4Addr::from(client))]);
        }
    }
    assert!(!demo.log().contains("::ffff"), "the log names the IPv4 address");
}

#[test]
fn forward_legit() {
    let demo = Demo::start_with(&[BY_PROXY]);
    demo.ruled(&["alias", "add", "away@example.test", TARGET]);
    let answer = prober(&demo).mail(FROM, "away@example.test", "Subject: forwarded\r\n\r\nx\r\n");
    assert!(answer.starts_with("250"), "{answer}");
    let mail = demo.until("the forwarded mail", || demo.outside().pop());
    assert!(mail.contains("Subject: forwarded"), "{mail}");
    // What was accepted is an address of ours; its target itself is refused as before.
    assert!(probed(&demo).starts_with("550 5.7.1"));
    assert_eq!(demo.outside().len(), 1);
}
