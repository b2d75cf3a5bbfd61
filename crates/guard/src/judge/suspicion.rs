//! What is held against a stranger: the rules of [`Suspicion`] in their order. Look-ups are asked for only where a rule can still
//! hold by them, all at once; and only of whom a measure would be taken it is asked whether it is a stranger at all.

use std::net::IpAddr;
use std::sync::Arc;

use smtp::address::ReversePath;

use super::rules::Held;
use crate::authority::{Answer, pop};
use crate::case::Conduct;
use crate::command::Score;
use crate::fact::Fact;
use crate::facts::{
    CLIENT_NAME, DOMAIN_LISTINGS, FactName, GREYLIST, Key, LISTINGS, Need, ORIGIN, PTR_NAMES, SENDER_DOMAIN, SPF,
};
use crate::hearing::Hearing;
use crate::ip::is_public;
use crate::origin::Origin;
use crate::reason::Reason;
use crate::reputation::{Listing, SpfResult};
use crate::rule::{Action, Hit, HitOutcome, Mode, Part};
use crate::standing::{Greylist, PtrName, SenderDomain};
use crate::suspicion::{Condition, Effect, Rule, SLOW_SECS_MAX, Suspicion, dynamic, helo};
use crate::trace::{Asked, Found};
use crate::verdict::{Detail, Refusal};

/// What is known of a client without any look-up.
pub(super) struct Stranger<'a> {
    pub(super) conduct: Conduct,
    /// What it calls itself; `None`: nobody told.
    pub(super) helo: Option<&'a str>,
}

/// Whether a condition holds.
enum Truth {
    Yes,
    No,
    /// It cannot be found out, so nothing is concluded from it.
    Unknown,
    Need(Need),
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// What the rules come to, as far as facts are known.
#[derive(Default)]
struct Walk {
    held: Held,
    needs: Vec<Need>,
    /// A stranger would have to come back, if it has not waited.
    greylist: bool,
}

/// Whether the client is one against whom nothing is held.
enum Known {
    Yes,
    No,
    Need(Need),
}

/// Asks the rules, or says what they must know first. Of whom nothing can be held against nothing is said.
pub(super) fn ask(
    suspicion: &Suspicion,
    stranger: &Stranger<'_>,
    hearing: &mut Hearing<'_>,
) -> Result<Option<Held>, Vec<Need>> {
    // Who could not be asked about is taken for who he says he is.
    if !matches!(hearing.login(), Some(Fact::Known(None))) {
        return Ok(None);
    }
    // This machine is no stranger to itself.
    let Some(client) = hearing.client.filter(|client| !client.is_loopback()) else { return Ok(None) };
    if is_known_address(client, suspicion, hearing) {
        return Ok(None);
    }
    let Walk { mut held, needs, greylist } = Asking { suspicion, stranger, client, hearing }.walk();
    if !needs.is_empty() {
        return Err(needs);
    }
    if greylist || held.refused.is_some() || !held.effects.is_empty() {
        match known(suspicion, hearing) {
            Known::Need(need) => return Err(vec![need]),
            Known::Yes => return Ok(None),
            Known::No => {}
        }
    }
    if greylist && let Some(need) = hearing.need(FactName::Greylist) {
        return Err(vec![need]);
    }
    if !held.hits.is_empty() {
        let line = held.hits.last().filter(|_| held.refused.is_some()).map(|hit| hit.line.clone());
        hearing.trace.note_with(Asked::Suspicion, Found::Score(held.score.enforced), line);
    }
    if let Some(refusal) = &mut held.refused {
        refusal.of = Part::Recipient;
    }
    Ok(Some(held))
}

/// Who may relay by its address, or is exempted by it.
fn is_known_address(client: IpAddr, suspicion: &Suspicion, hearing: &Hearing<'_>) -> bool {
    let relays = hearing.client_by_itself().is_some_and(|client| {
        hearing.policy.networks.find(client).is_some() || hearing.policy.client_networks.find(client).is_some()
    });
    relays || suspicion.exempt.address(client).is_some()
}

/// Whether a client is known by its name, or by a login at its address: asked only of whom a measure would be taken, so that
/// nobody waits for it otherwise. What cannot be found out speaks for the client.
fn known(suspicion: &Suspicion, hearing: &mut Hearing<'_>) -> Known {
    let by_map = !hearing.policy.client_names.is_empty() && hearing.client_by_itself().is_some();
    if by_map || suspicion.exempt.has_names() {
        if let Some(need) = hearing.need(FactName::ClientName) {
            return Known::Need(need);
        }
        match hearing.facts.fact(&CLIENT_NAME) {
            Some(Fact::Known(Some(name))) => {
                let in_map = by_map && hearing.policy.client_names.find(name.domain()).is_some();
                if in_map || suspicion.exempt.name(name.domain().as_str()).is_some() {
                    return Known::Yes;
                }
            }
            Some(Fact::Unknown(_)) => return Known::Yes,
            Some(Fact::Known(None)) | None => {}
        }
    }
    match pop::of_address(hearing) {
        Ok(_) | Err(Answer::Fault(_)) => Known::Yes,
        Err(Answer::Need(need)) => Known::Need(need),
        Err(_) => Known::No,
    }
}

struct Asking<'a, 'h> {
    suspicion: &'a Suspicion,
    stranger: &'a Stranger<'a>,
    client: IpAddr,
    hearing: &'a Hearing<'h>,
}

impl Asking<'_, '_> {
    fn walk(&self) -> Walk {
        let mut walk = Walk::default();
        for rule in &self.suspicion.rules {
            match self.holds(rule, walk.held.score) {
                Ok(true) => {
                    if let Next::End = self.apply(rule, &mut walk) {
                        break;
                    }
                }
                Ok(false) => {}
                Err(needs) => {
                    let new = needs.into_iter().filter(|need| !walk.needs.contains(need)).collect::<Vec<_>>();
                    walk.needs.extend(new);
                }
            }
        }
        walk
    }

