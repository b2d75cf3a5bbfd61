//! The thread that writes records. It takes what waits ten times a second, writes it at once, and syncs once a second; so a crash
//! takes the last second of records, and a slow disk holds nobody up.
//!
//! Records wait in a bounded queue. What finds no room there, or what the disk does not take, is dropped, counted, and told to the
//! log once a minute at most.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use guard::Record;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tracing::{error, warn};

use crate::disk::{Bounds, Disk, OCTETS_MIN};
use crate::frame;
use crate::kept::{Kept, micros, time};
use crate::keys::Named;
use crate::read::Reader;
use crate::redact::{Key, Redact, Redactor};

/// Between two looks at the queue, while there is something in it.
const BATCH_WAIT: Duration = Duration::from_millis(100);
/// The same while there is nothing.
const IDLE_WAIT: Duration = Duration::from_millis(250);
/// Octets that are written at once, about.
const BATCH_OCTETS: usize = 256 << 10;
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
const RETAIN_INTERVAL: Duration = Duration::from_mins(1);
/// Between two lines of the log about what was dropped, and between attempts to open a folder that does not open.
const TELL_INTERVAL: Duration = Duration::from_mins(1);
/// How long [`Store::flush`] waits.
const FLUSH_WAIT: Duration = Duration::from_secs(2);

/// Where and how much is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The folder, which is the store's alone.
    pub dir: PathBuf,
    /// For how long.
    pub keep: Duration,
    /// Octets on disk, at most; at least 16 MiB.
    pub octets_max: u64,
    /// Octets that stay free on the disk: with less, records are dropped.
    pub free_octets_min: u64,
    /// What of personal data is not kept.
    pub redact: Redact,
}

impl Settings {
    fn bounds(&self) -> Bounds {
        let Self { keep, octets_max, free_octets_min, .. } = *self;
        Bounds { keep, octets_max: octets_max.max(OCTETS_MIN), free_octets_min }
    }

    /// Reads what such a store wrote.
    pub fn reader(&self) -> Reader {
        Reader::new(&self.dir, self.keep)
    }
}

/// Where records come from.
#[derive(Debug)]
pub struct Source {
    /// They themselves.
    pub records: Receiver<Record>,
    /// How many found no room there.
    pub dropped: Arc<AtomicU64>,
}

/// How the store is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Records on disk.
    pub records: u64,
    /// Octets on disk.
    pub octets: u64,
    /// When the oldest was made.
    pub first: Option<SystemTime>,
    /// Records that were dropped since the start.
    pub dropped: u64,
    /// Stretches that could not be read at the start.
    pub damaged: u64,
}

/// Decision records, as they are kept.
#[derive(Debug)]
pub struct Store {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something was written that somebody waits for.
    written: Condvar,
}

#[derive(Debug)]
struct State {
    settings: Settings,
    status: Status,
    /// Flushes that were asked for, and of those the ones that are done.
    asked: u64,
    done: u64,
    is_closing: bool,
    is_closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Starts to keep what comes. The folder is opened by the thread: if it does not open, that is told, and tried again.
    pub fn start(settings: Settings, source: Source) -> io::Result<Self> {
        let state =
            State { settings, status: Status::default(), asked: 0, done: 0, is_closing: false, is_closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), written: Condvar::new() });
        let writer = Writer::new(Arc::clone(&shared), source);
        let thread = thread::Builder::new().name("records".to_owned()).spawn(move || writer.run())?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Goes by other settings; the folder stays.
    pub fn set(&self, settings: &Settings) {
        let mut state = self.shared.state();
        let dir = std::mem::take(&mut state.settings.dir);
        state.settings = Settings { dir, ..*settings };
    }

    /// How it is.
    pub fn status(&self) -> Status {
        self.shared.state().status.clone()
    }

    /// Reads what is kept.
    pub fn reader(&self) -> Reader {
        self.shared.state().settings.reader()
    }

    /// What was told before is there to be read when it returns, if the disk takes it within two seconds. Blocks.
    pub fn flush(&self) {
        let mut state = self.shared.state();
        state.asked += 1;
        let mine = state.asked;
        self.wake();
        let waits = |state: &mut State| state.done < mine && !state.is_closed;
        // Late, it is written later.
        let _ = self.shared.written.wait_timeout_while(state, FLUSH_WAIT, waits);
    }

    /// Writes what waits, and ends. Blocks.
    pub fn close(&self) {
        self.shared.state().is_closing = true;
        self.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("records unclosed");
        }
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.lock().unwrap_or_else(PoisonError::into_inner) {
            thread.thread().unpark();
        }
    }
}

