//! The one question, over all stages: what must be known, what is reserved, and what the verdict is.
#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use smtp::address::{Domain, ForwardPath, Mailbox, ReversePath};

use guard::attested::{ConfirmedName, Device, Login, PopEvidence, PopSource, RecipientScope};
use guard::authority::Right;
use guard::case::{Claim, Depth, Manner};
use guard::charge::PopCharge;
use guard::choice::{Choice, Proof};
use guard::command::{AskedRcpt, Stage};
use guard::fact::Fault;
use guard::facts::{FactName, Found, Gathered, Value};
use guard::hosting::Hosting;
use guard::line::ConfigLine;
use guard::never_granted::{Loopback, NeverGranted};
use guard::policy::{DracSenders, Entry, PopSpec, RelayPolicy, RelayPolicySpec};
use guard::*;

mod choice;
mod drac;
mod mail;
mod pop;
mod recipient;
mod rules;
mod scopes;
mod suspicion;

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn line(line: u32) -> ConfigLine {
    ConfigLine::new("sekisho.toml", line)
}

fn entries(first: u32, texts: &[&str]) -> Vec<Entry> {
    (first..).zip(texts).map(|(n, text)| Entry { text: (*text).to_owned(), line: line(n) }).collect()
}

fn of(relay: RelayPolicy) -> Policy {
    Policy { relay, rules: Arc::default(), suspicion: Arc::default(), version: 1 }
}

fn policy() -> Policy {
    let relay = RelayPolicy::new(RelayPolicySpec {
        networks: entries(10, &["198.51.100.0/28"]),
        client_map: entries(20, &["203.0.113.5", "mx.partner.example"]),
        relay_domains: entries(30, &["relay.example", ".sub.example"]),
        pop: Some(PopSpec { ipv6_prefix_bits: 128, drac_senders: DracSenders::Hosted, line: line(40) }),
        own_literals: entries(50, &["192.0.2.25"]),
        default_domain: Some(Domain::parse("example.test").unwrap()),
        never: NeverGranted::new(Loopback::Refused, ["198.51.100.1", "203.0.113.9", "2001:db8:9::1"].map(ip)),
    })
    .unwrap();
    of(relay)
}

/// What the look-ups would answer, and what was asked.
#[derive(Clone)]
struct World {
    client: &'static str,
    login: Option<Login>,
    from: &'static str,
    to: String,
    hosting: Fact<Hosting>,
    owners: Fact<Vec<String>>,
    sender_hosted: Fact<bool>,
    hop_answer: HopAnswer,
    choice: Fact<Choice>,
    spf: Fact<SpfResult>,
    name: Fact<Option<ConfirmedName>>,
    pop: Fact<Vec<PopEvidence>>,
    charge: Fact<Charged>,
    now: SystemTime,
}

/// A stranger writes to a foreign mailbox.
fn stranger() -> World {
    World {
        client: "192.0.2.7",
        login: None,
        from: "<alice@example.test>",
        to: "<b@elsewhere.example>".to_owned(),
        hosting: Fact::Known(Hosting::NotHosted),
        owners: Fact::Known(vec!["alice@example.test".to_owned()]),
        sender_hosted: Fact::Known(true),
        hop_answer: HopAnswer::Fine,
        choice: Fact::Known(Choice::None),
        spf: Fact::Known(SpfResult::None),
        name: Fact::Known(None),
        pop: Fact::Known(Vec::new()),
        charge: Fact::Known(Charged::Within),
        now: noon(),
    }
}

fn login(login: &str) -> Login {
    Login::attest_authenticated(login.into(), None)
}

fn evidence(login: &str, addr: &str) -> PopEvidence {
    let until = noon() + Duration::from_mins(30);
    PopEvidence::attest_pop_login(login.to_owned(), ip(addr), noon() - Duration::from_mins(1), until)
        .told_by(PopSource::Pop3, false)
}

/// A stranger who logged in by POP.
fn pop_user() -> World {
    World { pop: Fact::Known(vec![evidence("alice@example.test", "192.0.2.7")]), ..stranger() }
}

