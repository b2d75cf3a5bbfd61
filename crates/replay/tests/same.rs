//! What was recorded, judged again by the same policy, comes to the same: for any policy, any case, whatever was known or not.
#![expect(clippy::struct_excessive_bools, reason = "each is a thing that is or is not")]
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guard::case::{Depth, Mailboxes, Manner, Manners};
use guard::explain::ExplainId;
use guard::never_granted::{Loopback, NeverGranted};
use guard::policy::{DracSenders, Entry, PopSpec};
use guard::record::{Ended, Origin};
use guard::rule::{self, Action, MapId, Mode, Rules, Said};
use guard::suspicion::defaults::{self, Thresholds};
use guard::suspicion::{Condition, Effect, Rule};
use guard::*;
use proptest::prelude::*;
use records::Kept;
use replay::{By, judged};
use smtp::{Domain, ForwardPath, Mailbox, ReversePath};

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn entries(texts: &[&str]) -> Vec<Entry> {
    (1..).zip(texts).map(|(n, text)| Entry { text: (*text).to_owned(), line: ConfigLine::new("t", n) }).collect()
}

/// In what policies differ.
#[derive(Debug, Clone)]
struct Shape {
    networks: bool,
    clients: bool,
    domains: bool,
    pop: Option<(u8, u8)>,
    defaults: bool,
    enforced: bool,
    maps: Vec<bool>,
    exempt: bool,
}

fn policy(shape: &Shape) -> Policy {
    let some = |wanted: bool, texts: &[&str]| if wanted { entries(texts) } else { Vec::new() };
    let pop = shape.pop.map(|(bits, senders)| PopSpec {
        ipv6_prefix_bits: bits,
        drac_senders: match senders {
            0 => DracSenders::Hosted,
            1 => DracSenders::Any,
            _ => DracSenders::Listed(vec![SenderPattern::Domain(Domain::parse("example.test").unwrap())]),
        },
        line: ConfigLine::new("t", 40),
    });
    let relay = RelayPolicy::new(RelayPolicySpec {
        networks: some(shape.networks, &["198.51.100.0/28"]),
        client_map: some(shape.clients, &["203.0.113.5", "mx.partner.example"]),
        relay_domains: some(shape.domains, &["relay.example"]),
        pop,
        own_literals: entries(&["192.0.2.25"]),
        default_domain: Some(Domain::parse("example.test").unwrap()),
        never: NeverGranted::new(Loopback::Refused, ["198.51.100.1"].map(ip)),
    })
    .unwrap();
    let map = |(number, enforce): (usize, &bool)| rule::Rule {
        part: None,
        condition: rule::Condition::Entry(MapId(number)),
        effect: rule::Effect::AsWritten,
        mode: if *enforce { Mode::Enforce } else { Mode::Observe },
        line: ConfigLine::new("map", 1),
    };
    let rules = Rules { list: shape.maps.iter().enumerate().map(map).collect(), ask_client_name: shape.clients };
    Policy { relay, rules: Arc::new(rules), suspicion: Arc::new(suspicion(shape)), version: 1 }
}

fn suspicion(shape: &Shape) -> Suspicion {
    let mut suspicion =
        Suspicion { own_names: vec![Domain::parse("mail.example.test").unwrap()], ..Suspicion::default() };
    suspicion.lists = vec!["list".into()];
    if shape.defaults {
        suspicion.rules = defaults::TABLE.iter().map(|row| row.rule(&Thresholds::default())).collect();
        let own = |name: &str, when, effect| Rule {
            name: name.into(),
            when,
            not: vec![Condition::Listed(vec!["other".into()])],
            effect,
            mode: Mode::Enforce,
            line: ConfigLine::new("t", 70),
        };
        suspicion.rules.push(own(
            "there",
            vec![Condition::Asn(vec![64_500])],
            Effect::Act(Action::Prepend("X-A: b".into())),
        ));
        suspicion.rules.push(own(
            "list",
            vec![Condition::Listed(Vec::new())],
            Effect::Act(Action::Deny(Reason::Listed)),
        ));
        suspicion.rules.push(own("null", vec![Condition::NullSender], Effect::Act(Action::Slow(3))));
    }
    for rule in suspicion.rules.iter_mut().filter(|_| shape.enforced) {
        rule.mode = Mode::Enforce;
    }
    if shape.exempt {
        let who = guard::suspicion::exempt::Who::Name(Domain::parse("mail.outside.example").unwrap());
        suspicion.exempt.add(&who, ConfigLine::new("t", 80));
    }
    suspicion
}

