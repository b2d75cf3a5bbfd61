//! What was recorded under one configuration, judged by another: nothing changes by the same, and exactly what is expected by a
//! changed one.
#![expect(clippy::needless_for_each, reason = "one call a line reads best so")]
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::judge::Terms;
use ::judge::tables::Subjects;
use guard::case::Mailboxes;
use guard::explain::ExplainId;
use guard::never_granted::Here;
use guard::record::{Ended, Origin};
use guard::*;
use records::Kept;
use replay::{By, Comparison};
use smtp::{ForwardPath, ReversePath};

const OLD: &str = "
relay.networks = ['198.51.100.0/28']
relay.pop.enabled = true
[guard]
defaults = true
enforce = ['refuse']
[[guard.rule]]
name = 'listed'
when = ['listed']
action = 'refuse'
[[dnsbl]]
zone = 'list.example'
weight = 5
codes = ['127.0.0.2']
[[access]]
map = 'cidr:clients'
at = 'client'
";

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn terms(dir: &Path, more: &str) -> Terms {
    let text = format!("hostname = 'mail.example.test'\ndata_dir = '.'\ndomains.default = 'example.test'\n{more}\n");
    let text = config::Text { name: "t.toml", text: &text, base_dir: dir };
    let settings = config::parse(&text, &[]).unwrap_or_else(|report| panic!("{report}")).settings;
    Terms::in_place(Arc::new(settings), 1, &Here::default()).unwrap()
}

/// One mail: who, to whom, and what the look-ups say.
#[derive(Clone)]
struct Mail {
    client: &'static str,
    helo: &'static str,
    from: &'static str,
    to: &'static str,
    login: Option<&'static str>,
    known: Vec<Value>,
    charge: Reserved,
}

fn mail(client: &'static str, to: &'static str) -> Mail {
    let (helo, from) = ("mail.outside.example", "<x@outside.example>");
    Mail { client, helo, from, to, login: None, known: Vec::new(), charge: Reserved::All }
}

impl Mail {
    fn knowing(mut self, value: Value) -> Self {
        self.known.push(value);
        self
    }

    fn value(&self, need: &Need, terms: &Terms, asked: (&Case, &Command<'_>)) -> Fact<Value> {
        if let Some(value) = self.known.iter().find(|value| value.fact() == need.fact) {
            return Fact::Known(value.clone());
        }
        let ours = self.to.contains("@example.test");
        Fact::Known(match need.fact {
            FactName::Hosting if self.to.contains("nobody@") => Value::Hosting(Hosting::UnknownUser),
            FactName::Hosting => Value::Hosting(if ours { Hosting::Mailbox } else { Hosting::NotHosted }),
            FactName::Login => Value::Login(self.login.map(|it| Login::attest_authenticated(it.into(), None))),
            FactName::Choice => Value::Choice(Choice::None),
            FactName::Owners => Value::Owners(vec!["alice@example.test".to_owned()]),
            FactName::SenderHosted => Value::SenderHosted(false),
            FactName::ClientName => Value::ClientName(None),
            FactName::PtrNames => Value::PtrNames(PtrName::Confirmed("mail.outside.example".into())),
            FactName::SenderDomain => Value::SenderDomain(SenderDomain::Alive),
            FactName::Greylist => Value::Greylist(Greylist::New { secs_left: 120 }),
            FactName::PopEvidence => Value::PopEvidence(Vec::new()),
            FactName::HopAnswer => Value::HopAnswer(HopAnswer::Fine),
            FactName::Listings => Value::Listings(Vec::new()),
            FactName::DomainListings => Value::DomainListings(Vec::new()),
            FactName::Spf => Value::Spf(SpfResult::None),
            FactName::Origin => Value::Origin(guard::Origin::default()),
            FactName::Entries => Value::Entries(terms.tables.entries(&Subjects::of(asked.0, asked.1))),
        })
    }

    fn record(&self, terms: &Terms) -> Kept {
        self.record_by(terms, Manner::OWN)
    }

    fn record_by(&self, terms: &Terms, manner: Manner) -> Kept {
        let client: IpAddr = self.client.parse().unwrap();
        let mut case = Case::new(Some(client), manner);
        case.greeted(Some(self.helo.to_owned()));
        case.set_login(if self.login.is_some() { Claim::LoggedIn } else { Claim::Nobody });
        case.begin(ReversePath::parse(self.from).unwrap(), None);
        let parsed = ForwardPath::parse(self.to).unwrap();
        let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: parsed.had_source_route };
        let mut command = Command::rcpt(asked, &case, noon());
        let verdict = loop {
            match judge(&terms.policy, &mut case, &mut command) {
                Judged::Need(needs) => needs.iter().for_each(|need| {
                    let value = self.value(need, terms, (&case, &command));
                    command.learn(&mut case, need, Gathered::Found(Found::new(value, noon())));
                    // Who looks for the recipient sees whether anybody there chose, as the judge does.
                    if need.fact == FactName::Hosting && !self.known.iter().any(|it| it.fact() == FactName::Choice) {
                        let choice = Need { fact: FactName::Choice, of: Of::Case, older: None };
                        let none = Found::new(Fact::Known(Value::Choice(Choice::None)), noon());
                        command.learn(&mut case, &choice, Gathered::Found(none));
                    }
                }),
                Judged::Reserve(_) => command.reserved(self.charge),
                Judged::Verdict(verdict) => break verdict,
            }
        };
        let of = Origin { session: "s".to_owned(), listener: "mx".into() };
        let ended = Ended { policy: &terms.policy, case: &case, verdict: &verdict };
        let record = Record::new(ExplainId::from_random(7), of, ended, command);
        // The way over the store's own form.
        serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap()
    }
}

