//! A leased message on its way through delivery.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use spool::{Job, QueueId};
use tokio::sync::OwnedSemaphorePermit;

use crate::classify::Verdict;

/// A lease and its place among the messages in flight; both end with the last part.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) job: Job,
    pub(crate) _slot: OwnedSemaphorePermit,
}

/// The recipients of one message that go the same way.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) recipients: Vec<usize>,
}

impl Part {
    /// The same verdict for all of them.
    pub(crate) fn all(&self, verdict: &Verdict) -> Vec<(usize, Verdict)> {
        self.recipients.iter().map(|&n| (n, verdict.clone())).collect()
    }
}

/// Whose delay was told already. Only in memory: a restart within the hours of the notice may tell once more.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeSet<(QueueId, usize)>>);

/// Remembered at most; the oldest go first.
const TOLD_MAX: usize = 10_000;

impl Told {
    /// Whether this is the first time.
    pub(crate) fn first(&self, id: QueueId, recipient: usize) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD_MAX {
            told.pop_first();
        }
        told.insert((id, recipient))
    }
}
