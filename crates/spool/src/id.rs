//! Queue ids: unique over the life of a spool, roughly in the order of arrival.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::UnixMicros;

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const WIDTH: usize = 11;
const WIDTH_MAX: usize = 13;

/// Names a queued message; printed as eleven digits of base 32 without `i`, `l`, `o`, `u`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(pub(crate) u64);

/// The text is no queue id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a queue id")]
pub struct QueueIdError;

impl QueueId {
    /// The number behind the text.
    pub fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [b'0'; WIDTH_MAX];
        let mut rest = self.0;
        let mut at = WIDTH_MAX;
        while rest > 0 {
            at -= 1;
            text[at] = DIGITS[(rest % 32) as usize];
            rest /= 32;
        }
        f.write_str(std::str::from_utf8(&text[at.min(WIDTH_MAX - WIDTH)..]).unwrap_or_default())
    }
}

impl FromStr for QueueId {
    type Err = QueueIdError;

    fn from_str(text: &str) -> Result<Self, QueueIdError> {
        if text.is_empty() || text.len() > WIDTH_MAX {
            return Err(QueueIdError);
        }
        text.bytes()
            .try_fold(0u64, |number, octet| {
                let digit = DIGITS.iter().position(|digit| *digit == octet.to_ascii_lowercase()).ok_or(QueueIdError)?;
                number.checked_mul(32).and_then(|number| number.checked_add(digit as u64)).ok_or(QueueIdError)
            })
            .map(Self)
    }
}

impl Serialize for QueueId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for QueueId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Gives out numbers: the clock in microseconds, or one more than the last where that is not higher.
pub(crate) struct IdSource {
    last: AtomicU64,
}

impl IdSource {
    /// `highest_seen`: the highest number on disk, so that a clock set back repeats none.
    pub(crate) fn new(highest_seen: u64) -> Self {
        Self { last: AtomicU64::new(highest_seen) }
    }

    pub(crate) fn next(&self) -> u64 {
        let now = unix_micros_now();
        let above = |last: u64| last.saturating_add(1).max(now);
        match self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(above(last))) {
            Ok(last) | Err(last) => above(last),
        }
    }
}

/// The wall clock.
pub(crate) fn unix_micros_now() -> UnixMicros {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn printed_then_parsed_is_the_same(number in any::<u64>()) {
            let id = QueueId(number);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn foreign_texts_are_no_ids() {
        for text in ["", "i", "zzzzzzzzzzzzz", "00000000000000", "a b", "あ"] {
            assert_eq!(text.parse::<QueueId>(), Err(QueueIdError), "{text:?}");
        }
    }

    #[test]
    fn a_clock_set_back_repeats_nothing() {
        let future = unix_micros_now() + 1_000_000_000_000;
        let ids = IdSource::new(future);
        assert_eq!((ids.next(), ids.next()), (future + 1, future + 2));
    }
}
