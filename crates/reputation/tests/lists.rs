//! Lists in DNS against a name server that serves them: healthy, dead, of everybody, and one that reports errors.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

mod name_server;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::{Code, Codes, Dnsbl, ListKind};
use dns::Resolver;
use guard::rule::Mode;
use name_server::{Entry, NameServer, Zone};
use reputation::{Fault, Reputation, Standing};

const LISTED: &str = "198.51.100.7";
const UNLISTED: &str = "203.0.113.9";

fn list(name: &str, kind: ListKind, weight: i32) -> Dnsbl {
    let which = Codes::Range(Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 11));
    let zone: Arc<str> = format!("{name}.example").into();
    Dnsbl { zone, name: name.into(), kind, codes: vec![Code { which, weight }], mode: Mode::Enforce }
}

fn code(last: u8) -> Vec<Entry> {
    vec![Entry::A(Ipv4Addr::new(127, 0, 0, last))]
}

fn zone() -> Zone {
    let error = || vec![Entry::A(Ipv4Addr::new(127, 255, 255, 254))];
    let entries = [
        ("2.0.0.127.good.example", code(2)),
        ("7.100.51.198.good.example", code(4)),
        ("2.0.0.127.allow.example", code(2)),
        ("8.100.51.198.allow.example", code(5)),
        ("8.100.51.198.good.example", code(4)),
        ("2.0.0.127.v6.example", code(2)),
        ("2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.v6.example", code(2)),
        ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.v6.example", code(3)),
        ("*.everybody.example", code(2)),
        ("*.refuses.example", error()),
        ("*.sold.example", vec![Entry::A(Ipv4Addr::new(192, 0, 2, 80))]),
        ("*.silent.example", vec![Entry::Silence]),
        ("*.broken.example", vec![Entry::Failure]),
        ("test.names.example", code(2)),
        ("spam.example.names.example", code(3)),
    ];
    entries.into_iter().map(|(name, entries)| (name.to_owned(), entries)).collect()
}

async fn with(lists: &[Dnsbl]) -> (NameServer, Reputation) {
    let server = NameServer::start(zone()).await;
    let settings = dns::Settings { servers: vec![server.address], timeout: Duration::from_millis(600) };
    let reputation = Reputation::new(Some(&Arc::new(Resolver::new(&settings).unwrap())));
    reputation.lists.follow(lists);
    (server, reputation)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn names(reputation: &Reputation, client: &str) -> Vec<String> {
    reputation
        .lists
        .client(ip(client))
        .await
        .iter()
        .map(|listing| format!("{}={}", listing.zone, listing.code))
        .collect()
}

/// T29, T30 with a real name server: whatever a list that is not sound answers is no listing, and the others' answers are there in
/// time.
#[tokio::test]
async fn t29_t30_only_a_sound_list_counts() {
    let all = ["good", "everybody", "refuses", "sold", "silent", "broken", "empty"];
    let lists: Vec<Dnsbl> = all.iter().map(|name| list(name, ListKind::Ip, 5)).collect();
    let (_server, reputation) = with(&lists).await;
    assert_eq!(names(&reputation, LISTED).await, [""; 0], "nothing counts before its test points were asked");
    reputation.lists.test().await;
    let began = Instant::now();
    assert_eq!(names(&reputation, LISTED).await, ["good=127.0.0.4"]);
    assert_eq!(names(&reputation, UNLISTED).await, [""; 0]);
    assert_eq!(names(&reputation, "10.0.0.1").await, [""; 0]);
    assert!(began.elapsed() < Duration::from_secs(2));
    let standings: Vec<_> = reputation.lists.status().into_iter().map(|it| it.standings[0]).collect();
    let expected = [
        Standing::Sound,
        Standing::Unsound(Fault::ListsEverything),
        Standing::Unsound(Fault::Refuses(Ipv4Addr::new(127, 255, 255, 254))),
        Standing::Unsound(Fault::Elsewhere(Ipv4Addr::new(192, 0, 2, 80))),
        Standing::Untested,
        Standing::Untested,
        Standing::Unsound(Fault::Empty),
    ];
    assert_eq!(standings, expected);
}

#[tokio::test]
async fn lists_of_ipv6_of_names_and_of_the_good() {
    let names_list = list("names", ListKind::Domain, 5);
    let lists =
        [list("good", ListKind::Ip, 5), list("allow", ListKind::Ip, -5), list("v6", ListKind::Ip, 5), names_list];
    let (server, reputation) = with(&lists).await;
    reputation.lists.test().await;
    assert_eq!(names(&reputation, "198.51.100.8").await, ["allow=127.0.0.5"], "who speaks for him wins");
    assert_eq!(names(&reputation, LISTED).await, ["good=127.0.0.4"]);
    assert_eq!(names(&reputation, "::ffff:198.51.100.7").await, ["good=127.0.0.4"]);
    assert_eq!(names(&reputation, "2001:db8::1").await, ["v6=127.0.0.3"]);
    let found = reputation.lists.domain("spam.example").await;
    assert_eq!(found.iter().map(|it| (&*it.zone, it.weight)).collect::<Vec<_>>(), [("names", 5)]);
    assert!(reputation.lists.domain("d.example").await.is_empty());
    let status = reputation.lists.status();
    assert_eq!(status[0].standings, [Standing::Sound, Standing::Absent]);
    assert_eq!(status[2].standings, [Standing::Sound, Standing::Sound]);

    // A reload keeps what is known of a list that stays, and forgets one that does not.
    server.serve(Zone::new());
    reputation.lists.follow(&lists[..2]);
    let status = reputation.lists.status();
    assert_eq!(status.iter().map(|it| it.standings[0]).collect::<Vec<_>>(), [Standing::Sound; 2]);
    assert_eq!(status[0].asked, 3);
}
