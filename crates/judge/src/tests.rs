//! A case is judged without a server: by accounts, evidence and names alone.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use directory::{Directory, ServerKey};
use guard::never_granted::{Here, Named, Never};
use guard::{AskedRcpt, Manner, Outcome, PopSource, Recipient, Subject};
use smtp::{ForwardPath, ReversePath};
use state::State;

use super::evidence::{Recorded, Recorder, ToldLogin};
use super::records::Records;
use super::{Case, Connected, Judge, SessionIds, Sources, Terms};

/// Names of clients may relay, so that the client's is asked for.
const BY_NAME: &str = "relay.clients = [{ name = 'mail.partner.example' }]";

/// Where the machine stands.
const GATEWAY: [u8; 4] = [198, 18, 0, 1];
const OWN: [u8; 4] = [198, 18, 0, 2];
/// A listed proxy, and a network of them.
const PROXIES: &str = "[[listener]]\nname = 'mx'\nprotocol = 'smtp'\nbind = ['127.0.0.1:2525']\n\
    proxy_from = ['198.18.0.80', '10.9.0.0/16']\n";

struct Bench {
    sources: Sources,
    terms: Terms,
    /// A name server that never answers.
    _dead: UdpSocket,
    _dir: tempfile::TempDir,
}

impl Bench {
    async fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let dead = UdpSocket::bind("127.0.0.1:0").unwrap();
        let text =
            format!("hostname = 'mail.example.test'\ndata_dir = '.'\ndomains.default = 'example.test'\n{more}\n");
        let text = config::Text { name: "t.toml", text: &text, base_dir: dir.path() };
        let settings = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings;
        let asked = dns::Settings { servers: vec![dead.local_addr().unwrap()], timeout: Duration::from_millis(300) };
        let dns = Arc::new(dns::Resolver::new(&asked).unwrap());
        let sources = Sources {
            reputation: reputation::Reputation::new(Some(&dns)),
            directory: Arc::new(accounts(dir.path()).await),
            state: Arc::new(State::open(dir.path().join("state")).unwrap()),
            dns: Some(dns),
            next_hops: crate::next_hops::NextHops::default(),
            records: Records::default(),
            identities: crate::identity::Identities::default(),
            relay_lock: crate::lock::RelayLock::default(),
            uses: crate::uses::Uses::unkept(),
            files: crate::Files::default(),
            sessions: SessionIds::default(),
            decoy_key: [1; 32],
            guess_key: [2; 32],
        };
        let here = Here { gateways: vec![GATEWAY.into()], own: vec![OWN.into()] };
        Self { sources, terms: Terms::in_place(Arc::new(settings), 1, &here).unwrap(), _dead: dead, _dir: dir }
    }

    fn judge(&self) -> Judge<'_> {
        Judge { sources: &self.sources, terms: &self.terms, policy: &self.terms.policy }
    }

    fn case(&self, from: &str) -> Case {
        let client = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)));
        let connected = Connected { client, session: self.sources.sessions.next(), listener: "mx".into() };
        let mut case = Case::new(connected, Manner::OWN);
        case.begin(ReversePath::parse(from).unwrap(), None);
        case
    }

    async fn rcpt(&self, case: &mut Case, to: &str) -> super::Decision {
        let parsed = ForwardPath::parse(to).unwrap();
        let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: parsed.had_source_route };
        self.judge().rcpt(case, asked).await
    }

    fn names_asked(&self) -> u64 {
        self.sources.dns.as_ref().unwrap().counts().asked
    }
}

async fn accounts(dir: &Path) -> Directory {
    let key = ServerKey::load_or_create(&dir.join("server.key")).unwrap();
    let settings = directory::Settings { default_domain: "example.test".to_owned(), ..directory::Settings::default() };
    let directory = Directory::open(&dir.join("directory.sqlite"), &key, settings).await.unwrap();
    directory.add_domain("example.test").await.unwrap();
    directory
}