struct Ruling {
    outcome: Outcome,
    /// In the order in which they were wanted; those that were wanted at once in the order of the steps.
    needs: Vec<&'static str>,
    charges: Vec<Charge>,
    trace: String,
}

impl Ruling {
    fn reason(&self) -> Option<&'static str> {
        self.outcome.refusal().map(|refusal| refusal.reason.code())
    }

    fn right(&self) -> Option<&Right> {
        match &self.outcome {
            Outcome::Accept(Recipient::Relayed(_, grant)) => Some(grant.right()),
            _ => None,
        }
    }

    fn is_hosted(&self) -> bool {
        matches!(self.outcome, Outcome::Accept(Recipient::Hosted(_)))
    }

    fn is_relayed(&self) -> bool {
        self.right().is_some()
    }
}

impl World {
    fn value(&self, fact: FactName) -> Fact<Value> {
        match fact {
            FactName::Login => Fact::Known(Value::Login(self.login.clone())),
            FactName::Hosting => self.hosting.map(Value::Hosting),
            FactName::Owners => self.owners.clone().map(Value::Owners),
            FactName::SenderHosted => self.sender_hosted.map(Value::SenderHosted),
            FactName::ClientName => self.name.clone().map(Value::ClientName),
            FactName::PtrNames => Fact::Known(Value::PtrNames(guard::PtrName::None)),
            FactName::SenderDomain => Fact::Known(Value::SenderDomain(guard::SenderDomain::Alive)),
            FactName::Greylist => Fact::Unknown(Fault::Unavailable("state")),
            FactName::PopEvidence => self.pop.clone().map(Value::PopEvidence),
            FactName::Choice => self.choice.map(Value::Choice),
            FactName::HopAnswer => Fact::Known(Value::HopAnswer(self.hop_answer)),
            FactName::Entries => Fact::Known(Value::Entries(Vec::new())),
            FactName::Origin => Fact::Known(Value::Origin(guard::Origin::default())),
            FactName::Listings => Fact::Known(Value::Listings(Vec::new())),
            FactName::DomainListings => Fact::Known(Value::DomainListings(Vec::new())),
            FactName::Spf => self.spf.map(Value::Spf),
        }
    }

    fn case(&self, manner: Manner) -> Case {
        let mut case = Case::new(Some(ip(self.client)), manner);
        case.set_login(if self.login.is_some() { Claim::LoggedIn } else { Claim::Nobody });
        case.begin(ReversePath::parse(self.from).unwrap(), None);
        case
    }
}

/// Where mailboxes are somebody else's to measure, so that the only charges are those of rights.
const MANNER: Manner = Manner { mailboxes: guard::case::Mailboxes::Elsewhere, ..Manner::OWN };

/// Answers what is asked, as a driver does.
fn rule(policy: &Policy, world: &World) -> Ruling {
    rule_in(policy, world, &mut world.case(MANNER))
}

fn rule_in(policy: &Policy, world: &World, case: &mut Case) -> Ruling {
    let parsed = ForwardPath::parse(&world.to).unwrap();
    let asked = AskedRcpt { forward_path: &parsed.path, had_source_route: parsed.had_source_route };
    let command = Command::rcpt(asked, case, world.now);
    drive(policy, world, case, command)
}

fn drive(policy: &Policy, world: &World, case: &mut Case, mut command: Command<'_>) -> Ruling {
    let answers = Answers { value: &|fact| world.value(fact), charge: world.charge, now: world.now };
    let Driven { verdict, mut needs, charges } = driven(policy, case, &mut command, &answers);
    needs.extend((!charges.is_empty()).then_some("charge"));
    Ruling { outcome: verdict.outcome, needs, charges, trace: command.trace().to_string() }
}

/// What whoever drives a case finds out.
struct Answers<'a> {
    value: &'a dyn Fn(FactName) -> Fact<Value>,
    charge: Fact<Charged>,
    now: SystemTime,
}

