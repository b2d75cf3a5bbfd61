//! The one thread that writes. It takes all that waits, writes it as one group, changes the map in memory and only then
//! answers; so what was answered is on disk, and the slower the disk, the larger the groups.
//!
//! A failed write makes the whole engine answer a fault. Every second a new journal is made equal to the map; when
//! that succeeds, service returns.

use std::collections::VecDeque;
use std::slice;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::disk::Disk;
use super::frame::GROUP_OCTETS_MAX;
use super::rates::Rates;
use super::record::{CHANGE_OCTETS_MAX, Change, Key, Record};
use super::table::Table;
use crate::clock::Clock;
use crate::error::StateError;
use crate::evidence::{Recorded, Revoke};

/// Records that may wait.
const QUEUE_MAX: usize = 65_536;
/// Records in one group.
pub(crate) const GROUP_MAX: usize = 8_192;
/// Between sweeps, writes of quotas and attempts to come back.
const TICK: Duration = Duration::from_secs(1);
/// How far a sweep may go beyond the one before. It follows a clock that jumps far ahead slowly, so that one which is set right
/// again soon has cost nobody his quota.
const SWEEP_AHEAD_MICROS: u64 = 64_000_000;
/// Forgotten in one sweep.
const SWEEP_MAX: usize = 50_000;

// A group has its records and what made room for those of the group before: at most two for each.
const _: () = assert!(3 * GROUP_MAX * CHANGE_OCTETS_MAX <= GROUP_OCTETS_MAX);

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
    /// At most [`GROUP_MAX`] at once, answered in their order.
    Records(Vec<Record>, oneshot::Sender<Result<Vec<Recorded>, StateError>>),
    Revoke(Revocation, oneshot::Sender<Result<usize, StateError>>),
}

impl Job {
    fn refuse(self, error: StateError) {
        // A caller that is gone needs no answer.
        match self {
            Self::Record(_, answer) => drop(answer.send(Err(error))),
            Self::Records(_, answer) => drop(answer.send(Err(error))),
            Self::Revoke(_, answer) => drop(answer.send(Err(error))),
        }
    }

    fn records(&mut self) -> &mut [Record] {
        match self {
            Self::Record(record, _) => slice::from_mut(record),
            Self::Records(records, _) => records,
            Self::Revoke(..) => &mut [],
        }
    }

    /// How much of the queue it takes up.
    fn weight(&self) -> usize {
        match self {
            Self::Records(records, _) => records.len(),
            Self::Record(..) | Self::Revoke(..) => 1,
        }
    }

    fn is_record(&self) -> bool {
        matches!(self, Self::Record(..) | Self::Records(..))
    }
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    weight: usize,
    closing: bool,
    /// The writer waits, and must be woken.
    idle: bool,
}

impl Queue {
    /// The jobs of one group, up to but not across a revocation, which must see the others done.
    fn group(&mut self) -> Vec<Job> {
        let (mut count, mut weight) = (0, 0);
        for job in &self.jobs {
            let fits = job.is_record() && weight + job.weight() <= GROUP_MAX;
            if count > 0 && !fits {
                break;
            }
            count += 1;
            weight += job.weight();
            if !job.is_record() {
                break;
            }
        }
        self.weight -= weight;
        self.jobs.drain(..count).collect()
    }
}

/// What the callers and the writer share.
pub(crate) struct Shared {
    pub(crate) table: Table,
    queue: Mutex<Queue>,
    wake: Condvar,
    health: AtomicU8,
    pub(crate) clock: Clock,
    changes: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(table: Table, clock: Clock) -> Self {
        Self {
            table,
            queue: Mutex::default(),
            wake: Condvar::new(),
            health: AtomicU8::new(Health::Good as u8),
            clock,
            changes: watch::Sender::new(0),
        }
    }