#[tokio::test]
async fn ours_are_taken_and_others_are_not() {
    let bench = Bench::new("").await;
    bench.sources.directory.set_catch_all("example.test", Some("x@outside.example")).await.unwrap();
    let mut case = bench.case("<a@outside.example>");
    assert!(bench.judge().mail(&mut case).await.refused.is_none());
    let ours = bench.rcpt(&mut case, "<b@example.test>").await;
    assert!(matches!(ours.outcome, Outcome::Accept(Recipient::Hosted(_))), "{ours:?}");
    let foreign = bench.rcpt(&mut case, "<b@elsewhere.example>").await.refused.unwrap().to_string();
    assert!(foreign.starts_with("550 5.7.1 <b@elsewhere.example>: we do not relay ["), "{foreign}");
    assert_eq!(bench.names_asked(), 0, "nothing wants the client's name");
}

/// What is asked of the client is asked once in its connection, and a dead name server costs one deadline, not one for each
/// recipient.
#[tokio::test]
async fn a_hundred_recipients_ask_once_for_the_name() {
    let bench = Bench::new(BY_NAME).await;
    let mut case = bench.case("<a@outside.example>");
    for n in 0..100 {
        let refused = bench.rcpt(&mut case, &format!("<b{n}@elsewhere.example>")).await.refused.unwrap().to_string();
        assert!(refused.starts_with("451 4.3.0 "), "who may relay by name is not known: {refused}");
    }
    let counts = bench.sources.dns.as_ref().unwrap().counts();
    assert_eq!((counts.asked, counts.timed_out), (1, 1));
    case.end_transaction();
    case.begin(ReversePath::Null, None);
    let _ = bench.rcpt(&mut case, "<b@elsewhere.example>").await;
    assert_eq!(bench.names_asked(), 1, "the next transaction knows it, too");
    let _ = bench.rcpt(&mut bench.case("<>"), "<b@elsewhere.example>").await;
    assert_eq!(bench.names_asked(), 2, "another connection does not");
}

/// T40: what a name server that never answers says of a stranger is nothing, and SPF says so.
#[tokio::test]
async fn t40_what_is_not_found_out_is_held_against_nobody() {
    let lists = "[[dnsbl]]\nzone = 'list.example'\nweight = 5\ncodes = ['127.0.0.2']\n";
    let bench = Bench::new(lists).await;
    bench.sources.reputation.lists.follow(&bench.terms.settings.dnsbl);
    bench.sources.reputation.lists.test().await;
    let mut case = bench.case("<a@outside.example>");
    let parsed = ForwardPath::parse("<b@example.test>").unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: parsed.had_source_route };
    let mut command = guard::Command::rcpt(asked, &case.guard, std::time::SystemTime::now());
    let facts = [guard::FactName::Listings, guard::FactName::DomainListings, guard::FactName::Spf];
    let needs = facts.map(|fact| guard::Need { fact, of: guard::Of::Case, older: None }).to_vec();
    let until = tokio::time::Instant::now() + super::gather::STAGE_WAIT;
    super::gather::all(bench.judge(), &mut case, &mut command, super::gather::Wanted { needs, until }).await;
    assert_eq!(case.guard.listings().count(), 0);
    assert_eq!(case.guard.spf(), Some(guard::SpfResult::TempError));
    case.end_transaction();
    assert_eq!(case.guard.spf(), None, "the next mail may be another's");
}

/// Country and system of the client's address, from the first file that knows each.
#[tokio::test]
async fn where_a_client_is_can_be_held_against_its_mail() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../maps/tests/data");
    let files = format!("[guard]\nmmdb = ['{data}/systems.mmdb', '{data}/documentation.mmdb']\n");
    let rules = [
        ("when = ['country XB XA']", true),
        ("when = ['asn 64510']", true),
        ("when = ['country XC']", false),
        ("when = ['asn 64500']", false),
        ("when = ['country XA']\nnot = ['asn 64510']", false),
    ];
    for (when, refused) in rules {
        let rule = format!("[[guard.rule]]\nname = 'there'\n{when}\naction = 'refuse nothing from there'\n");
        let bench = Bench::new(&format!("{files}{rule}")).await;
        bench.sources.directory.set_catch_all("example.test", Some("x@outside.example")).await.unwrap();
        let decision = bench.rcpt(&mut bench.case("<a@outside.example>"), "<b@example.test>").await;
        let reply = decision.refused.map(|reply| reply.to_string()).unwrap_or_default();
        assert_eq!(reply.contains("nothing from there"), refused, "{when}: {reply}");
    }
}