/// What came of it, and what was wanted for it.
struct Driven {
    verdict: Verdict,
    needs: Vec<&'static str>,
    charges: Vec<Charge>,
}

fn driven(policy: &Policy, case: &mut Case, command: &mut Command<'_>, answers: &Answers<'_>) -> Driven {
    let (mut needs, mut charges) = (Vec::new(), Vec::new());
    loop {
        match judge(policy, case, command) {
            Judged::Need(wanted) => {
                for need in wanted {
                    let name = need_name(need.fact);
                    assert!(!needs.contains(&name), "asked twice: {need:?}");
                    needs.push(name);
                    let found = Found::new((answers.value)(need.fact), answers.now);
                    command.learn(case, &need, Gathered::Found(found));
                    // Who looks for a recipient says at once that nobody there chose anything.
                    let choice = (answers.value)(FactName::Choice);
                    if need.fact == FactName::Hosting && choice == Fact::Known(Value::Choice(Choice::None)) {
                        let none = Need { fact: FactName::Choice, ..need };
                        command.learn(case, &none, Gathered::Found(Found::new(choice, answers.now)));
                    }
                }
            }
            Judged::Reserve(wanted) => {
                charges.extend(wanted);
                command.reserved(match answers.charge {
                    Fact::Known(Charged::Within) => Reserved::All,
                    Fact::Known(Charged::Exceeded) => Reserved::Exceeded { charge: 0 },
                    Fact::Unknown(fault) => Reserved::Unknown { charge: 0, fault },
                });
            }
            Judged::Verdict(verdict) => return Driven { verdict, needs, charges },
        }
    }
}

fn need_name(fact: FactName) -> &'static str {
    match fact {
        FactName::Login => "login",
        FactName::Hosting => "hosting",
        FactName::Owners => "owners",
        FactName::SenderHosted => "sender-hosting",
        FactName::ClientName => "name",
        FactName::PtrNames => "ptr",
        FactName::SenderDomain => "sender-domain",
        FactName::Greylist => "greylist",
        FactName::PopEvidence => "pop",
        FactName::Choice => "choice",
        FactName::HopAnswer => "hop-answer",
        FactName::Entries => "entries",
        FactName::Origin => "origin",
        FactName::Listings => "listings",
        FactName::DomainListings => "domain-listings",
        FactName::Spf => "spf",
    }
}

#[test]
fn a_stranger_is_told_no_after_every_authority_was_asked() {
    let ruling = rule(&policy(), &stranger());
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert_eq!(ruling.needs, ["hosting", "name", "pop"]);
    assert_eq!(
        ruling.trace,
        "asked=client found=192.0.2.7; asked=hosting found=not-hosted; asked=relay-domain found=no; \
         asked=network found=no; asked=client-address found=no; asked=client-name found=no; asked=pop found=0; \
         asked=verdict found=refused:relay-denied"
    );
}

#[test]
fn what_is_not_configured_is_not_asked() {
    let ruling = rule(&of(RelayPolicy::new(RelayPolicySpec::default()).unwrap()), &pop_user());
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert_eq!(ruling.needs, ["hosting"]);
}

#[test]
fn a_hosted_recipient_needs_no_grant_and_no_further_look_up() {
    for hosting in [Hosting::Mailbox, Hosting::Alias] {
        let world = World { to: "<b@example.test>".to_owned(), hosting: Fact::Known(hosting), ..stranger() };
        let ruling = rule(&policy(), &world);
        assert!(ruling.is_hosted());
        assert_eq!(ruling.needs, ["hosting"]);
    }
}