    /// Whether all conditions of a rule hold and none of the others does; or what must be known for it.
    fn holds(&self, rule: &Rule, score: Score) -> Result<bool, Vec<Need>> {
        let mut needs = Vec::new();
        for (condition, wanted) in rule.when.iter().map(|it| (it, true)).chain(rule.not.iter().map(|it| (it, false))) {
            match (self.truth(condition, rule.mode, score), wanted) {
                (Truth::Yes, true) | (Truth::No, false) => {}
                (Truth::Yes, false) | (Truth::No, true) | (Truth::Unknown, _) => return Ok(false),
                (Truth::Need(need), _) => needs.push(need),
            }
        }
        if needs.is_empty() { Ok(true) } else { Err(needs) }
    }

    fn truth(&self, condition: &Condition, mode: Mode, score: Score) -> Truth {
        let Stranger { conduct, helo: greeting } = self.stranger;
        match condition {
            Condition::Listed(zones) => self.listed(zones),
            Condition::NoName => self.by_name(|name| *name == PtrName::None),
            Condition::NameUnconfirmed => self.by_name(|name| matches!(name, PtrName::Name(_))),
            Condition::DynamicName => {
                self.by_name(|name| name.name().is_some_and(|name| dynamic::pattern(name).is_some()))
            }
            Condition::HeloInvalid => greeting.map_or(Truth::Unknown, |it| helo::is_invalid(it).into()),
            Condition::HeloOurs => greeting.map_or(Truth::Unknown, |it| self.is_our_greeting(it).into()),
            Condition::HeloMismatch => greeting.map_or(Truth::Unknown, |it| self.differs(it)),
            Condition::Pipelined => conduct.pipelined.into(),
            Condition::PlainText => conduct.plain_text.into(),
            Condition::Spf(results) => self.by_dns(FactName::Spf, &SPF, |result| is_one_of(*result, results)),
            Condition::NullSender => matches!(self.hearing.reverse_path, ReversePath::Null).into(),
            Condition::SenderDomainDead => {
                self.by_dns(FactName::SenderDomain, &SENDER_DOMAIN, |domain| (*domain == SenderDomain::Dead).into())
            }
            Condition::Country(countries) => self.by_origin(|origin| Some(countries.contains(&origin.country?))),
            Condition::Asn(systems) => self.by_origin(|origin| Some(systems.contains(&origin.asn?))),
            Condition::Load(percent) => (conduct.load_percent >= *percent).into(),
            Condition::Score(least) => {
                let tried = if mode == Mode::Observe { score.observed } else { 0 };
                (score.enforced.saturating_add(tried) >= *least).into()
            }
        }
    }

