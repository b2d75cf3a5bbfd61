//! The rules, part by part in their order. The first refusal ends it.

use crate::command::Score;
use crate::effects::Effects;
use crate::fact::Fact;
use crate::facts::{ENTRIES, FactName, Need};
use crate::hearing::Hearing;
use crate::line::ConfigLine;
use crate::rule::{Action, Condition, Effect, Entry, Hit, HitOutcome, MapId, Mode, Part, Rule, Rules};
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

/// Asks them, or says what they must know first. What is refused by a rule is told as a refusal of `of`.
pub(super) fn ask(rules: &Rules, of: Part, hearing: &mut Hearing<'_>) -> Result<Held, Vec<Need>> {
    let needs = needs(rules, hearing);
    if !needs.is_empty() {
        return Err(needs);
    }
    let mut held = Held::default();
    for part in Part::ALL {
        for rule in rules.list.iter().filter(|rule| rule.is_about(part)) {
            let Some((outcome, line)) = holds(rule, part, hearing) else { continue };
            let hit = Hit { rule: None, part, outcome, line, mode: rule.mode };
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
                    return Ok(held);
                }
            }
        }
    }
    Ok(held)
}

/// The facts by which a rule may hold and that are not known yet.
fn needs(rules: &Rules, hearing: &Hearing<'_>) -> Vec<Need> {
    let mut needs = Vec::new();
    for fact in rules.list.iter().flat_map(|rule| facts(&rule.condition)) {
        let need = hearing.need(*fact).filter(|_| hearing.is_there_to_ask(*fact));
        needs.extend(need.filter(|need| !needs.contains(need)));
    }
    needs
}

/// The facts by which a condition holds.
fn facts(condition: &Condition) -> &'static [FactName] {
    match condition {
        Condition::Entry(_) => &[FactName::Entries],
    }
}

/// What a rule comes to for a part, and the line that says so; `None`: it does not hold. What is unknown weighs nothing
/// (law 2).
fn holds(rule: &Rule, part: Part, hearing: &Hearing<'_>) -> Option<(HitOutcome, ConfigLine)> {
    let entry = match rule.condition {
        Condition::Entry(map) => Some(entry(map, part, hearing)?),
    };
    Some(match (&rule.effect, entry) {
        (Effect::AsWritten, Some(entry)) => (HitOutcome::Act(entry.action.clone()), entry.line.clone()),
        // Only an entry has something written.
        (Effect::AsWritten, None) => return None,
        (Effect::Act(action), _) => (HitOutcome::Act(action.clone()), rule.line.clone()),
        (Effect::Weigh(weight), _) => (HitOutcome::Weigh(*weight), rule.line.clone()),
    })
}

/// The entry that a map has for a part.
fn entry<'a>(map: MapId, part: Part, hearing: &Hearing<'a>) -> Option<&'a Entry> {
    match hearing.facts.fact(&ENTRIES)? {
        Fact::Known(entries) => entries.iter().find(|entry| entry.part == part && entry.map == map),
        Fact::Unknown(_) => None,
    }
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
                return Next::End(Refusal { said: Some(said.clone()), ..Refusal::new(reason, hit.part) });
            }
            Action::Discard => held.effects.discard = true,
            Action::Hold => held.effects.hold = true,
            Action::Prepend(field) => held.effects.prepend.push(field.clone()),
            Action::Deny(reason) => return Next::End(Refusal::new(*reason, hit.part)),
            // No entry of a map says so: strangers are looked at once it is known whose the recipient is.
            Action::Greylist | Action::Slow(_) | Action::Warn(_) => {}
        },
    }
    Next::Rule
}
