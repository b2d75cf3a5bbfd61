//! What is held against strangers: whom it concerns, what adds up, what is only tried, and what nobody could find out.

use super::*;
use guard::case::Manners;
use guard::origin::{Country, Origin};
use guard::reputation::{Listing, SpfResult};
use guard::rule::{Action, Mode};
use guard::standing::{Greylist, PtrName, SenderDomain};
use guard::suspicion::defaults::{self, Thresholds};
use guard::suspicion::exempt::Who;
use guard::suspicion::{Condition, Effect, Rule, Suspicion};

/// A stranger writes to a mailbox of ours from `192.0.2.7`; what the look-ups say of it.
struct Stranger {
    world: World,
    helo: Option<&'static str>,
    manners: Vec<Manners>,
    ptr: Fact<PtrName>,
    domain: Fact<SenderDomain>,
    spf: Fact<SpfResult>,
    listings: Fact<Vec<Listing>>,
    greylist: Fact<Greylist>,
    origin: Fact<Origin>,
}

fn stranger_to_us() -> Stranger {
    let to = "<b@example.test>".to_owned();
    let world = World { to, hosting: Fact::Known(Hosting::Mailbox), from: "<x@outside.example>", ..stranger() };
    Stranger {
        world,
        helo: Some("mail.outside.example"),
        manners: Vec::new(),
        ptr: Fact::Known(PtrName::Confirmed("mail.outside.example".into())),
        domain: Fact::Known(SenderDomain::Alive),
        spf: Fact::Known(SpfResult::None),
        listings: Fact::Known(Vec::new()),
        greylist: Fact::Known(Greylist::New { secs_left: 300 }),
        origin: Fact::Known(Origin::default()),
    }
}

fn unnamed() -> Stranger {
    Stranger { ptr: Fact::Known(PtrName::None), ..stranger_to_us() }
}

fn default_rules() -> Vec<Rule> {
    defaults::TABLE.iter().map(|row| row.rule(&Thresholds::default())).collect()
}

fn suspicious(rules: Vec<Rule>) -> Policy {
    let own_names = vec![Domain::parse("mail.example.test").unwrap()];
    let suspicion = Suspicion { rules, own_names, ..Suspicion::default() };
    Policy { suspicion: Arc::new(suspicion), ..policy() }
}

fn rule_of(name: &str, when: Vec<Condition>, effect: Effect) -> Rule {
    Rule { name: name.into(), when, not: Vec::new(), effect, mode: Mode::Enforce, line: line(70) }
}

struct Suspected {
    outcome: Outcome,
    slow_secs: u32,
    needs: Vec<&'static str>,
    hits: Vec<String>,
    score: (i32, i32),
    trace: String,
    /// Something was to be counted for it.
    reserved: bool,
}

impl Suspected {
    fn reason(&self) -> Option<&'static str> {
        self.outcome.refusal().map(|refusal| refusal.reason.code())
    }
}

impl Stranger {
    fn value(&self, fact: FactName) -> Fact<Value> {
        match fact {
            FactName::PtrNames => self.ptr.clone().map(Value::PtrNames),
            FactName::SenderDomain => self.domain.map(Value::SenderDomain),
            FactName::Spf => self.spf.map(Value::Spf),
            FactName::Listings => self.listings.clone().map(Value::Listings),
            FactName::Greylist => self.greylist.map(Value::Greylist),
            FactName::Origin => self.origin.map(Value::Origin),
            fact => self.world.value(fact),
        }
    }

    fn case(&self) -> Case {
        let mut case = Case::new(Some(ip(self.world.client)), MANNER);
        case.greeted(self.helo.map(str::to_owned));
        self.manners.iter().for_each(|manners| case.noted(*manners));
        case.set_login(if self.world.login.is_some() { Claim::LoggedIn } else { Claim::Nobody });
        case.begin(ReversePath::parse(self.world.from).unwrap(), None);
        case
    }

    fn judged(&self, policy: &Policy) -> Suspected {
        self.judged_in(policy, &mut self.case())
    }

