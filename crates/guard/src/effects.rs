//! What rules want done with a mail that is taken.

use serde::Serialize;

/// What is to be done with what is taken.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// Throw it away.
    pub discard: bool,
    /// Keep it for a person to look at.
    pub hold: bool,
    /// Header fields to put above it.
    pub prepend: Vec<String>,
    /// Seconds for which the reply is held back, at most [`crate::suspicion::SLOW_SECS_MAX`]; once in a transaction.
    pub slow_secs: u32,
}

impl Effects {
    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        !self.discard && !self.hold && self.prepend.is_empty() && self.slow_secs == 0
    }

    /// Adds what another rule or recipient asks for; a header field that is there already is not put twice.
    pub(crate) fn add(&mut self, more: Self) {
        self.discard |= more.discard;
        self.hold |= more.hold;
        self.slow_secs = self.slow_secs.max(more.slow_secs);
        for field in more.prepend {
            if !self.prepend.contains(&field) {
                self.prepend.push(field);
            }
        }
    }
}