fn listing() -> Value {
    let (zone, code) = ("list.example".into(), [127, 0, 0, 2].into());
    Value::Listings(vec![Listing { zone, code, weight: 5, mode: guard::rule::Mode::Enforce }])
}

fn pop_login() -> Value {
    let (client, until) = ("8.8.4.9".parse().unwrap(), noon() + Duration::from_mins(5));
    Value::PopEvidence(vec![PopEvidence::attest_pop_login("alice@example.test".to_owned(), client, noon(), until)])
}

/// A mail of each kind, with what it comes to.
fn kinds() -> Vec<(&'static str, Mail)> {
    let (ours, foreign) = ("<b@example.test>", "<b@elsewhere.example>");
    let by_alice = |mail: Mail| Mail { from: "<alice@example.test>", ..mail };
    let no_name = Value::PtrNames(PtrName::None);
    let exceeded = Reserved::Exceeded { charge: 0 };
    vec![
        ("hosted", mail("8.8.4.4", ours)),
        ("refuse relay-denied", mail("8.8.4.4", foreign)),
        ("refuse relay-denied", mail("203.0.113.9", foreign)),
        ("relayed by network", mail("198.51.100.3", foreign)),
        ("relayed by auth", by_alice(Mail { login: Some("alice@example.test"), ..mail("8.8.4.4", foreign) })),
        ("refuse sender-not-yours", by_alice(Mail { login: Some("bob@example.test"), ..mail("8.8.4.4", foreign) })),
        ("relayed by pop", by_alice(mail("8.8.4.9", foreign).knowing(pop_login()))),
        ("defer grant-exhausted", by_alice(Mail { charge: exceeded, ..mail("8.8.4.9", foreign).knowing(pop_login()) })),
        ("refuse null-sender-not-granted", Mail { from: "<>", ..mail("8.8.4.9", foreign).knowing(pop_login()) }),
        ("refuse unknown-user", mail("8.8.4.4", "<nobody@example.test>")),
        ("refuse mailbox-full", Mail { charge: exceeded, ..mail("8.8.4.4", ours) }),
        ("refuse routing-refused", mail("8.8.4.4", "<a%b@example.test>").knowing(Value::Hosting(Hosting::Alias))),
        ("defer domain-off", mail("8.8.4.4", ours).knowing(Value::Hosting(Hosting::DomainOff))),
        ("refuse configuration-fault", mail("8.8.4.4", ours).knowing(Value::Hosting(Hosting::Misconfigured))),
        ("defer greylisted", mail("8.8.4.4", ours).knowing(no_name.clone())),
        ("hosted", mail("8.8.4.4", ours).knowing(no_name.clone()).knowing(Value::Greylist(Greylist::Passed))),
        ("refuse listed", mail("8.8.4.4", ours).knowing(listing())),
        (
            "refuse suspicious",
            Mail { helo: "pc", ..mail("8.8.4.4", ours).knowing(no_name).knowing(spf_fail()).knowing(dead()) },
        ),
        ("refuse access-denied", mail("192.0.2.66", ours)),
        ("refuse refused-by-recipient", mail("8.8.4.4", ours).knowing(Value::Choice(Choice::Refused))),
    ]
}

