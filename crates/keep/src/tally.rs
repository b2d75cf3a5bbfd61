//! What the process has counted since its start, for whoever scrapes its numbers.
//!
//! A tally is one atomic: to count is neither to wait nor to allocate, so that it may stand on a mail's path. There is one set for the
//! whole process, since a process is what is scraped; it names nothing that a peer could make up, and so has a fixed size. What
//! the rows and columns mean is said where they are read ([`telemetry`](../telemetry/index.html)).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug)]
pub struct Tally(AtomicU64);

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Tally {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many by now.
    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A row of tallies; what lies beyond its end is not counted.
#[derive(Debug)]
pub struct Row<const N: usize>([Tally; N]);

impl<const N: usize> Row<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self([const { Tally::new() }; N])
    }

    /// One more at this place.
    pub fn one(&self, at: usize) {
        if let Some(tally) = self.0.get(at) {
            tally.one();
        }
    }

    /// How many by now at this place.
    pub fn read(&self, at: usize) -> u64 {
        self.0.get(at).map_or(0, Tally::read)
    }
}

impl<const N: usize> Default for Row<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Rows of tallies.
#[derive(Debug)]
pub struct Table<const R: usize, const N: usize>([Row<N>; R]);

impl<const R: usize, const N: usize> Table<R, N> {
    const fn new() -> Self {
        Self([const { Row::new() }; R])
    }

    /// One more at this place.
    pub fn one(&self, row: usize, at: usize) {
        if let Some(row) = self.0.get(row) {
            row.one(at);
        }
    }

    /// How many by now at this place.
    pub fn read(&self, row: usize, at: usize) -> u64 {
        self.0.get(row).map_or(0, |row| row.read(at))
    }
}

/// Upper bounds of the steps that times are counted in, in microseconds; what is longer is counted beyond the last.
pub const STEPS_MICROS: [u64; 9] = [1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000];

/// How long something took, by steps.
#[derive(Debug)]
pub struct Times {
    steps: Row<10>,
    micros: Tally,
}

impl Times {
    const fn new() -> Self {
        Self { steps: Row::new(), micros: Tally::new() }
    }

    /// It took so long this time.
    pub fn took(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.steps.one(STEPS_MICROS.iter().position(|up_to| micros <= *up_to).unwrap_or(STEPS_MICROS.len()));
        self.micros.add(micros);
    }

    /// How often it took at most so long, for each step and without a bound.
    pub fn up_to(&self) -> [u64; 10] {
        let mut sum = 0;
        std::array::from_fn(|at| {
            sum += self.steps.read(at);
            sum
        })
    }

    /// All of it together, in microseconds.
    pub fn micros(&self) -> u64 {
        self.micros.read()
    }
}

/// The rows of [`Counted::logins`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginAt {
    /// SMTP AUTH.
    Smtp,
    /// POP3.
    Pop3,
}

/// The columns of [`Counted::logins`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginEnd {
    /// The client is who it says.
    Proved,
    /// It is not.
    Denied,
    /// Not looked at: too many failures lately.
    Throttled,
    /// The accounts did not answer.
    Unavailable,
}

/// The columns of [`Counted::taken`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAs {
    /// From a stranger.
    Outside,
    /// By a right to relay, or from somebody who logged in.
    Trusted,
}

/// All that is counted.
#[derive(Debug)]
pub struct Counted {
    /// Judgements: by stage and outcome.
    pub judged: Table<8, 8>,
    /// Refusals: by stage and reason, those made before there was anything to judge among them.
    pub refused: Table<8, 64>,
    /// Strangers who had to come back: new, too early, passed.
    pub greylist: Row<3>,
    /// Logins: by [`LoginAt`] and [`LoginEnd`].
    pub logins: Table<2, 4>,
    /// Messages answered with 250: by [`TakenAs`].
    pub taken: Row<2>,
    /// Of these, those with the null reverse-path.
    pub taken_null: Tally,
    /// Their octets.
    pub taken_octets: Tally,
    /// Recipients for which such a message was relayed.
    pub relayed: Tally,
    /// From the end of a message until it was durable.
    pub commit: Times,
    /// From a POP3 client's password until it had its answer.
    pub pop3_login: Times,
    /// What became of recipients: by the way and the fate.
    pub fates: Table<4, 5>,
    /// What other servers said of recipients: by the first digit of the code.
    pub replies: Row<6>,
    /// TLS handshakes that failed.
    pub tls_failed: Tally,
    /// Runs of the spool's writer that the disk refused.
    pub spool_stalls: Tally,
    /// Times that an address lost its trust, since it is more than one site's.
    pub collapses: Tally,
}

/// What this process has counted.
pub static COUNTED: Counted = Counted {
    judged: Table::new(),
    refused: Table::new(),
    greylist: Row::new(),
    logins: Table::new(),
    taken: Row::new(),
    taken_null: Tally::new(),
    taken_octets: Tally::new(),
    relayed: Tally::new(),
    commit: Times::new(),
    pop3_login: Times::new(),
    fates: Table::new(),
    replies: Row::new(),
    tls_failed: Tally::new(),
    spool_stalls: Tally::new(),
    collapses: Tally::new(),
};

/// What happened deep below and an operator must be told of at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// A stable word.
    pub what: &'static str,
    /// Of whom: an address, a file.
    pub of: String,
}

/// Notices kept for whoever takes them up; more are only in the log.
const NOTICES_MAX: usize = 64;

static NOTICES: Mutex<Vec<Notice>> = Mutex::new(Vec::new());

/// Leaves a notice. For what happens seldom: it waits for a lock.
pub fn notice(what: &'static str, of: impl Into<String>) {
    let mut notices = NOTICES.lock().unwrap_or_else(PoisonError::into_inner);
    let notice = Notice { what, of: of.into() };
    if notices.len() < NOTICES_MAX && !notices.contains(&notice) {
        notices.push(notice);
    }
}

/// Takes up what was left.
pub fn notices() -> Vec<Notice> {
    std::mem::take(&mut *NOTICES.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_steps() {
        let times = Times::new();
        for micros in [1, 1_000, 1_001, 6_000_000] {
            times.took(Duration::from_micros(micros));
        }
        assert_eq!(times.up_to(), [2, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
        assert_eq!(times.micros(), 6_002_002);
    }

    #[test]
    fn what_is_beyond_a_table_is_not_counted() {
        let table = Table::<2, 2>::new();
        table.one(1, 1);
        table.one(2, 0);
        table.one(0, 2);
        assert_eq!((table.read(1, 1), table.read(2, 0), table.read(0, 2), table.read(0, 0)), (1, 0, 0, 0));
    }

    #[test]
    fn notices_are_bounded_and_taken_once() {
        for n in 0..100 {
            notice("test", n.to_string());
            notice("test", n.to_string());
        }
        assert_eq!(notices().len(), NOTICES_MAX);
        assert!(notices().is_empty());
    }
}