    /// Whether an answer may be given at all.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        match self.health.load(Ordering::Acquire) {
            0 => Ok(()),
            1 => Err(StateError::WriteFailed),
            _ => Err(StateError::Closed),
        }
    }

    /// Whether what lies in memory only may be asked: as long as nobody has closed it.
    pub(crate) fn check_open(&self) -> Result<(), StateError> {
        self.check().or_else(|error| if matches!(error, StateError::Closed) { Err(error) } else { Ok(()) })
    }

    pub(crate) fn set_health(&self, health: Health) {
        self.health.store(health as u8, Ordering::Release);
        self.changed();
    }

    /// Evidence came, was renewed or was taken back, or the engine fails or works again; what expires by itself is not told.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), StateError> {
        let weight = job.weight();
        let mut queue = self.queue();
        if queue.closing {
            return Err(StateError::Closed);
        }
        if queue.weight + weight > QUEUE_MAX {
            return Err(StateError::Overloaded);
        }
        queue.weight += weight;
        queue.jobs.push_back(job);
        let idle = std::mem::take(&mut queue.idle);
        drop(queue);
        if idle {
            self.wake.notify_one();
        }
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

    /// The jobs of one group. Empty when `until` has come; `None` when the engine is closed and all is done.
    fn take(&self, until: Instant) -> Option<Vec<Job>> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() {
            if queue.closing {
                return None;
            }
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return Some(Vec::new());
            };
            queue.idle = true;
            queue = self.wake.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            queue.idle = false;
        }
        Some(queue.group())
    }
}

/// Gives each its own of what was recorded.
fn answer(jobs: Vec<Job>, recorded: Vec<Recorded>) {
    let mut recorded = recorded.into_iter();
    for job in jobs {
        match job {
            Job::Record(_, answer) => drop(answer.send(recorded.next().ok_or(StateError::Closed))),
            Job::Records(records, answer) => {
                let _ = answer.send(Ok(recorded.by_ref().take(records.len()).collect()));
            }
            Job::Revoke(..) => {}
        }
    }
}

/// What memory has.
pub(crate) struct Kept {
    pub(crate) shared: Arc<Shared>,
    pub(super) rates: Arc<Rates>,
}

/// The writing thread's own.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    rates: Arc<Rates>,
    /// What the clock showed at the last tick.
    seen: u64,
    /// Until when the map was swept.
    swept: u64,
    disk: Disk,
    /// To be written with the next group: what was swept or had to make room.
    later: Vec<Key>,
    /// A new journal is being written.
    is_compacting: bool,
}

impl Writer {
    pub(crate) fn new(kept: Kept, disk: Disk, later: Vec<Key>) -> Self {
        let Kept { shared, rates } = kept;
        let seen = shared.clock.micros();
        // Not by the clock alone: at the start it may be wrong.
        let swept = Some(shared.table.newest()).filter(|newest| (1..seen).contains(newest)).unwrap_or(seen);
        Self { shared, rates, seen, swept, disk, later, is_compacting: false }
    }

    /// Runs until the engine is closed.
    pub(crate) fn run(mut self) {
        let _end = End(Arc::clone(&self.shared));
        // What had to make room at the start.
        let _ = self.flush();
        let mut next_tick = Instant::now() + TICK;
        while let Some(jobs) = self.shared.take(if self.is_compacting { Instant::now() } else { next_tick }) {
            if self.shared.check().is_err() {
                for job in jobs {
                    job.refuse(StateError::WriteFailed);
                }
            } else {
                self.work(jobs);
                self.compact();
            }
            if Instant::now() >= next_tick {
                self.tick();
                next_tick = Instant::now() + TICK;
            }
        }
        if self.shared.check().is_ok() && self.flush().is_ok() {
            let closed = self.disk.close();
            let _ = self.told(closed);
        }
    }

    fn work(&mut self, mut jobs: Vec<Job>) {
        if jobs.first().is_some_and(Job::is_record) {
            self.record(jobs);
            return;
        }
        match jobs.pop() {
            Some(Job::Revoke(revocation, answer)) => drop(answer.send(self.revoke(&revocation))),
            Some(Job::Record(..) | Job::Records(..)) | None => {}
        }
    }

