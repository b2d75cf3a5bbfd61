//! What a rule does.

use serde::Serialize;

use crate::reason::Reason;

/// The words of a refusal as a map has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Reply code (RFC 5321 §4.2), 400 to 599.
    pub code: u16,
    /// Enhanced status code (RFC 3463), if the map gives one.
    pub enhanced: Option<String>,
    /// Text.
    pub text: String,
}

/// What a rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Ends the rules of its part; gives no right.
    Ok,
    /// Refuses: 5xx, or 4xx if the entry says so.
    Refuse(Said),
    /// Refuses for this reason, in our own words.
    Deny(Reason),
    /// Has a stranger come back after a while.
    Greylist,
    /// Holds the reply back for so many seconds.
    Slow(u32),
    /// Takes the message and throws it away.
    Discard,
    /// Takes the message and keeps it in the queue for a person to look at.
    Hold,
    /// Puts a header field above the message.
    Prepend(String),
    /// Only a line in the log.
    Warn(String),
}

impl Action {
    /// Stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refuse(_) | Self::Deny(_) => "refuse",
            Self::Greylist => "greylist",
            Self::Slow(_) => "slow",
            Self::Discard => "discard",
            Self::Hold => "hold",
            Self::Prepend(_) => "prepend",
            Self::Warn(_) => "warn",
        }
    }
}

impl Said {
    /// Why something is refused with these words.
    pub(crate) fn reason(&self) -> Reason {
        if self.code < 500 { Reason::AccessDeferred } else { Reason::AccessDenied }
    }
}
