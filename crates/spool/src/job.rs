//! A message handed to delivery, leased for as long as it is held.

use std::sync::Arc;
use std::time::Duration;

use crate::body::{Body, LargeFile};
use crate::error::SpoolError;
use crate::index::{Source, Taken};
use crate::record::{BodyIn, Record, read_meta};
use crate::segment::Position;
use crate::shared::Shared;
use crate::{Envelope, Outcome, QueueId, Settled};

/// Why a message is held that cannot be read.
pub(crate) const UNREADABLE: &str = "unreadable";

/// One attempt to be made. While it lives the message is handed to nobody else; when it is dropped, the recipients
/// that were not settled are due again. There is no other end of a lease: a slow holder does not lose it.
pub struct Job {
    /// The message's id.
    pub id: QueueId,
    /// The whole envelope.
    pub envelope: Arc<Envelope>,
    /// Indices of the recipients to be tried now; the others are settled or wait.
    pub due: Vec<usize>,
    /// The message as accepted.
    pub body: Body,
    /// How old the message is, by a clock that is never set.
    pub age: Duration,
    /// Which attempt it is for the recipient tried most often, from 1.
    pub attempt: u16,
    /// A recipient deferred now is given up: [`Spool::settle`](crate::Spool::settle) will say `expired`.
    pub last_attempt: bool,
    lease: Lease,
}

impl Job {
    /// Settles recipients of this message; see [`Spool::settle`](crate::Spool::settle).
    pub fn settle(&self, outcomes: Vec<(usize, Outcome)>) -> Settled {
        self.lease.shared.settle(self.id, outcomes, Some(&self.envelope))
    }

    /// Whether the message was deleted, or is held, since it was given out: what has not begun of the attempt should not.
    pub fn is_withdrawn(&self) -> bool {
        self.lease.shared.index().entries.get(&self.id).is_none_or(|entry| entry.hold.is_some())
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("due", &self.due).finish_non_exhaustive()
    }
}

/// Gives the message back when dropped, unless the attempt was settled.
pub(crate) struct Lease {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: QueueId,
    pub(crate) token: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let given_back = self.shared.index().give_back(self.id, self.token);
        if given_back {
            self.shared.due_bell.notify_one();
        }
    }
}

/// A message could not be read from disk.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error(transparent)]
    File(#[from] SpoolError),
    #[error("spool record is not as it was written")]
    Damaged,
}

impl LoadError {
    /// Whether trying again would only meet the same: unlike want of file handles or memory.
    fn is_lasting(&self) -> bool {
        use std::io::ErrorKind::{NotFound, UnexpectedEof};
        match self {
            Self::Damaged => true,
            Self::File(error) => matches!(error.source.kind(), NotFound | UnexpectedEof),
        }
    }
}

impl Job {
    /// Completes a taken message; reads it from disk where it is not in memory. On failure the lease is given back
    /// and the message waits a little, or is held where another try would be in vain.
    pub(crate) async fn load(shared: &Arc<Shared>, taken: Taken) -> Result<Self, (LoadError, QueueId)> {
        let Taken { id, token, due, attempt, last_attempt, age, source } = taken;
        let lease = Lease { shared: Arc::clone(shared), id, token };
        let (envelope, body) = match source {
            Source::Memory(envelope, body) => (envelope, body),
            Source::Disk(position) => match load(shared, id, position).await {
                Ok((envelope, body)) => (Arc::new(envelope), body),
                Err(error) => {
                    if error.is_lasting() {
                        shared.hold_unreadable(id, &error);
                    } else {
                        tracing::warn!(queue_id = %id, %error, "reading deferred");
                    }
                    return Err((error, id));
                }
            },
        };
        Ok(Self { id, envelope, due, body, age, attempt, last_attempt, lease })
    }
}

/// Reads a message on a blocking thread.
pub(crate) async fn load(shared: &Arc<Shared>, id: QueueId, position: Position) -> Result<(Envelope, Body), LoadError> {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || load_blocking(&shared, id, &position)).await {
        Ok(loaded) => loaded,
        Err(_) => Err(LoadError::Damaged),
    }
}

pub(crate) fn load_blocking(shared: &Shared, id: QueueId, position: &Position) -> Result<(Envelope, Body), LoadError> {
    let octets = position.read()?;
    let record = Record::decode(&octets, position.segment.number).ok_or(LoadError::Damaged)?;
    if record.head.id != id.0 {
        return Err(LoadError::Damaged);
    }
    let meta = read_meta(record.meta).map_err(|_| LoadError::Damaged)?;
    let body = match meta.body {
        BodyIn::Record => Body::in_memory(record.body.to_vec().into()),
        BodyIn::File { octets, sum } => {
            let path = shared.body_path(id);
            let file = std::fs::File::open(&path).map_err(SpoolError::at(&path, "open"))?;
            Body::in_file(record.body.to_vec().into(), LargeFile { file, octets, sum })
        }
    };
    Ok((meta.envelope, body))
}

impl Shared {
    /// Keeps a message that cannot be read from being tried over and over.
    fn hold_unreadable(&self, id: QueueId, error: &LoadError) {
        tracing::error!(queue_id = %id, %error, note = "it is held", "message unreadable");
        let mut index = self.index();
        let (hold, reason) = (index.reason(UNREADABLE), index.reason("unreadable on disk"));
        let was_clean = index.update(id, |entry| {
            entry.hold = Some(Arc::clone(&hold));
            entry.position.segment.mark_damaged();
            entry.recipients.all_mut().iter_mut().for_each(|recipient| recipient.reason = Some(Arc::clone(&reason)));
            !std::mem::replace(&mut entry.dirty, true)
        });
        index.held.set_kept(id, true);
        if was_clean == Some(true) {
            self.post(|inbox| inbox.dirty.push(id));
        }
    }
}
