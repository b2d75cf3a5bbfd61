//! When the operator was told last that something comes near its bound, so that it is told hourly and not at each message.

/// It is told again after so long, in microseconds.
pub(crate) const AGAIN: i64 = 3600 * 1_000_000;

/// The last time, by the clock of [`Index::moment`](crate::index::Index::moment).
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Told(Option<i64>);

impl Told {
    /// Whether it was told within the last hour.
    pub(crate) fn is_recent(self, now: i64) -> bool {
        self.0.is_some_and(|at| now.saturating_sub(at) < AGAIN)
    }

    /// It is told now.
    pub(crate) fn tell(&mut self, now: i64) {
        self.0 = Some(now);
    }
}
