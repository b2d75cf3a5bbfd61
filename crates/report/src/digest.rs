//! What the records of a time come to.

use std::collections::BTreeMap;

use records::Kept;
use serde::Serialize;

use crate::gaps::Gaps;
use crate::tally::Tally;
use crate::turned_away::{OwnFaults, TurnedAway};
use crate::waits::{Waited, Waits};

/// Lines of a list.
const TOP: usize = 10;
/// Ids that are named of each reason.
const IDS: usize = 3;
/// The right that a POP login gives, from the days before AUTH.
const LEGACY: &str = "pop";

/// So many of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// What is counted.
    pub of: String,
    /// How many.
    pub count: u64,
}

/// A reason with how often it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusals {
    /// The stable word.
    pub reason: String,
    /// How often.
    pub count: u64,
    /// By so many clients, at least.
    pub clients: u64,
    /// Some of them, for `sekisho explain`; the latest.
    pub explain: Vec<String>,
}

/// A rule that is only tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// Its name.
    pub rule: String,
    /// How often it held.
    pub held: u64,
    /// Of these, so many mails were taken: what it would have done is what an operator must know before he enforces it.
    pub taken: u64,
}

/// Somebody who was refused though he should not have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// The list that had him wrongly.
    pub list: String,
    /// The client or the domain.
    pub subject: String,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Danger {
    /// `danger` or `warning`.
    pub level: String,
    /// What is the matter and where, in the reader's language.
    pub what: String,
    /// What to do, in the same language.
    pub todo: String,
}

/// The digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// The first moment, in microseconds since 1970.
    pub since: u64,
    /// The last.
    pub until: u64,
    /// Records that were read.
    pub decisions: u64,
    /// Decisions that are missing.
    #[serde(flatten)]
    pub gaps: Gaps,
    /// Recipients of ours whose mail was taken.
    pub hosted: u64,
    /// Recipients elsewhere whose mail was taken, by right.
    pub relayed: Vec<Count>,
    /// Logins, or clients without one, that sent most, by recipients.
    pub senders: Vec<Count>,
    /// What was refused, by reason, most first.
    pub refused: Vec<Refusals>,
    /// Greylisting.
    pub waited: Waited,
    /// Rules that are only tried.
    pub tried: Vec<Tried>,
    /// Refused logins.
    pub guesses: u64,
    /// Clients they came from, most first.
    pub guessing: Vec<Count>,
    /// Logins they were about, most first.
    pub guessed: Vec<Count>,
    /// Logins, or clients that DRAC told of, that relay by a POP login, by recipients.
    pub legacy: Vec<Count>,
    /// Whom our own faults turned away.
    pub turned_away: Vec<TurnedAway>,
    /// Such decisions beyond the list.
    pub turned_away_more: u64,
    /// Whom lists had wrongly, and who passes now for a while.
    pub wrongly: Vec<Wrong>,
    /// What the audit found, the worst first.
    pub dangers: Vec<Danger>,
    /// Why there was no audit; `None`: there was one.
    pub not_audited: Option<String>,
}

/// Makes a [`Digest`].
#[derive(Debug, Default)]
pub struct Digesting {
    decisions: u64,
    hosted: u64,
    relayed: Tally,
    senders: Tally,
    reasons: BTreeMap<String, Reason>,
    waits: Waits,
    tried: BTreeMap<String, (u64, u64)>,
    guessing: Tally,
    guessed: Tally,
    legacy: Tally,
    faults: OwnFaults,
}

#[derive(Debug, Default)]
struct Reason {
    count: u64,
    clients: Tally,
    ids: Vec<String>,
}

impl Digesting {
    /// Looks at one record; they come in the order of their times.
    pub fn see(&mut self, kept: &Kept) {
        self.decisions += 1;
        if kept.stage == guard::record::LOGIN {
            self.guess(kept);
        }
        match (kept.outcome.as_str(), kept.reason()) {
            (_, Some(reason)) => self.refused(kept, reason),
            ("hosted", None) => self.hosted += 1,
            ("relayed", None) => self.relayed(kept),
            _ => {}
        }
        self.tried(kept);
        if kept.reason().is_none()
            && let (Some(from), Some(to)) = (&kept.reverse_path, &kept.forward_path)
        {
            self.waits.taken(from, to, kept.at);
        }
        self.faults.see(kept);
    }

    fn guess(&mut self, kept: &Kept) {
        self.guessing.add(&kept.client.map_or_else(|| "-".to_owned(), |client| client.to_string()));
        self.guessed.add(kept.login.as_deref().unwrap_or("-"));
    }

    fn refused(&mut self, kept: &Kept, word: &str) {
        if word == guard::Reason::Greylisted.code()
            && let (Some(from), Some(to)) = (&kept.reverse_path, &kept.forward_path)
        {
            self.waits.greylisted(from, to, kept.at);
        }
        let reason = self.reasons.entry(word.to_owned()).or_default();
        reason.count += 1;
        if let Some(client) = kept.client {
            reason.clients.add(&client.to_string());
        }
        if reason.ids.len() == IDS {
            reason.ids.remove(0);
        }
        reason.ids.push(kept.id.clone());
    }

    fn relayed(&mut self, kept: &Kept) {
        let right = kept.right.as_ref().map_or("-", |right| right.code.as_str());
        self.relayed.add(right);
        // What DRAC told names no account: the address is all that is known.
        let who = kept.login.clone().or_else(|| kept.client.map(|client| client.to_string()));
        let who = who.unwrap_or_else(|| "-".to_owned());
        self.senders.add(&who);
        if right == LEGACY {
            self.legacy.add(&who);
        }
    }

    fn tried(&mut self, kept: &Kept) {
        for hit in kept.rules.iter().filter(|hit| hit.mode == guard::rule::Mode::Observe.code()) {
            let name = hit.rule.as_deref().unwrap_or(&hit.line);
            let (held, taken) = self.tried.entry(name.to_owned()).or_default();
            *held += 1;
            *taken += u64::from(kept.reason().is_none());
        }
    }

    /// The digest of the time from `since` to `until`, in microseconds since 1970.
    pub fn finish(self, since: u64, until: u64) -> Digest {
        let mut refused: Vec<Refusals> = self
            .reasons
            .into_iter()
            .map(|(reason, of)| Refusals {
                reason,
                count: of.count,
                clients: of.clients.different() as u64,
                explain: of.ids,
            })
            .collect();
        refused.sort_by_key(|refusals| std::cmp::Reverse(refusals.count));
        let tried = self.tried.into_iter().map(|(rule, (held, taken))| Tried { rule, held, taken });
        Digest {
            since,
            until,
            decisions: self.decisions,
            hosted: self.hosted,
            relayed: counts(&self.relayed, usize::MAX),
            senders: counts(&self.senders, TOP),
            refused,
            waited: self.waits.come_to(),
            tried: tried.collect(),
            guesses: self.guessing.total(),
            guessing: counts(&self.guessing, TOP),
            guessed: counts(&self.guessed, TOP),
            legacy: counts(&self.legacy, usize::MAX),
            turned_away_more: self.faults.others,
            turned_away: self.faults.list(),
            ..Digest::default()
        }
    }
}

fn counts(tally: &Tally, most: usize) -> Vec<Count> {
    tally.top(most).into_iter().map(|(of, count)| Count { of, count }).collect()
}
