//! Rates by the generic cell rate algorithm: one number per key, the theoretical arrival time. Time is an argument;
//! nothing is stored here, so the same answer comes in memory, on disk and in another process.

use std::time::Duration;

/// A rate: `burst` at once, and one more every `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    interval_micros: u64,
    burst: u32,
}

/// What one key remembers: the instant, in microseconds, at which it will be as if never used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tat(u64);

/// No; it would fit after so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    /// How long to wait; `Duration::MAX` if it never fits.
    pub retry_after: Duration,
}

impl Tat {
    /// For how long, in microseconds, something is counted still; at 0 the key may be forgotten.
    pub fn ahead(self, now_micros: u64) -> u64 {
        self.0.saturating_sub(now_micros)
    }
}

impl Rate {
    /// One every `interval` (at least a microsecond), `burst` (at least 1) at once.
    pub fn new(interval: Duration, burst: u32) -> Self {
        let interval_micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX).max(1);
        Self { interval_micros, burst: burst.max(1) }
    }

    /// `count` at once, then evenly so many in each span of time. Of none, nothing ever fits.
    pub fn per(span: Duration, count: u32) -> Self {
        if count == 0 {
            return Self { interval_micros: 1, burst: 0 };
        }
        Self::new(span / count, count)
    }

    /// Whether `cost` more fits now, without counting it.
    pub fn peek(&self, tat: Tat, now_micros: u64, cost: u32) -> Result<(), Exceeded> {
        self.charge(tat, now_micros, cost).map(|_| ())
    }

    /// Counts `cost` if it fits, else nothing.
    pub fn charge(&self, tat: Tat, now_micros: u64, cost: u32) -> Result<Tat, Exceeded> {
        if cost > self.burst {
            return Err(Exceeded { retry_after: Duration::MAX });
        }
        let next = self.add(tat, now_micros, cost);
        let latest = now_micros.saturating_add(self.span(self.burst));
        match next.0.checked_sub(latest) {
            None | Some(0) => Ok(next),
            Some(over) => Err(Exceeded { retry_after: Duration::from_micros(over) }),
        }
    }

    /// Counts `cost` in any case: for what has found its room before.
    pub fn add(&self, tat: Tat, now_micros: u64, cost: u32) -> Tat {
        Tat(tat.0.max(now_micros).saturating_add(self.span(cost)))
    }

    /// Counts `cost` in any case, up to a full burst: for what has already happened, like a failed login.
    pub fn pour(&self, tat: Tat, now_micros: u64, cost: u32) -> Tat {
        self.clamp(self.add(tat, now_micros, cost), now_micros)
    }

    /// The same, but no further ahead than this rate ever goes: it lay there because the clock was ahead, or the limit larger.
    /// To be kept in its place, or it would stay as far ahead as the clock goes on.
    pub fn clamp(&self, tat: Tat, now_micros: u64) -> Tat {
        Tat(tat.0.min(now_micros.saturating_add(self.span(self.burst))))
    }

    /// How many are counted at this time, rounded up; 0 when the key may be forgotten.
    pub fn level(&self, tat: Tat, now_micros: u64) -> u32 {
        let level = tat.0.saturating_sub(now_micros).div_ceil(self.interval_micros);
        u32::try_from(level).unwrap_or(u32::MAX)
    }

    /// The most at once.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    fn span(&self, cost: u32) -> u64 {
        self.interval_micros.saturating_mul(u64::from(cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000;

    fn rate(interval_secs: u64, burst: u32) -> Rate {
        Rate::new(Duration::from_secs(interval_secs), burst)
    }

    #[test]
    fn a_burst_then_one_an_interval() {
        let rate = rate(10, 3);
        let mut tat = Tat::default();
        for _ in 0..3 {
            tat = rate.charge(tat, 100 * SECOND, 1).unwrap();
        }
        let exceeded = rate.charge(tat, 100 * SECOND, 1).unwrap_err();
        assert_eq!(exceeded.retry_after, Duration::from_secs(10));
        assert!(rate.charge(tat, 110 * SECOND - 1, 1).is_err());
        assert!(rate.charge(tat, 110 * SECOND, 1).is_ok());
        assert_eq!(rate.level(tat, 130 * SECOND), 0);
    }

    #[test]
    fn more_than_the_burst_never_fits() {
        assert_eq!(rate(1, 3).charge(Tat::default(), 0, 4).unwrap_err().retry_after, Duration::MAX);
    }

    #[test]
    fn a_poured_bucket_is_full_not_overfull() {
        let rate = rate(10, 3);
        let tat = (0..1000).fold(Tat::default(), |tat, _| rate.pour(tat, 5 * SECOND, 1));
        assert_eq!(rate.level(tat, 5 * SECOND), 3);
        assert!(rate.peek(tat, 15 * SECOND, 1).is_ok());
    }

    #[test]
    fn t56_what_a_clock_far_ahead_has_counted_is_over_after_its_own_span() {
        let (rate, year, now) = (rate(10, 3), 365 * 24 * 3_600 * SECOND, 100 * SECOND);
        let full = (0..3).fold(Tat::default(), |tat, _| rate.charge(tat, now + year, 1).unwrap());
        assert!(rate.charge(full, now + 30 * SECOND, 1).is_err(), "for a year");
        let clamped = rate.clamp(full, now);
        assert_eq!(rate.level(clamped, now), 3);
        assert!(rate.charge(clamped, now + 10 * SECOND, 1).is_ok());
        assert_eq!(rate.clamp(clamped, now), clamped);
    }

    proptest! {
        /// In any stretch of time at most `burst + stretch / interval` pass.
        #[test]
        fn never_more_than_the_rate(
            interval in 1u64..50, burst in 1u32..20, steps in prop::collection::vec((0u64..100, 1u32..4), 1..200)
        ) {
            let rate = Rate { interval_micros: interval, burst };
            let (mut now, mut tat, mut passed) = (1_000, Tat::default(), 0u64);
            for (step, cost) in steps {
                now += step;
                if let Ok(next) = rate.charge(tat, now, cost) {
                    tat = next;
                    passed += u64::from(cost);
                }
                prop_assert!(passed <= u64::from(burst) + (now - 1_000) / interval);
            }
        }

        /// `retry_after` is exact: it fits then, and not a microsecond before.
        #[test]
        fn retry_after_is_exact(interval in 1u64..50, burst in 1u32..20, used in 0u64..2_000, now in 0u64..2_000, cost in 1u32..20) {
            let rate = Rate { interval_micros: interval, burst };
            prop_assume!(cost <= burst);
            if let Err(exceeded) = rate.charge(Tat(used), now, cost) {
                let wait = u64::try_from(exceeded.retry_after.as_micros()).unwrap();
                prop_assert!(rate.peek(Tat(used), now + wait, cost).is_ok());
                prop_assert!(rate.peek(Tat(used), now + wait - 1, cost).is_err());
            }
        }

        /// Looking counts nothing, and says what charging would.
        #[test]
        fn peek_agrees_with_charge(interval in 1u64..50, burst in 1u32..20, tat: u64, now: u64, cost: u32) {
            let rate = Rate { interval_micros: interval, burst };
            prop_assert_eq!(rate.peek(Tat(tat), now, cost).is_ok(), rate.charge(Tat(tat), now, cost).is_ok());
        }

        /// Later is never stricter.
        #[test]
        fn time_only_helps(interval in 1u64..50, burst in 1u32..20, tat in 0u64..5_000, now in 0u64..5_000, later in 0u64..5_000, cost in 1u32..20) {
            let rate = Rate { interval_micros: interval, burst };
            if rate.peek(Tat(tat), now, cost).is_ok() {
                prop_assert!(rate.peek(Tat(tat), now + later, cost).is_ok());
            }
            prop_assert!(rate.level(Tat(tat), now + later) <= rate.level(Tat(tat), now));
        }
    }
}