    fn judged_in(&self, policy: &Policy, case: &mut Case) -> Suspected {
        let to = ForwardPath::parse(&self.world.to).unwrap().path;
        let asked = AskedRcpt { forward_path: &to, had_source_route: false };
        let mut command = Command::rcpt(asked, case, self.world.now);
        let value = |fact| self.value(fact);
        let answers = Answers { value: &value, charge: Fact::Known(Charged::Within), now: self.world.now };
        let Driven { verdict: Verdict { outcome, effects }, needs, charges } =
            driven(policy, case, &mut command, &answers);
        let name = |hit: &guard::rule::Hit| hit.rule.as_deref().unwrap_or("map").to_owned();
        let score = command.score();
        Suspected {
            outcome,
            slow_secs: effects.slow_secs,
            needs,
            hits: command.hits().iter().map(name).collect(),
            score: (score.enforced, score.observed),
            trace: command.trace().to_string(),
            reserved: !charges.is_empty(),
        }
    }
}

#[test]
fn an_honest_server_passes_and_waits_for_no_more_than_its_facts() {
    let found = stranger_to_us().judged(&suspicious(default_rules()));
    assert!(found.outcome.refusal().is_none(), "{}", found.trace);
    assert_eq!((found.hits.len(), found.score), (0, (0, 0)));
    assert_eq!(found.needs, ["hosting", "ptr", "sender-domain", "spf", "listings", "domain-listings"]);
}

/// A stranger without a name has to come back; once it has waited it passes.
#[test]
fn one_heavy_sign_greylists() {
    let policy = suspicious(default_rules());
    let found = unnamed().judged(&policy);
    assert_eq!((found.reason(), found.score), (Some("greylisted"), (5, 0)));
    assert_eq!(found.hits, ["no-name", "greylist"]);
    assert!(found.trace.contains("asked=suspicion found=5 line=defaults:15"), "{}", found.trace);
    let refusal = found.outcome.refusal().unwrap();
    assert_eq!((refusal.of, &refusal.detail), (Part::Recipient, &Some(guard::Detail::WaitSecs(300))));
    let passed = Stranger { greylist: Fact::Known(Greylist::Passed), ..unnamed() }.judged(&policy);
    assert!(passed.outcome.refusal().is_none(), "{}", passed.trace);
    assert_eq!(passed.hits, ["no-name", "greylist"], "what was held against it is recorded");
}

#[test]
fn each_sign_is_seen() {
    let policy = suspicious(default_rules());
    let ptr = |ptr| Stranger { ptr: Fact::Known(ptr), ..stranger_to_us() };
    let manners = |manners| Stranger { manners: vec![manners], ..stranger_to_us() };
    let helo = |helo| Stranger { helo: Some(helo), ..stranger_to_us() };
    let spf = |spf| Stranger { spf: Fact::Known(spf), ..stranger_to_us() };
    let table = [
        (helo("mail.example.test"), "helo-ours helo-mismatch greylist"),
        (helo("[192.0.2.25]"), "helo-ours helo-mismatch greylist"),
        (helo("localhost"), "helo-invalid helo-mismatch"),
        (helo("[192.0.2.8]"), "helo-mismatch"),
        (helo("[192.0.2.7]"), ""),
        (ptr(PtrName::None), "no-name greylist"),
        (ptr(PtrName::Name("mail.outside.example".into())), "name-unconfirmed greylist"),
        (ptr(PtrName::Confirmed("192-0-2-7.outside.example".into())), "dynamic-name greylist"),
        (manners(Manners::Pipelined), "pipelining greylist"),
        (manners(Manners::PlainText), "plain-text"),
        (manners(Manners::Tls), ""),
        (manners(Manners::Load { percent: 69 }), ""),
        (manners(Manners::Load { percent: 70 }), "busy"),
        (Stranger { domain: Fact::Known(SenderDomain::Dead), ..stranger_to_us() }, "sender-domain-dead"),
        (spf(SpfResult::Fail), "spf-fail greylist"),
        (spf(SpfResult::SoftFail), "spf-softfail"),
        (spf(SpfResult::Pass), ""),
        (spf(SpfResult::TempError), ""),
    ];
    for (stranger, expected) in table {
        let found = stranger.judged(&policy);
        assert_eq!(found.hits.join(" "), expected, "{}", found.trace);
        let stopped = expected.ends_with("greylist") || expected.ends_with("busy");
        assert_eq!(found.reason(), stopped.then_some("greylisted"), "{expected}");
    }
}

