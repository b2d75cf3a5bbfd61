//! The id by which a session is found in the log.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Names a session in every line of its log; unique over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

/// Counts the sessions of a process.
#[derive(Debug)]
pub struct SessionIds(AtomicU64);

impl Default for SessionIds {
    /// A process begins to count at the microseconds of its start, so that no id comes twice.
    fn default() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2)))
    }
}

impl SessionIds {
    /// The id of a session that begins.
    pub fn next(&self) -> SessionId {
        SessionId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl SessionId {
    /// Of what is no session.
    pub(super) const NOBODYS: Self = Self(0);

    /// The number behind it.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The lower half of the number behind it, for protocols that count connections in so many bits.
    pub fn low_bits(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or_default()
    }
}

/// In base 36: short enough for every line.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; 13];
        let mut rest = self.0;
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_short() {
        let first = SessionIds::default().next();
        assert!(first.to_string().len() <= 13);
        assert_eq!(SessionId(35).to_string(), "z");
        assert_eq!(SessionId(36).to_string(), "10");
    }
}
