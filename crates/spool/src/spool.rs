//! The spool as its users see it.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::entry::OriginKey;
use crate::held::{Bounds, Excess};
use crate::id::unix_micros_now;
use crate::index::Take;
use crate::job::Job;
use crate::mutex::locked;
use crate::shared::Shared;
use crate::writer::Writer;
use crate::{
    AcceptError, Incoming, OpenError, Outcome, QueueId, Recovery, Settled, SpoolConfig, SpoolError, UnixMicros,
};

/// Longest sleep while waiting for a message to be due, so that a clock put forward is noticed.
const NAP_MAX: Duration = Duration::from_mins(1);

/// The durable queue; one per process and folder.
pub struct Spool {
    pub(crate) shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Held as long as the spool is open.
    _lock: std::fs::File,
}

impl Spool {
    /// Whether a folder can be opened: no other process has it, no later version wrote it. Nothing is made; blocks.
    pub fn look(dir: &std::path::Path) -> Result<(), OpenError> {
        crate::recovery::look(dir)
    }

    /// Keeps every process from opening a folder, as long as the file is open. The folder is made where it is missing.
    pub fn keep_out(dir: &std::path::Path) -> Result<std::fs::File, OpenError> {
        crate::recovery::keep_out(dir)
    }

    /// Opens the folder, or makes it, and recovers what is in it. Blocks: it reads every segment.
    pub fn open(config: SpoolConfig) -> Result<(Arc<Self>, Recovery), OpenError> {
        let (lock, shared, recovery) = crate::recovery::recover(config)?;
        let shared = Arc::new(shared);
        let writer = Writer::new(Arc::clone(&shared));
        let writer = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.work())
            .map_err(SpoolError::at(&shared.config.dir, "start the writer"))?;
        Ok((Arc::new(Self { shared, writer: Mutex::new(Some(writer)), _lock: lock }), recovery))
    }

    /// Begins to receive a mail.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(Arc::clone(&self.shared))
    }

    /// Whether a mail of so many octets would be taken now: to be asked before its data are. Cheap, unless room is to be made
    /// by dropping what is held of strangers.
    pub async fn room(&self, octets: u64) -> Result<(), AcceptError> {
        self.shared.make_room(octets).await
    }

    /// The same without making any: a look changes nothing. What is held could go, so that there is room while anything is held.
    pub fn has_room(&self, octets: u64) -> Result<(), AcceptError> {
        let checked = self.shared.space.check(octets);
        if checked.is_err() && self.shared.index().held.oldest(Excess::Room).is_some() { Ok(()) } else { checked }
    }

    /// Whether strangers' mail for a destination ([`crate::Target::destination`]) may be taken: what waits for it has not its share
    /// ([`crate::HeldLimits::percent`]) of the disk. Cheap.
    pub fn has_share(&self, destination: &str) -> bool {
        if self.shared.index().waiting.is_empty() {
            return true;
        }
        let room_octets = self.shared.room_octets();
        let mut index = self.shared.index();
        let octets = index.waiting.octets(destination);
        let now = index.moment();
        let share = Bounds { limits: &self.shared.config.held, room_octets, now }.share_octets();
        if octets <= share {
            return true;
        }
        if index.waiting.alarm(destination, now) {
            tracing::warn!(
                destination,
                octets,
                share,
                note = "strangers' mail for it is deferred",
                "destination crowded"
            );
        }
        false
    }

    /// The logins that have mail in the queue.
    pub fn logins(&self) -> Vec<Arc<str>> {
        let of_login = |origin: &OriginKey| match origin {
            OriginKey::Account(login) => Some(Arc::clone(login)),
            OriginKey::Outside | OriginKey::Bounce | OriginKey::Grant(_) => None,
        };
        self.shared.index().origins.keys().filter_map(of_login).collect()
    }

    /// How long ago mail was accepted last: a short time means that it is pouring in.
    pub fn idle_for(&self) -> Duration {
        self.shared.idle_for()
    }

    /// Waits for a message to be due and leases it; `None` when the spool is closing. `now` is the time of the call.
    ///
    /// Cancel-safe. May be called by several tasks at once.
    pub async fn next(&self, now: UnixMicros) -> Option<Job> {
        let began = unix_micros_now();
        loop {
            let bell = self.shared.due_bell.notified();
            // By the wall clock, which may have been set meanwhile, in either direction.
            let now = now.saturating_add(unix_micros_now()).saturating_sub(began);
            if self.shared.is_closing() {
                return None;
            }
            let due = match self.take(now).await {
                Ok(job) => return Some(job),
                Err(due) => due,
            };
            let nap = due.map_or(NAP_MAX, |due| Duration::from_micros(due.saturating_sub(now)).min(NAP_MAX));
            // Over or rung: look again.
            let _ = tokio::time::timeout(nap, bell).await;
        }
    }

    /// As [`Spool::next`] without waiting: `None` when nothing is due at `now`.
    pub async fn try_next(&self, now: UnixMicros) -> Option<Job> {
        if self.shared.is_closing() {
            return None;
        }
        self.take(now).await.ok()
    }

    /// Leases the earliest message due, or tells when the next one is.
    async fn take(&self, now: UnixMicros) -> Result<Job, Option<UnixMicros>> {
        self.shared.tend_by_time();
        loop {
            let (take, more) = {
                let mut index = self.shared.index();
                let take = index.take(now);
                let clamped = std::mem::take(&mut index.clamped);
                if !clamped.is_empty() {
                    self.shared.post(|inbox| inbox.dirty.extend(clamped));
                }
                (take, index.is_due(now))
            };
            let taken = match take {
                Take::Nothing(due) => return Err(due),
                Take::Taken(taken) => taken,
            };
            if more {
                // The bell may have rung once for many.
                self.shared.due_bell.notify_one();
            }
            // A message that cannot be read was held and reported: on to the next.
            if let Ok(job) = Job::load(&self.shared, *taken).await {
                return Ok(job);
            }
        }
    }

    /// Records what became of recipients. May be called in parts while the [`Job`] is held; when all that were due are
    /// settled, the lease ends. Without syncing: a crash within a moment of it may deliver again.
    ///
    /// An outcome for a recipient that is settled already, or for a message that left the spool, changes nothing.
    #[expect(clippy::unused_async, reason = "delivery awaits it: a spool may make it wait for the disk")]
    pub async fn settle(&self, id: QueueId, outcomes: Vec<(usize, Outcome)>) -> Settled {
        let envelope = self
            .shared
            .index()
            .entries
            .get(&id)
            .and_then(|entry| entry.fresh.as_ref().map(|it| Arc::clone(&it.envelope)));
        self.shared.settle(id, outcomes, envelope.as_deref())
    }

    /// Where the chain of those that are relayed stands ([`SpoolConfig::relayed`]), durable; `None`: there is no chain, the disk
    /// refuses, or the spool is closing.
    pub async fn relayed_head(&self) -> Option<keep::chain::Head> {
        let (sender, head) = tokio::sync::oneshot::channel();
        self.shared.post(|inbox| {
            if !inbox.closing {
                inbox.heads.push(sender);
            }
        });
        head.await.ok().flatten()
    }

    /// Ends the spool: no more mail is taken, [`Spool::next`] returns `None`, all that was accepted or settled is made
    /// durable. Let delivery give its jobs back first.
    pub async fn close(&self) {
        self.shared.begin_close();
        let writer = locked(&self.writer).take();
        if let Some(writer) = writer {
            let joined = tokio::task::spawn_blocking(move || writer.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("spool panicked");
            }
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.shared.begin_close();
        if let Some(writer) = locked(&self.writer).take() {
            let _ = writer.join();
        }
    }
}
