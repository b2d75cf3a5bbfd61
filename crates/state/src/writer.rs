//! The one thread that writes. It takes all that waits, writes it in one transaction, changes the map in memory and
//! only then answers; so what was answered is on disk, and the slower the disk, the larger the groups.
//!
//! A failed write makes the whole engine answer a fault. Every second the file is opened anew and made equal to the
//! map; when that succeeds, service returns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::disk::{Change, Disk, Record};
use crate::table::Table;
use crate::{Recorded, Revoke, StateError};

/// Writes that may wait.
const QUEUE_MAX: usize = 65_536;
/// Changes in one transaction.
const GROUP_MAX: usize = 4_096;
/// Between sweeps, writes of quotas and attempts to come back.
const TICK: Duration = Duration::from_secs(1);
/// Forgotten in one sweep.
const SWEEP_MAX: usize = 50_000;

/// How the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    Good = 0,
    WriteFailed = 1,
    Closed = 2,
}

/// A revocation that memory already has.
pub(crate) struct Revocation {
    pub(crate) which: Revoke,
    pub(crate) now: u64,
    /// How many it took.
    pub(crate) taken: usize,
}

/// One thing to be made durable.
pub(crate) enum Job {
    Record(Record, oneshot::Sender<Result<Recorded, StateError>>),
    Revoke(Revocation, oneshot::Sender<Result<usize, StateError>>),
    /// Writes what was charged; answered when it lies on disk.
    Flush(oneshot::Sender<Result<(), StateError>>),
}

impl Job {
    fn refuse(self, error: StateError) {
        // A caller that is gone needs no answer.
        match self {
            Self::Record(_, answer) => drop(answer.send(Err(error))),
            Self::Revoke(_, answer) => drop(answer.send(Err(error))),
            Self::Flush(answer) => drop(answer.send(Err(error))),
        }
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closing: bool,
}

/// What the callers and the writer share.
pub(crate) struct Shared {
    pub(crate) table: Table,
    queue: Mutex<Queue>,
    wake: Condvar,
    health: AtomicU8,
    clock: AtomicU64,
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(table: Table) -> Self {
        Self {
            table,
            queue: Mutex::default(),
            wake: Condvar::new(),
            health: AtomicU8::new(Health::Good as u8),
            clock: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        }
    }

    /// Evidence came, was renewed or was taken back, or the engine fails or works again; what expires by itself is not told.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether an answer may be given at all.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        match self.health.load(Ordering::Acquire) {
            0 => Ok(()),
            1 => Err(StateError::WriteFailed),
            _ => Err(StateError::Closed),
        }
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Release);
        self.changed();
    }

    /// The callers' time, by which the writer sweeps; it has no clock of its own.
    pub(crate) fn saw(&self, now_micros: u64) {
        self.clock.store(now_micros, Ordering::Relaxed);
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), StateError> {
        let mut queue = self.queue();
        if queue.closing {
            return Err(StateError::Closed);
        }
        if queue.jobs.len() >= QUEUE_MAX {
            return Err(StateError::Overloaded);
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// No more jobs; the writer ends when it has done those that wait.
    pub(crate) fn close(&self) {
        self.queue().closing = true;
        self.wake.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs of one transaction, up to but not across a revocation, which must see the others done. Empty when
    /// `until` has come; `None` when the engine is closed and all is done.
    fn take(&self, until: Instant) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if queue.closing {
                return None;
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return Some(Vec::new());
            };
            queue = self.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let records = queue.jobs.iter().take_while(|job| matches!(job, Job::Record(..))).count();
        let group = records.clamp(1, GROUP_MAX);
        Some(queue.jobs.drain(..group).collect())
    }
}

/// The writing thread's own.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    disk: Disk,
    /// To be written with the next group: what was swept or had to make room.
    later: Vec<Change>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, disk: Disk, later: Vec<Change>) -> Self {
        Self { shared, disk, later }
    }

    /// Runs until the engine is closed.
    pub(crate) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        let mut next_tick = Instant::now() + TICK;
        while let Some(jobs) = self.shared.take(next_tick) {
            if self.shared.check().is_err() {
                for job in jobs {
                    job.refuse(StateError::WriteFailed);
                }
            } else {
                self.work(jobs);
            }
            if Instant::now() >= next_tick {
                self.tick();
                next_tick = Instant::now() + TICK;
            }
        }
        if self.shared.check().is_ok() {
            let _ = self.flush();
        }
    }

    fn work(&mut self, jobs: Vec<Job>) {
        let mut records = Vec::with_capacity(jobs.len());
        for job in jobs {
            match job {
                Job::Record(record, answer) => records.push((self.shared.table.with_quota(record), answer)),
                Job::Revoke(revocation, answer) => {
                    // Once more: a login that waited before it was recorded meanwhile.
                    let again = self.shared.table.revoke(&revocation.which, revocation.now);
                    self.shared.changed();
                    let _ = answer.send(self.flush().map(|()| revocation.taken + again));
                }
                Job::Flush(answer) => drop(answer.send(self.flush())),
            }
        }
        if !records.is_empty() {
            self.record(records);
        }
    }

    fn record(&mut self, records: Vec<(Record, oneshot::Sender<Result<Recorded, StateError>>)>) {
        let changes = records.iter().map(|(record, _)| Change::Put(record.clone())).collect();
        if self.write(changes).is_err() {
            for (_, answer) in records {
                let _ = answer.send(Err(StateError::WriteFailed));
            }
            return;
        }
        let recorded: Vec<_> = records
            .into_iter()
            .map(|(record, answer)| (self.shared.table.insert(&record, &mut self.later), answer))
            .collect();
        // Before the answers, so that who has one finds it counted.
        self.shared.changed();
        for (recorded, answer) in recorded {
            let _ = answer.send(Ok(recorded));
        }
    }

    /// Writes these with all that waits for an occasion.
    fn write(&mut self, changes: Vec<Change>) -> Result<(), StateError> {
        // What had to make room first: the same key may be put again by these.
        let mut all = std::mem::take(&mut self.later);
        all.extend(changes);
        if all.is_empty() {
            return Ok(());
        }
        match self.disk.write(&all) {
            Ok(()) => Ok(()),
            Err(error) => {
                tracing::error!(%error, "the state engine cannot write: nobody relays by a POP login until it can");
                self.shared.set_health(Health::WriteFailed);
                Err(StateError::WriteFailed)
            }
        }
    }

    fn flush(&mut self) -> Result<(), StateError> {
        let dirty = self.shared.table.take_dirty();
        self.write(dirty)
    }

    fn tick(&mut self) {
        if self.shared.check().is_err() {
            self.come_back();
            return;
        }
        let now = self.shared.clock.load(Ordering::Relaxed);
        self.later.extend(self.shared.table.sweep(now, SWEEP_MAX));
        let _ = self.flush();
    }

    /// The map is the truth: the file is made equal to it.
    fn come_back(&mut self) {
        self.later.clear();
        drop(self.shared.table.take_dirty());
        let all = self.shared.table.snapshot();
        match self.disk.rewrite(&all) {
            Ok(()) => {
                self.shared.set_health(Health::Good);
                tracing::warn!(grants = all.len(), "the state engine writes again");
            }
            Err(error) => tracing::debug!(%error, "the state engine still cannot write"),
        }
    }
}

/// However the writer ends, also by a panic, nobody gets an answer any more and nobody waits for one.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.set_health(Health::Closed);
        let mut queue = self.0.queue();
        queue.closing = true;
        queue.jobs.clear();
    }
}