/// What the thread has.
struct Writer {
    shared: Arc<Shared>,
    source: Source,
    settings: Settings,
    disk: Option<Disk>,
    redactor: Option<Redactor>,
    batch: Vec<u8>,
    /// Records in the batch.
    batched: u64,
    /// What the disk did not take.
    unwritten: u64,
    told: Told,
    synced_at: Instant,
    retained_at: Option<Instant>,
    opened_at: Option<Instant>,
}

/// What of the dropped was told.
struct Told {
    dropped: u64,
    at: Option<Instant>,
    /// Why the last could not be written.
    error: Option<io::Error>,
}

impl Writer {
    fn new(shared: Arc<Shared>, source: Source) -> Self {
        let settings = shared.state().settings.clone();
        Self {
            shared,
            source,
            settings,
            disk: None,
            redactor: None,
            batch: Vec::with_capacity(BATCH_OCTETS + frame::RECORD_OCTETS_MAX),
            batched: 0,
            unwritten: 0,
            told: Told { dropped: 0, at: None, error: None },
            synced_at: Instant::now(),
            retained_at: None,
            opened_at: None,
        }
    }

    fn run(mut self) {
        loop {
            let (asked, is_closing) = self.look();
            let drained = self.drain();
            self.sync_if_due();
            self.retain_if_due();
            self.tell();
            let is_over = is_closing || drained == Drained::Over;
            if is_over {
                self.sync();
            }
            self.publish(asked, is_over);
            if is_over {
                return;
            }
            thread::park_timeout(if drained == Drained::Some { BATCH_WAIT } else { IDLE_WAIT });
        }
    }

    /// What is wanted now.
    fn look(&mut self) -> (u64, bool) {
        let (settings, asked, is_closing) = {
            let state = self.shared.state();
            let settings = (state.settings != self.settings).then(|| state.settings.clone());
            (settings, state.asked, state.is_closing)
        };
        if let Some(settings) = settings {
            self.settings = settings;
            if let Some(disk) = &mut self.disk {
                disk.set_bounds(self.settings.bounds());
            }
            (self.redactor, self.retained_at) = (None, None);
        }
        if self.disk.is_none() && self.opened_at.is_none_or(|at| at.elapsed() >= TELL_INTERVAL) {
            self.opened_at = Some(Instant::now());
            match Disk::open(&self.settings.dir, self.settings.bounds()) {
                Ok(disk) => self.disk = Some(disk),
                Err(error) => {
                    error!(path = %self.settings.dir.display(), %error, note = "records are dropped", "records unopened");
                }
            }
        }
        (asked, is_closing)
    }

