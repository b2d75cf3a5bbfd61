//! The wall clock.

use std::time::SystemTime;

/// Microseconds since 1970-01-01T00:00:00Z.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
