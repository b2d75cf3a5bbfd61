//! The rules, part by part in their order. The first refusal ends it.

use super::step::Seen;
use crate::command::Score;
use crate::effects::Effects;
use crate::fact::Fact;
use crate::facts::{ENTRIES, FactName};
use crate::hearing::Hearing;
use crate::line::ConfigLine;
use crate::rule::{Action, Condition, Effect, Entry, Hit, HitOutcome, Mode, Part, Rule, Rules};
use crate::trace::Asked;
use crate::verdict::Refusal;

/// What held, and what it comes to.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) hits: Vec<Hit>,
    pub(super) score: Score,
    pub(super) effects: Effects,
    pub(super) refused: Option<Refusal>,
}

/// Asks them. What is refused by a rule is told as a refusal of `of`.
pub(super) fn ask(rules: &Rules, of: Part, hearing: &mut Hearing<'_>) -> Seen {
    // Who proved himself is not judged by his address: a user on a listed dial-up network is still that user.
    let by_name = rules.ask_client_name && hearing.client.is_some() && hearing.proved().is_none();
    if let Some(need) = hearing.need(FactName::ClientName).filter(|_| by_name) {
        return Seen::Need(need);
    }
    if let Some(need) = hearing.need(FactName::Entries) {
        return Seen::Need(need);
    }
    let entries = match hearing.facts.fact(&ENTRIES) {
        Some(Fact::Known(entries)) => entries.as_slice(),
        // What is unknown weighs nothing (law 2).
        Some(Fact::Unknown(_)) | None => &[],
    };
    let mut held = Held::default();
    for part in Part::ALL {
        for rule in rules.list.iter().filter(|rule| rule.is_about(part)) {
            let Some((outcome, line)) = holds(rule, part, entries) else { continue };
            let hit = Hit { part, outcome, line, mode: rule.mode };
            match apply(&hit, &mut held) {
                Next::Rule => held.hits.push(hit),
                Next::Part => {
                    held.hits.push(hit);
                    break;
                }
                Next::End(refusal) => {
                    hearing.trace.note_line(Asked::Access(part), Some(&hit.line));
                    held.hits.push(hit);
                    held.refused = Some(Refusal { of, ..refusal });
                    return Seen::Rules(held);
                }
            }
        }
    }
    Seen::Rules(held)
}

/// What a rule comes to for a part, and the line that says so; `None`: it does not hold.
fn holds(rule: &Rule, part: Part, entries: &[Entry]) -> Option<(HitOutcome, ConfigLine)> {
    let entry = match rule.condition {
        Condition::Entry(map) => entries.iter().find(|entry| entry.part == part && entry.map == map)?,
    };
    Some(match &rule.effect {
        Effect::AsWritten => (HitOutcome::Act(entry.action.clone()), entry.line.clone()),
        Effect::Act(action) => (HitOutcome::Act(action.clone()), rule.line.clone()),
        Effect::Weigh(weight) => (HitOutcome::Weigh(*weight), rule.line.clone()),
    })
}

enum Next {
    Rule,
    Part,
    End(Refusal),
}

fn apply(hit: &Hit, held: &mut Held) -> Next {
    match (&hit.outcome, hit.mode) {
        (HitOutcome::Weigh(weight), Mode::Enforce) => held.score.enforced = held.score.enforced.saturating_add(*weight),
        (HitOutcome::Weigh(weight), Mode::Observe) => held.score.observed = held.score.observed.saturating_add(*weight),
        (HitOutcome::Act(_), Mode::Observe) => {}
        (HitOutcome::Act(action), Mode::Enforce) => match action {
            Action::Ok => return Next::Part,
            Action::Refuse(said) => {
                let reason = said.reason();
                return Next::End(Refusal { reason, of: hit.part, said: Some(said.clone()) });
            }
            Action::Discard => held.effects.discard = true,
            Action::Hold => held.effects.hold = true,
            Action::Prepend(field) => held.effects.prepend.push(field.clone()),
            Action::Warn(_) => {}
        },
    }
    Next::Rule
}
