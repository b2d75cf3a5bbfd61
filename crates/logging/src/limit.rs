//! At most so many lines a second of one event at `info`: what strangers can cause at will must not fill the disk. Lines
//! about a mail that was taken (those with a `queue_id`) are never left out.
//!
//! Each place in the program that logs is counted for itself, so that a flood of one event hides no other. What is left out
//! is counted by the event's name and told once a second. Counting costs a few atomics and no lock; the name of an event is
//! only looked at when its line is left out.
//!
//! It is our own, since what there is for `tracing` (`tracing-throttle`) looks for repetitions: it reads all fields of every event,
//! also of those that are written, and counts what is alike in a table that a flood of new values fills. A flood's lines differ
//! in session, client and address, so that every such field would have to be named to it; and it does not spare a line for having
//! a field, as those about mail are spared.

use super::line::{self, Form, LeftOut};
use std::{
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use tracing::{Event, Level, Metadata};

/// Callsites that are counted; a power of two, and several times what the program has. More would not be limited.
const CALLSITES_MAX: usize = 1_024;

/// Counts lines.
#[derive(Debug)]
pub(super) struct Limit {
    lines_per_second_max: AtomicU32,
    callsites: Box<[Callsite]>,
    /// The second in which was told last what is left out.
    told: AtomicU64,
}

/// One place in the program that logs.
#[derive(Debug, Default)]
struct Callsite {
    /// Address of its metadata; 0 is nobody's.
    metadata: AtomicUsize,
    /// The second in the upper half, its lines in the lower.
    counted: AtomicU64,
    /// What was left out since it was last told, by the event's name: nearly always one.
    left_out: Mutex<Vec<LeftOut>>,
}

impl Limit {
    pub(super) fn new() -> Self {
        let callsites = std::iter::repeat_with(Callsite::default).take(CALLSITES_MAX).collect();
        Self { lines_per_second_max: AtomicU32::new(u32::MAX), callsites, told: AtomicU64::new(0) }
    }

    pub(super) fn set(&self, lines_per_second_max: u32) {
        self.lines_per_second_max.store(lines_per_second_max, Relaxed);
    }

    /// Whether the event's line is to be written. What is left out is noted. `second`: of any clock.
    pub(super) fn admits(&self, event: &Event<'_>, second: u64) -> bool {
        let metadata = event.metadata();
        // What became of a mail is always told: for each one there is one that came in.
        if *metadata.level() != Level::INFO || metadata.fields().field("queue_id").is_some() {
            return true;
        }
        let Some(callsite) = self.callsite(metadata) else { return true };
        if callsite.count(second) <= self.lines_per_second_max.load(Relaxed) {
            return true;
        }
        line::with_name(event, |name| callsite.leave_out(name));
        false
    }

    /// By open addressing: a place is never given up.
    fn callsite(&self, metadata: &'static Metadata<'static>) -> Option<&Callsite> {
        let address = ptr::from_ref(metadata).addr();
        // Fibonacci hashing: addresses differ in few of their bits.
        let start = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        for step in 0..CALLSITES_MAX as u64 {
            let callsite = &self.callsites[usize::try_from((start + step) % CALLSITES_MAX as u64).unwrap_or(0)];
            let known = callsite.metadata.load(Relaxed);
            if known == address {
                return Some(callsite);
            }
            if known == 0 && callsite.metadata.compare_exchange(0, address, Relaxed, Relaxed).is_ok() {
                return Some(callsite);
            }
            // Somebody else may have been quicker with the same.
            if callsite.metadata.load(Relaxed) == address {
                return Some(callsite);
            }
        }
        None
    }

    /// Appends what was left out, once a second, and at the end of the log in any case.
    pub(super) fn tell(&self, lines: &mut Vec<u8>, form: Form, second: Option<u64>) {
        if let Some(second) = second
            && self.told.swap(second, Relaxed) == second
        {
            return;
        }
        for callsite in &self.callsites {
            if callsite.metadata.load(Relaxed) != 0 {
                for left_out in callsite.take() {
                    line::suppressed(lines, form, &left_out);
                }
            }
        }
    }
}

impl Callsite {
    /// Counts one line; gives how many there were in this second.
    fn count(&self, second: u64) -> u32 {
        let now = second << 32;
        let next = |seen: u64| {
            let same = seen & !u64::from(u32::MAX) == now;
            Some(if same { seen.saturating_add(1).min(now | u64::from(u32::MAX)) } else { now | 1 })
        };
        let before = self.counted.fetch_update(Relaxed, Relaxed, next).unwrap_or_default();
        let after = next(before).unwrap_or_default();
        u32::try_from(after & u64::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    fn leave_out(&self, name: &str) {
        let mut left_out = self.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        match left_out.iter_mut().find(|known| known.event == name) {
            Some(known) => known.count += 1,
            // Names come from the program, so these are few.
            None => left_out.push(LeftOut { event: name.to_owned(), count: 1 }),
        }
    }

    fn take(&self) -> Vec<LeftOut> {
        std::mem::take(&mut *self.left_out.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_counts_anew() {
        let callsite = Callsite::default();
        assert_eq!([7, 7, 7, 8, 8, 9].map(|second| callsite.count(second)), [1, 2, 3, 1, 2, 1]);
        callsite.counted.store((9 << 32) | u64::from(u32::MAX), Relaxed);
        assert_eq!((callsite.count(9), callsite.count(10)), (u32::MAX, 1));
    }

    #[test]
    fn what_is_left_out_is_told_once_a_second() {
        let limit = Limit::new();
        let callsite = &limit.callsites[3];
        callsite.metadata.store(1, Relaxed);
        for name in ["delivered", "deferred", "delivered"] {
            callsite.leave_out(name);
        }
        let mut lines = Vec::new();
        limit.tell(&mut lines, Form::Text, Some(7));
        let text = String::from_utf8(lines).expect("text");
        let told: Vec<&str> = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, rest)| rest).collect();
        assert_eq!(
            told,
            ["info lines_suppressed event=delivered count=2", "info lines_suppressed event=deferred count=1"]
        );
        callsite.leave_out("delivered");
        let mut lines = Vec::new();
        limit.tell(&mut lines, Form::Text, Some(7));
        assert!(lines.is_empty(), "the second is not over");
        limit.tell(&mut lines, Form::Text, Some(8));
        assert!(!lines.is_empty());
    }
}
