//! Greylisting: what is seen for the first time lies in memory, who came back also in the journal. Both are bounded, and one pool
//! has a share of the first only: a flood of new senders makes nobody wait who came back before.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use keep::BoundedMap;

use super::record::PassedRecord;
use crate::clock::duration_micros;
use crate::greylist::{Digest, GreylistKey, GreylistTerms, Greylisted};

/// First sights kept, some 60 octets each.
const SIGHTS_MAX: usize = 200_000;
/// Pools with their sender domains that came back.
const PASSED_MAX: usize = 200_000;
/// First sights of one pool within an hour; what comes above them is new again the next time.
const SIGHTS_OF_POOL_MAX: u32 = 2_000;
/// Pools whose first sights are counted.
const POOLS_MAX: usize = 50_000;
const HOUR_MICROS: u64 = 3_600_000_000;
/// A renewal that moves the end by less than this since the last write need not be written.
const RENEWAL_UNWRITTEN_MICROS: u64 = 24 * HOUR_MICROS;

/// All of it.
#[derive(Debug)]
pub(crate) struct Greylist {
    kept: Mutex<Kept>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Kept {
    /// When each was seen first.
    sights: BoundedMap<Digest, u64>,
    passed: BoundedMap<Digest, Passed>,
    /// How many first sights a pool had in an hour.
    pools: BoundedMap<u64, InHour>,
    /// Of what passed: to be written.
    noted: Vec<Digest>,
    /// When it was asked last: what had ended then need not be written.
    asked: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    seen: u64,
    ends: u64,
    /// The end that lies on disk.
    saved_ends: u64,
    is_noted: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct InHour {
    hour: u64,
    count: u32,
}

impl Greylist {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        let kept = Kept {
            sights: BoundedMap::new(SIGHTS_MAX),
            passed: BoundedMap::new(PASSED_MAX),
            pools: BoundedMap::new(POOLS_MAX),
            noted: Vec::new(),
            asked: 0,
        };
        Self { kept: Mutex::new(kept), hasher: RandomState::new() }
    }

    // Each change is one value; a panic in between leaves whole ones.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a key; a new one is noted.
    pub(crate) fn ask(&self, key: &GreylistKey<'_>, terms: GreylistTerms, now: u64) -> Greylisted {
        let (sight, pair) = (key.sight(), key.passed());
        let memory = duration_micros(terms.memory);
        let kept = &mut *self.kept();
        kept.asked = now;
        let known = kept.passed.get_mut(&pair).is_some_and(|passed| now < passed.ends);
        if known || kept.came_back(sight, terms, now) {
            kept.pass(pair, memory, now);
            return Greylisted::Passed;
        }
        if let Some(first) = kept.sights.get_mut(&sight) {
            // A clock that was ahead: it waits from now on.
            *first = (*first).min(now);
            let waited = now - *first;
            if waited <= duration_micros(terms.window) {
                return Greylisted::Waiting(terms.delay.saturating_sub(std::time::Duration::from_micros(waited)));
            }
        }
        if kept.has_share(self.hasher.hash_one(key.pool), now) {
            kept.sights.insert(sight, now);
        }
        Greylisted::New
    }

    /// What is known of a key; nothing is noted.
    pub(crate) fn look(&self, key: &GreylistKey<'_>, terms: GreylistTerms, now: u64) -> Greylisted {
        let kept = &mut *self.kept();
        if kept.passed.get_mut(&key.passed()).is_some_and(|passed| now < passed.ends) {
            return Greylisted::Passed;
        }
        let waited = kept.sights.get_mut(&key.sight()).map(|first| now.saturating_sub(*first));
        match waited.filter(|waited| *waited <= duration_micros(terms.window)) {
            Some(waited) if waited >= duration_micros(terms.delay) => Greylisted::Passed,
            Some(waited) => Greylisted::Waiting(terms.delay.saturating_sub(std::time::Duration::from_micros(waited))),
            None => Greylisted::New,
        }
    }

    /// Takes what was read from the journal.
    pub(crate) fn restore(&self, record: &PassedRecord) {
        let PassedRecord { digest, seen, ends } = *record;
        self.kept().passed.insert(digest, Passed { seen, ends, saved_ends: ends, is_noted: false });
    }

    /// What was changed since the last call, to be written.
    pub(crate) fn take_noted(&self) -> Vec<PassedRecord> {
        let Kept { passed, noted, .. } = &mut *self.kept();
        let mut records = Vec::with_capacity(noted.len());
        for digest in std::mem::take(noted) {
            // One that had to make room meanwhile is not missed.
            if let Some(one) = passed.get_mut(&digest) {
                (one.saved_ends, one.is_noted) = (one.ends, false);
                records.push(PassedRecord { digest, seen: one.seen, ends: one.ends });
            }
        }
        records
    }

    /// All that is kept, as it must lie on disk.
    pub(crate) fn records(&self) -> Vec<PassedRecord> {
        let kept = self.kept();
        let alive = kept.passed.iter().filter(|(_, one)| kept.asked < one.ends);
        alive.map(|(digest, one)| PassedRecord { digest: *digest, seen: one.seen, ends: one.ends }).collect()
    }

    /// How long a journal of all of it is.
    pub(crate) fn octets(&self) -> u64 {
        (self.kept().passed.len() * PassedRecord::OCTETS) as u64
    }

    /// No end lies further ahead than its own span: what a clock that was wrong has written does not outlast it.
    pub(crate) fn clamp(&self, now: u64) {
        for one in self.kept().passed.values_mut().filter(|one| one.seen > now) {
            one.ends = one.ends.min(now.saturating_add(one.ends.saturating_sub(one.seen)));
            one.seen = now;
        }
    }
}

impl Kept {
    /// Whether a first sight is as old as it must be, and not too old.
    fn came_back(&mut self, sight: Digest, terms: GreylistTerms, now: u64) -> bool {
        let (delay, window) = (duration_micros(terms.delay), duration_micros(terms.window));
        let first = self.sights.get_mut(&sight).map(|first| *first);
        let came = first.and_then(|first| now.checked_sub(first)).is_some_and(|it| (delay..=window).contains(&it));
        if came {
            self.sights.remove(&sight);
        }
        came
    }