/// Who follows decisions gets each as a record; nobody ever waits for who does not read.
#[tokio::test]
async fn records_are_handed_on_and_the_lost_are_counted() {
    let bench = Bench::new("").await;
    let mut case = bench.case("<a@outside.example>");
    let _ = bench.rcpt(&mut case, "<b@elsewhere.example>").await;
    let mut records = bench.sources.records.follow(2);
    for to in ["<b@elsewhere.example>", "<c@elsewhere.example>", "<d@elsewhere.example>"] {
        let _ = bench.rcpt(&mut case, to).await;
    }
    let first = records.recv().await.unwrap();
    assert_eq!(first.forward_path.as_deref(), Some("<b@elsewhere.example>"));
    assert_eq!(first.refused.map(|refused| refused.reason), Some("relay-denied"));
    assert_eq!(records.recv().await.unwrap().forward_path.as_deref(), Some("<c@elsewhere.example>"));
    assert_eq!(bench.sources.records.dropped(), 1);
    drop(records);
    let _ = bench.rcpt(&mut case, "<e@elsewhere.example>").await;
    assert_eq!(bench.sources.records.dropped(), 1, "nobody follows any more");
}

/// One for each recipient, whatever becomes of it, and for each refusal elsewhere; reply and record have one id.
#[tokio::test]
async fn each_recipient_and_each_refusal_has_one_record() {
    let bench = Bench::new("[[guard.rule]]\nname = 'tried'\nwhen = ['helo-invalid']\nweight = 1\n").await;
    bench.sources.directory.set_catch_all("example.test", Some("x@outside.example")).await.unwrap();
    let mut records = bench.sources.records.follow(8);
    let mut case = bench.case("<a@outside.example>");
    assert!(bench.judge().mail(&mut case).await.refused.is_none());
    assert!(records.try_recv().is_err(), "that MAIL may go on is no news");
    let _ = bench.rcpt(&mut case, "<b@example.test>").await;
    let taken = records.try_recv().unwrap();
    assert_eq!((taken.stage, taken.outcome, taken.reply), ("rcpt", "hosted", None));
    assert!(!taken.facts.is_empty() && !taken.trace.steps().is_empty());
    let refused = bench.rcpt(&mut case, "<b@elsewhere.example>").await.refused.unwrap().to_string();
    let record = records.try_recv().unwrap();
    assert_eq!(record.reply.as_deref(), Some(&*refused));
    assert!(refused.ends_with(&format!("[{}]", record.id)), "{refused}");
    let parsed = ForwardPath::parse("<b@example.test>").unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: false };
    assert!(bench.judge().confirm(&mut case, asked).await.refused.is_none());
    assert!(records.try_recv().is_err(), "it was recorded when it was taken");
    let full = bench.judge().message_refused(&case, smtp::replies::disk_full()).to_string();
    let record = records.try_recv().unwrap();
    assert!(full.ends_with(&format!("[{}]", record.id)), "{full}");
    assert_eq!((record.stage, record.outcome), ("message", "defer"));
    assert_eq!(
        bench
            .judge()
            .message_refused(&case, smtp::replies::policy_refused(&"x", &"id"))
            .to_string()
            .matches('[')
            .count(),
        1
    );
}