#[test]
fn each_authority_gives_its_own_right() {
    let policy = policy();
    let network = World { client: "198.51.100.3", ..stranger() };
    assert_eq!(rule(&policy, &network).right(), Some(&Right::Network(line(10))));
    let mapped = World { client: "::ffff:198.51.100.3", ..stranger() };
    assert_eq!(rule(&policy, &mapped).right(), Some(&Right::Network(line(10))));
    let by_address = World { client: "203.0.113.5", ..stranger() };
    assert_eq!(rule(&policy, &by_address).right(), Some(&Right::ClientMap(line(20))));
    let name = ConfirmedName::attest_forward_confirmed(Domain::parse("mx.partner.example").unwrap());
    let by_name = World { name: Fact::Known(Some(name)), ..stranger() };
    let ruling = rule(&policy, &by_name);
    assert_eq!(ruling.right(), Some(&Right::ClientMap(line(21))));
    assert!(ruling.trace.ends_with("asked=verdict found=relayed:client-map line=sekisho.toml:21"), "{}", ruling.trace);
    let auth = World { login: Some(login("alice@example.test")), ..stranger() };
    assert_eq!(rule(&policy, &auth).right().unwrap().code(), "auth");
    let ruling = rule(&policy, &pop_user());
    assert_eq!(ruling.right().unwrap().code(), "pop");
    assert_eq!(ruling.needs, ["hosting", "name", "pop", "owners", "charge"]);
}

#[test]
fn a_relay_domain_is_the_policy_s_word_alone() {
    let policy = policy();
    let to = |text: &str, hosting| World { to: text.to_owned(), hosting: Fact::Known(hosting), ..stranger() };
    assert!(rule(&policy, &to("<b@relay.example>", Hosting::NotHosted)).is_hosted());
    assert!(rule(&policy, &to("<b@a.sub.example>", Hosting::RelayDomain)).is_hosted());
    assert_eq!(rule(&policy, &to("<b@sub.example>", Hosting::NotHosted)).reason(), Some("relay-denied"));
    assert_eq!(rule(&policy, &to("<b@claimed.example>", Hosting::RelayDomain)).reason(), Some("relay-denied"));
    assert_eq!(rule(&policy, &to("<b@relay.example>", Hosting::UnknownUser)).reason(), Some("unknown-user"));
    assert_eq!(rule(&policy, &to("<b@here.example>", Hosting::Misconfigured)).reason(), Some("configuration-fault"));
    assert_eq!(rule(&policy, &to("<b@here.example>", Hosting::DomainOff)).reason(), Some("domain-off"));
}

#[test]
fn what_the_next_hop_does_not_have_is_refused_where_we_deliver() {
    let policy = policy();
    let world = World { to: "<b@relay.example>".to_owned(), hop_answer: HopAnswer::HasNot, ..stranger() };
    let ruling = rule_in(&policy, &world, &mut world.case(Manner::OWN));
    assert_eq!(ruling.reason(), Some("unknown-user"));
    assert!(ruling.trace.contains("asked=next-hop found=no"), "{}", ruling.trace);
    assert!(rule(&policy, &world).is_hosted(), "another server's next hop is its own affair");
    let world = World { hop_answer: HopAnswer::Away, ..world };
    assert_eq!(rule_in(&policy, &world, &mut world.case(Manner::OWN)).reason(), Some("authority-unavailable"));
    let world = World { hop_answer: HopAnswer::Fine, ..world };
    assert!(rule_in(&policy, &world, &mut world.case(Manner::OWN)).is_hosted());
}

/// Nothing that a client says about itself or writes into the envelope, and no `OK` of a map on it, is a fact that
/// the judgement takes: HELO does not exist here, and reverse-path and recipient give nothing.
#[test]
fn t04_no_text_of_the_envelope_gives_a_grant() {
    let senders =
        ["<>", "<alice@example.test>", "<postmaster@example.test>", "<x@localhost.localdomain>", "<a@[192.0.2.25]>"];
    for from in senders {
        for owners in [vec![], vec!["alice@example.test".to_owned()]] {
            let world = World { from, owners: Fact::Known(owners), ..stranger() };
            assert_eq!(rule(&policy(), &world).reason(), Some("relay-denied"), "{from}");
        }
    }
}

