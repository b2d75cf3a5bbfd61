use super::*;
use crate::search::{self, Search, Whose};
use guard::explain::ExplainId;
use guard::record::{Origin, Refused, TurnedAway};
use proptest::prelude::*;
use tokio::sync::mpsc;

const KEEP: Duration = Duration::from_hours(24 * 30);

/// A record as it is told of a client that is turned away.
#[derive(Debug, Clone)]
struct Case {
    number: u64,
    client: u8,
    login: Option<u8>,
    from: u8,
    to: u8,
    reason: u8,
    ago_secs: u64,
}

const REASONS: [&str; 3] = ["relay-denied", "listed", "login-failed"];

impl Case {
    fn record(&self) -> Record {
        let address = |n: u8| format!("<U{n}@d{}.example>", n % 3);
        let away = TurnedAway {
            at: SystemTime::now() - Duration::from_secs(self.ago_secs),
            stage: "rcpt",
            client: Some([192, 0, self.client % 2, self.client].into()),
            login: self.login.map(|n| format!("l{n}@d.example")),
            reverse_path: Some(address(self.from)),
            forward_path: Some(address(self.to)),
            refused: Refused::because(REASONS[usize::from(self.reason) % 3], "é\"\\".to_owned()),
            is_temporary: false,
            reply: Some("550 5.7.1 no".to_owned()),
        };
        let of = Origin { session: format!("s{}", self.number % 4), listener: "smtp".into() };
        Record::turned_away(ExplainId::from_random(self.number), of, away)
    }
}

fn case() -> impl Strategy<Value = Case> {
    let login = prop::option::of(0u8..3);
    (any::<u64>(), 0u8..6, login, 0u8..5, 0u8..5, 0u8..3, 0u64..50 * 86_400).prop_map(
        |(number, client, login, from, to, reason, ago_secs)| Case {
            number,
            client,
            login,
            from,
            to,
            reason,
            ago_secs,
        },
    )
}

fn search() -> impl Strategy<Value = Search> {
    let client = prop::option::of((0u8..6, prop::sample::select(vec![16, 24, 32])));
    let reason = prop::option::of(0usize..3);
    let address = prop::option::of((0u8..5, any::<bool>()));
    let span = prop::option::of(0u64..40 * 86_400);
    let login = prop::option::of(0u8..3);
    (client, reason, address, span, login, 1usize..30).prop_map(|(client, reason, address, span, login, limit)| {
        Search {
            client: client.and_then(|(n, bits)| search::client(&format!("192.0.{}.{n}/{bits}", n % 2))),
            reason: reason.map(|n| REASONS[n].to_owned()),
            address: address.map(|(n, whole)| {
                let domain = n % 3;
                Whose::parse(&if whole { format!("u{n}@D{domain}.example") } else { format!("@d{domain}.example") })
            }),
            since: span.map(|secs| SystemTime::now() - Duration::from_secs(secs)),
            login: login.map(|n| format!("L{n}@d.example")),
            limit,
            ..Search::default()
        }
    })
}

fn settings(dir: &std::path::Path, redact: Redact) -> Settings {
    Settings { dir: dir.to_owned(), keep: KEEP, octets_max: 1 << 30, free_octets_min: 0, redact }
}

