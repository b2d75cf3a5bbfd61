//! The public lists, as a name server on loopback plays them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use config::{Code, Codes, Dnsbl, ListKind};
use guard::rule::Mode;
use probe::blocklists::{Report, State, Subject, probe};

use crate::name_server::Entry;
use crate::{address, asking};

fn states(report: &Report) -> BTreeMap<&str, State> {
    report.lists.iter().map(|row| (&*row.zone, row.state)).collect()
}

fn answers(codes: &[&str]) -> Vec<Entry> {
    codes.iter().map(|code| Entry::A(code.parse().unwrap())).collect()
}

/// T29, T30: what is not declared, refuses, is gone or lists everything is no listing here either.
#[tokio::test]
async fn t29_t30_a_list_counts_by_declared_codes_and_its_test_points() {
    let mut listed = answers(&["127.0.0.3", "127.0.0.10"]);
    listed.push(Entry::Txt(vec!["https://check.example/\u{1b}[2J7".to_owned()]));
    let (_server, dns) = asking(&[
        ("2.0.0.127.zen.spamhaus.org", answers(&["127.0.0.2", "127.0.0.10"])),
        ("7.100.51.198.zen.spamhaus.org", listed),
        ("*.bl.spamcop.net", address("127.255.255.254")),
        ("*.b.barracudacentral.org", vec![Entry::Silence]),
        ("*.psbl.surriel.com", address("127.0.0.2")),
        ("*.bl.mailspike.net", address("192.0.2.80")),
        ("2.0.0.127.dnsbl-1.uceprotect.net", address("127.0.0.2")),
        ("7.100.51.198.dnsbl-1.uceprotect.net", address("127.0.0.9")),
        ("2.0.0.127.bl.0spam.org", address("127.0.0.2")),
        ("7.100.51.198.bl.0spam.org", vec![Entry::Failure]),
        ("2.0.0.127.list.dnswl.org", address("127.0.10.0")),
        ("7.100.51.198.list.dnswl.org", address("127.0.5.2")),
        ("2.0.0.127.key.own.example", address("127.0.0.2")),
        ("7.100.51.198.key.own.example", address("127.0.0.2")),
    ])
    .await;
    let codes = vec![Code { which: Codes::Range(Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 2)), weight: 5 }];
    let own =
        Dnsbl { zone: "key.own.example".into(), name: "paid".into(), kind: ListKind::Ip, codes, mode: Mode::Enforce };
    let report = probe(&dns, &Subject::parse("198.51.100.7").unwrap(), &[own]).await.unwrap();
    let states = states(&report);
    for (zone, state) in [
        ("zen.spamhaus.org", State::Listed),
        ("bl.spamcop.net", State::Refusing),
        ("b.barracudacentral.org", State::NoAnswer),
        ("psbl.surriel.com", State::Broken),
        ("bl.mailspike.net", State::Broken),
        ("all.s5h.net", State::Broken),
        ("dnsbl-1.uceprotect.net", State::NotListed),
        ("bl.0spam.org", State::NoAnswer),
        ("list.dnswl.org", State::Allowed),
        ("combined.mail.abusix.zone", State::Keyed),
        ("dnsbl.sorbs.net", State::Dead),
        ("paid", State::Listed),
    ] {
        assert_eq!(states[zone], state, "{zone}");
    }
    assert!(!states.contains_key("dbl.spamhaus.org"), "a list of domains has no address");
    assert_eq!((report.listed, report.answered), (2, 4));
    let listing = report.lists[0].listing.as_ref().unwrap();
    assert_eq!(listing.codes, ["127.0.0.3", "127.0.0.10"]);
    assert!(listing.reasons[1].starts_with("PBL") && listing.text == "https://check.example/[2J7", "{listing:?}");
    let told = report.rows().map(|row| row.join(" ")).collect::<Vec<_>>().join("\n") + &report.told();
    for part in ["https://check.spamhaus.org/", "To leave:", "it declares", "SORBS (dnsbl.sorbs.net, since 2024-06)"] {
        let part = if part == "it declares" { "which it does not declare" } else { part };
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("key.own.example"), "a zone may hold a key: {told}");
}

#[tokio::test]
async fn ipv6_is_asked_by_nibbles_and_domains_under_their_name() {
    const MAPPED: &str = "0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0";
    let names = [
        (format!("2.{MAPPED}.zen.spamhaus.org"), answers(&["127.0.0.2"])),
        (
            "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.spamhaus.org".to_owned(),
            answers(&["127.0.0.4"]),
        ),
        ("dbltest.com.dbl.spamhaus.org".to_owned(), answers(&["127.0.1.2"])),
        ("spam.example.dbl.spamhaus.org".to_owned(), answers(&["127.0.1.255"])),
        ("test.surbl.org.multi.surbl.org".to_owned(), answers(&["127.0.0.254"])),
        ("spam.example.multi.surbl.org".to_owned(), answers(&["127.0.0.72"])),
    ];
    let names: Vec<_> = names.iter().map(|(name, entries)| (&**name, entries.clone())).collect();
    let (_server, dns) = asking(&names).await;
    let report = probe(&dns, &Subject::parse("2001:db8::7").unwrap(), &[]).await.unwrap();
    let found = states(&report);
    assert_eq!((found["zen.spamhaus.org"], found["bl.spamcop.net"]), (State::Listed, State::NoIpv6));
    let report = probe(&dns, &Subject::parse("Spam.example.").unwrap(), &[]).await.unwrap();
    let found = states(&report);
    assert_eq!((found["multi.surbl.org"], found["dbl.spamhaus.org"]), (State::Listed, State::Refusing));
    let listing = report.lists[0].listing.as_ref().unwrap();
    assert_eq!(listing.reasons, ["phishing", "spam"], "a code of bits says several things");
}

#[test]
fn nobody_lists_what_is_nobodys() {
    for wrong in ["127.0.0.1", "10.1.2.3", "::1", "fe80::1", "::ffff:192.168.0.1", "", "name", "a b", "d..example"] {
        assert!(Subject::parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(Subject::parse("::ffff:198.51.100.7"), Subject::parse("198.51.100.7"));
}
