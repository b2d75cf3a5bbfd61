//! Attempts that are looked at elsewhere: a server that checks passwords itself asks before, and tells afterwards what came of
//! it. In between each has its places, so that those who ask at once are as few as those who ask one after the other.
//!
//! That server may be told to ask only and never to tell. So what it does not tell of in time is given back: it costs nobody
//! his place for long, and locks nobody out.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::throttle::{Attempt, TriedLogin};

/// Attempts that are expected at once. One more is let through with no place.
const EXPECTED_MAX: usize = 16_384;
/// How long the other server may take from its answer to its report.
const REPORT_WAIT: Duration = Duration::from_secs(5);

/// Which attempt: from where, and a keyed hash of login and password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    addr: IpAddr,
    guess: [u8; 16],
}

/// All that are under way elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    under_way: Mutex<UnderWay>,
}

#[derive(Debug, Default)]
struct UnderWay {
    attempts: HashMap<Key, Waiting>,
    /// In the order of their coming; those that ended are skipped.
    order: VecDeque<Key>,
}

#[derive(Debug)]
struct Waiting {
    attempt: Attempt,
    until: Instant,
}

impl Key {
    fn of(tried: &TriedLogin<'_>) -> Self {
        Self { addr: guard::canonical_ip(tried.addr), guess: tried.guess }
    }
}

impl Expected {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether just this is under way already: it needs no second place.
    pub(crate) fn has(&self, tried: &TriedLogin<'_>) -> bool {
        self.under_way().attempts.contains_key(&Key::of(tried))
    }

    /// Keeps the attempt's places until it is told of.
    pub(crate) fn keep(&self, tried: &TriedLogin<'_>, attempt: Attempt) {
        let (key, until) = (Key::of(tried), Instant::now() + attempt.wait() + REPORT_WAIT);
        let mut under_way = self.under_way();
        let UnderWay { attempts, order } = &mut *under_way;
        let before = if attempts.len() < EXPECTED_MAX {
            order.push_back(key);
            attempts.insert(key, Waiting { attempt, until }).map(|waiting| waiting.attempt)
        } else {
            Some(attempt)
        };
        drop(under_way);
        if let Some(attempt) = before {
            attempt.give_back();
        }
    }

    /// It is told of, or nobody waits for it any more.
    pub(crate) fn take(&self, tried: &TriedLogin<'_>) -> Option<Attempt> {
        self.under_way().attempts.remove(&Key::of(tried)).map(|waiting| waiting.attempt)
    }

    /// Gives back what was not told of in time.
    pub(crate) fn give_up_the_late(&self, now: Instant) {
        let mut late = Vec::new();
        let mut under_way = self.under_way();
        let UnderWay { attempts, order } = &mut *under_way;
        // Each stands behind those that came before, of which one that was told to wait longer holds it up for a while.
        while let Some(key) = order.front() {
            if attempts.get(key).is_some_and(|waiting| now < waiting.until) {
                break;
            }
            late.extend(attempts.remove(key));
            order.pop_front();
        }
        drop(under_way);
        for waiting in late {
            waiting.attempt.give_back();
        }
    }
}
