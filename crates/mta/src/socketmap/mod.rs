//! The socketmap protocol of sendmail and Postfix: netstrings that ask a named map for a key.
//!
//! A request is the netstring `LENGTH:MAP KEY,`; a reply is one of `STATUS TEXT` (sendmail `sendmail/map.c`, Postfix
//! socketmap_table(5)). Both keep the connection and ask one thing at a time, and both take a connection that closes
//! for a temporary fault, so that what breaks the form needs no reply. [`Decoder`] is for who answers, [`ReplyDecoder`] and
//! [`write_question`] are for who asks.

mod client;
mod netstring;
#[cfg(test)]
mod tests;

pub use client::{ReplyDecoder, ReplyError, write_question};
pub use netstring::NetstringError;

use crate::text::push_printable;
use netstring::{Netstrings, write_netstring};

/// Longest request that sendmail and Postfix may send, and longest reply that they take, in octets.
pub const REPLY_OCTETS_MAX: usize = 100_000;
/// Longest request unless asked for otherwise, in octets: an SMTP command line is at most 2,048 in Postfix.
pub const REQUEST_OCTETS_DEFAULT: usize = 10_000;
/// Longest text of a reply that is not a value, in octets.
const TEXT_OCTETS_MAX: usize = 450;

/// What ends the connection: where the next netstring begins is not known any more, or there is no sense in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SocketmapError {
    /// No netstring, or one longer than the limit that the decoder was given.
    #[error("socketmap request: {0}")]
    Netstring(#[from] NetstringError),
    /// No blank between map and key, or no map.
    #[error("socketmap request: not a map and a key")]
    NoMap,
}

/// Finds requests in what a mail server sends.
#[derive(Debug)]
pub struct Decoder {
    netstrings: Netstrings,
    failed: Option<SocketmapError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::with_limit(REQUEST_OCTETS_DEFAULT)
    }
}

impl Decoder {
    /// Requests of up to `request_octets` octets, map and blank included; at most [`REPLY_OCTETS_MAX`].
    pub fn with_limit(request_octets: usize) -> Self {
        Self { netstrings: Netstrings::new(request_octets.min(REPLY_OCTETS_MAX)), failed: None }
    }

    /// Takes what came in. Requests must be taken by [`Decoder::next_request`] until there is none before more is read,
    /// else nothing bounds what waits here.
    pub fn push(&mut self, octets: &[u8]) {
        self.netstrings.push(octets);
    }

    /// The next whole request; `None`: more octets are needed.
    pub fn next_request(&mut self) -> Result<Option<Request>, SocketmapError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.read().inspect_err(|&error| self.failed = Some(error))
    }

    fn read(&mut self) -> Result<Option<Request>, SocketmapError> {
        self.netstrings.next()?.map(Request::parse).transpose()
    }
}

/// Which map is asked for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    octets: Vec<u8>,
    blank: usize,
}

impl Request {
    fn parse(octets: &[u8]) -> Result<Self, SocketmapError> {
        let blank = octets.iter().position(|&octet| octet == b' ').filter(|&at| at > 0).ok_or(SocketmapError::NoMap)?;
        Ok(Self { octets: octets.to_vec(), blank })
    }

    /// The map's name: no blank, not empty.
    pub fn map(&self) -> &[u8] {
        &self.octets[..self.blank]
    }

    /// The key: any octets, blanks among them; may be empty.
    pub fn key(&self) -> &[u8] {
        &self.octets[self.blank + 1..]
    }
}

/// What is answered. Texts are written as printable US-ASCII, and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The key is there, with this value. Control characters are written as `?`; one longer than [`REPLY_OCTETS_MAX`]
    /// becomes `PERM`, since half a value may mean something else.
    Ok(String),
    /// The key is not there.
    NotFound,
    /// It could not be asked for now; the client is to be told to come back.
    Temp(String),
    /// The same: asking took too long.
    Timeout(String),
    /// It can never be asked: no such map, a key that cannot be one.
    Perm(String),
}

impl Reply {
    /// The netstring of this reply.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (status, text) = match self {
            Self::Ok(value) if value.len() + 3 > REPLY_OCTETS_MAX => ("PERM ", "value too long"),
            Self::Ok(value) => return write_netstring(&[b"OK ", &value_octets(value)], out),
            // With the blank, as sendmail looks for it before it looks at the word.
            Self::NotFound => ("NOTFOUND ", ""),
            Self::Temp(text) => ("TEMP ", text.as_str()),
            Self::Timeout(text) => ("TIMEOUT ", text.as_str()),
            Self::Perm(text) => ("PERM ", text.as_str()),
        };
        let mut printable = Vec::new();
        push_printable(text, TEXT_OCTETS_MAX, &mut printable);
        write_netstring(&[status.as_bytes(), &printable], out);
    }
}

/// A value may be an address with UTF-8 in it; what could end a line may not be in it.
fn value_octets(value: &str) -> Vec<u8> {
    value.bytes().map(|octet| if octet < b' ' || octet == 0x7f { b'?' } else { octet }).collect()
}