/// What would have been done by rules that are only tried is recorded, with a sum of its own, and does nothing.
#[test]
fn what_is_tried_is_told_and_does_nothing() {
    let bot = Stranger {
        helo: Some("mail.example.test"),
        manners: vec![Manners::Pipelined, Manners::PlainText],
        greylist: Fact::Known(Greylist::Passed),
        ..unnamed()
    };
    let found = bot.judged(&suspicious(default_rules()));
    assert!(found.outcome.refusal().is_none(), "{}", found.trace);
    assert_eq!((found.score, found.slow_secs), ((19, 0), 0));
    assert_eq!(found.hits.join(" "), "helo-ours no-name pipelining plain-text refuse slow greylist");
    let mut rules = default_rules();
    for rule in &mut rules {
        rule.mode = Mode::Observe;
    }
    let found = bot.judged(&suspicious(rules));
    assert!(found.outcome.refusal().is_none());
    assert_eq!(found.score, (0, 19));
    assert!(!found.needs.contains(&"greylist"), "to ask is to come: who only would be stopped is not asked");
    let mut rules = default_rules();
    for rule in &mut rules {
        rule.mode = Mode::Enforce;
    }
    assert_eq!(bot.judged(&suspicious(rules)).reason(), Some("suspicious"));
}

/// Law 2: what nobody could find out weighs nothing, and who might be somebody is nobody's suspect.
#[test]
fn what_is_unknown_weighs_nothing() {
    let fault = Fault::TimedOut("dns");
    let policy = suspicious(default_rules());
    let dead = Stranger {
        ptr: Fact::Unknown(fault),
        domain: Fact::Unknown(fault),
        spf: Fact::Unknown(fault),
        listings: Fact::Unknown(fault),
        helo: None,
        ..stranger_to_us()
    };
    let found = dead.judged(&policy);
    assert_eq!((found.outcome.refusal(), found.hits.len()), (None, 0), "{}", found.trace);
    let no_state = Stranger { greylist: Fact::Unknown(Fault::Unavailable("state")), ..unnamed() };
    assert_eq!(no_state.judged(&policy).reason(), None);
    let mut no_state = unnamed();
    no_state.world.pop = Fact::Unknown(Fault::Unavailable("state"));
    assert_eq!(no_state.judged(&policy).reason(), None, "he may be somebody who logged in there");
    let unless = Rule {
        not: vec![Condition::Spf(vec![SpfResult::Pass])],
        ..rule_of("x", vec![Condition::NoName], Effect::Weigh(9))
    };
    let found = Stranger { spf: Fact::Unknown(fault), ..unnamed() }.judged(&suspicious(vec![unless.clone()]));
    assert_eq!(found.score, (0, 0), "an exception that cannot be checked holds");
    assert_eq!(unnamed().judged(&suspicious(vec![unless])).score, (9, 0));
}