    fn fact<T>(&self, name: FactName, key: &Key<T>, judge: impl FnOnce(&T) -> Truth) -> Truth {
        match self.hearing.facts.fact(key) {
            Some(Fact::Known(value)) => judge(value),
            Some(Fact::Unknown(_)) => Truth::Unknown,
            None => self.hearing.need(name).map_or(Truth::Unknown, Truth::Need),
        }
    }

    fn by_name(&self, judge: impl FnOnce(&PtrName) -> bool) -> Truth {
        self.by_dns(FactName::PtrNames, &PTR_NAMES, |name| judge(name).into())
    }

    /// What DNS says of a client counts only where its address is its own, and one of the Internet's.
    fn by_dns<T>(&self, name: FactName, key: &Key<T>, judge: impl FnOnce(&T) -> Truth) -> Truth {
        if self.hearing.client_by_itself().is_none() || !is_public(self.client) {
            return Truth::Unknown;
        }
        self.fact(name, key, judge)
    }

    /// Of a client behind somebody else's address no file knows where it is, and what no file knows is held against nobody.
    fn by_origin(&self, judge: impl FnOnce(&Origin) -> Option<bool>) -> Truth {
        self.by_dns(FactName::Origin, &ORIGIN, |origin| judge(origin).map_or(Truth::Unknown, Truth::from))
    }

    fn is_our_greeting(&self, greeting: &str) -> bool {
        let own = self.hearing.policy.never.own();
        let is_own = |ip: IpAddr| own.contains(&ip) || self.hearing.policy.own_literal(ip).is_some();
        // This machine greets as itself, and so does whoever comes through it.
        if is_own(self.client) {
            return false;
        }
        helo::is_one_of(greeting, &self.suspicion.own_names, is_own)
    }

    fn differs(&self, greeting: &str) -> Truth {
        if helo::differs(greeting, self.client, None) {
            return Truth::Yes;
        }
        self.by_name(|name| helo::differs(greeting, self.client, name.confirmed()))
    }

    /// Every list that is named and has the client or its domain; of two kinds of look-ups, one that has it is enough.
    fn listed(&self, zones: &[Arc<str>]) -> Truth {
        let named = |all: &Vec<Listing>| all.iter().any(|one| zones.is_empty() || zones.contains(&one.zone)).into();
        let client = self.by_dns(FactName::Listings, &LISTINGS, named);
        if matches!(client, Truth::Yes) {
            return Truth::Yes;
        }
        match (client, self.by_dns(FactName::DomainListings, &DOMAIN_LISTINGS, named)) {
            (Truth::Need(need), _) | (_, Truth::Need(need)) => Truth::Need(need),
            (_, Truth::Yes) => Truth::Yes,
            (Truth::No, Truth::No) => Truth::No,
            (_, _) => Truth::Unknown,
        }
    }

    fn listings(&self) -> impl Iterator<Item = &Listing> {
        let known = |key: &Key<Vec<Listing>>| match self.hearing.facts.fact(key) {
            Some(Fact::Known(all)) => all.as_slice(),
            _ => &[],
        };
        known(&LISTINGS).iter().chain(known(&DOMAIN_LISTINGS))
    }

