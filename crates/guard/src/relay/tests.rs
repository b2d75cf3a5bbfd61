use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use smtp::address::{Domain, ReversePath};

use super::*;
use crate::authority::{ConfirmedName, Device, Login, PopEvidence, PopSource, RecipientScope, Right};
use crate::fact::{Charge, Fault};
use crate::policy::{ConfigLine, DracSenders, Entry, PopSpec, RelayPolicySpec};
use crate::verdict::Refusal;

mod drac;

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

fn policy() -> RelayPolicy {
    RelayPolicy::new(RelayPolicySpec {
        networks: entries(10, &["198.51.100.0/28"]),
        client_map: entries(20, &["203.0.113.5", "mx.partner.example"]),
        relay_domains: entries(30, &["relay.example", ".sub.example"]),
        pop: Some(PopSpec { ipv6_prefix_bits: 128, drac_senders: DracSenders::Hosted, line: line(40) }),
        own_literals: entries(50, &["192.0.2.25"]),
        default_domain: Some(Domain::parse("example.test").unwrap()),
    })
    .unwrap()
}

/// What the look-ups would answer, and what was asked.
#[derive(Clone)]
struct World {
    client: &'static str,
    login: Option<Login<'static>>,
    from: &'static str,
    to: String,
    hosting: Fact<Hosting>,
    owners: Fact<Vec<String>>,
    sender_hosted: Fact<bool>,
    name: Fact<Option<ConfirmedName>>,
    pop: Fact<Vec<PopEvidence>>,
    charge: Fact<Charge>,
    before: u32,
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
        name: Fact::Known(None),
        pop: Fact::Known(Vec::new()),
        charge: Fact::Known(Charge::Within),
        before: 0,
        now: noon(),
    }
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
    judgement: RcptJudgement,
    needs: Vec<Need>,
    trace: String,
}

impl Ruling {
    fn reason(&self) -> Option<&'static str> {
        match &self.judgement {
            RcptJudgement::Refuse(Refusal { reason, .. }) => Some(reason.code()),
            _ => None,
        }
    }

    fn right(&self) -> Option<&Right> {
        match &self.judgement {
            RcptJudgement::Accept(Recipient::Relayed(_, grant)) => Some(grant.right()),
            _ => None,
        }
    }

    fn is_hosted(&self) -> bool {
        matches!(self.judgement, RcptJudgement::Accept(Recipient::Hosted(_)))
    }

    fn is_relayed(&self) -> bool {
        self.right().is_some()
    }
}

/// Answers one need after the other, as a driver does.
fn rule(policy: &RelayPolicy, world: &World) -> Ruling {
    let from = ReversePath::parse(world.from).unwrap();
    let parsed = ForwardPath::parse(&world.to).unwrap();
    let mail = MailFacts {
        client_ip: ip(world.client),
        listener: "smtp",
        login: world.login,
        reverse_path: &from,
        reverse_path_owners: None,
    };
    let mut facts = RcptFacts::new(&mail, &parsed.path, world.now);
    facts.had_source_route = parsed.had_source_route;
    facts.pop_recipients_before = world.before;
    let (mut needs, mut trace) = (Vec::new(), Trace::new());
    loop {
        match judge_rcpt(policy, &facts, &mut trace) {
            RcptJudgement::Need(need) => {
                assert!(!needs.contains(&need), "asked twice: {need:?}");
                match &need {
                    Need::Hosting => facts.hosting = Some(world.hosting.clone()),
                    Need::Owners => facts.reverse_path_owners = Some(world.owners.clone()),
                    Need::SenderHosting => facts.reverse_path_hosted = Some(world.sender_hosted.clone()),
                    Need::ClientName => facts.client_name = Some(world.name.clone()),
                    Need::PopEvidence(_) => facts.pop = Some(world.pop.clone()),
                    Need::Charge(_) => facts.charge = Some(world.charge.clone()),
                }
                needs.push(need);
            }
            judgement => return Ruling { judgement, needs, trace: trace.to_string() },
        }
    }
}

