//! Whom our own faults turned away: the accounts, the state or DNS did not answer, the server was full or wrongly set up. They did
//! nothing wrong, and an operator who is asked has their list.

use std::collections::HashMap;

use records::Kept;
use serde::Serialize;

/// Mails that are listed one by one.
const LISTED_MAX: usize = 1_000;

/// Reasons for which nobody but this server is to blame.
pub const OWN_FAULTS: [&str; 4] = ["authority-unavailable", "configuration-fault", "busy", "relay-locked"];

/// A mail that was turned away by our own fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TurnedAway {
    /// When first, in microseconds since 1970.
    pub first: u64,
    /// When last.
    pub last: u64,
    /// How often.
    pub times: u64,
    /// The client.
    pub client: Option<String>,
    /// In its brackets (RFC 5321 §4.1.1.2); `None`: it did not come to that.
    pub reverse_path: Option<String>,
    /// In its brackets.
    pub forward_path: Option<String>,
    /// The reason's stable word.
    pub reason: String,
    /// What did not answer, as `dns:timed-out`.
    pub unknown: Option<String>,
    /// An id, for `sekisho explain`.
    pub explain: String,
    /// When the same mail was taken after all.
    pub taken: Option<u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    client: Option<String>,
    reverse_path: Option<String>,
    forward_path: Option<String>,
    reason: String,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct OwnFaults {
    listed: HashMap<Key, TurnedAway>,
    /// Decisions beyond those that are listed.
    pub(crate) others: u64,
}

impl OwnFaults {
    /// Looks at a decision.
    pub(crate) fn see(&mut self, kept: &Kept) {
        match kept.reason() {
            Some(reason) if OWN_FAULTS.contains(&reason) => self.turned_away(kept, reason),
            None if !self.listed.is_empty() => self.taken(kept),
            _ => {}
        }
    }

    fn turned_away(&mut self, kept: &Kept, reason: &str) {
        let key = Key {
            client: kept.client.map(|client| client.to_string()),
            reverse_path: kept.reverse_path.clone(),
            forward_path: kept.forward_path.clone(),
            reason: reason.to_owned(),
        };
        if let Some(known) = self.listed.get_mut(&key) {
            (known.last, known.times) = (kept.at, known.times + 1);
            return;
        }
        if self.listed.len() >= LISTED_MAX {
            self.others += 1;
            return;
        }
        let turned = TurnedAway {
            first: kept.at,
            last: kept.at,
            times: 1,
            client: key.client.clone(),
            reverse_path: key.reverse_path.clone(),
            forward_path: key.forward_path.clone(),
            reason: key.reason.clone(),
            unknown: unknown(kept),
            explain: kept.id.clone(),
            taken: None,
        };
        self.listed.insert(key, turned);
    }

    fn taken(&mut self, kept: &Kept) {
        let same = |turned: &&mut TurnedAway| {
            turned.forward_path.is_some()
                && turned.reverse_path == kept.reverse_path
                && turned.forward_path == kept.forward_path
        };
        for turned in self.listed.values_mut().filter(same) {
            turned.taken.get_or_insert(kept.at);
        }
    }

    /// The list, oldest first.
    pub(crate) fn list(self) -> Vec<TurnedAway> {
        let mut list: Vec<TurnedAway> = self.listed.into_values().collect();
        list.sort_unstable_by(|a, b| a.first.cmp(&b.first).then(a.explain.cmp(&b.explain)));
        list
    }
}

/// What did not answer: a fact, or a step of the judgement.
fn unknown(kept: &Kept) -> Option<String> {
    let of_fact = kept.facts.iter().find_map(|fact| match &fact.value {
        records::kept::KeptValue::Unknown(fault) => Some(fault.clone()),
        records::kept::KeptValue::Known(_) => None,
    });
    of_fact.or_else(|| kept.steps().find_map(|step| step.found.strip_prefix("unknown:").map(str::to_owned)))
}
