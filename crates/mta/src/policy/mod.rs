//! Postfix's policy delegation protocol (Postfix SMTPD_POLICY_README; attributes of Postfix 3.7 to 3.10).
//!
//! A request is lines `name=value`, LF at their ends, and an empty line; a reply is `action=…` and an empty line. Postfix
//! keeps the connection, sends the next request after the reply, and drops an idle connection when it likes. Whatever
//! breaks the form closes the connection: Postfix then answers its client 451, so nothing is let through by it.

mod reply;
mod request;
#[cfg(test)]
mod tests;

pub use reply::{Reply, TEXT_OCTETS_MAX, Text};
pub use request::{Request, Stage};

use crate::lines::{Lines, TooLong};
use request::Building;

/// Longest line without its LF, in octets. What Postfix copies from SMTP fits into its `line_length_limit` of 2,048.
pub const LINE_OCTETS_MAX: usize = 4096;
/// Attributes in one request. Postfix 3.10 sends 34.
pub const ATTRIBUTES_MAX: usize = 100;
/// All names and values of one request, in octets.
pub const REQUEST_OCTETS_MAX: usize = 65_536;

/// What ends the connection. Nothing after it can be believed, so it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A line longer than [`LINE_OCTETS_MAX`].
    #[error("policy request: line longer than {LINE_OCTETS_MAX} octets")]
    LineTooLong,
    /// More attributes than [`ATTRIBUTES_MAX`].
    #[error("policy request: more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    /// More octets than [`REQUEST_OCTETS_MAX`].
    #[error("policy request: more than {REQUEST_OCTETS_MAX} octets")]
    RequestTooLong,
    /// A line that is no `name=value`, or one with a NUL.
    #[error("policy request: line {line} of the request is not name=value")]
    NotAnAttribute {
        /// Counted from 1 in its request.
        line: usize,
    },
    /// The attribute `request` is missing or not `smtpd_access_policy`: somebody else's protocol.
    #[error("policy request: request= is not smtpd_access_policy")]
    UnknownRequest,
}

/// Finds requests in what a Postfix sends.
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
    building: Building,
    failed: Option<PolicyError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { lines: Lines::new(LINE_OCTETS_MAX), building: Building::default(), failed: None }
    }
}

impl Decoder {
    /// Takes what came in. Requests must be taken by [`Decoder::next_request`] until there is none before more is read,
    /// else nothing bounds what waits here.
    pub fn push(&mut self, octets: &[u8]) {
        self.lines.push(octets);
    }

    /// The next whole request; `None`: more octets are needed.
    pub fn next_request(&mut self) -> Result<Option<Request>, PolicyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read().inspect_err(|&error| self.failed = Some(error))
    }

    /// Whether a request has begun and not ended: an end of the connection now is no clean one.
    pub fn is_within_request(&self) -> bool {
        !self.building.is_empty() || !self.lines.is_empty()
    }

    fn read(&mut self) -> Result<Option<Request>, PolicyError> {
        while let Some(line) = self.lines.next_line().map_err(|TooLong| PolicyError::LineTooLong)? {
            if line.is_empty() {
                return std::mem::take(&mut self.building).finish().map(Some);
            }
            self.building.add(line)?;
        }
        if self.lines.begins_like_text() { Ok(None) } else { Err(self.building.no_attribute()) }
    }
}
