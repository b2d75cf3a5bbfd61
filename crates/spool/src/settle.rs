//! What became of an attempt, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::id::unix_micros_now;
use crate::schedule::{Backoff, micros};
use crate::shared::{Done, Shared};
use crate::state::State;
use crate::{QueueId, UnixMicros};

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
    /// It is kept, and the whole message with it, until the operator decides.
    Held {
        /// Why.
        reason: String,
    },
}

/// What followed from settling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// No recipient waits any more: the message left the spool.
    pub finished: bool,
    /// Recipients whose deferral came after [`crate::Backoff::give_up_after`]: they are settled as failed.
    /// [`crate::Job::last_attempt`] told so beforehand, so that a report could be queued first.
    pub expired: Vec<usize>,
}

/// What the entry must know beside the outcome.
struct Moment<'a> {
    /// When the attempt ended.
    now: UnixMicros,
    /// When it was given out: decides whether it was the last.
    began: UnixMicros,
    backoff: &'a Backoff,
}

impl Shared {
    pub(crate) fn settle(&self, id: QueueId, outcomes: Vec<(usize, Outcome)>) -> Settled {
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
            let has_file = index.remove(id).is_some_and(|entry| entry.has_file());
            self.post(|inbox| inbox.done.push(Done { id, has_file }));
        } else {
            index.forget_fresh(id);
            if !was_dirty {
                self.post(|inbox| inbox.dirty.push(id));
            }
            drop(index);
            self.due_bell.notify_one();
        }
        settled
    }
}

impl Outcome {
    fn reason(&self) -> Option<&str> {
        match self {
            Self::Delivered { .. } => None,
            Self::Deferred { reason, .. } | Self::Held { reason } => Some(reason),
            Self::Failed { reply } => Some(reply),
        }
    }
}

impl Entry {
    fn settle(&mut self, outcomes: &[(usize, Outcome, Option<Arc<str>>)], backoff: &Backoff) -> Settled {
        let (now, began) = match &self.lease {
            Some(lease) => (lease.now(), lease.at),
            None => (unix_micros_now(), unix_micros_now()),
        };
        let moment = Moment { now, began, backoff };
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
        settled.finished = self.earliest_due().is_none();
        settled
    }

    /// Whether the recipient expired by this.
    fn settle_one(&mut self, n: usize, outcome: &Outcome, moment: &Moment<'_>) -> bool {
        let last = moment.backoff.is_last(self.arrived, moment.began);
        let Some(recipient) = self.recipients.all_mut().get_mut(n).filter(|recipient| recipient.is_waiting()) else {
            return false;
        };
        recipient.attempts = recipient.attempts.saturating_add(1);
        match outcome {
            Outcome::Delivered { .. } => recipient.state = State::Delivered,
            Outcome::Failed { .. } => recipient.state = State::Failed,
            Outcome::Deferred { .. } if last => recipient.state = State::Expired,
            Outcome::Deferred { retry_hint, .. } => {
                let wait = moment.backoff.wait(recipient.attempts, *retry_hint);
                recipient.due = moment.now.saturating_add(micros(wait));
            }
            Outcome::Held { .. } => {
                // Later than this attempt, which it ends; release makes it due.
                recipient.due = moment.now.saturating_add(1);
                self.held = true;
            }
        }
        recipient.state == State::Expired
    }
}