    /// Takes what waits, and writes it.
    fn drain(&mut self) -> Drained {
        let mut drained = Drained::Nothing;
        loop {
            match self.source.records.try_recv() {
                Ok(record) => {
                    drained = Drained::Some;
                    self.take(&record);
                    if self.batch.len() >= BATCH_OCTETS {
                        self.write();
                        // A stream that never ends must not keep the disk from being synced.
                        if self.synced_at.elapsed() >= SYNC_INTERVAL {
                            return drained;
                        }
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    drained = Drained::Over;
                    break;
                }
            }
        }
        self.write();
        drained
    }

    fn take(&mut self, record: &Record) {
        if let (Some(disk), true) = (&mut self.disk, self.batch.is_empty())
            && let Err(error) = disk.seal_if_full()
        {
            self.unwritten += 1;
            self.told.error = Some(error);
            return;
        }
        let is_put = match self.settings.redact {
            Redact::None => self.put(record),
            what => self.put_redacted(record, what),
        };
        match is_put {
            Ok(()) => self.batched += 1,
            Err(error) => {
                self.unwritten += 1;
                self.told.error = Some(error);
            }
        }
    }

    fn put(&mut self, record: &Record) -> io::Result<()> {
        let disk = self.disk.as_mut().ok_or_else(no_disk)?;
        let at = micros(record.at);
        let is_put = frame::put(&mut self.batch, at, |out| serde_json::to_writer(out, record).is_ok());
        if !is_put {
            return Err(too_long());
        }
        disk.index.add(at, &Named::of(record));
        Ok(())
    }

    fn put_redacted(&mut self, record: &Record, what: Redact) -> io::Result<()> {
        let disk = self.disk.as_mut().ok_or_else(no_disk)?;
        // Without the key nothing may be kept: what cannot be hidden would be there for all to read.
        let redactor = match &mut self.redactor {
            Some(redactor) => redactor,
            none => none.insert(Redactor::new(what, Key::load_or_create(&self.settings.dir)?)),
        };
        let mut value = serde_json::to_value(record)?;
        redactor.redact(&mut value);
        let at = micros(record.at);
        if !frame::put(&mut self.batch, at, |out| serde_json::to_writer(out, &value).is_ok()) {
            return Err(too_long());
        }
        let kept: Kept = serde_json::from_value(value)?;
        disk.index.add(at, &Named::of_kept(&kept));
        Ok(())
    }

    fn write(&mut self) {
        let (Some(disk), false) = (&mut self.disk, self.batch.is_empty()) else { return };
        if let Err(error) = disk.append(&self.batch) {
            disk.index.records = disk.index.records.saturating_sub(self.batched);
            self.unwritten += self.batched;
            self.told.error = Some(error);
        }
        self.batch.clear();
        self.batched = 0;
    }

    fn sync_if_due(&mut self) {
        if self.synced_at.elapsed() >= SYNC_INTERVAL {
            self.sync();
        }
    }

    fn sync(&mut self) {
        self.synced_at = Instant::now();
        if let Some(Err(error)) = self.disk.as_mut().map(Disk::sync) {
            self.told.error = Some(error);
        }
    }

    fn retain_if_due(&mut self) {
        if self.retained_at.is_none_or(|at| at.elapsed() >= RETAIN_INTERVAL)
            && let Some(disk) = &mut self.disk
        {
            self.retained_at = Some(Instant::now());
            if let Err(error) = disk.retain(SystemTime::now()) {
                warn!(%error, "records undeleted");
            }
        }
    }

    fn dropped(&self) -> u64 {
        self.source.dropped.load(Ordering::Relaxed).saturating_add(self.unwritten)
    }

    /// Once a minute at most.
    fn tell(&mut self) {
        let dropped = self.dropped();
        let is_due = self.told.at.is_none_or(|at| at.elapsed() >= TELL_INTERVAL);
        if is_due && (dropped > self.told.dropped || self.told.error.is_some()) {
            let error = self.told.error.take();
            let count = dropped.saturating_sub(self.told.dropped);
            warn!(count, error = error.as_ref().map(tracing::field::display), "records dropped");
            (self.told.dropped, self.told.at) = (dropped, Some(Instant::now()));
        }
    }

    fn publish(&self, asked: u64, is_over: bool) {
        let mut state = self.shared.state();
        let status = &mut state.status;
        if let Some(disk) = &self.disk {
            (status.records, status.octets) = (disk.records(), disk.octets());
            (status.first, status.damaged) = (disk.first().map(time), disk.damaged());
        }
        status.dropped = self.dropped();
        state.done = asked;
        state.is_closed = is_over;
        drop(state);
        self.shared.written.notify_all();
    }
}

/// What was in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    Nothing,
    Some,
    /// Nobody will put anything there any more.
    Over,
}

fn no_disk() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the folder is not open")
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a record is too long")
}

#[cfg(test)]
mod tests;
