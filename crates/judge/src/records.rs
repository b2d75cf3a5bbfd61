//! Who follows decisions: each is handed on, and nothing ever waits for who reads too slowly.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use guard::Record;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Hands records on.
#[derive(Debug, Default)]
pub struct Records {
    follower: RwLock<Option<mpsc::Sender<Record>>>,
    dropped: AtomicU64,
}

impl Records {
    /// The records of decisions from now on, at most `records_max` of them unread: what comes then is dropped, and counted. Who
    /// followed before is told no more.
    pub fn follow(&self, records_max: usize) -> mpsc::Receiver<Record> {
        let (sender, receiver) = mpsc::channel(records_max.max(1));
        *self.follower.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Records that nobody had room for.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub(super) fn is_followed(&self) -> bool {
        self.follower.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn tell(&self, record: Record) {
        let gone = match &*self.follower.read().unwrap_or_else(PoisonError::into_inner) {
            None => return,
            Some(follower) => match follower.try_send(record) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(TrySendError::Closed(_)) => follower.clone(),
            },
        };
        let mut follower = self.follower.write().unwrap_or_else(PoisonError::into_inner);
        if follower.as_ref().is_some_and(|now| now.same_channel(&gone)) {
            *follower = None;
        }
    }
}
