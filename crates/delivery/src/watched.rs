//! Fates as they are told to whoever waits for them: the operator who had mail tried at once.

use spool::QueueId;
use tokio::sync::broadcast;

use crate::fate::FateKind;

/// Fates kept for a listener that is slow; it misses older ones.
const KEPT: usize = 4_096;

/// What became of a recipient in one attempt.
#[derive(Debug, Clone)]
pub struct Told {
    /// The message.
    pub queue_id: QueueId,
    /// Which of its recipients.
    pub recipient: usize,
    /// Its forward-path, without brackets.
    pub forward_path: String,
    /// What became of it.
    pub kind: FateKind,
    /// Where.
    pub relay: String,
    /// The other side's words. A peer's text.
    pub reply: String,
}

/// Tells fates; costs nothing while nobody listens.
pub(crate) struct Watched(broadcast::Sender<Told>);

impl Default for Watched {
    fn default() -> Self {
        Self(broadcast::Sender::new(KEPT))
    }
}

impl Watched {
    pub(crate) fn listen(&self) -> broadcast::Receiver<Told> {
        self.0.subscribe()
    }

    /// One fate. `told` is made only where somebody listens.
    pub(crate) fn tell(&self, told: impl FnOnce() -> Told) {
        if self.0.receiver_count() > 0 {
            // Whoever listened may have gone meanwhile.
            let _ = self.0.send(told());
        }
    }
}