/// T1, T2, T19: one list for whoever tells of a login.
#[tokio::test]
async fn t01_t02_nobody_is_proved_by_a_gateway_whoever_tells() {
    let bench = Bench::new(PROXIES).await;
    let alice = directory::NewAccount { login: "alice".to_owned(), ..directory::NewAccount::default() };
    bench.sources.directory.create_account(alice).await.unwrap();
    let recorder = Recorder { sources: &bench.sources, terms: &bench.terms, session: bench.sources.sessions.next() };
    let sources = [
        PopSource::Pop3,
        PopSource::Operator,
        PopSource::Drac,
        PopSource::AuthPolicy,
        PopSource::DovecotAuth,
        PopSource::Log,
    ];
    let told = |client: &str, source| ToldLogin {
        client: client.parse().unwrap(),
        subject: Subject::Account("alice@example.test".to_owned()),
        source,
        proved: None,
    };
    let nobodys = [
        ("198.18.0.1", Never::Gateway),
        ("::ffff:198.18.0.1", Never::Gateway),
        ("64:ff9b::198.18.0.1", Never::Gateway),
        ("198.18.0.2", Never::Own),
        ("198.18.0.80", Never::Proxy),
        ("10.9.1.1", Never::Proxy),
        ("127.0.0.1", Never::Loopback),
        ("0.0.0.9", Never::ThisNetwork),
        ("fe80::9", Never::LinkLocal),
    ];
    for source in sources {
        for (client, why) in nobodys {
            let outcome = recorder.record(&told(client, source)).await;
            assert!(matches!(outcome, Recorded::Never(never) if never == why), "{client} {source:?}: {outcome:?}");
            let outcome = recorder.record_all(&[told(client, source)]).await;
            assert!(matches!(outcome[..], [Recorded::Never(_)]), "{client} {source:?}: {outcome:?}");
        }
    }
    assert!(bench.sources.state.evidence().await.unwrap().value.is_empty());
    let named = recorder.record_named(&told("10.9.1.1", PopSource::Pop3), Named::ByProxy).await;
    assert!(matches!(named, Recorded::Counts), "a PROXY header names the client: {named:?}");
    for client in ["192.0.2.7", "2001:db8::7", "198.18.0.3"] {
        let outcome = recorder.record(&told(client, PopSource::Pop3)).await;
        assert!(matches!(outcome, Recorded::Counts), "{client}: {outcome:?}");
    }
}

/// F8: a bridge, a proxy or an open relay has the address that is trusted.
#[tokio::test]
async fn an_address_behind_which_strangers_seem_to_be_loses_its_right() {
    for (mode, relays) in [("observe", 13), ("enforce", 10)] {
        let bench = Bench::new(&format!("relay.networks = ['192.0.2.7']\nrelay.identity_collapse = '{mode}'")).await;
        let mut relayed = 0;
        for number in 0..13 {
            let mut case = bench.case("<>");
            case.greeted(Some(format!("pc{number}.example")));
            case.begin(ReversePath::parse(&format!("<x@site{number}.example>")).unwrap(), None);
            let decision = bench.rcpt(&mut case, "<b@elsewhere.example>").await;
            relayed += u32::from(matches!(decision.outcome, Outcome::Accept(Recipient::Relayed(..))));
        }
        assert_eq!(relayed, relays, "{mode}");
    }
    // An office of fifty.
    let bench = Bench::new("relay.networks = ['192.0.2.7']\nrelay.identity_collapse = 'enforce'").await;
    for number in 0..50 {
        let mut case = bench.case("<>");
        case.greeted(Some(format!("pc{number}.office.example")));
        case.begin(ReversePath::parse(&format!("<user{number}@office.example>")).unwrap(), None);
        let decision = bench.rcpt(&mut case, "<b@elsewhere.example>").await;
        assert!(matches!(decision.outcome, Outcome::Accept(Recipient::Relayed(..))), "{number}");
    }
}

/// Every right but SMTP AUTH; and what would be without the lock is known without touching anything.
#[tokio::test]
async fn while_relaying_is_locked_a_listed_client_is_put_off() {
    let bench = Bench::new("relay.networks = ['192.0.2.0/28']").await;
    let outside = ForwardPath::parse("<b@elsewhere.example>").unwrap().path;
    let asked = AskedRcpt { forward_path: &outside, had_source_route: false };
    let mut case = bench.case("<a@outside.example>");
    let passed = vec!["mx 192.0.2.1 plain-foreign network".to_owned()];
    bench.sources.relay_lock.probed(super::lock::Probed { passed, ..super::lock::Probed::default() });
    let put_off = bench.rcpt(&mut case, "<b@elsewhere.example>").await.refused.unwrap().to_string();
    assert!(put_off.starts_with("451 4.7.1 <b@elsewhere.example>: relaying is suspended"), "{put_off}");
    assert!(bench.judge().address_right(&mut bench.case("<>")).await.is_err(), "nor may it be told elsewhere");
    assert!(bench.rcpt(&mut case, "<nobody@example.test>").await.refused.unwrap().to_string().starts_with("550 5.1.1"));
    assert_eq!(bench.judge().would(&mut case, asked).await, super::looking::Would::Relay("network"));
    assert!(bench.sources.relay_lock.unlock().unwrap());
    let relayed = bench.rcpt(&mut case, "<b@elsewhere.example>").await.outcome;
    assert!(matches!(relayed, Outcome::Accept(Recipient::Relayed(..))), "{relayed:?}");
}
