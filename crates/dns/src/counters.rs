//! How much was asked, and how it went.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Since the start, over all who ask.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) asked: AtomicU64,
    pub(crate) from_cache: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) waited_micros: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions put to the resolver.
    pub asked: u64,
    /// Of these, answered from the cache.
    pub from_cache: u64,
    /// Of these, without an answer for another reason than time.
    pub failed: u64,
    /// Of these, without an answer in time.
    pub timed_out: u64,
}

impl Counters {
    pub(crate) fn read(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            asked: read(&self.asked),
            from_cache: read(&self.from_cache),
            failed: read(&self.failed),
            timed_out: read(&self.timed_out),
        }
    }
}

/// Adds the time since then.
pub(crate) fn waited(counter: &AtomicU64, since: Instant) {
    counter.fetch_add(u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
