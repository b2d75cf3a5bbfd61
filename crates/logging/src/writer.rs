//! The buffer that sessions put lines into, and the thread that writes it out.

use super::{Mode, line};
use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    mem,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The writer is woken when so much lies in the buffer.
const WAKE_OCTETS: usize = 64 * 1024;
/// What lies in the buffer is written after so long.
const AGE_MAX: Duration = Duration::from_millis(50);
/// How long the end waits for lines to be written: whoever should read them may be gone.
pub(super) const FLUSH_WAIT: Duration = Duration::from_secs(2);
/// Beyond this, lines are dropped and counted.
const BUFFER_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Where lines go.
#[derive(Debug)]
pub(super) enum Sink {
    /// The service manager's journal, or a terminal.
    Stderr,
    /// A file, appended to.
    File(File),
}

impl Sink {
    pub(super) fn open(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self::Stderr) };
        let at = path.to_owned();
        // A pipe that nobody reads, or a dead disk, must not hold up who opens the log.
        let file = keep::in_time(keep::read::STALL, move || OpenOptions::new().create(true).append(true).open(at));
        file.map(Self::File).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr => io::stderr().lock().write_all(lines),
            Self::File(file) => file.write_all(lines),
        }
    }
}

#[derive(Debug, Default)]
struct Pending {
    lines: Vec<u8>,
    dropped: u64,
    /// Taken over by the writer before the next write.
    sink: Option<Sink>,
    stop: bool,
    /// The writer holds lines that are not written yet.
    writing: bool,
}

/// Lines that are not written yet.
#[derive(Debug)]
pub(super) struct Buffer {
    pending: Mutex<Pending>,
    /// Told when there is much to write, or a reason not to wait.
    work: Condvar,
    /// Told when everything is written.
    idle: Condvar,
}

impl Buffer {
    pub(super) fn new() -> Self {
        Self { pending: Mutex::default(), work: Condvar::new(), idle: Condvar::new() }
    }

    /// Lines are whole or absent, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one line, its end included. Never waits for the disk.
    pub(super) fn push(&self, line: &[u8]) {
        let mut pending = self.lock();
        if pending.lines.len() + line.len() > BUFFER_OCTETS_MAX {
            pending.dropped += 1;
            return;
        }
        let before = pending.lines.len();
        pending.lines.extend_from_slice(line);
        let wake = before < WAKE_OCTETS && pending.lines.len() >= WAKE_OCTETS;
        drop(pending);
        if wake {
            self.work.notify_one();
        }
    }

    pub(super) fn replace(&self, sink: Sink) {
        self.lock().sink = Some(sink);
        self.work.notify_one();
    }

    pub(super) fn flush(&self) {
        let began = Instant::now();
        let mut pending = self.lock();
        while !pending.stop && (!pending.lines.is_empty() || pending.writing) && began.elapsed() < FLUSH_WAIT {
            self.work.notify_one();
            // The writer tells when it is done; the wait is bounded in case it died.
            pending = self.idle.wait_timeout(pending, AGE_MAX).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stop = true;
        self.work.notify_one();
    }

    /// What there is to write, after the wait for it. `None`: the log is closed and nothing is left.
    fn take(&self, sink: &mut Sink, spare: Vec<u8>) -> Option<(Vec<u8>, u64)> {
        let mut pending = self.lock();
        pending.writing = false;
        if pending.lines.is_empty() {
            self.idle.notify_all();
        }
        if pending.lines.len() < WAKE_OCTETS && !pending.stop && pending.sink.is_none() {
            pending = self.work.wait_timeout(pending, AGE_MAX).unwrap_or_else(PoisonError::into_inner).0;
        }
        if pending.stop && pending.lines.is_empty() && pending.dropped == 0 {
            return None;
        }
        if let Some(new) = pending.sink.take() {
            *sink = new;
        }
        pending.writing = !pending.lines.is_empty();
        let lines = mem::replace(&mut pending.lines, spare);
        Some((lines, mem::take(&mut pending.dropped)))
    }
}

/// Starts the thread that writes.
pub(super) fn spawn(buffer: Arc<Buffer>, mode: Arc<Mode>, sink: Sink) -> io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("log".to_owned()).spawn(move || run(&buffer, &mode, sink))
}

fn run(buffer: &Buffer, mode: &Mode, mut sink: Sink) {
    let mut spare = Vec::new();
    let mut lost = 0;
    while let Some((mut lines, dropped)) = buffer.take(&mut sink, mem::take(&mut spare)) {
        lost += dropped;
        mode.limit.tell(&mut lines, mode.form(), Some(super::unix_second()));
        if lost > 0 {
            line::dropped(&mut lines, mode.form(), lost);
        }
        if !lines.is_empty() {
            match sink.write(&lines) {
                Ok(()) => lost = 0,
                // Disk full, most likely: the next line that can be written tells how many are missing.
                Err(_) => lost += lines.split_inclusive(|octet| *octet == b'\n').count() as u64,
            }
        }
        lines.clear();
        lines.shrink_to(4 * WAKE_OCTETS);
        spare = lines;
    }
    mode.limit.tell(&mut spare, mode.form(), None);
    // The log ends: whom could an error be told?
    let _ = sink.write(&spare);
}