    fn record(&mut self, mut jobs: Vec<Job>) {
        // What had to make room first: the same key may be put again by these.
        for key in self.later.drain(..) {
            self.disk.change(&self.shared.table.change(key));
        }
        for record in jobs.iter_mut().flat_map(Job::records) {
            self.shared.table.add_quota(record);
            self.disk.put(record);
        }
        let written = self.disk.commit();
        if self.told(written).is_err() {
            for job in jobs {
                job.refuse(StateError::WriteFailed);
            }
            return;
        }
        let (table, later) = (&self.shared.table, &mut self.later);
        let recorded: Vec<Recorded> =
            jobs.iter_mut().flat_map(Job::records).map(|record| table.insert(record, later)).collect();
        // Before the answers, so that who has one finds it counted.
        self.shared.changed();
        answer(jobs, recorded);
    }

    /// Sealed before it is answered, or damage of this group alone could look like a torn end.
    fn revoke(&mut self, revocation: &Revocation) -> Result<usize, StateError> {
        // Once more: a login that waited before it was recorded meanwhile.
        let again = self.shared.table.revoke(&revocation.which, revocation.now);
        self.shared.changed();
        self.flush()?;
        let sealed = self.disk.seal_durably();
        self.told(sealed).map(|()| revocation.taken + again)
    }

    /// Writes what waits for an occasion. After a failure nothing of it is lost: the map has it.
    fn flush(&mut self) -> Result<(), StateError> {
        let mut keys = std::mem::take(&mut self.later);
        keys.append(&mut self.shared.table.take_dirty());
        let (shared, mut done) = (Arc::clone(&self.shared), Ok(()));
        let networks = self.shared.table.networks.take_noted().into_iter().map(Change::Network);
        let passed = self.shared.table.greylist.take_noted().into_iter().map(Change::Passed);
        let bans = self.shared.table.bans.take_noted().into_iter().map(Change::Ban);
        let beside = networks.chain(bans).chain(passed);
        let mut changes = keys.into_iter().map(|key| shared.table.change(key)).chain(beside).peekable();
        while changes.peek().is_some() {
            // Also after a failure: a grant is noted again only when it was asked for.
            for change in changes.by_ref().take(GROUP_MAX) {
                if done.is_ok() {
                    self.disk.change(&change);
                }
            }
            if done.is_ok() {
                let written = self.disk.commit();
                done = self.told(written);
            }
        }
        done
    }

    fn compact(&mut self) {
        if self.shared.check().is_err() {
            return;
        }
        let more = self.disk.compact(&self.shared.table);
        self.is_compacting = matches!(more, Ok(true));
        let _ = self.told(more.map(|_| ()));
    }

    /// Makes a failure known to everybody.
    fn told(&mut self, done: Result<(), StateError>) -> Result<(), StateError> {
        done.map_err(|error| {
            tracing::error!(%error, note = "nobody relays by a POP login until it can be written", "state stalled");
            self.is_compacting = false;
            self.shared.set_health(Health::WriteFailed);
            StateError::WriteFailed
        })
    }

    fn tick(&mut self) {
        if self.shared.check().is_err() {
            self.watch_clock();
            self.come_back();
            return;
        }
        let now = self.watch_clock();
        self.swept = now.min(self.swept.saturating_add(SWEEP_AHEAD_MICROS));
        let swept = self.shared.table.sweep(self.swept, SWEEP_MAX);
        self.later.extend(swept);
        if self.flush().is_ok() {
            let sealed = self.disk.seal();
            let _ = self.told(sealed);
        }
    }

    /// What the clock shows. If that is less than before, whatever it wrote while it was ahead is cut to its own span.
    fn watch_clock(&mut self) -> u64 {
        let now = self.shared.clock.micros();
        if now < self.seen {
            self.shared.table.clamp(now);
            self.rates.clamp(now);
        }
        self.seen = now;
        now
    }

    /// The map is the truth: a new journal is made equal to it.
    fn come_back(&mut self) {
        match self.disk.rewrite(&self.shared.table) {
            Ok(()) => {
                self.shared.set_health(Health::Good);
                tracing::warn!(grants = self.shared.table.len(), "state recovered");
            }
            Err(error) => tracing::debug!(%error, "recovery failed"),
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