#[test]
fn unknown_is_temporary_and_never_a_grant() {
    let fault = Fault::TimedOut("test");
    let worlds = [
        World { hosting: Fact::Unknown(fault), ..pop_user() },
        World { hosting: Fact::Unknown(fault), client: "198.51.100.3", ..stranger() },
        World { owners: Fact::Unknown(fault), ..pop_user() },
        World { pop: Fact::Unknown(fault), ..stranger() },
        World { charge: Fact::Unknown(fault), ..pop_user() },
        World { name: Fact::Unknown(fault), ..stranger() },
        World { owners: Fact::Unknown(fault), login: Some(login("alice@example.test")), ..stranger() },
    ];
    for world in worlds {
        let ruling = rule(&policy(), &world);
        let expected = Refusal::new(Reason::AuthorityUnavailable, Part::Recipient);
        assert_eq!(ruling.outcome, Outcome::Defer(expected), "{}", ruling.trace);
    }
}

#[test]
fn a_fault_of_one_authority_does_not_take_what_another_gives() {
    let world = World { name: Fact::Unknown(Fault::TimedOut("dns")), ..pop_user() };
    assert_eq!(rule(&policy(), &world).right().unwrap().code(), "pop");
    let listed = World { client: "198.51.100.3", pop: Fact::Unknown(Fault::Closed("state")), ..stranger() };
    assert!(rule(&policy(), &listed).is_relayed());
}

#[test]
fn a_refused_mail_is_not_charged() {
    let foreign = World { owners: Fact::Known(Vec::new()), ..pop_user() };
    assert!(!rule(&policy(), &foreign).needs.contains(&"charge"));
    let null = World { from: "<>", ..pop_user() };
    assert_eq!(rule(&policy(), &null).needs, ["hosting", "name", "pop"]);
}

#[test]
fn only_the_first_recipient_is_charged_as_a_message() {
    let (world, policy) = (pop_user(), policy());
    for (before, messages) in [(0, 1), (1, 0), (99, 0)] {
        let mut case = world.case(MANNER);
        for _ in 0..before {
            assert!(rule_in(&policy, &world, &mut case).outcome.refusal().is_none());
        }
        let ruling = rule_in(&policy, &world, &mut case);
        let [Charge::Pop(PopCharge { messages: counted, recipients, subject, .. })] = &ruling.charges[..] else {
            panic!()
        };
        assert_eq!((*counted, *recipients, subject.to_string().as_str()), (messages, 1, "alice@example.test"));
    }
}

#[test]
fn a_login_binds() {
    let policy = policy();
    let login = Some(login("bob@example.test"));
    let in_network = World { client: "198.51.100.3", login: login.clone(), ..stranger() };
    assert_eq!(rule(&policy, &in_network).reason(), Some("sender-not-yours"), "the network does not help a login");
    let null = World { from: "<>", login, ..stranger() };
    assert_eq!(rule(&policy, &null).right().unwrap().code(), "auth");
}

#[test]
fn a_device_keeps_to_its_scope_and_sender() {
    let policy = policy();
    let partner = vec![Domain::parse("elsewhere.example").unwrap()];
    let sender = Mailbox::parse("scanner@example.test").unwrap();
    let with = |scope, reverse_path, from| {
        let (name, login) = ("scanner".to_owned(), "alice-scanner@example.test".to_owned());
        let device = Device { name, login, reverse_path, scope, messages_per_hour: None };
        let login = Some(Login::attest_authenticated("alice@example.test".into(), Some(Arc::new(device))));
        rule(&policy, &World { client: "198.51.100.3", login, from, ..stranger() }).reason()
    };
    let own = "<alice@example.test>";
    assert_eq!(with(RecipientScope::HostedOnly, None, own), Some("recipient-out-of-scope"));
    assert_eq!(with(RecipientScope::Domains(Vec::new()), None, own), Some("recipient-out-of-scope"));
    assert_eq!(with(RecipientScope::Domains(partner), None, own), None);
    assert_eq!(with(RecipientScope::Anyone, None, own), None);
    assert_eq!(with(RecipientScope::Anyone, Some(sender.clone()), own), Some("sender-not-yours"));
    assert_eq!(with(RecipientScope::Anyone, Some(sender), "<scanner@example.test>"), None);
}

