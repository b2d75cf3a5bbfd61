//! The engine's time. Callers bring none of their own: what is stored by one clock is judged by the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// By what an embedded engine tells the time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// One that stands still until it is set, for tests.
    Manual(ManualClock),
}

impl Clock {
    /// Microseconds since 1970; before that 0.
    pub(crate) fn micros(&self) -> u64 {
        match self {
            Self::System => micros(SystemTime::now()),
            Self::Manual(clock) => clock.0.load(Ordering::Acquire),
        }
    }
}

/// A clock that is set by hand; all clones are the same one. It counts microseconds since 1970.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows this.
    pub fn at(time: SystemTime) -> Self {
        Self(Arc::new(AtomicU64::new(micros(time))))
    }

    /// Sets it, forward or back.
    pub fn set(&self, time: SystemTime) {
        self.0.store(micros(time), Ordering::Release);
    }

    /// Lets so much time pass.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(duration_micros(span), Ordering::AcqRel);
    }
}

impl From<ManualClock> for Clock {
    fn from(clock: ManualClock) -> Self {
        Self::Manual(clock)
    }
}

/// What was answered, and when by the engine's clock: by this time it is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<T> {
    /// The answer.
    pub value: T,
    /// The engine's time when it was given.
    pub now: SystemTime,
}

impl<T> Answer<T> {
    pub(crate) fn at(now_micros: u64, value: T) -> Self {
        Self { value, now: time(now_micros) }
    }

    /// Another value of the same time.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: map(self.value), now: self.now }
    }
}

/// Microseconds since 1970; before that 0.
pub(crate) fn micros(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, duration_micros)
}

pub(crate) fn duration_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

pub(crate) fn time(micros: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_micros(micros)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_stands_still() {
        let noon = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        let manual = ManualClock::at(noon);
        let clock = Clock::from(manual.clone());
        assert_eq!(time(clock.micros()), noon);
        manual.advance(Duration::from_secs(7));
        assert_eq!(time(clock.micros()), noon + Duration::from_secs(7));
        manual.set(UNIX_EPOCH);
        assert_eq!(clock.micros(), 0);
    }

    #[test]
    fn the_system_s_clock_goes_on() {
        let before = micros(SystemTime::now());
        assert!(Clock::System.micros() >= before);
    }
}