    fn apply(&self, rule: &Rule, walk: &mut Walk) -> Next {
        match &rule.effect {
            Effect::Weigh(weight) => walk.weigh(rule, *weight, rule.mode),
            Effect::WeighAsListed => {
                for one in self.listings() {
                    let both = rule.mode == Mode::Enforce && one.mode == Mode::Enforce;
                    walk.weigh(rule, one.weight, if both { Mode::Enforce } else { Mode::Observe });
                }
            }
            Effect::Act(action) => return self.act(rule, action, walk),
        }
        Next::Rule
    }

    fn act(&self, rule: &Rule, action: &Action, walk: &mut Walk) -> Next {
        walk.hit(rule, HitOutcome::Act(action.clone()), rule.mode);
        if rule.mode == Mode::Observe {
            return Next::Rule;
        }
        let effects = &mut walk.held.effects;
        match action {
            Action::Ok => return Next::End,
            Action::Refuse(said) => {
                walk.held.refused =
                    Some(Refusal { said: Some(said.clone()), ..Refusal::new(said.reason(), rule.part()) });
                return Next::End;
            }
            Action::Deny(reason) => {
                let detail = self.zone_of(rule).map(Detail::Zone);
                walk.held.refused = Some(Refusal { detail, ..Refusal::new(*reason, rule.part()) });
                return Next::End;
            }
            Action::Greylist => return self.greylist(rule, walk),
            Action::Slow(secs) => effects.slow_secs = effects.slow_secs.max((*secs).min(SLOW_SECS_MAX)),
            Action::Discard => effects.discard = true,
            Action::Hold => effects.hold = true,
            Action::Prepend(field) => effects.prepend.push(field.clone()),
            Action::Warn(_) => {}
        }
        Next::Rule
    }

    /// The list by which a rule holds that goes by lists.
    fn zone_of(&self, rule: &Rule) -> Option<Arc<str>> {
        let zones =
            rule.when.iter().find_map(|it| if let Condition::Listed(zones) = it { Some(zones) } else { None })?;
        self.listings().find(|one| zones.is_empty() || zones.contains(&one.zone)).map(|one| one.zone.clone())
    }

    fn greylist(&self, rule: &Rule, walk: &mut Walk) -> Next {
        match self.hearing.facts.fact(&GREYLIST) {
            None => walk.greylist = true,
            Some(Fact::Known(Greylist::New { secs_left } | Greylist::Waiting { secs_left })) => {
                let detail = Some(Detail::WaitSecs(*secs_left));
                walk.held.refused = Some(Refusal { detail, ..Refusal::new(Reason::Greylisted, rule.part()) });
            }
            Some(Fact::Known(Greylist::Passed) | Fact::Unknown(_)) => return Next::Rule,
        }
        Next::End
    }
}

fn is_one_of(result: SpfResult, results: &[SpfResult]) -> Truth {
    match result {
        SpfResult::TempError if !results.contains(&result) => Truth::Unknown,
        result => results.contains(&result).into(),
    }
}

enum Next {
    Rule,
    End,
}

impl Walk {
    fn weigh(&mut self, rule: &Rule, weight: i32, mode: Mode) {
        let sum = match mode {
            Mode::Enforce => &mut self.held.score.enforced,
            Mode::Observe => &mut self.held.score.observed,
        };
        *sum = sum.saturating_add(weight);
        self.hit(rule, HitOutcome::Weigh(weight), mode);
    }

    fn hit(&mut self, rule: &Rule, outcome: HitOutcome, mode: Mode) {
        let (name, line) = (Arc::clone(&rule.name), rule.line.clone());
        self.held.hits.push(Hit { rule: Some(name), part: rule.part(), outcome, line, mode });
    }
}
