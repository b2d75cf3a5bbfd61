//! The log: one line per event, `TIME LEVEL EVENT KEY=VALUE …` or a JSON object, the same fields in both.
//!
//! Sessions write through `tracing`'s macros: the message is the event's name, the fields its facts; a peer's text goes in
//! with `?`. A line is formatted where it happens and put into a buffer; one thread writes the buffer out when it holds
//! 64 KiB or is 50 ms old, so that no session ever waits for the disk. If the disk cannot follow, lines are dropped and
//! their number is logged; the memory stays bounded. Of one event at `info` there are only so many lines a second.

mod limit;
mod line;
mod own;
mod subscriber;
mod writer;

use config::{Log, LogFormat, LogLevel};
use limit::Limit;
use std::{
    collections::VecDeque,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tracing::level_filters::LevelFilter;
use writer::{Buffer, Sink};

/// Lines that are remembered for `sekisho status`, and how much of each.
const LATEST_MAX: usize = 8;
const LATEST_CHARS_MAX: usize = 300;
/// How often the end looks whether the last lines are written.
const END_LOOK: Duration = Duration::from_millis(1);

/// What can change while the log runs.
#[derive(Debug)]
struct Mode {
    level: AtomicU8,
    json: AtomicBool,
    limit: Limit,
    latest: Mutex<VecDeque<String>>,
}

impl Mode {
    fn level(&self) -> LevelFilter {
        match self.level.load(Ordering::Relaxed) {
            0 => LevelFilter::ERROR,
            1 => LevelFilter::WARN,
            2 => LevelFilter::INFO,
            3 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    fn form(&self) -> line::Form {
        if self.json.load(Ordering::Relaxed) { line::Form::Json } else { line::Form::Text }
    }

    /// Remembers a line that an operator should see.
    fn remember(&self, line: &[u8]) {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() == LATEST_MAX {
            latest.pop_front();
        }
        let line = String::from_utf8_lossy(line);
        latest.push_back(line.trim_end().chars().take(LATEST_CHARS_MAX).collect());
    }

    fn set(&self, log: &Log) {
        self.level.store(log.level as u8, Ordering::Relaxed);
        self.json.store(log.format == LogFormat::Json, Ordering::Relaxed);
        self.limit.set(log.lines_per_second_max);
    }
}

/// The running log. Dropping it writes out what is left, if whoever takes it takes it soon.
#[derive(Debug)]
pub struct Logger {
    mode: Arc<Mode>,
    buffer: Arc<Buffer>,
    writer: Option<std::thread::JoinHandle<()>>,
}

impl Logger {
    /// Opens the log and makes it the program's: at most once in a process.
    pub fn start(log: &Log) -> io::Result<Self> {
        let logger = Self::open(log)?;
        tracing::subscriber::set_global_default(logger.subscriber()).map_err(io::Error::other)?;
        Ok(logger)
    }

    /// Opens the log for a subscriber of its own; for tests and benches, which have several.
    fn open(log: &Log) -> io::Result<Self> {
        let sink = Sink::open(log.file.as_deref())?;
        let (level, json, latest) = (AtomicU8::new(0), AtomicBool::new(false), Mutex::default());
        let mode = Arc::new(Mode { level, json, limit: Limit::new(), latest });
        mode.set(log);
        let buffer = Arc::new(Buffer::new());
        let writer = writer::spawn(buffer.clone(), mode.clone(), sink)?;
        Ok(Self { mode, buffer, writer: Some(writer) })
    }

    fn subscriber(&self) -> subscriber::Lines {
        subscriber::Lines { mode: self.mode.clone(), buffer: self.buffer.clone() }
    }

    /// Takes over level, format and file of a new configuration, and opens the file again (it may have been moved away).
    /// A file that cannot be opened is an error, and the old one stays.
    pub fn apply(&self, log: &Log) -> io::Result<()> {
        self.buffer.replace(Sink::open(log.file.as_deref())?);
        self.mode.set(log);
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// The last lines at `warn` and `error`, the latest last.
    pub fn latest(&self) -> Vec<String> {
        self.mode.latest.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Waits until everything that was logged so far is written out.
    pub fn flush(&self) {
        self.buffer.flush();
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        self.buffer.stop();
        let Some(writer) = self.writer.take() else { return };
        let began = Instant::now();
        while !writer.is_finished() && began.elapsed() < writer::FLUSH_WAIT {
            std::thread::sleep(END_LOOK);
        }
        if writer.is_finished() {
            // Its panic was printed where it happened; there is nothing left to log it with.
            let _ = writer.join();
        }
    }
}

/// Logging to a file or to standard error at the level of a configuration.
pub fn to(file: Option<&Path>, level: LogLevel) -> Log {
    Log { format: LogFormat::Text, file: file.map(Path::to_owned), level, lines_per_second_max: u32::MAX }
}

fn unix_second() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