/// T34: who proved himself, may relay by his address, or logged in by POP from there is served on any address.
#[test]
fn t34_who_proved_himself_is_no_stranger() {
    let policy = suspicious(default_rules());
    let bad = || Stranger {
        helo: Some("localhost"),
        ptr: Fact::Known(PtrName::Name("1-2-3-4.dialup.example".into())),
        listings: Fact::Known(vec![listing("pbl.example", 9)]),
        ..stranger_to_us()
    };
    assert_eq!(bad().judged(&policy).reason(), Some("greylisted"));
    let mut proved = bad();
    proved.world.login = Some(login("alice@example.test"));
    proved.world.from = "<alice@example.test>";
    let found = proved.judged(&policy);
    assert!(found.outcome.refusal().is_none(), "{}", found.trace);
    assert!(!found.needs.contains(&"ptr") && found.hits.is_empty(), "nothing is asked of him");
    for client in ["198.51.100.3", "203.0.113.5"] {
        let mut listed = bad();
        listed.world.client = client;
        let found = listed.judged(&policy);
        assert!(found.outcome.refusal().is_none(), "{client} {}", found.trace);
        assert!(!found.needs.contains(&"ptr"), "{client}");
    }
    let mut by_pop = bad();
    by_pop.world.pop = Fact::Known(vec![evidence("alice@example.test", "192.0.2.7")]);
    let found = by_pop.judged(&policy);
    assert!(found.outcome.refusal().is_none(), "{}", found.trace);
    assert!(!found.needs.contains(&"greylist"));
    let mut by_name = bad();
    let name = ConfirmedName::attest_forward_confirmed(Domain::parse("mx.partner.example").unwrap());
    by_name.world.name = Fact::Known(Some(name));
    assert!(by_name.judged(&policy).outcome.refusal().is_none());
}

fn listing(zone: &str, weight: i32) -> Listing {
    Listing { zone: zone.into(), code: [127, 0, 0, 2].into(), weight, mode: Mode::Enforce }
}

#[test]
fn lists_weigh_what_the_configuration_has_them_weigh() {
    let policy = suspicious(default_rules());
    let with = |listings| Stranger { listings: Fact::Known(listings), ..stranger_to_us() }.judged(&policy);
    assert_eq!(with(vec![listing("a.example", 4)]).score, (4, 0));
    assert_eq!(with(vec![listing("a.example", 4), listing("b.example", 3)]).reason(), Some("greylisted"));
    assert_eq!(with(vec![listing("a.example", 9), listing("white.example", -9)]).reason(), None);
    let tried = Listing { mode: Mode::Observe, ..listing("a.example", 9) };
    let found = with(vec![tried]);
    assert_eq!((found.reason(), found.score), (None, (0, 9)));
    let by_zone =
        rule_of("own", vec![Condition::Listed(vec!["b.example".into()])], Effect::Act(Action::Deny(Reason::Listed)));
    let policy = suspicious(vec![by_zone]);
    let with = |listings| Stranger { listings: Fact::Known(listings), ..stranger_to_us() }.judged(&policy);
    assert_eq!(with(vec![listing("a.example", 9)]).reason(), None);
    let found = with(vec![listing("a.example", 9), listing("b.example", 1)]);
    let detail = found.outcome.refusal().unwrap().detail.clone();
    assert_eq!((found.reason(), detail), (Some("listed"), Some(guard::Detail::Zone("b.example".into()))));
}

/// Where a client is counts as far as a file knows it, and only where its address is its own.
#[test]
fn where_a_client_is_counts_as_far_as_it_is_known() {
    let country = |code: &str| Country::parse(code).unwrap();
    let in_xa = Condition::Country(vec![country("XA"), country("XB")]);
    let in_system = Condition::Asn(vec![64_500, 64_501]);
    let elsewhere = Rule {
        not: vec![in_xa.clone(), in_system.clone()],
        ..rule_of("elsewhere", vec![Condition::HeloInvalid], Effect::Weigh(100))
    };
    let policy = suspicious(vec![
        rule_of("country", vec![in_xa], Effect::Weigh(1)),
        rule_of("asn", vec![in_system], Effect::Weigh(10)),
        elsewhere,
    ]);
    let from = |code: Option<&str>, asn: Option<u32>| Fact::Known(Origin { country: code.map(country), asn });
    let table = [
        (from(Some("XA"), Some(64_500)), 11),
        (from(Some("XB"), None), 1),
        (from(None, Some(64_501)), 10),
        (from(Some("XC"), Some(64_502)), 100),
        // An exception that nobody can check holds.
        (from(Some("XC"), None), 0),
        (from(None, None), 0),
        (Fact::Unknown(Fault::Unavailable("maps")), 0),
    ];
    let greets = |origin| Stranger { helo: Some("localhost"), origin, ..stranger_to_us() };
    for (origin, score) in table {
        let found = greets(origin).judged(&policy);
        assert_eq!((found.score, &found.needs[..]), ((score, 0), &["hosting", "origin"][..]), "{origin:?}");
    }
    let mut private = greets(from(Some("XA"), Some(64_500)));
    private.world.client = "10.0.0.7";
    let found = private.judged(&policy);
    assert_eq!((found.score, &found.needs[..]), ((0, 0), &["hosting"][..]), "no file knows whose these are");
    assert_eq!(
        ["XA", "xa", "X", "XAA", "X1", ""].map(|code| Country::parse(code).is_some()),
        [true, false, false, false, false, false]
    );
}