    fn pass(&mut self, pair: Digest, memory: u64, now: u64) {
        let one = self.passed.entry(pair, |known| known.ends.saturating_sub(now));
        (one.seen, one.ends) = (now, now.saturating_add(memory));
        if one.ends.abs_diff(one.saved_ends) >= RENEWAL_UNWRITTEN_MICROS && !one.is_noted {
            one.is_noted = true;
            self.noted.push(pair);
        }
    }

    /// Whether a pool may have one more first sight in this hour.
    fn has_share(&mut self, pool: u64, now: u64) -> bool {
        let hour = now / HOUR_MICROS;
        let in_hour = self.pools.entry(pool, |known| u64::from(known.hour == hour));
        if in_hour.hour != hour {
            *in_hour = InHour { hour, count: 0 };
        }
        in_hour.count = in_hour.count.saturating_add(1);
        in_hour.count <= SIGHTS_OF_POOL_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000;
    const DAY: u64 = 24 * HOUR_MICROS;
    const START: u64 = 20_000 * DAY;
    const TERMS: GreylistTerms = GreylistTerms {
        delay: Duration::from_mins(2),
        window: Duration::from_hours(48),
        memory: Duration::from_hours(36 * 24),
    };

    fn key<'a>(pool: &'a str, recipient: &'a str) -> GreylistKey<'a> {
        GreylistKey { pool, sender_domain: "example.org", recipient }
    }

    fn ask(greylist: &Greylist, key: GreylistKey<'_>, now: u64) -> Greylisted {
        greylist.ask(&key, TERMS, now)
    }

    /// A sender that retries at whatever time from the delay on passes, and one that retries sooner waits on from the first time.
    #[test]
    fn t31_a_retry_at_any_time_after_the_delay_passes() {
        for wait in [120, 121, 4 * 3_600, 47 * 3_600] {
            let greylist = Greylist::new();
            assert_eq!(ask(&greylist, key("pool", "alice"), START), Greylisted::New);
            for soon in [1, 60, 119] {
                let left = Duration::from_secs(120 - soon);
                assert_eq!(ask(&greylist, key("pool", "alice"), START + soon * SECOND), Greylisted::Waiting(left));
            }
            assert_eq!(ask(&greylist, key("pool", "alice"), START + wait * SECOND), Greylisted::Passed, "{wait}");
        }
        let greylist = Greylist::new();
        ask(&greylist, key("pool", "alice"), START);
        assert_eq!(ask(&greylist, key("pool", "alice"), START + 3 * DAY), Greylisted::New, "it begins anew");
        assert_eq!(ask(&greylist, key("pool", "alice"), START + 3 * DAY + 120 * SECOND), Greylisted::Passed);
    }

    /// To look is not to come.
    #[test]
    fn a_look_notes_nothing() {
        let greylist = Greylist::new();
        let look = |now| greylist.look(&key("pool", "alice"), TERMS, now);
        assert_eq!((look(START), look(START + 200 * SECOND)), (Greylisted::New, Greylisted::New));
        ask(&greylist, key("pool", "alice"), START);
        assert_eq!(look(START + SECOND), Greylisted::Waiting(Duration::from_secs(119)));
        assert_eq!(look(START + 120 * SECOND), Greylisted::Passed);
        assert_eq!(look(START + 3 * DAY), Greylisted::New, "nobody came back");
    }

    #[test]
    fn who_came_back_once_is_known_for_all_recipients_as_long_as_it_sends() {
        let greylist = Greylist::new();
        ask(&greylist, key("pool", "alice"), START);
        assert_eq!(ask(&greylist, key("pool", "alice"), START + 200 * SECOND), Greylisted::Passed);
        assert_eq!(ask(&greylist, key("pool", "bob"), START + 200 * SECOND), Greylisted::Passed);
        assert_eq!(ask(&greylist, key("other", "bob"), START + 200 * SECOND), Greylisted::New);
        assert_eq!(ask(&greylist, key("pool", "bob"), START + 35 * DAY), Greylisted::Passed);
        assert_eq!(ask(&greylist, key("pool", "bob"), START + 70 * DAY), Greylisted::Passed);
        assert_eq!(ask(&greylist, key("pool", "bob"), START + 107 * DAY), Greylisted::New);
    }

    #[test]
    fn who_came_back_is_written_and_known_again() {
        let greylist = Greylist::new();
        ask(&greylist, key("pool", "alice"), START);
        assert!(greylist.take_noted().is_empty());
        ask(&greylist, key("pool", "alice"), START + 200 * SECOND);
        let noted = greylist.take_noted();
        assert_eq!(noted, greylist.records());
        let again = Greylist::new();
        for record in &noted {
            again.restore(record);
        }
        assert_eq!(ask(&again, key("pool", "bob"), START + DAY / 2), Greylisted::Passed);
        assert!(again.take_noted().is_empty(), "a renewal by half a day is not written");
        ask(&again, key("pool", "bob"), START + 2 * DAY);
        assert_eq!(again.take_noted().len(), 1);
    }

    #[test]
    fn t56_what_passed_in_the_future_ends_after_its_own_span() {
        let greylist = Greylist::new();
        ask(&greylist, key("pool", "alice"), START + 365 * DAY);
        ask(&greylist, key("pool", "alice"), START + 366 * DAY);
        greylist.clamp(START);
        assert_eq!(ask(&greylist, key("pool", "bob"), START + 35 * DAY), Greylisted::Passed);
        ask(&greylist, key("late", "alice"), START + 365 * DAY);
        assert_eq!(ask(&greylist, key("late", "alice"), START), Greylisted::Waiting(TERMS.delay));
        assert_eq!(ask(&greylist, key("late", "alice"), START + 120 * SECOND), Greylisted::Passed);
    }

    #[test]
    fn a_flood_of_one_pool_pushes_out_nobody() {
        let greylist = Greylist::new();
        ask(&greylist, key("honest", "alice"), START);
        for n in 0..300_000 {
            greylist.ask(&key("flood", &n.to_string()), TERMS, START + SECOND);
        }
        assert_eq!(ask(&greylist, key("honest", "alice"), START + 130 * SECOND), Greylisted::Passed);
    }
}