/// What the look-ups would say.
#[derive(Debug, Clone)]
struct World {
    client: Option<&'static str>,
    manner: Manner,
    conduct: (bool, bool, u8),
    distrusted: bool,
    helo: Option<&'static str>,
    from: &'static str,
    to: Vec<&'static str>,
    confirm: bool,
    facts: Vec<Fact<Value>>,
    login: Fact<Option<Login>>,
    claims: bool,
    charge: Fact<Charged>,
}

impl World {
    fn value(&self, fact: FactName) -> Fact<Value> {
        if fact == FactName::Login {
            return self.login.clone().map(Value::Login);
        }
        let is_it = |one: &&Fact<Value>| matches!(one, Fact::Known(value) if value.fact() == fact);
        let fault = Fault::TimedOut("dns");
        self.facts.iter().find(is_it).cloned().unwrap_or(Fact::Unknown(fault))
    }

    fn case(&self) -> Case {
        let mut case = Case::new(self.client.map(ip), self.manner);
        case.greeted(self.helo.map(str::to_owned));
        let (pipelined, plain, percent) = self.conduct;
        let noted = [(pipelined, Manners::Pipelined), (plain, Manners::PlainText)];
        noted.iter().filter(|(is, _)| *is).for_each(|(_, manners)| case.noted(*manners));
        case.noted(Manners::Load { percent });
        case.set_login(if self.claims { Claim::LoggedIn } else { Claim::Nobody });
        if self.distrusted {
            case.distrust();
        }
        case
    }

    /// The records of a whole transaction: the connection, MAIL, each recipient.
    fn records(&self, policy: &Policy) -> Vec<Record> {
        let mut case = self.case();
        let mut records = Vec::new();
        let connect = Command::new(Stage::Connect, &case, noon());
        records.push(self.record(policy, &mut case, connect));
        case.begin(ReversePath::parse(self.from).unwrap(), Some(1_000));
        let mail = Command::new(Stage::Mail, &case, noon());
        records.push(self.record(policy, &mut case, mail));
        for to in &self.to {
            let parsed = ForwardPath::parse(to).unwrap();
            let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: parsed.had_source_route };
            let command =
                if self.confirm { Command::confirm(asked, &case, noon()) } else { Command::rcpt(asked, &case, noon()) };
            records.push(self.record(policy, &mut case, command));
        }
        records
    }

    fn record(&self, policy: &Policy, case: &mut Case, mut command: Command<'_>) -> Record {
        loop {
            match judge(policy, case, &mut command) {
                Judged::Need(needs) => needs.iter().for_each(|need| {
                    let mailbox = command.forward_path().and_then(|path| policy.relay.directory_mailbox(path));
                    let value = match need.fact {
                        // What the accounts say of it is not asked.
                        FactName::Hosting if mailbox.is_some_and(|it| policy.relay.is_relay_domain(&it)) => {
                            Fact::Known(Value::Hosting(Hosting::RelayDomain))
                        }
                        fact => self.value(fact),
                    };
                    let found = Found::new(value, noon());
                    command.learn(case, need, Gathered::Found(found));
                }),
                Judged::Reserve(_) => command.reserved(match self.charge {
                    Fact::Known(Charged::Within) => Reserved::All,
                    Fact::Known(Charged::Exceeded) => Reserved::Exceeded { charge: 0 },
                    Fact::Unknown(fault) => Reserved::Unknown { charge: 0, fault },
                }),
                Judged::Verdict(verdict) => {
                    let of = Origin { session: "s".to_owned(), listener: "mx".into() };
                    let ended = Ended { policy, case, verdict: &verdict };
                    return Record::new(ExplainId::from_random(7), of, ended, command);
                }
            }
        }
    }
}

/// What comes of it when it is read and judged again.
fn replayed(policy: &Policy, record: &Record) -> (Kept, replay::Again) {
    let text = serde_json::to_string(record).unwrap();
    let recorded: Kept = serde_json::from_str(&text).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let again = runtime.block_on(judged(&recorded, &By::policy(policy))).unwrap();
    (recorded, again)
}

fn shapes() -> impl Strategy<Value = Shape> {
    let pop = prop::option::of((prop::sample::select(vec![128, 64]), 0..3u8));
    let bools = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (bools, pop, prop::collection::vec(any::<bool>(), 0..3)).prop_map(|(bools, pop, maps)| {
        let (networks, clients, domains, defaults, enforced, exempt) = bools;
        Shape { networks, clients, domains, pop, defaults, enforced, maps, exempt }
    })
}