fn facts<T: Clone + std::fmt::Debug + 'static>(known: Vec<T>) -> impl Strategy<Value = Fact<T>> {
    let faults = [Fault::TimedOut("t"), Fault::Unavailable("t"), Fault::Broken("t"), Fault::Closed("t")];
    prop_oneof![
        3 => prop::sample::select(known).prop_map(Fact::Known),
        1 => prop::sample::select(faults.to_vec()).prop_map(Fact::Unknown),
    ]
}

fn hostings() -> Vec<Hosting> {
    let ours = [
        Hosting::Mailbox,
        Hosting::Alias,
        Hosting::RelayDomain,
        Hosting::UnknownUser,
        Hosting::Misconfigured,
        Hosting::DomainOff,
    ];
    ours.into_iter().chain([Hosting::NotHosted]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Law 1: without evidence nothing yields `Relayed`, whatever else is known, claimed or unknown.
    #[test]
    fn without_evidence_nothing_is_relayed(
        from in prop::sample::select(vec!["<>", "<alice@example.test>", "<x@[192.0.2.25]>", "<\"a@b\"@example.test>"]),
        local in "[a-z]{1,4}[%!+.]{0,1}[a-z]{1,6}|\"[a-z@%!: ]{0,10}\"", host in prop::sample::select(vec![
            "example.test", "relay.example", "elsewhere.example", "[192.0.2.25]", "[198.51.100.3]", "[IPv6:::1]",
        ]),
        hosting in facts(hostings()),
        owners in facts(vec![vec![], vec!["alice@example.test".to_owned()]]),
        charge in facts(vec![Charged::Within, Charged::Exceeded]),
        pop in facts(vec![vec![], vec![evidence("alice@example.test", "192.0.2.99")]]),
        name in facts(vec![None, Some(ConfirmedName::attest_forward_confirmed(Domain::parse("x.example").unwrap()))]),
    ) {
        let to = format!("<{local}@{host}>");
        prop_assume!(ForwardPath::parse(&to).is_ok());
        let world = World { from, to, hosting, owners, name, pop, charge, ..stranger() };
        let ruling = rule(&policy(), &world);
        prop_assert!(!ruling.is_relayed(), "{}", ruling.trace);
    }

    /// A grant by POP has live evidence of the client's address whose account owns the reverse-path, and a charge.
    #[test]
    fn a_pop_grant_has_all_its_grounds(
        from in prop::sample::select(vec!["<>", "<alice@example.test>"]),
        hosting in facts(hostings()),
        owners in facts(vec![vec![], vec!["alice@example.test".to_owned()], vec!["bob@example.test".to_owned()]]),
        charge in facts(vec![Charged::Within, Charged::Exceeded]),
        accounts in prop::collection::vec((0usize..3, 0usize..2, -40i64..40), 0..5),
        late in 0u64..3_600,
    ) {
        let logins = ["alice@example.test", "bob@example.test", "carol@example.test"];
        let pop: Vec<_> = accounts.iter().map(|(who, place, minutes)| {
            let shift = Duration::from_mins(minutes.unsigned_abs());
            let until = if *minutes < 0 { noon() - shift } else { noon() + shift };
            let addr = ip(["192.0.2.7", "192.0.2.8"][*place]);
            PopEvidence::attest_pop_login(logins[*who].to_owned(), addr, noon() - Duration::from_hours(1), until)
        }).collect();
        let now = noon() + Duration::from_secs(late);
        let world = World {
            from, now, hosting, owners: owners.clone(), charge,
            pop: Fact::Known(pop.clone()), ..stranger()
        };
        if let Some(right) = rule(&policy(), &world).right() {
            let login = right.login().unwrap();
            prop_assert_ne!(from, "<>");
            prop_assert!(matches!(&owners, Fact::Known(owners) if owners.iter().any(|owner| owner == login)));
            prop_assert_eq!(charge, Fact::Known(Charged::Within));
            prop_assert!(pop.iter().any(|one| one.login() == Some(login) && one.addr() == ip("192.0.2.7") && now < one.expires_at()));
        }
    }
}