/// An allow rule ends the list; facts that only later rules would want are not asked for.
#[test]
fn ok_ends_the_list() {
    let mut rules = default_rules();
    rules.insert(0, rule_of("ours", vec![Condition::HeloInvalid], Effect::Act(Action::Ok)));
    let found = Stranger { helo: Some("localhost"), ..unnamed() }.judged(&suspicious(rules));
    assert!(found.outcome.refusal().is_none());
    assert_eq!((found.hits.join(" ").as_str(), &found.needs[..]), ("ours", &["hosting"][..]));
}

/// A rule that cannot hold any more costs no look-up.
#[test]
fn look_ups_are_made_only_where_a_rule_can_use_them() {
    let both = vec![Condition::Spf(vec![SpfResult::Fail]), Condition::NullSender];
    let policy = suspicious(vec![rule_of("x", both, Effect::Weigh(1))]);
    assert_eq!(stranger_to_us().judged(&policy).needs, ["hosting"]);
    let mut foreign = unnamed();
    foreign.world.to = "<b@elsewhere.example>".to_owned();
    foreign.world.hosting = Fact::Known(Hosting::NotHosted);
    let found = foreign.judged(&suspicious(default_rules()));
    assert_eq!(found.reason(), Some("relay-denied"), "who wants to relay is refused without any suspicion");
    assert!(!found.needs.contains(&"ptr"));
    let mut nobody = unnamed();
    nobody.world.hosting = Fact::Known(Hosting::UnknownUser);
    assert_eq!(nobody.judged(&suspicious(default_rules())).needs, ["hosting"]);
    assert!(!unnamed().judged(&policy).needs.contains(&"ptr"));
    let mut private = unnamed();
    private.world.client = "10.0.0.7";
    let found = private.judged(&suspicious(default_rules()));
    assert_eq!(found.needs, ["hosting"], "the Internet's DNS knows no private addresses");
    let mut this_machine = Stranger { helo: Some("mail.example.test"), ..unnamed() };
    this_machine.world.client = "127.0.0.7";
    assert!(this_machine.judged(&suspicious(default_rules())).hits.is_empty());
}

/// The story of the unknown host: its line lets it through whatever its DNS says, and who only claims its name gets nothing.
#[test]
fn an_exempted_host_passes_and_its_imitator_does_not() {
    let with = |who: Who| {
        let mut suspicion = Suspicion { rules: default_rules(), ..Suspicion::default() };
        suspicion.exempt.add(&who, line(80));
        Policy { suspicion: Arc::new(suspicion), ..policy() }
    };
    let by_address = with(Who::Network("192.0.2.7/32".parse().unwrap()));
    let found = unnamed().judged(&by_address);
    assert!(found.outcome.refusal().is_none(), "{}", found.trace);
    let mut imitator = unnamed();
    imitator.world.client = "192.0.2.8";
    assert_eq!(imitator.judged(&by_address).reason(), Some("greylisted"));
    let by_name = with(Who::Name(Domain::parse("mail.outside.example").unwrap()));
    let imitator = Stranger { ptr: Fact::Known(PtrName::Name("mail.outside.example".into())), ..stranger_to_us() };
    assert_eq!(imitator.judged(&by_name).reason(), Some("greylisted"), "a name that does not lead back is a claim");
    let mut true_one = Stranger { manners: vec![Manners::Pipelined], ..stranger_to_us() };
    let name = ConfirmedName::attest_forward_confirmed(Domain::parse("mail.outside.example").unwrap());
    true_one.world.name = Fact::Known(Some(name));
    assert_eq!(true_one.judged(&by_name).reason(), None);
}