fn kept(dir: &std::path::Path, redact: Redact, cases: &[Case]) -> Reader {
    let (sender, records) = mpsc::channel(cases.len().max(1));
    let store = Store::start(settings(dir, redact), Source { records, dropped: Arc::default() }).unwrap();
    for case in cases {
        sender.try_send(case.record()).unwrap();
    }
    store.close();
    // A segment of nothing but records that are too old is deleted at once.
    assert_eq!(store.status().dropped, 0);
    assert!(store.status().records <= cases.len() as u64);
    store.reader()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// What is written is read: each field, in order of time, without what is older than it may be.
    #[test]
    fn records_are_written_and_read(cases in prop::collection::vec(case(), 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let reader = kept(dir.path(), Redact::None, &cases);
        let mut young: Vec<&Case> = cases.iter().filter(|case| case.ago_secs < 30 * 86_400 - 60).collect();
        young.sort_by_key(|case| std::cmp::Reverse(case.ago_secs));
        let all: Vec<Kept> = reader.since(SystemTime::UNIX_EPOCH).unwrap().map(Result::unwrap).collect();
        prop_assert!(all.is_sorted_by_key(|kept| kept.at));
        prop_assert!(all.len() >= young.len());
        for case in young {
            let id = ExplainId::from_random(case.number).to_string();
            let found = all.iter().find(|kept| kept.id == id).unwrap();
            let written = serde_json::to_value(case.record()).unwrap();
            let mut read = serde_json::to_value(found).unwrap();
            prop_assert!(found.time() <= SystemTime::now());
            read["at"] = written["at"].clone();
            for field in ["id", "of", "client", "login", "reverse_path", "forward_path", "outcome", "refused", "reply"] {
                prop_assert_eq!(&read[field], written.get(field).unwrap_or(&serde_json::Value::Null));
            }
        }
    }

    /// The indexes change nothing of what a search finds.
    #[test]
    fn a_search_finds_what_looking_at_each_record_finds(
        cases in prop::collection::vec(case(), 0..30), search in search(), redacted: bool
    ) {
        let dir = tempfile::tempdir().unwrap();
        let redact = if redacted { Redact::Addresses } else { Redact::None };
        // In two runs, so that one segment may have its index.
        let (first, second) = cases.split_at(cases.len() / 2);
        kept(dir.path(), redact, first);
        let number = crate::segment::list(dir.path()).unwrap()[0];
        if !first.is_empty() {
            let octets = whole(dir.path(), number);
            crate::segment::Index::of_segment(&octets).write(dir.path(), number).unwrap();
        }
        let reader = {
            let (sender, records) = mpsc::channel(64);
            let store = Store::start(settings(dir.path(), redact), Source { records, dropped: Arc::default() }).unwrap();
            for case in second {
                sender.try_send(case.record()).unwrap();
            }
            store.close();
            store.reader()
        };
        let key = crate::redact::Key::load(dir.path()).unwrap();
        let wanted = crate::search::Wanted::new(search.clone(), key.as_ref(), SystemTime::now() - KEEP);
        let mut expected: Vec<Kept> = reader.since(SystemTime::UNIX_EPOCH).unwrap().map(Result::unwrap).collect();
        expected.retain(|kept| wanted.is_then(kept.at) && wanted.is(kept));
        let found = reader.search(search.clone()).unwrap();
        prop_assert_eq!(found.more, expected.len() > search.limit);
        prop_assert_eq!(found.records.len(), expected.len().min(search.limit));
        prop_assert!(found.records.iter().all(|kept| expected.contains(kept)));
    }
}

fn whole(dir: &std::path::Path, number: crate::segment::Number) -> Vec<u8> {
    match crate::segment::read(dir, number).unwrap() {
        crate::segment::Read::Whole(octets) => octets,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_opens_only_segments_that_can_match() {
    let dir = tempfile::tempdir().unwrap();
    let case = |number| Case { number, client: 1, login: None, from: 1, to: 2, reason: 0, ago_secs: 5 };
    for number in 0..3 {
        let reader = kept_more(dir.path(), &[case(number)]);
        let last = *crate::segment::list(dir.path()).unwrap().last().unwrap();
        let octets = whole(dir.path(), last);
        crate::segment::Index::of_segment(&octets).write(dir.path(), last).unwrap();
        drop(reader);
    }
    let reader = Reader::new(dir.path(), KEEP);
    let search = Search { id: Some(ExplainId::from_random(1).to_string()), limit: 5, ..Search::default() };
    let found = reader.search(search).unwrap();
    assert_eq!((found.records.len(), found.opened), (1, 1));
    assert_eq!(reader.search(Search { limit: 5, ..Search::default() }).unwrap().opened, 3);
}

fn kept_more(dir: &std::path::Path, cases: &[Case]) -> Reader {
    let (sender, records) = mpsc::channel(64);
    let store = Store::start(settings(dir, Redact::None), Source { records, dropped: Arc::default() }).unwrap();
    for case in cases {
        sender.try_send(case.record()).unwrap();
    }
    store.flush();
    let reader = store.reader();
    assert!(reader.search(Search { limit: 100, ..Search::default() }).unwrap().records.len() >= cases.len());
    store.close();
    reader
}

/// A folder that does not open loses records, which is counted, and nothing else.
#[test]
fn what_the_disk_does_not_take_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("records");
    std::fs::write(&file, b"").unwrap();
    let (sender, records) = mpsc::channel(8);
    let dropped = Arc::new(AtomicU64::new(3));
    let store = Store::start(settings(&file, Redact::None), Source { records, dropped }).unwrap();
    let case = Case { number: 1, client: 1, login: None, from: 1, to: 2, reason: 0, ago_secs: 5 };
    sender.try_send(case.record()).unwrap();
    store.flush();
    assert_eq!(store.status().dropped, 4);
    store.close();
}
