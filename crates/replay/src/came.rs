//! What a judgement comes to, in words: nothing of it permits anything.

use guard::rule::Hit;
use guard::{Outcome, Verdict};

use records::Kept;
use records::kept::Effects;

/// Why something was refused, as far as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The stable word.
    pub reason: String,
    /// What of the mail.
    pub of: Option<String>,
}

/// What a judgement came to.
#[derive(Debug, Clone)]
pub struct Came {
    /// `proceed`, `hosted`, `relayed`, `refuse` or `defer`.
    pub outcome: String,
    /// Why not.
    pub refused: Option<Refused>,
    /// The right by which it would be relayed.
    pub right: Option<String>,
    /// The line that gave the right or refused.
    pub line: Option<String>,
    /// The rules that held, as records have them.
    pub rules: Vec<serde_json::Value>,
    /// The rule that refused.
    pub rule: Option<String>,
    /// What is to be done besides.
    pub effects: Effects,
}

impl Came {
    /// Of a verdict, which ends here.
    pub(crate) fn of(verdict: Verdict, hits: &[Hit]) -> Self {
        let Verdict { outcome, effects } = verdict;
        let right = match &outcome {
            Outcome::Accept(guard::Recipient::Relayed(_, grant)) => Some(grant.right()),
            _ => None,
        };
        let refused = outcome.refusal();
        let by = refused.filter(|it| is_of_a_rule(it.reason)).and(hits.last());
        let line = right.and_then(|right| right.line()).or(by.map(|hit| &hit.line));
        Self {
            outcome: outcome.code().to_owned(),
            refused: refused
                .map(|it| Refused { reason: it.reason.code().to_owned(), of: Some(it.of.code().to_owned()) }),
            right: right.map(|right| right.code().to_owned()),
            line: line.map(ToString::to_string),
            rules: hits.iter().map(json).collect(),
            rule: by.and_then(|hit| hit.rule.as_deref()).map(str::to_owned),
            effects: Effects {
                discard: effects.discard,
                hold: effects.hold,
                prepend: effects.prepend,
                slow_secs: effects.slow_secs,
            },
        }
    }

    /// The guard came to no end, which it always does.
    pub(crate) fn undecided() -> Self {
        let reason = guard::Reason::AuthorityUnavailable.code().to_owned();
        Self {
            outcome: "defer".to_owned(),
            refused: Some(Refused { reason, of: Some(guard::Part::Recipient.code().to_owned()) }),
            right: None,
            line: None,
            rules: Vec::new(),
            rule: None,
            effects: Effects::default(),
        }
    }

    /// What was recorded.
    pub fn recorded(record: &Kept) -> Self {
        let right = record.right.as_ref();
        let by = record.refused.as_ref().filter(|it| is_of_a_rule_word(&it.reason)).and(record.rules.last());
        let refused = record.refused.as_ref();
        Self {
            outcome: record.outcome.clone(),
            refused: refused.map(|it| Refused { reason: it.reason.clone(), of: it.of.clone() }),
            right: right.map(|right| right.code.clone()),
            line: right.and_then(|right| right.line.clone()).or_else(|| Some(by?.line.clone())),
            rules: record.rules.iter().map(json).collect(),
            rule: by.and_then(|hit| hit.rule.clone()),
            effects: record.effects.clone(),
        }
    }

    /// Whether it lets the command go on.
    pub fn is_accepted(&self) -> bool {
        self.refused.is_none()
    }

    /// Whether a client would see a difference, or the mail.
    pub fn is_as(&self, other: &Self) -> bool {
        (&self.outcome, &self.refused, &self.effects) == (&other.outcome, &other.refused, &other.effects)
    }

    /// Whether it only says that something could not be found out.
    pub(crate) fn is_unfounded(&self) -> bool {
        let word = guard::Reason::AuthorityUnavailable.code();
        self.refused.as_ref().is_some_and(|refused| refused.reason == word)
    }

    /// `refuse relay-denied`, `relayed by network`, `hosted`.
    pub fn words(&self) -> String {
        match (&self.refused, &self.right) {
            (Some(refused), _) => format!("{} {}", self.outcome, refused.reason),
            (None, Some(right)) => format!("{} by {right}", self.outcome),
            (None, None) => self.outcome.clone(),
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Whether a rule may have refused for this reason, so that the last one that held did.
fn is_of_a_rule(reason: guard::Reason) -> bool {
    use guard::Reason as R;
    matches!(reason, R::AccessDenied | R::AccessDeferred | R::Suspicious | R::Listed | R::Greylisted | R::HeloRefused)
}

fn is_of_a_rule_word(reason: &str) -> bool {
    guard::Reason::ALL.into_iter().any(|one| one.code() == reason && is_of_a_rule(one))
}