fn spf_fail() -> Value {
    Value::Spf(SpfResult::Fail)
}

fn dead() -> Value {
    Value::SenderDomain(SenderDomain::Dead)
}

fn compare(records: &[Kept], terms: &Terms) -> Comparison {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut comparison = Comparison::default();
    records.iter().for_each(|record| drop(runtime.block_on(comparison.add(record, terms))));
    comparison.finish();
    comparison
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("clients"), "192.0.2.66 REJECT not you\n").unwrap();
    dir
}

#[test]
fn a_recorded_hour_comes_to_the_same_by_the_same_configuration() {
    let dir = folder();
    let terms = terms(dir.path(), OLD);
    let mut records = Vec::new();
    for (expected, mail) in kinds() {
        let record = mail.record(&terms);
        assert_eq!(replay::Came::recorded(&record).words(), expected, "{} {}", mail.client, mail.to);
        records.push(record);
    }
    let comparison = compare(&records, &terms);
    assert_eq!((comparison.judged, comparison.changed), (20, 0), "{:?}", comparison.changes);
    assert!(comparison.unknown.is_empty() && comparison.unjudged.is_empty(), "{comparison:?}");
}

/// Each change of the configuration, and all that it changes.
#[test]
fn a_changed_configuration_changes_what_is_expected_and_nothing_else() {
    let dir = folder();
    let old = terms(dir.path(), OLD);
    let records: Vec<Kept> = kinds().iter().map(|(_, mail)| mail.record(&old)).collect();
    let table: [(&str, &str, &[&str]); 8] = [
        ("['198.51.100.0/28']", "[]", &["1 relayed by network -> defer authority-unavailable"]),
        (
            "['198.51.100.0/28']",
            "['198.51.100.0/28', '203.0.113.9']",
            &["1 refuse relay-denied -> relayed by network by t.toml:4"],
        ),
        (
            "relay.pop.enabled = true",
            "relay.pop.enabled = false",
            &[
                "1 defer grant-exhausted -> refuse relay-denied",
                "1 refuse null-sender-not-granted -> refuse relay-denied",
                "1 relayed by pop -> refuse relay-denied",
            ],
        ),
        ("enforce = ['refuse']", "", &["1 refuse suspicious -> hosted"]),
        (
            "enforce = ['refuse']",
            "enforce = ['refuse']\noff = ['no-name', 'greylist', 'refuse']",
            &["1 defer greylisted -> hosted", "1 refuse suspicious -> hosted"],
        ),
        ("action = 'refuse'", "action = 'refuse'\nmode = 'observe'", &["1 refuse listed -> hosted"]),
        ("at = 'client'", "at = 'client'\nmode = 'observe'", &["1 refuse access-denied -> hosted"]),
        (
            "defaults = true",
            "defaults = true\nexempt = ['8.8.4.4']",
            &["1 defer greylisted -> hosted", "1 refuse listed -> hosted", "1 refuse suspicious -> hosted"],
        ),
    ];
    for (from, to, expected) in table {
        assert!(OLD.contains(from), "{from}");
        let comparison = compare(&records, &terms(dir.path(), &OLD.replace(from, to)));
        let mut told: Vec<String> =
            comparison.changes.iter().map(|it| format!("{} {} -> {}", it.count, it.was, it.now)).collect();
        told.sort();
        let expected: Vec<&str> = expected.iter().map(|it| it.split(" by t.toml").next().unwrap()).collect();
        assert_eq!(told, expected, "{from} -> {to}: {comparison:?}");
    }
}

