//! The side that asks: questions out, replies in.

use super::netstring::{NetstringError, Netstrings, write_netstring};
use super::{REPLY_OCTETS_MAX, Reply};

/// Appends the question for `key` in `map`, a name without a blank.
pub fn write_question(map: &str, key: &str, out: &mut Vec<u8>) {
    write_netstring(&[map.as_bytes(), b" ", key.as_bytes()], out);
}

/// What ends the connection; what was asked for is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// No netstring, or one longer than the limit that the decoder was given.
    #[error("socketmap reply: {0}")]
    Netstring(#[from] NetstringError),
    /// A word that is no status.
    #[error("socketmap reply: {0:?} is no status")]
    Status(String),
}

/// Finds replies in what a server sends.
#[derive(Debug)]
pub struct ReplyDecoder {
    netstrings: Netstrings,
}

impl ReplyDecoder {
    /// Replies of up to `reply_octets` octets, status and blank included; at most [`REPLY_OCTETS_MAX`].
    pub fn with_limit(reply_octets: usize) -> Self {
        Self { netstrings: Netstrings::new(reply_octets.min(REPLY_OCTETS_MAX)) }
    }

    /// Takes what came in.
    pub fn push(&mut self, octets: &[u8]) {
        self.netstrings.push(octets);
    }

    /// The next whole reply; `None`: more octets are needed.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReplyError> {
        self.netstrings.next()?.map(Reply::parse).transpose()
    }
}

impl Reply {
    /// Reads `STATUS TEXT`. Neither "there" nor "not there" is said by any other word than its own.
    fn parse(octets: &[u8]) -> Result<Self, ReplyError> {
        let reply = String::from_utf8_lossy(octets);
        let (status, text) = reply.split_once(' ').unwrap_or((&reply, ""));
        match status {
            "OK" => Ok(Self::Ok(text.to_owned())),
            "NOTFOUND" => Ok(Self::NotFound),
            "TEMP" => Ok(Self::Temp(text.to_owned())),
            "TIMEOUT" => Ok(Self::Timeout(text.to_owned())),
            "PERM" => Ok(Self::Perm(text.to_owned())),
            other => Err(ReplyError::Status(other.to_owned())),
        }
    }
}