fn maybe<T: Clone + std::fmt::Debug + 'static>(
    known: Vec<T>,
    value: fn(T) -> Value,
) -> impl Strategy<Value = Fact<Value>> {
    prop_oneof![
        4 => prop::sample::select(known).prop_map(move |it| Fact::Known(value(it))),
        1 => Just(Fact::Unknown(Fault::Unavailable("state"))),
    ]
}

fn login(device: Option<(RecipientScope, Option<u32>)>) -> Login {
    let device = device.map(|(scope, messages_per_hour)| {
        let reverse_path = messages_per_hour.map(|_| Mailbox::parse("alice@example.test").unwrap());
        let (name, login) = ("scanner".to_owned(), "alice-scanner@example.test".to_owned());
        Arc::new(Device { name, login, reverse_path, scope, messages_per_hour })
    });
    Login::attest_authenticated("alice@example.test".into(), device)
}

fn evidence() -> Vec<Vec<PopEvidence>> {
    let (since, until) = (noon() - Duration::from_mins(1), noon() + Duration::from_mins(30));
    let at = |addr: &str| {
        let alice = PopEvidence::attest_pop_login("alice@example.test".to_owned(), ip(addr), since, until);
        let foreign = PopEvidence::attest_pop_login("x@outside.example".to_owned(), ip(addr), since, until);
        let server = PopEvidence::attest_drac_grant(ip("127.0.0.1"), ip(addr), since, until);
        vec![
            vec![alice.clone().told_by(PopSource::Pop3, true).by_devices(Some("phone".to_owned()))],
            vec![foreign.told_by(PopSource::Log, false), server.told_by(PopSource::Drac, false)],
            vec![alice],
        ]
    };
    ["192.0.2.7", "2001:db8:1:2::", "203.0.113.7"].iter().flat_map(|addr| at(addr)).chain([Vec::new()]).collect()
}

fn found() -> impl Strategy<Value = Vec<Fact<Value>>> {
    let hostings = vec![
        Hosting::Mailbox,
        Hosting::Mailbox,
        Hosting::Alias,
        Hosting::RelayDomain,
        Hosting::UnknownUser,
        Hosting::DomainOff,
        Hosting::NotHosted,
        Hosting::NotHosted,
    ];
    let choices = vec![Choice::None, Choice::Refused, Choice::NotAccepted, Choice::IfProved];
    let name = |name: &str| Some(ConfirmedName::attest_forward_confirmed(Domain::parse(name).unwrap()));
    let listing = |weight, mode| Listing { zone: "list".into(), code: [127, 0, 0, 2].into(), weight, mode };
    let listings =
        vec![vec![], vec![listing(5, Mode::Enforce)], vec![listing(9, Mode::Observe), listing(-2, Mode::Enforce)]];
    let ptr =
        vec![PtrName::None, PtrName::Name("p7.dyn.example".into()), PtrName::Confirmed("mail.outside.example".into())];
    let greylist = vec![Greylist::New { secs_left: 120 }, Greylist::Waiting { secs_left: 7 }, Greylist::Passed];
    let origin = vec![guard::Origin::default(), guard::Origin { country: Country::parse("DE"), asn: Some(64_500) }];
    let one = (
        maybe(hostings, Value::Hosting),
        maybe(choices, Value::Choice),
        maybe(vec![vec![], vec!["alice@example.test".to_owned()]], Value::Owners),
        maybe(vec![true, false], Value::SenderHosted),
        maybe(vec![None, name("mx.partner.example"), name("mail.outside.example")], Value::ClientName),
        maybe(ptr, Value::PtrNames),
        maybe(vec![SenderDomain::Alive, SenderDomain::Dead], Value::SenderDomain),
        maybe(greylist, Value::Greylist),
    );
    let two = (
        maybe(evidence(), Value::PopEvidence),
        maybe(vec![HopAnswer::Fine, HopAnswer::HasNot, HopAnswer::Away], Value::HopAnswer),
        maybe(listings.clone(), Value::Listings),
        maybe(listings, Value::DomainListings),
        maybe(SpfResult::ALL.to_vec(), Value::Spf),
        maybe(origin, Value::Origin),
        maybe(map_entries(), Value::Entries),
    );
    (one, two)
        .prop_map(|((a, b, c, d, e, f, g, h), (i, j, k, l, m, n, o))| vec![a, b, c, d, e, f, g, h, i, j, k, l, m, n, o])
}