fn need_names(needs: &[Need]) -> Vec<&'static str> {
    let name = |need: &Need| match need {
        Need::Hosting => "hosting",
        Need::Owners => "owners",
        Need::SenderHosting => "sender-hosting",
        Need::ClientName => "name",
        Need::PopEvidence(_) => "pop",
        Need::Charge(_) => "charge",
    };
    needs.iter().map(name).collect()
}

#[test]
fn a_stranger_is_told_no_after_every_authority_was_asked() {
    let ruling = rule(&policy(), &stranger());
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert_eq!(need_names(&ruling.needs), ["hosting", "name", "pop"]);
    assert_eq!(
        ruling.trace,
        "asked=client found=192.0.2.7; asked=hosting found=not-hosted; asked=relay-domain found=no; \
         asked=network found=no; asked=client-address found=no; asked=client-name found=no; asked=pop found=0; \
         asked=verdict found=refused:relay-denied"
    );
}

#[test]
fn what_is_not_configured_is_not_asked() {
    let ruling = rule(&RelayPolicy::new(RelayPolicySpec::default()).unwrap(), &pop_user());
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert_eq!(need_names(&ruling.needs), ["hosting"]);
}

#[test]
fn a_hosted_recipient_needs_no_grant_and_no_further_look_up() {
    for hosting in [Hosting::Mailbox, Hosting::Alias] {
        let world = World { to: "<b@example.test>".to_owned(), hosting: Fact::Known(hosting), ..stranger() };
        let ruling = rule(&policy(), &world);
        assert!(ruling.is_hosted());
        assert_eq!(need_names(&ruling.needs), ["hosting"]);
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
    let auth = World { login: Some(Login::attest_authenticated("alice@example.test", None)), ..stranger() };
    assert_eq!(rule(&policy, &auth).right().unwrap().code(), "auth");
    let ruling = rule(&policy, &pop_user());
    assert_eq!(ruling.right().unwrap().code(), "pop");
    assert_eq!(need_names(&ruling.needs), ["hosting", "name", "pop", "owners", "charge"]);
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

/// Tricks towards our own domains: refused whatever alias or catch-all would take them, unless a mailbox is named so.
#[test]
fn t08_routes_in_the_local_part_are_neither_local_nor_relayed() {
    let tricks = ["b%elsewhere.example", "elsewhere.example!b", "\"b@elsewhere.example\"", "\"@a:b\"", "\"x::y\""];
    for local in tricks {
        for (domain, hosting) in [
            ("example.test", Hosting::Alias),
            ("example.test", Hosting::UnknownUser),
            ("relay.example", Hosting::NotHosted),
            ("[192.0.2.25]", Hosting::Alias),
        ] {
            let world = World { to: format!("<{local}@{domain}>"), hosting: Fact::Known(hosting), ..pop_user() };
            assert_eq!(rule(&policy(), &world).reason(), Some("routing-refused"), "{local}@{domain}");
        }
        let exact =
            World { to: format!("<{local}@example.test>"), hosting: Fact::Known(Hosting::Mailbox), ..stranger() };
        assert!(rule(&policy(), &exact).is_hosted(), "{local}");
        let foreign = World { to: format!("<{local}@elsewhere.example>"), ..stranger() };
        assert_eq!(rule(&policy(), &foreign).reason(), Some("relay-denied"), "{local}");
    }
}

#[test]
fn a_source_route_is_judged_by_its_last_mailbox() {
    let foreign = World { to: "<@example.test,@x.example:b@elsewhere.example>".to_owned(), ..stranger() };
    let ruling = rule(&policy(), &foreign);
    assert_eq!(ruling.reason(), Some("relay-denied"));
    assert!(ruling.trace.contains("asked=source-route found=yes"));
    let ours = World {
        to: "<@elsewhere.example:b@example.test>".to_owned(),
        hosting: Fact::Known(Hosting::Mailbox),
        ..stranger()
    };
    assert!(rule(&policy(), &ours).is_hosted());
}

#[test]
fn literals_are_ours_only_if_listed() {
    let policy = policy();
    let to = |text: &str, hosting| World { to: text.to_owned(), hosting: Fact::Known(hosting), ..stranger() };
    let RcptJudgement::Accept(Recipient::Hosted(hosted)) =
        rule(&policy, &to("<postmaster@[192.0.2.25]>", Hosting::Mailbox)).judgement
    else {
        panic!("an own literal is hosted")
    };
    assert_eq!(hosted.mailbox().unwrap().to_string(), "postmaster@example.test");
    assert_eq!(hosted.path().to_string(), "<postmaster@[192.0.2.25]>");
    let mapped = to("<alice@[IPv6:::ffff:192.0.2.25]>", Hosting::Mailbox);
    assert!(rule(&policy, &mapped).is_hosted());
    assert_eq!(rule(&policy, &to("<b@[192.0.2.25]>", Hosting::UnknownUser)).reason(), Some("unknown-user"));
    assert_eq!(rule(&policy, &to("<b@[192.0.2.25]>", Hosting::NotHosted)).reason(), Some("literal-refused"));
    for foreign in ["<b@[192.0.2.26]>", "<b@[127.0.0.1]>", "<b@[IPv6:2001:db8::25]>"] {
        let ruling = rule(&policy, &to(foreign, Hosting::Mailbox));
        assert_eq!(ruling.reason(), Some("relay-denied"), "{foreign}");
        assert_eq!(need_names(&ruling.needs), ["name", "pop"], "the directory is not asked about {foreign}");
    }
}

#[test]
fn bare_postmaster_is_the_default_domain_s() {
    let world = World { to: "<postmaster>".to_owned(), hosting: Fact::Known(Hosting::Alias), ..stranger() };
    let RcptJudgement::Accept(Recipient::Hosted(hosted)) = rule(&policy(), &world).judgement else { panic!() };
    assert_eq!(hosted.mailbox().unwrap().to_string(), "postmaster@example.test");
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
        World {
            owners: Fact::Unknown(fault),
            login: Some(Login::attest_authenticated("alice@example.test", None)),
            ..stranger()
        },
    ];
    for world in worlds {
        let ruling = rule(&policy(), &world);
        let expected = Refusal { reason: Reason::AuthorityUnavailable, temporary: true };
        assert_eq!(ruling.judgement, RcptJudgement::Refuse(expected), "{}", ruling.trace);
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
fn pop_grants_are_bound() {
    let policy = policy();
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = pop_user();
        change(&mut world);
        rule(&policy, &world).reason()
    };
    assert_eq!(with(&|w| w.from = "<>"), Some("null-sender-not-granted"));
    assert_eq!(with(&|w| w.owners = Fact::Known(vec!["bob@example.test".to_owned()])), Some("sender-not-granted"));
    assert_eq!(with(&|w| w.owners = Fact::Known(Vec::new())), Some("sender-not-granted"));
    assert_eq!(with(&|w| w.client = "192.0.2.8"), Some("relay-denied"), "evidence of another address");
    assert_eq!(with(&|w| w.charge = Fact::Known(Charge::Exceeded)), Some("grant-exhausted"));
    let end = noon() + Duration::from_mins(30);
    assert_eq!(with(&|w| w.now = end), Some("relay-denied"), "expired to the instant");
    assert_eq!(with(&|w| w.now = end - Duration::from_nanos(1)), None);
    assert_eq!(with(&|w| w.now = noon() - Duration::from_hours(2)), Some("relay-denied"), "the clock was set back");
}

#[test]
fn a_refused_mail_is_not_charged() {
    let foreign = World { owners: Fact::Known(Vec::new()), ..pop_user() };
    assert!(!need_names(&rule(&policy(), &foreign).needs).contains(&"charge"));
    let null = World { from: "<>", ..pop_user() };
    assert_eq!(need_names(&rule(&policy(), &null).needs), ["hosting", "name", "pop"]);
}

#[test]
fn only_the_first_recipient_is_charged_as_a_message() {
    for (before, messages) in [(0, 1), (1, 0), (99, 0)] {
        let ruling = rule(&policy(), &World { before, ..pop_user() });
        let Some(Need::Charge(key)) = ruling.needs.last() else { panic!() };
        assert_eq!(
            (key.messages, key.recipients, key.subject.to_string().as_str()),
            (messages, 1, "alice@example.test")
        );
    }
}

/// The next user behind the same address has no use of the grant with a reverse-path of his own.
#[test]
fn t20_the_next_nat_user_does_not_inherit_the_grant() {
    let bob =
        World { from: "<bob@example.test>", owners: Fact::Known(vec!["bob@example.test".to_owned()]), ..pop_user() };
    assert_eq!(rule(&policy(), &bob).reason(), Some("sender-not-granted"));
}

#[test]
fn at_a_shared_address_each_mail_must_fit_one_account() {
    let shared = vec![evidence("alice@example.test", "192.0.2.7"), evidence("bob@example.test", "192.0.2.7")];
    for (owner, right) in [("alice@example.test", true), ("bob@example.test", true), ("carol@example.test", false)] {
        let world =
            World { pop: Fact::Known(shared.clone()), owners: Fact::Known(vec![owner.to_owned()]), ..stranger() };
        let ruling = rule(&policy(), &world);
        assert_eq!(ruling.right().and_then(Right::login), right.then_some(owner));
    }
}

#[test]
fn ipv6_evidence_is_for_the_address_unless_configured() {
    let other = World {
        client: "2001:db8::2",
        pop: Fact::Known(vec![evidence("alice@example.test", "2001:db8::1")]),
        ..stranger()
    };
    assert_eq!(rule(&policy(), &other).reason(), Some("relay-denied"));
    let pop = Some(PopSpec { ipv6_prefix_bits: 64, drac_senders: DracSenders::Hosted, line: line(1) });
    let wide = RelayPolicy::new(RelayPolicySpec { pop, ..RelayPolicySpec::default() }).unwrap();
    let key = wide.pop_key(ip("2001:db8::1")).to_string();
    let same = World { pop: Fact::Known(vec![evidence("alice@example.test", &key)]), ..other };
    assert_eq!(rule(&wide, &same).right().unwrap().code(), "pop");
}

#[test]
fn a_login_binds() {
    let policy = policy();
    let login = Some(Login::attest_authenticated("bob@example.test", None));
    let in_network = World { client: "198.51.100.3", login, ..stranger() };
    assert_eq!(rule(&policy, &in_network).reason(), Some("sender-not-yours"), "the network does not help a login");
    let null = World { from: "<>", login, ..stranger() };
    assert_eq!(rule(&policy, &null).right().unwrap().code(), "auth");
}

#[test]
fn a_device_keeps_to_its_scope_and_sender() {
    let policy = policy();
    let partner = [Domain::parse("elsewhere.example").unwrap()];
    let partner: &'static [Domain] = Box::leak(Box::new(partner));
    let sender: &'static Mailbox = Box::leak(Box::new(Mailbox::parse("scanner@example.test").unwrap()));
    let with = |scope, reverse_path, from| {
        let device = Device { name: "scanner", reverse_path, scope };
        let login = Some(Login::attest_authenticated("alice@example.test", Some(device)));
        rule(&policy, &World { client: "198.51.100.3", login, from, ..stranger() }).reason()
    };
    let own = "<alice@example.test>";
    assert_eq!(with(RecipientScope::HostedOnly, None, own), Some("recipient-out-of-scope"));
    assert_eq!(with(RecipientScope::Domains(&[]), None, own), Some("recipient-out-of-scope"));
    assert_eq!(with(RecipientScope::Domains(partner), None, own), None);
    assert_eq!(with(RecipientScope::Anyone, None, own), None);
    assert_eq!(with(RecipientScope::Anyone, Some(sender), own), Some("sender-not-yours"));
    assert_eq!(with(RecipientScope::Anyone, Some(sender), "<scanner@example.test>"), None);
}

#[test]
fn at_mail_the_reverse_path_must_be_the_login_s() {
    let judge = |login: Option<&'static str>, from: &str, owners: Option<Fact<Vec<String>>>| {
        let from = ReversePath::parse(from).unwrap();
        let facts = MailFacts {
            client_ip: ip("192.0.2.7"),
            listener: "submission",
            login: login.map(|login| Login::attest_authenticated(login, None)),
            reverse_path: &from,
            reverse_path_owners: owners,
        };
        judge_mail(&facts, &mut Trace::new())
    };
    let owners = |login: &str| Some(Fact::Known(vec![login.to_owned()]));
    let refused = |reason: Reason| MailJudgement::Refuse(reason.into());
    let (alice, from) = (Some("alice@example.test"), "<alice@example.test>");
    assert_eq!(judge(None, "<x@anywhere.example>", None), MailJudgement::Accept);
    assert_eq!(judge(alice, "<>", None), MailJudgement::Accept);
    assert_eq!(judge(alice, from, None), MailJudgement::Need(Need::Owners));
    assert_eq!(judge(alice, from, owners("alice@example.test")), MailJudgement::Accept);
    assert_eq!(judge(alice, from, owners("bob@example.test")), refused(Reason::SenderNotYours));
    assert_eq!(judge(alice, from, Some(Fact::Known(Vec::new()))), refused(Reason::SenderNotYours));
    let fault = Some(Fact::Unknown(Fault::Unavailable("directory")));
    assert_eq!(judge(alice, from, fault), refused(Reason::AuthorityUnavailable));
}

fn facts<T: Clone + std::fmt::Debug + 'static>(known: Vec<T>) -> impl Strategy<Value = Fact<T>> {
    let faults = [Fault::TimedOut("t"), Fault::Unavailable("t"), Fault::Broken("t"), Fault::Closed("t")];
    prop_oneof![
        3 => prop::sample::select(known).prop_map(Fact::Known),
        1 => prop::sample::select(faults.to_vec()).prop_map(Fact::Unknown),
    ]
}

