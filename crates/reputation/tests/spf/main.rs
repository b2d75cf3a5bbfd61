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
use reputation::{Reputation, SpfQuestion};
use serde::Deserialize;
use serde_json::Value;
use smtp::ReversePath;

/// Cases that come out otherwise than the suite has it, with what is found instead and whose fault it is.
const OTHERWISE: &[(&str, SpfResult, &str)] = &[
    ("nolocalpart", SpfResult::None, "no reverse-path of SMTP: it ends at MAIL"),
    ("non-ascii-policy", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("non-ascii-mech", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("control-char-policy", SpfResult::Pass, "a record with a mistake in it is read as far as it goes"),
    ("badip4", SpfResult::Pass, "a record with a mistake in it is read as far as it goes"),
    ("modifier-charset-good", SpfResult::PermError, "a sound record is refused"),
    ("redirect-after-mechanisms2", SpfResult::PermError, "a sound record is refused"),
    ("invalid-domain", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    (
        "invalid-domain-empty-label",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    (
        "invalid-domain-long",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    (
        "invalid-domain-long-via-macro",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    ("ptr-match-implicit", SpfResult::Fail, "the name without a dot at the end is not the name with one"),
    ("ptr-match-ip6", SpfResult::Fail, "the name without a dot at the end is not the name with one"),
    ("a-bad-cidr4", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("a-bad-cidr6", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("a-dual-cidr-ip4-err", SpfResult::Pass, "a record with a mistake in it is read as far as it goes"),
    ("a-bad-domain", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("a-null", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("a-numeric", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("a-numeric-toplabel", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("a-bad-toplabel", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("a-only-toplabel", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("a-only-toplabel-trailing-dot", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("a-colon-domain", SpfResult::PermError, "a sound record is refused"),
    ("a-colon-domain-ip4mapped", SpfResult::PermError, "a sound record is refused"),
    ("mx-bad-cidr4", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("mx-bad-cidr6", SpfResult::Fail, "a record with a mistake in it is read as far as it goes"),
    ("mx-bad-domain", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("mx-null", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("mx-numeric-top-label", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("mx-colon-domain", SpfResult::PermError, "a sound record is refused"),
    ("mx-colon-domain-ip4mapped", SpfResult::PermError, "a sound record is refused"),
    ("mx-bad-toplab", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("exists-ip6only", SpfResult::Pass, "AAAA records count for exists"),
    ("cidr4-33", SpfResult::Pass, "a record with a mistake in it is read as far as it goes"),
    ("cidr4-032", SpfResult::Pass, "a record with a mistake in it is read as far as it goes"),
    ("cidr6-0-ip4", SpfResult::Pass, "an IPv4 client matches IPv6 networks"),
    ("cidr6-ip4", SpfResult::Pass, "an IPv4 client matches IPv6 networks"),
    ("cidr6-129", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("redirect-syntax-error", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("invalid-modifier", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("empty-modifier-name", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    ("dorky-sentinel", SpfResult::None, "no reverse-path that SMTP takes"),
    ("exp-dns-error", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    ("exp-syntax-error", SpfResult::Neutral, "a record with a mistake in it is read as far as it goes"),
    (
        "macro-mania-in-domain",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    ("p-macro-multiple", SpfResult::TempError, "a name that cannot be asked for is taken for DNS that does not answer"),
    (
        "invalid-hello-macro",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    (
        "hello-domain-literal",
        SpfResult::TempError,
        "a name that cannot be asked for is taken for DNS that does not answer",
    ),
    ("void-over-limit", SpfResult::Neutral, "void look-ups have no limit"),
];

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
    let server = NameServer::start(zone).await;
    let settings = dns::Settings { servers: vec![server.address], timeout };
    let dns = Arc::new(Resolver::new(&settings).unwrap());
    (server, Reputation::new(Some(&dns)))
}

async fn found(reputation: &Reputation, case: &Case) -> Option<SpfResult> {
    // What is no address ends at MAIL.
    let reverse_path = ReversePath::parse(&format!("<{}>", case.mailfrom)).ok()?;
    let client = case.client.parse().unwrap();
    let question =
        SpfQuestion { client, helo: Some(&case.helo), reverse_path: &reverse_path, hostname: "receiver.example" };
    Some(reputation.spf.as_ref().unwrap().check(&question).await)
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
        let otherwise = OTHERWISE.iter().find(|(id, ..)| *id == case.id);
        let code = found.map_or("none", SpfResult::code);
        let as_expected = match otherwise {
            Some((_, instead, _)) => code == instead.code(),
            None => case.results.iter().any(|result| result == code),
        };
        if !as_expected {
            wrong.push(format!("{description}: {}: {code}, not {:?}", case.id, case.results));
        }
    }
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases, 203);
}

/// T40: DNS that does not answer, or fails, is no fault of who sends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t40_dns_that_does_not_answer_is_no_failure() {
    let all = |text: &str| vec![Entry::Txt(vec![text.to_owned()])];
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
        assert_eq!(found, Some(expected), "{name}");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}
