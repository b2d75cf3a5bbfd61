//! The resolver against a name server on loopback: what is asked again, what is not, and how long a dead one is waited for.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

mod name_server;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use dns::{Answer, Counts, Exchange, Failure, Resolver, Settings};
use name_server::Record::{A, Cname, Mx, Ptr, Tlsa, Txt};
use name_server::{NameServer, Record, reverse};

const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
const TIMEOUT: Duration = Duration::from_millis(600);

async fn asking(zone: &[(&'static str, Record)]) -> (NameServer, Resolver) {
    let server = NameServer::start(zone.to_vec()).await;
    let settings = Settings { servers: vec![server.address], timeout: TIMEOUT };
    (server, Resolver::new(&settings).unwrap())
}

#[tokio::test]
async fn what_was_asked_lately_comes_from_the_cache() {
    let (server, dns) = asking(&[("d.example.", Mx(10, "mx.d.example"))]).await;
    for _ in 0..3 {
        let expected = vec![Exchange { preference: 10, host: "mx.d.example".into() }];
        assert_eq!(dns.exchanges("d.example").await, Answer::Found(expected));
        assert_eq!(dns.exchanges("D.example").await, dns.exchanges("d.EXAMPLE").await);
    }
    assert_eq!(server.asked(), 1);
    assert_eq!(dns.counts(), Counts { asked: 9, from_cache: 8, failed: 0, timed_out: 0 });
}

#[tokio::test]
async fn a_denial_is_remembered_and_a_failure_is_not() {
    let (server, dns) = asking(&[("here.example.", A(HERE))]).await;
    for name in ["nowhere.example", "here.example"] {
        let before = server.asked();
        assert_eq!(dns.exchanges(name).await, Answer::None, "{name}");
        assert_eq!(dns.exchanges(name).await, Answer::None, "{name}");
        assert_eq!(server.asked() - before, 1, "{name}");
    }
    let before = server.asked();
    for _ in 0..2 {
        assert!(matches!(dns.exchanges("broken.example").await, Answer::Failed(Failure::Server(_))));
    }
    assert!(server.asked() - before >= 2);
    assert_eq!(dns.counts(), Counts { asked: 6, from_cache: 2, failed: 2, timed_out: 0 });
}

#[tokio::test]
async fn a_dead_server_takes_one_deadline() {
    let (_server, dns) = asking(&[]).await;
    let began = Instant::now();
    assert_eq!(dns.addresses("dead.example").await, Answer::Failed(Failure::TimedOut));
    let took = began.elapsed();
    assert!(took >= TIMEOUT / 2 && took < TIMEOUT * 2, "{took:?}");
    assert_eq!(dns.counts(), Counts { asked: 2, from_cache: 0, failed: 0, timed_out: 2 });
}

#[tokio::test]
async fn one_family_that_is_known_will_do() {
    let (_server, dns) = asking(&[("here.example.", A(HERE))]).await;
    assert_eq!(dns.addresses("here.example").await, Answer::Found(vec![IpAddr::V4(HERE)]));
    assert_eq!(dns.addresses("nowhere.example").await, Answer::None);
}

#[tokio::test]
async fn a_name_counts_if_it_leads_back() {
    let ptr: &'static str = reverse(HERE.into()).leak();
    let domain = |name| smtp::Domain::parse(name).unwrap();
    let names = ["a.example", "b.example", "c.example", "d.example", "e.example"];
    let back = |name| vec![(ptr, Ptr(name)), (name_with_dot(name), A(HERE))];
    let table = [
        (vec![], Answer::None),
        (vec![(ptr, Ptr("a.example"))], Answer::None),
        (vec![(ptr, Ptr("a.example")), ("a.example.", A(ELSEWHERE))], Answer::None),
        (back("a.example"), Answer::Found(domain("a.example"))),
        ([vec![(ptr, Ptr("not a domain"))], back("b.example")].concat(), Answer::Found(domain("b.example"))),
        (vec![(ptr, Ptr("dead.example")), (ptr, Ptr("a.example"))], Answer::Failed(Failure::TimedOut)),
        ([names[..4].iter().map(|name| (ptr, Ptr(name))).collect(), back("e.example")].concat(), Answer::None),
    ];
    for (zone, expected) in table {
        let (_server, dns) = asking(&zone).await;
        assert_eq!(dns.confirmed_name(HERE.into()).await, expected);
    }
}

#[tokio::test]
async fn lists_and_texts_are_asked_for_like_all_else() {
    let ptr: &'static str = reverse(HERE.into()).leak();
    let zone = [
        ("7.2.0.192.list.example.", A(Ipv4Addr::new(127, 0, 0, 2))),
        ("7.2.0.192.list.example.", A(Ipv4Addr::new(127, 0, 0, 4))),
        ("d.example.", Txt("v=spf1 |-all")),
        (ptr, Ptr("a.example")),
        (ptr, Ptr("b.example")),
    ];
    let (server, dns) = asking(&zone).await;
    let listed = vec![Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 4)];
    for _ in 0..2 {
        assert_eq!(dns.ipv4("7.2.0.192.list.example").await, Answer::Found(listed.clone()));
        assert_eq!(dns.ipv4("8.2.0.192.list.example").await, Answer::None);
        assert_eq!(dns.texts("d.example").await, Answer::Found(vec![b"v=spf1 -all".to_vec()]));
        let names = ["a.example", "b.example"].map(|name| smtp::Domain::parse(name).unwrap());
        assert_eq!(dns.names(HERE.into()).await, Answer::Found(names.to_vec()));
    }
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn spf_asks_for_one_family_and_the_first_names() {
    let ptr: &'static str = reverse(HERE.into()).leak();
    let zone = [("here.example.", A(HERE)), (ptr, Ptr("a.example")), (ptr, Ptr("b.example"))];
    let (server, dns) = asking(&zone).await;
    assert_eq!(dns.addresses_like(ELSEWHERE.into(), "here.example").await, Answer::Found(vec![HERE.into()]));
    assert_eq!(server.asked(), 1);
    assert_eq!(dns.addresses_like("2001:db8::1".parse().unwrap(), "here.example").await, Answer::None);
    assert_eq!(dns.first_names(HERE.into(), 1).await.map(|names| names.len()), Answer::Found(1));
}

fn name_with_dot(name: &str) -> &'static str {
    format!("{name}.").leak()
}

#[tokio::test]
async fn an_alias_and_certificates_are_told_as_they_stand() {
    let zone = [
        ("mx.d.example.", Cname("host.e.example")),
        ("_25._tcp.host.e.example.", Tlsa([3, 1, 1], &[7; 32])),
        ("host.e.example.", A(HERE)),
    ];
    let (_server, dns) = asking(&zone).await;
    assert_eq!(dns.alias("mx.d.example").await, Answer::Found("host.e.example".to_owned()));
    assert_eq!(dns.alias("host.e.example").await, Answer::None);
    let expected = dns::Tlsa { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    assert_eq!(dns.certificates("host.e.example", 25).await, Answer::Found(vec![expected]));
    assert_eq!(dns.certificates("mx.d.example", 25).await, Answer::None);
}