fn hostings() -> Vec<Hosting> {
    vec![Hosting::Mailbox, Hosting::Alias, Hosting::RelayDomain, Hosting::UnknownUser, Hosting::NotHosted]
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
        charge in facts(vec![Charge::Within, Charge::Exceeded]),
        pop in facts(vec![vec![], vec![evidence("alice@example.test", "192.0.2.99")]]),
        name in facts(vec![None, Some(ConfirmedName::attest_forward_confirmed(Domain::parse("x.example").unwrap()))]),
    ) {
        let to = format!("<{local}@{host}>");
        prop_assume!(ForwardPath::parse(&to).is_ok());
        let world = World { from, to, hosting, owners, name, pop, charge, ..stranger() };
        let ruling = rule(&policy(), &world);
        prop_assert!(!ruling.is_relayed(), "{}", ruling.trace);
        prop_assert!(!matches!(ruling.judgement, RcptJudgement::Need(_)));
    }

    /// A grant by POP has live evidence of the client's address whose account owns the reverse-path, and a charge.
    #[test]
    fn a_pop_grant_has_all_its_grounds(
        from in prop::sample::select(vec!["<>", "<alice@example.test>"]),
        hosting in facts(hostings()),
        owners in facts(vec![vec![], vec!["alice@example.test".to_owned()], vec!["bob@example.test".to_owned()]]),
        charge in facts(vec![Charge::Within, Charge::Exceeded]),
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
            from, now, hosting: hosting.clone(), owners: owners.clone(), charge: charge.clone(),
            pop: Fact::Known(pop.clone()), ..stranger()
        };
        if let Some(right) = rule(&policy(), &world).right() {
            let login = right.login().unwrap();
            prop_assert_ne!(from, "<>");
            prop_assert!(matches!(&owners, Fact::Known(owners) if owners.iter().any(|owner| owner == login)));
            prop_assert_eq!(charge, Fact::Known(Charge::Within));
            prop_assert!(pop.iter().any(|one| one.login() == Some(login) && one.addr() == ip("192.0.2.7") && now < one.expires_at()));
        }
    }
}
