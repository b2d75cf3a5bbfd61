//! Rules: what ends what, and what is only tried.

use super::*;
use guard::effects::Effects;
use guard::rule::{Action, Condition, Effect, Entry as MapEntry, MapId, Mode, Rule, Rules, Said};

fn said(code: u16) -> Said {
    Said { code, enhanced: None, text: "Access denied".to_owned() }
}

fn entry(part: Part, map: usize, action: Action) -> MapEntry {
    MapEntry { part, map: MapId(map), action, line: ConfigLine::new("access", 7) }
}

fn rule_of(map: usize, mode: Mode) -> Rule {
    let condition = Condition::Entry(MapId(map));
    Rule { part: None, condition, effect: Effect::AsWritten, mode, line: line(60) }
}

struct Judgement {
    outcome: Outcome,
    effects: Effects,
    hits: usize,
    observed: i32,
    enforced: i32,
    trace: String,
}

/// Judges a recipient of ours with these rules and entries.
fn judged(rules: Vec<Rule>, entries: &[MapEntry]) -> Judgement {
    let relay = RelayPolicy::new(RelayPolicySpec::default()).unwrap();
    let rules = Arc::new(Rules { list: rules, ask_client_name: false });
    let policy = Policy { relay, rules, suspicion: Arc::default(), version: 1 };
    let world = World { hosting: Fact::Known(Hosting::Mailbox), ..stranger() };
    let mut case = world.case(MANNER);
    let to = ForwardPath::parse("<b@example.test>").unwrap().path;
    let mut command = Command::rcpt(AskedRcpt { forward_path: &to, had_source_route: false }, &case, world.now);
    loop {
        match judge(&policy, &mut case, &mut command) {
            Judged::Need(needs) => {
                for need in needs {
                    let value = match need.fact {
                        FactName::Entries => Fact::Known(Value::Entries(entries.to_vec())),
                        fact => world.value(fact),
                    };
                    command.learn(&mut case, &need, Gathered::Found(Found::new(value, world.now)));
                }
            }
            Judged::Reserve(_) => command.reserved(Reserved::All),
            Judged::Verdict(Verdict { outcome, effects }) => {
                let kept = if outcome.refusal().is_none() { effects.clone() } else { Effects::default() };
                assert_eq!(case.effects(), Some(&kept));
                let (hits, score, trace) = (command.hits().len(), command.score(), command.trace().to_string());
                return Judgement { outcome, effects, hits, observed: score.observed, enforced: score.enforced, trace };
            }
        }
    }
}

#[test]
fn ok_ends_its_own_part_only() {
    let rules = vec![rule_of(0, Mode::Enforce), rule_of(1, Mode::Enforce)];
    let with = |refused: Part| vec![entry(Part::Client, 0, Action::Ok), entry(refused, 1, Action::Refuse(said(550)))];
    let same = judged(rules.clone(), &with(Part::Client));
    assert!(same.outcome.refusal().is_none(), "{}", same.trace);
    let other = judged(rules, &with(Part::Sender));
    let refusal = other.outcome.refusal().unwrap();
    assert_eq!((refusal.reason, refusal.said.clone()), (Reason::AccessDenied, Some(said(550))));
    assert!(other.trace.contains("asked=access-sender found=yes line=access:7"), "{}", other.trace);
}

#[test]
fn the_code_says_whether_it_passes() {
    let entries = vec![entry(Part::Recipient, 0, Action::Refuse(said(450)))];
    let judged = judged(vec![rule_of(0, Mode::Enforce)], &entries);
    assert!(matches!(judged.outcome, Outcome::Defer(Refusal { reason: Reason::AccessDeferred, .. })));
}

#[test]
fn effects_add_up_and_the_observed_do_nothing() {
    let rules = vec![rule_of(0, Mode::Observe), rule_of(1, Mode::Enforce)];
    let entries = vec![
        entry(Part::Client, 0, Action::Refuse(said(550))),
        entry(Part::Client, 1, Action::Prepend("X-One: 1".to_owned())),
        entry(Part::Sender, 1, Action::Hold),
        entry(Part::Recipient, 1, Action::Discard),
    ];
    let judged = judged(rules, &entries);
    assert!(judged.outcome.refusal().is_none());
    assert!(judged.effects.hold && judged.effects.discard);
    assert_eq!(judged.effects.prepend, ["X-One: 1"]);
    assert_eq!(judged.hits, 4);
}

#[test]
fn weights_add_up_and_the_observed_into_a_sum_of_their_own() {
    let weigh = |map, weight, mode| Rule { effect: Effect::Weigh(weight), ..rule_of(map, mode) };
    let rules = vec![weigh(0, 3, Mode::Enforce), weigh(1, 4, Mode::Observe), weigh(2, -1, Mode::Enforce)];
    let entries = vec![
        entry(Part::Client, 0, Action::Ok),
        entry(Part::Client, 1, Action::Ok),
        entry(Part::Recipient, 2, Action::Ok),
        entry(Part::Recipient, 0, Action::Ok),
    ];
    let judged = judged(rules, &entries);
    assert_eq!((judged.enforced, judged.observed), (5, 4));
}

/// Law 2: what cannot be asked weighs nothing.
#[test]
fn maps_that_cannot_be_asked_take_nothing_away() {
    let relay = RelayPolicy::new(RelayPolicySpec::default()).unwrap();
    let rules = Arc::new(Rules { list: vec![rule_of(0, Mode::Enforce)], ask_client_name: true });
    let policy = Policy { relay, rules, suspicion: Arc::default(), version: 1 };
    let world = World { hosting: Fact::Known(Hosting::Mailbox), to: "<b@example.test>".to_owned(), ..stranger() };
    let mut case = world.case(MANNER);
    let to = ForwardPath::parse(&world.to).unwrap().path;
    let mut command = Command::rcpt(AskedRcpt { forward_path: &to, had_source_route: false }, &case, world.now);
    loop {
        match judge(&policy, &mut case, &mut command) {
            Judged::Need(needs) => {
                for need in needs {
                    let unknown = Fact::Unknown(Fault::TimedOut("maps"));
                    let value = if need.fact == FactName::Hosting { world.value(need.fact) } else { unknown };
                    command.learn(&mut case, &need, Gathered::Found(Found::new(value, world.now)));
                }
            }
            Judged::Reserve(_) => command.reserved(Reserved::All),
            Judged::Verdict(verdict) => {
                assert!(matches!(verdict.outcome, Outcome::Accept(_)));
                return;
            }
        }
    }
}