/// What no look-up was made for is unknown there, and named.
#[test]
fn what_was_not_recorded_is_unknown_and_counted() {
    let dir = folder();
    let without_pop = OLD.replace("relay.pop.enabled = true", "relay.pop.enabled = false");
    let old = terms(dir.path(), &without_pop);
    let record = mail("8.8.4.4", "<b@elsewhere.example>").record(&old);
    let comparison = compare(&[record], &terms(dir.path(), OLD));
    let [change] = &comparison.changes[..] else { panic!("{comparison:?}") };
    assert_eq!((change.was.as_str(), change.now.as_str()), ("refuse relay-denied", "defer authority-unavailable"));
    assert_eq!(change.by.as_deref(), Some("not recorded: pop-evidence"));
    assert_eq!(comparison.unknown.get("pop-evidence"), Some(&1));
    let lists = OLD.replace("zone = 'list.example'", "zone = 'other.example'");
    let listed = mail("8.8.4.4", "<b@example.test>").knowing(listing()).record(&terms(dir.path(), OLD));
    let comparison = compare(&[listed], &terms(dir.path(), &lists));
    assert_eq!(comparison.unknown.get("listings of other.example"), Some(&1), "{comparison:?}");
}

/// What would have it accepted, as far as the record alone says it.
#[test]
fn each_refusal_tells_what_would_have_changed_it() {
    let dir = folder();
    let terms = terms(dir.path(), OLD);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let expected: [(&str, &[&str]); 8] = [
        ("refuse relay-denied", &["somebody logged in (AUTH)", "8.8.4.4 were in relay.networks"]),
        ("refuse sender-not-yours", &["<alice@example.test> belonged to bob@example.test"]),
        (
            "defer grant-exhausted",
            &["alice@example.test logged in (AUTH)", "were in relay.networks", "less had been sent"],
        ),
        ("refuse mailbox-full", &["the mailbox had room"]),
        ("defer greylisted", &["sekisho guard exempt 8.8.4.4", "after the wait", "rule no-name", "rule greylist"]),
        // Without the listing it would go on to look-ups that nobody made: that is not told of the record alone.
        ("refuse listed", &["sekisho guard exempt 8.8.4.4"]),
        ("refuse access-denied", &["clients:1 said OK"]),
        ("refuse refused-by-recipient", &["took mail of this sender"]),
    ];
    for (which, lines) in expected {
        let (_, mail) = kinds().into_iter().find(|(words, _)| *words == which).unwrap();
        // Whether mailboxes have room is not recorded of what was refused before.
        let room = which == "refuse mailbox-full";
        let manner = if room { Manner::OWN } else { Manner { mailboxes: Mailboxes::Elsewhere, ..Manner::OWN } };
        let record = mail.record_by(&terms, manner);
        let by = By::terms(&terms, manner);
        let told = runtime.block_on(replay::accepted_if(&record, &by)).unwrap();
        for line in lines {
            assert!(told.iter().any(|it| it.contains(line)), "{which}: {line} is not among {told:#?}");
        }
    }
}

#[test]
fn what_would_change_nothing_is_not_told() {
    let dir = folder();
    std::fs::write(dir.path().join("denied"), "outside.example\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let denied = format!("{OLD}\n[[access]]\nmap = 'deny:denied'\n");
    let manner = Manner { mailboxes: Mailboxes::Elsewhere, ..Manner::OWN };
    // A rule of one's own goes by what a list has, whatever the list's mode; no entry of such a map can say that it is fine.
    for (text, which, wrong) in
        [(OLD, "refuse listed", "were only tried (dnsbl.mode)"), (&denied, "hosted", "denied:1 said OK")]
    {
        let terms = terms(dir.path(), text);
        let (_, mail) = kinds().into_iter().find(|(words, _)| *words == which).unwrap();
        let record = mail.record_by(&terms, manner);
        assert!(record.refused.is_some(), "{which}");
        let told = runtime.block_on(replay::accepted_if(&record, &By::terms(&terms, manner))).unwrap();
        assert!(!told.iter().any(|it| it.contains(wrong)), "{which}: {told:#?}");
    }
}
