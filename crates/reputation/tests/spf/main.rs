//! The published test suite of RFC 7208, every case, against a name server of its zones.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

#[path = "../name_server/mod.rs"]
mod name_server;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dns::Resolver;
use guard::SpfResult;
use name_server::{Entry, NameServer, Zone};
use reputation::{Identity, Reputation, SpfQuestion};
use serde::Deserialize;
use serde_json::Value;
use smtp::ReversePath;

#[derive(Deserialize)]
struct Suite {
    scenarios: Vec<Scenario>,
}

#[derive(Deserialize)]
struct Scenario {
    description: String,
    zone: BTreeMap<String, Vec<Value>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    helo: String,
    client: String,
    mailfrom: String,
    results: Vec<String>,
}

fn entry(record: &Value) -> Entry {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    match record[0].as_str().unwrap() {
        "A" => Entry::A(text(&record[1]).parse().unwrap()),
        "AAAA" => Entry::Aaaa(text(&record[1]).parse().unwrap()),
        "CNAME" => Entry::Cname(text(&record[1])),
        "PTR" => Entry::Ptr(text(&record[1])),
        "MX" => Entry::Mx(u16::try_from(record[1][0].as_u64().unwrap()).unwrap(), text(&record[1][1])),
        "TXT" => Entry::Txt(record[1].as_array().unwrap().iter().map(text).collect()),
        "TIMEOUT" => Entry::Silence,
        other => panic!("{other}"),
    }
}

async fn asking(zone: Zone, timeout: Duration) -> (NameServer, Reputation) {
    let (server, dns) = resolver(zone, timeout).await;
    (server, Reputation::new(Some(&dns)))
}

async fn resolver(zone: Zone, timeout: Duration) -> (NameServer, Arc<Resolver>) {
    let server = NameServer::start(zone).await;
    let settings = dns::Settings { servers: vec![server.address], timeout };
    (server, Arc::new(Resolver::new(&settings).unwrap()))
}

fn txt(text: &str) -> Entry {
    Entry::Txt(vec![text.to_owned()])
}

fn mx(hosts: &[&str]) -> Vec<Entry> {
    hosts.iter().map(|host| Entry::Mx(10, (*host).to_owned())).collect()
}