/// T43: a device that logged in may greet as it likes; a stranger that greets so has it weigh.
#[test]
fn t43_a_device_greets_as_it_likes() {
    let strict = rule_of("strict", vec![Condition::HeloInvalid], Effect::Act(Action::Deny(Reason::HeloRefused)));
    let policy = suspicious(vec![strict]);
    let greets = || Stranger { helo: Some("MFP-2. OG"), ..stranger_to_us() };
    assert_eq!(greets().judged(&policy).reason(), Some("helo-refused"));
    let mut device = greets();
    device.world.login = Some(login("alice@example.test"));
    device.world.from = "<alice@example.test>";
    assert_eq!(device.judged(&policy).reason(), None);
    let mut printer = greets();
    printer.world.client = "198.51.100.3";
    assert_eq!(printer.judged(&policy).reason(), None, "one of a relay network");
}

/// T33: a stranger that has to come back is charged for nothing, however often it comes.
#[test]
fn t33_who_has_to_come_back_is_charged_for_nothing() {
    let policy = suspicious(default_rules());
    let judged = |greylist| {
        let stranger = Stranger { greylist: Fact::Known(greylist), ..unnamed() };
        let mut case = stranger.case();
        case.set_manner(Manner::OWN);
        let found = stranger.judged_in(&policy, &mut case);
        (found.reason(), found.reserved, case.is_charged())
    };
    for greylist in [Greylist::New { secs_left: 300 }, Greylist::Waiting { secs_left: 7 }] {
        assert_eq!(judged(greylist), (Some("greylisted"), false, false));
    }
    assert_eq!(judged(Greylist::Passed), (None, true, false), "now its mailbox is asked for room");
}

/// A reply is held back once in a transaction, and no longer than the bound.
#[test]
fn a_transaction_is_slowed_once() {
    let slow = rule_of("slow", vec![Condition::NoName], Effect::Act(Action::Slow(3_000)));
    let (policy, stranger) = (suspicious(vec![slow]), unnamed());
    let mut case = stranger.case();
    assert_eq!(stranger.judged_in(&policy, &mut case).slow_secs, guard::suspicion::SLOW_SECS_MAX);
    assert_eq!(stranger.judged_in(&policy, &mut case).slow_secs, 0);
}

/// T10, T11: no sign of respectability (TLS, a name, SPF, a list that speaks for the client, an `ok`) gives a right to relay.
#[test]
fn t10_t11_nothing_that_speaks_for_a_stranger_relays() {
    let mut rules = default_rules();
    rules.insert(0, rule_of("ok", vec![Condition::Spf(vec![SpfResult::Pass])], Effect::Act(Action::Ok)));
    let mut policy = suspicious(rules);
    let mut suspicion = Suspicion { rules: policy.suspicion.rules.clone(), ..Suspicion::default() };
    suspicion.exempt.add(&Who::Network("192.0.2.0/24".parse().unwrap()), line(80));
    policy.suspicion = Arc::new(suspicion);
    let mut good = Stranger {
        manners: vec![Manners::Tls],
        spf: Fact::Known(SpfResult::Pass),
        listings: Fact::Known(vec![listing("white.example", -1_000)]),
        ..stranger_to_us()
    };
    good.world.to = "<b@elsewhere.example>".to_owned();
    good.world.hosting = Fact::Known(Hosting::NotHosted);
    good.world.from = "<alice@example.test>";
    assert_eq!(good.judged(&policy).reason(), Some("relay-denied"));
}
