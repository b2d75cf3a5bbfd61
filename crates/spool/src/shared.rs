//! What the sessions, delivery and the writer share: the index, and the writer's inbox.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::id::IdSource;
use crate::index::Index;
use crate::mutex::locked;
use crate::record::BodyIn;
use crate::relayed::Relayed;
use crate::schedule::micros;
use crate::space::Space;
use crate::{AcceptError, Envelope, QueueId, SpoolConfig};

/// How long a status may wait for others to be written together.
const STATUS_WAIT: Duration = Duration::from_millis(10);
/// How soon the writer tries again what the disk refused.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// A message on its way to disk.
pub(crate) struct Accept {
    pub(crate) id: QueueId,
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) meta: Vec<u8>,
    pub(crate) body: Bytes,
    pub(crate) body_in: BodyIn,
    pub(crate) hold: Option<Arc<str>>,
    /// To stand in the chain before the reply.
    pub(crate) line: Option<String>,
    pub(crate) content_sum: u64,
    pub(crate) reply: oneshot::Sender<Result<QueueId, AcceptError>>,
}

/// A message that left the spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) id: QueueId,
    /// Octets of its own file, if it has one.
    pub(crate) file_octets: Option<u64>,
}

/// Told when everything posted before it is durable.
pub(crate) type Barrier = oneshot::Sender<Result<(), AcceptError>>;

/// Told where the chain stands, once that is durable; `None`: there is no chain, or the disk refused.
pub(crate) type HeadReply = oneshot::Sender<Option<keep::chain::Head>>;

/// What the writer is to write next.
#[derive(Default)]
pub(crate) struct Inbox {
    pub(crate) accepts: Vec<Accept>,
    pub(crate) dirty: Vec<QueueId>,
    pub(crate) done: Vec<Done>,
    pub(crate) barriers: Vec<Barrier>,
    /// Who wants to know where the chain stands, on disk.
    pub(crate) heads: Vec<HeadReply>,
    pub(crate) closing: bool,
    writer: WriterNow,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum WriterNow {
    /// Looks into the inbox before it sleeps.
    #[default]
    Awake,
    /// Waits for company to a status: only what is urgent wakes it.
    Gathering,
    Asleep,
}

impl Inbox {
    /// Drops the mail, and with it the sender of its reply, when nobody would write it any more.
    pub(crate) fn accept(&mut self, accept: Accept) {
        if !self.closing {
            self.accepts.push(accept);
        }
    }

    /// As [`Inbox::accept`].
    pub(crate) fn barrier(&mut self, barrier: Barrier) {
        if !self.closing {
            self.barriers.push(barrier);
        }
    }

    fn is_urgent(&self) -> bool {
        !self.accepts.is_empty() || !self.barriers.is_empty() || !self.heads.is_empty() || self.closing
    }

    fn has_status(&self) -> bool {
        !self.dirty.is_empty() || !self.done.is_empty()
    }

    /// Everything, leaving only whether it is closing.
    fn take(&mut self) -> Self {
        let closing = self.closing;
        std::mem::replace(self, Self { closing, ..Self::default() })
    }
}

/// How patient the writer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Until there is something.
    Sleep,
    /// Not at all: there is house-keeping to go on with.
    None,
    /// The disk refused: nothing but new mail is tried before a second is over.
    Later,
}

pub(crate) struct Shared {
    pub(crate) config: SpoolConfig,
    pub(crate) index: Mutex<Index>,
    pub(crate) due_bell: Notify,
    pub(crate) space: Space,
    pub(crate) ids: IdSource,
    inbox: Mutex<Inbox>,
    /// The writer's, until it takes it.
    relayed: Mutex<Relayed>,
    inbox_bell: Condvar,
    began: Instant,
    /// When mail was made durable last, in microseconds since `began`.
    accepted_at: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: SpoolConfig, index: Index, highest_id: u64, relayed: Relayed) -> Self {
        let space = Space::new(config.dir.clone(), config.free_octets_min);
        Self {
            space,
            config,
            index: Mutex::new(index),
            due_bell: Notify::new(),
            ids: IdSource::new(highest_id),
            inbox: Mutex::default(),
            relayed: Mutex::new(relayed),
            inbox_bell: Condvar::new(),
            began: Instant::now(),
            accepted_at: AtomicU64::new(0),
        }
    }

    /// For the writer alone.
    pub(crate) fn take_relayed(&self) -> Relayed {
        std::mem::take(&mut locked(&self.relayed))
    }

    /// Notes that mail has just been made durable.
    pub(crate) fn note_accepted(&self) {
        self.accepted_at.store(micros(self.began.elapsed()), Ordering::Relaxed);
    }

    /// How long ago mail was made durable last.
    pub(crate) fn idle_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_micros(self.accepted_at.load(Ordering::Relaxed)))
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        locked(&self.index)
    }

    /// Puts something into the inbox and wakes the writer where needed.
    pub(crate) fn post(&self, put: impl FnOnce(&mut Inbox)) {
        let mut inbox = locked(&self.inbox);
        put(&mut inbox);
        let wake = match inbox.writer {
            WriterNow::Awake => false,
            WriterNow::Gathering => inbox.is_urgent(),
            WriterNow::Asleep => inbox.is_urgent() || inbox.has_status(),
        };
        if wake {
            inbox.writer = WriterNow::Awake;
            drop(inbox);
            self.inbox_bell.notify_one();
        }
    }

    /// No more mail is taken; what came before is still written. Delivery is handed nothing more.
    pub(crate) fn begin_close(&self) {
        self.post(|inbox| inbox.closing = true);
        self.due_bell.notify_waiters();
    }

    pub(crate) fn is_closing(&self) -> bool {
        locked(&self.inbox).closing
    }

    /// Waits for work; called by the writer only.
    pub(crate) fn take_work(&self, patience: Patience) -> Inbox {
        let mut inbox = locked(&self.inbox);
        if patience == Patience::Sleep {
            while !inbox.is_urgent() && !inbox.has_status() {
                inbox.writer = WriterNow::Asleep;
                inbox = self.inbox_bell.wait(inbox).unwrap_or_else(PoisonError::into_inner);
            }
        }
        let wait = match patience {
            Patience::Sleep => STATUS_WAIT,
            Patience::None => Duration::ZERO,
            Patience::Later => RETRY_WAIT,
        };
        if !inbox.is_urgent() && !wait.is_zero() {
            inbox.writer = WriterNow::Gathering;
            let waited = self.inbox_bell.wait_timeout_while(inbox, wait, |inbox| !inbox.is_urgent());
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        inbox.writer = WriterNow::Awake;
        inbox.take()
    }

    pub(crate) fn segments_dir(&self) -> PathBuf {
        self.config.dir.join("segments")
    }

    pub(crate) fn damaged_dir(&self) -> PathBuf {
        self.config.dir.join("damaged")
    }

    pub(crate) fn body_path(&self, id: QueueId) -> PathBuf {
        self.config.dir.join("large").join(id.to_string())
    }
}