async fn found(reputation: &Reputation, case: &Case) -> SpfResult {
    let (spf, client, helo) = (reputation.spf.as_ref().unwrap(), case.client.parse().unwrap(), &*case.helo);
    if let Ok(reverse_path) = ReversePath::parse(&format!("<{}>", case.mailfrom)) {
        let question = SpfQuestion { client, helo: Some(helo), reverse_path: &reverse_path };
        return spf.check(&question).await;
    }
    // What is no address ends at MAIL, yet SPF has a result for it.
    let domain = case.mailfrom.rsplit_once('@').unwrap().1.to_owned();
    spf.check_host(client, helo, &Identity { domain, sender: case.mailfrom.clone() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_of_the_published_suite() {
    let suite: Suite = serde_json::from_str(include_str!("rfc7208.json")).unwrap();
    let mut running = Vec::new();
    for scenario in suite.scenarios {
        let zone = scenario.zone.iter().map(|(name, records)| (name.clone(), records.iter().map(entry).collect()));
        let (server, reputation) = asking(zone.collect(), Duration::from_secs(2)).await;
        let asked = Arc::new((server, reputation));
        for case in scenario.cases {
            let (asked, description) = (Arc::clone(&asked), scenario.description.clone());
            running.push(tokio::spawn(async move {
                let found = found(&asked.1, &case).await;
                (description, case, found)
            }));
        }
    }
    let (mut cases, mut wrong) = (0, Vec::new());
    for task in running {
        let (description, case, found) = task.await.unwrap();
        cases += 1;
        if !case.results.iter().any(|result| result == found.code()) {
            wrong.push(format!("{description}: {}: {}, not {:?}", case.id, found.code(), case.results));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 203);
}

/// T40: DNS that does not answer, or fails, is no fault of who sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t40_dns_that_does_not_answer_is_no_failure() {
    let all = |text: &str| vec![txt(text)];
    let zone = [
        ("silent.example", vec![Entry::Silence]),
        ("broken.example", vec![Entry::Failure]),
        ("a-silent.example", all("v=spf1 a:silent.example -all")),
        ("a-broken.example", all("v=spf1 a:broken.example -all")),
        ("mx-silent.example", all("v=spf1 mx:silent.example -all")),
        ("include-silent.example", all("v=spf1 include:silent.example -all")),
        ("include-broken.example", all("v=spf1 include:broken.example -all")),
        ("redirect-silent.example", all("v=spf1 redirect=silent.example")),
        ("exists-silent.example", all("v=spf1 exists:silent.example -all")),
        ("exists-broken.example", all("v=spf1 exists:broken.example -all")),
        ("fails.example", all("v=spf1 -all")),
    ];
    let zone: Zone = zone.into_iter().map(|(name, entries)| (name.to_owned(), entries)).collect();
    let (_server, reputation) = asking(zone.clone(), Duration::from_millis(600)).await;
    let (reputation, began) = (Arc::new(reputation), Instant::now());
    let mut running = Vec::new();
    for name in zone.into_keys() {
        let reputation = Arc::clone(&reputation);
        running.push(tokio::spawn(async move {
            let (mailfrom, client) = (format!("a@{name}"), "192.0.2.1".to_owned());
            let case = Case { id: name, helo: "mx.example".into(), client, mailfrom, results: Vec::new() };
            (found(&reputation, &case).await, case.id)
        }));
    }
    for task in running {
        let (found, name) = task.await.unwrap();
        let expected = if name == "fails.example" { SpfResult::Fail } else { SpfResult::TempError };
        assert_eq!(found, expected, "{name}");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// The client of [`beside_the_suite`].
const CLIENT: &str = "192.0.2.1";

/// Domains, their entries beside the record, the record, and what comes of it for a sender whose local part is not ASCII.
fn beside_the_suite() -> Vec<(&'static str, Vec<Entry>, &'static str, SpfResult)> {
    use SpfResult::{Fail, Neutral, Pass, PermError, TempError};
    let nowhere = mx(&["no1.example", "no2.example", "no3.example"]);
    let known = [mx(&["broken.example"]), mx(&["here.example"])].concat();
    let unknown = [mx(&["broken.example"]), mx(&["no1.example"])].concat();
    vec![
        // A term is void once, however many of its hosts are not there.
        ("void-mx.example", nowhere, "v=spf1 mx a:no1.example ip4:192.0.2.1 -all", Pass),
        ("void-three.example", mx(&["no1.example"]), "v=spf1 mx a:no1.example exists:no2.example +all", PermError),
        ("known-mx.example", known, "v=spf1 mx -all", Pass),
        ("unknown-mx.example", unknown, "v=spf1 mx -all", TempError),
        ("ten-mx.example", mx(&["here.example"; 10]), "v=spf1 mx -all", Pass),
        // The client's reverse zone fails: no match, but nothing to hold against it.
        ("ptr.example", vec![], "v=spf1 ptr -all", TempError),
        ("ptr-soft.example", vec![], "v=spf1 exists:%{p}.no.example ~all", TempError),
        ("ptr-neutral.example", vec![], "v=spf1 ptr ?all", Neutral),
        ("ptr-pass.example", vec![], "v=spf1 ptr ip4:192.0.2.1 -all", Pass),
        // Neither is a name: neither is asked for, and neither is void.
        ("utf8.example", vec![], "v=spf1 a:%{l}.any.example exists:%{s} a:%{l}.x a:%{o}..a -all", Fail),
        ("upper.example", vec![], "v=spf1 exists:%{L}.any.example -all", Fail),
        ("no-name.example", vec![], "v=spf1 include:%{l}.example -all", PermError),
        ("redirected.example", vec![], "v=spf1 redirect=%{l}.example", PermError),
        // Nothing is asked before all of it was read.
        ("mistake.example", vec![], "v=spf1 ip4:192.0.2.1 a:broken.example foo", PermError),
        ("exp.example", vec![], "v=spf1 exp=broken.example -all", Fail),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_suite_does_not_ask() {
    let here = Entry::A(CLIENT.parse().unwrap());
    let other = [("here.example", here.clone()), ("*.any.example", here), ("broken.example", Entry::Failure)];
    let reverse = ("1.2.0.192.in-addr.arpa".to_owned(), vec![Entry::Failure]);
    let mut zone: Zone = other.map(|(name, entry)| (name.to_owned(), vec![entry])).into_iter().collect();
    zone.extend([reverse]);
    for (name, entries, record, _) in beside_the_suite() {
        zone.insert(name.to_owned(), [entries, vec![txt(record)]].concat());
    }
    let (_server, reputation) = asking(zone, Duration::from_secs(3)).await;
    for (name, _, record, expected) in beside_the_suite() {
        let identity = Identity { domain: name.to_owned(), sender: format!("grün@{name}") };
        for client in [CLIENT, "::ffff:192.0.2.1"] {
            let client = client.parse().unwrap();
            let found = reputation.spf.as_ref().unwrap().check_host(client, "mx.example", &identity).await;
            assert_eq!(found, expected, "{name}: {record}");
        }
    }
}

#[tokio::test]
async fn each_domain_is_asked_once() {
    let zone = [
        ("one.example", "v=spf1 exp=three.example a:mx.example redirect=two.example"),
        ("two.example", "v=spf1 a:mx.example -all"),
    ];
    let zone = zone.map(|(name, record)| (name.to_owned(), vec![txt(record)])).into_iter().collect();
    let (_server, dns) = resolver(zone, Duration::from_secs(2)).await;
    let reputation = Reputation::new(Some(&dns));
    let identity = Identity { domain: "one.example".into(), sender: "a@one.example".into() };
    let client = CLIENT.parse().unwrap();
    let found = reputation.spf.as_ref().unwrap().check_host(client, "mx.example", &identity).await;
    assert_eq!(found, SpfResult::Fail);
    let counts = dns.counts();
    assert_eq!((counts.asked, counts.from_cache, counts.failed), (4, 1, 0), "two records, one address twice");
}