fn map_entries() -> Vec<Vec<rule::Entry>> {
    let said = Said { code: 450, enhanced: Some("4.7.1".to_owned()), text: "Later: a \"b\"".to_owned() };
    let actions = [
        Action::Ok,
        Action::Refuse(said.clone()),
        Action::Refuse(Said { code: 554, enhanced: None, ..said }),
        Action::Discard,
        Action::Hold,
        Action::Prepend("X: y".to_owned()),
        Action::Warn("z".to_owned()),
    ];
    let entry = |(number, action): (usize, Action)| rule::Entry {
        part: Part::ALL[number % 4],
        map: MapId(number % 2),
        action,
        line: ConfigLine::new("/etc/postfix/access:old", 7),
    };
    let all: Vec<_> = actions.into_iter().enumerate().map(entry).collect();
    let mut sets: Vec<Vec<rule::Entry>> = all.iter().map(|one| vec![one.clone()]).collect();
    sets.extend([Vec::new(), all]);
    sets
}

fn worlds() -> impl Strategy<Value = World> {
    let clients = vec![
        Some("192.0.2.7"),
        Some("198.51.100.3"),
        Some("203.0.113.5"),
        Some("203.0.113.7"),
        Some("2001:db8:1:2::7"),
        Some("127.0.0.1"),
        Some("8.8.4.4"),
        None,
    ];
    let depths = [Depth::Rules, Depth::Hosting, Depth::Granting, Depth::Offering, Depth::Relaying];
    let manners = depths.iter().map(|depth| Manner::asked_by_mail_server(*depth));
    let elsewhere = Manner { mailboxes: Mailboxes::Elsewhere, ..Manner::OWN };
    let manners: Vec<Manner> = manners.chain([Manner::OWN; 4]).chain([elsewhere]).collect();
    let recipients = vec![
        "<b@example.test>",
        "<b@relay.example>",
        "<b@elsewhere.example>",
        "<b%c@example.test>",
        "<b@[192.0.2.25]>",
        "<b@[192.0.2.99]>",
        "<postmaster>",
        "<@a.example:b@elsewhere.example>",
    ];
    let logins = vec![
        None,
        Some(login(None)),
        Some(login(Some((RecipientScope::Anyone, Some(5))))),
        Some(login(Some((RecipientScope::HostedOnly, None)))),
        Some(login(Some((RecipientScope::Domains(vec![Domain::parse("elsewhere.example").unwrap()]), Some(1))))),
    ];
    let login = prop_oneof![
        4 => prop::sample::select(logins).prop_map(Fact::Known),
        1 => Just(Fact::Unknown(Fault::Broken("directory"))),
    ];
    let charge = prop_oneof![
        2 => Just(Fact::Known(Charged::Within)),
        1 => Just(Fact::Known(Charged::Exceeded)),
        1 => Just(Fact::Unknown(Fault::TimedOut("state"))),
    ];
    let helos = vec![None, Some("mail.outside.example"), Some("pc"), Some("mail.example.test"), Some("[192.0.2.8]")];
    let froms = vec!["<>", "<alice@example.test>", "<x@outside.example>", "<\"a b\"@example.test>"];
    let who =
        (prop::sample::select(clients), prop::sample::select(manners), any::<bool>(), prop::sample::select(helos));
    let what =
        (prop::sample::select(froms), prop::collection::vec(prop::sample::select(recipients), 1..4), any::<bool>());
    let seen = (any::<bool>(), any::<bool>(), 0..100u8);
    (who, what, seen, found(), login, any::<bool>(), charge).prop_map(
        |(who, what, conduct, facts, login, claims, charge)| {
            let (client, manner, distrusted, helo) = who;
            let (from, to, confirm) = what;
            World { client, manner, conduct, distrusted, helo, from, to, confirm, facts, login, claims, charge }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_replay_by_the_same_policy_changes_nothing(shape in shapes(), world in worlds()) {
        let policy = policy(&shape);
        for record in world.records(&policy) {
            let (recorded, again) = replayed(&policy, &record);
            let was = replay::Came::recorded(&recorded);
            prop_assert!(again.came.is_as(&was), "{:?}\n{:?}\n{}", was, again.came, record.trace);
            prop_assert_eq!(&again.came.rules, &was.rules);
            prop_assert_eq!(&again.came.right, &was.right);
            prop_assert!(again.unknown.is_empty(), "{:?}", again.unknown);
            prop_assert!(!again.assumed_place);
        }
    }
}
