//! When a message is due: the order of attempts and the back-off.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{QueueId, UnixMicros};

/// How long a deferred recipient waits, and when it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first attempt, the second, …; the last one repeats. Never empty.
    pub steps: Vec<Duration>,
    /// An attempt that fails this long after arrival was the last one.
    pub give_up_after: Duration,
}

impl Default for Backoff {
    /// 5 min, doubling to 4 h; given up after 5 days (RFC 5321 §4.5.4.1).
    fn default() -> Self {
        let minutes = Duration::from_mins;
        Self { steps: [5, 10, 20, 40, 80, 160, 240].map(minutes).into(), give_up_after: Duration::from_hours(5 * 24) }
    }
}

impl Backoff {
    /// The wait after attempt number `attempts` (from 1). A hint counts, within one second and the longest step.
    pub(crate) fn wait(&self, attempts: u16, hint: Option<Duration>) -> Duration {
        let longest = self.steps.iter().max().copied().unwrap_or(Duration::from_mins(5));
        if let Some(hint) = hint {
            return hint.clamp(Duration::from_secs(1), longest.max(Duration::from_secs(1)));
        }
        let step = usize::from(attempts.max(1)) - 1;
        self.steps.get(step).or(self.steps.last()).copied().unwrap_or(longest)
    }

    /// Whether an attempt for a message of this age, in microseconds, is the last.
    pub(crate) fn is_last(&self, age: u64) -> bool {
        age >= micros(self.give_up_after)
    }

    /// The longest wait, in microseconds: nothing is due later than this from now.
    pub(crate) fn longest(&self) -> u64 {
        micros(self.steps.iter().max().copied().unwrap_or(Duration::from_mins(5)))
    }

    /// How old a message is to be taken for that a start finds, in microseconds: by the wall clock, but not older than its
    /// attempts tell. The clock may be wrong, and nobody is to lose mail by that.
    pub(crate) fn credible(&self, by_wall_clock: u64, attempts: u16) -> u64 {
        let attempts = usize::from(attempts);
        let stepped: u64 = self.steps.iter().take(attempts).map(|step| micros(*step)).sum();
        let further = attempts.saturating_sub(self.steps.len()) as u64;
        let repeated = further.saturating_mul(self.steps.last().copied().map_or(0, micros));
        by_wall_clock.min(stepped.saturating_add(repeated).saturating_add(self.longest()))
    }
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The queue of waiting messages, earliest first; each operation is O(log n).
#[derive(Default)]
pub(crate) struct Schedule {
    order: BTreeSet<(UnixMicros, QueueId)>,
}

impl Schedule {
    pub(crate) fn add(&mut self, due: UnixMicros, id: QueueId) {
        self.order.insert((due, id));
    }

    pub(crate) fn remove(&mut self, due: UnixMicros, id: QueueId) {
        self.order.remove(&(due, id));
    }

    /// The earliest, if it is due by `now`.
    pub(crate) fn take_due(&mut self, now: UnixMicros) -> Option<QueueId> {
        let (due, _) = *self.order.first()?;
        if due > now { None } else { self.order.pop_first().map(|(_, id)| id) }
    }

    /// The one due last, and when.
    pub(crate) fn latest(&self) -> Option<(UnixMicros, QueueId)> {
        self.order.last().copied()
    }

    /// When the earliest is due.
    pub(crate) fn earliest(&self) -> Option<UnixMicros> {
        self.order.first().map(|(due, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_five_minutes_to_four_hours() {
        let backoff = Backoff::default();
        let minutes: Vec<u64> = (1..=9).map(|n| backoff.wait(n, None).as_secs() / 60).collect();
        assert_eq!(minutes, [5, 10, 20, 40, 80, 160, 240, 240, 240]);
    }

    #[test]
    fn a_hint_is_bounded() {
        let backoff = Backoff::default();
        let wait = |secs| backoff.wait(1, Some(Duration::from_secs(secs))).as_secs();
        assert_eq!((wait(0), wait(90), wait(999_999)), (1, 90, 4 * 3600));
    }

    #[test]
    fn given_up_after_five_days() {
        let backoff = Backoff::default();
        let day = 24 * 3600 * 1_000_000;
        assert!(!backoff.is_last(5 * day - 1));
        assert!(backoff.is_last(5 * day));
    }

    #[test]
    fn t56_a_start_believes_no_age_that_the_attempts_do_not_tell() {
        let backoff = Backoff::default();
        let (minute, year) = (60 * 1_000_000, 365 * 24 * 3600 * 1_000_000);
        assert_eq!(backoff.credible(year, 0), 240 * minute, "not yet tried");
        assert_eq!(backoff.credible(year, 2), (5 + 10 + 240) * minute);
        assert_eq!(backoff.credible(7 * minute, 2), 7 * minute, "the wall clock says less");
        assert!(!backoff.is_last(backoff.credible(year, 20)));
        assert!(backoff.is_last(backoff.credible(year, 40)), "it was tried for five days");
        assert_eq!(backoff.credible(year, u16::MAX), year);
    }

    #[test]
    fn earliest_first_and_not_before_it_is_due() {
        let mut schedule = Schedule::default();
        for (due, id) in [(30, 1), (10, 2), (20, 3)] {
            schedule.add(due, QueueId(id));
        }
        schedule.remove(20, QueueId(3));
        assert_eq!(schedule.take_due(9), None);
        assert_eq!(schedule.take_due(10), Some(QueueId(2)));
        assert_eq!(schedule.take_due(29), None);
        assert_eq!(schedule.earliest(), Some(30));
        assert_eq!(schedule.take_due(30), Some(QueueId(1)));
        assert_eq!(schedule.earliest(), None);
    }
}
