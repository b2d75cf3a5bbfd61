//! What became of an attempt, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::held::HeldRecipient;
use crate::id::unix_micros_now;
use crate::schedule::{Backoff, micros};
use crate::shared::Shared;
use crate::state::State;
use crate::{Envelope, QueueId, UnixMicros};

/// What became of one recipient in one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is there.
    Delivered {
        /// For the log only.
        note: String,
    },
    /// It will be tried again, unless it is given up ([`Settled::expired`]).
    Deferred {
        /// Shown to the operator and in a report.
        reason: String,
        /// Tried again after this rather than after the next step; at least 1 s, at most the longest step.
        retry_hint: Option<Duration>,
    },
    /// It never will be.
    Failed {
        /// The reply that says so.
        reply: String,
    },
    /// It cannot be delivered and nobody may be told: it is kept for the operator, within
    /// [`SpoolConfig::held`](crate::SpoolConfig::held). The message's other recipients go on.
    Held {
        /// Why.
        reason: String,
    },
    /// It was not tried, since its host is known to be away: no attempt is counted, and nothing is given up.
    Postponed {
        /// Why, as an attempt told it.
        reason: String,
        /// When it is looked at again; at least 1 s, at most the longest step.
        after: Duration,
    },
    /// As deferred, but never given up: what would end it, a notice, could not be sent.
    Kept {
        /// Shown to the operator.
        reason: String,
    },
}

/// What followed from settling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// No recipient waits or is held any more: the message left the spool.
    pub finished: bool,
    /// Recipients whose deferral came after [`crate::Backoff::give_up_after`]: they are settled as failed.
    /// [`crate::Job::last_attempt`] told so beforehand, so that a report could be queued first.
    pub expired: Vec<usize>,
}

/// What the entry must know beside the outcome.
struct Moment<'a> {
    /// When the attempt ended.
    now: UnixMicros,
    /// Whether it was the last, as was told when it was given out.
    last: bool,
    backoff: &'a Backoff,
}

impl Shared {
    /// `envelope`: the message's, where the caller has it.
    pub(crate) fn settle(&self, id: QueueId, outcomes: Vec<(usize, Outcome)>, envelope: Option<&Envelope>) -> Settled {
        let held: Vec<HeldRecipient> = outcomes
            .iter()
            .filter(|(_, outcome)| matches!(outcome, Outcome::Held { .. }))
            .map(|(n, _)| HeldRecipient::of(*n, envelope))
            .collect();
        let mut index = self.index();
        let outcomes: Vec<_> = outcomes
            .into_iter()
            .map(|(n, outcome)| {
                let reason = outcome.reason().map(|reason| index.reason(reason));
                (n, outcome, reason)
            })
            .collect();
        let backoff = &self.config.backoff;
        let Some((settled, was_dirty)) = index.update(id, |entry| {
            let settled = entry.settle(&outcomes, backoff);
            (settled, std::mem::replace(&mut entry.dirty, true))
        }) else {
            return Settled { finished: true, ..Settled::default() };
        };
        if settled.finished {
            self.finish(&mut index, id);
            return settled;
        }
        index.forget_fresh(id);
        if let Some(envelope) = envelope {
            index.line_up(id, envelope);
        }
        if !was_dirty {
            self.post(|inbox| inbox.dirty.push(id));
        }
        let destinations: Vec<Arc<str>> = held.iter().map(|held| Arc::clone(&held.destination)).collect();
        index.shelve(id, held, 0);
        drop(index);
        self.due_bell.notify_one();
        for destination in &destinations {
            self.tend(destination);
        }
        settled
    }
}

impl Outcome {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Delivered { .. } => None,
            Self::Deferred { reason, .. }
            | Self::Postponed { reason, .. }
            | Self::Held { reason }
            | Self::Kept { reason } => Some(reason),
            Self::Failed { reply } => Some(reply),
        }
    }
}

impl Entry {
    fn settle(&mut self, outcomes: &[(usize, Outcome, Option<Arc<str>>)], backoff: &Backoff) -> Settled {
        let (now, began, last) = match &self.lease {
            Some(lease) => (lease.now(), lease.at, lease.last),
            None => (unix_micros_now(), unix_micros_now(), false),
        };
        let moment = Moment { now, last, backoff };
        let mut settled = Settled::default();
        for (n, outcome, reason) in outcomes {
            if self.settle_one(*n, outcome, &moment) {
                settled.expired.push(*n);
            }
            if let Some(recipient) = self.recipients.all_mut().get_mut(*n) {
                recipient.reason.clone_from(reason);
            }
        }
        self.returned = 0;
        let nothing_left_of_this_attempt = self.due(began).is_empty();
        if nothing_left_of_this_attempt {
            self.lease = None;
        }
        settled.finished = self.is_finished();
        settled
    }

    /// Whether the recipient expired by this.
    fn settle_one(&mut self, n: usize, outcome: &Outcome, moment: &Moment<'_>) -> bool {
        let Some(recipient) = self.recipients.all_mut().get_mut(n).filter(|recipient| recipient.is_waiting()) else {
            return false;
        };
        if !matches!(outcome, Outcome::Postponed { .. }) {
            recipient.attempts = recipient.attempts.saturating_add(1);
        }
        match outcome {
            Outcome::Delivered { .. } => recipient.state = State::Delivered,
            Outcome::Failed { .. } => recipient.state = State::Failed,
            Outcome::Deferred { .. } if moment.last => recipient.state = State::Expired,
            Outcome::Deferred { retry_hint, .. } => {
                let wait = moment.backoff.wait(recipient.attempts, *retry_hint);
                recipient.due = moment.now.saturating_add(micros(wait));
            }
            Outcome::Postponed { after, .. } => {
                recipient.due = moment.now.saturating_add(micros(moment.backoff.wait(1, Some(*after))));
            }
            Outcome::Kept { .. } => {
                let wait = moment.backoff.wait(recipient.attempts, None);
                recipient.due = moment.now.saturating_add(micros(wait));
            }
            Outcome::Held { .. } => recipient.state = State::Held,
        }
        recipient.state == State::Expired
    }
}
