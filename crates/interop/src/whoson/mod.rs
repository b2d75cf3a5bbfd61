//! WHOSON: who is logged in from where (draft of 1998; whosond and gowhoson as they behave).
//!
//! A request is a line `VERB argument…`; a reply is a line whose first octet is the result, and an empty line. Over UDP
//! one request or reply is one datagram; over TCP a request ends with an empty line, which some clients leave out, so
//! here a line is a request and empty lines are nothing. There is no proof of who asks: for trusted networks only.

#[cfg(test)]
mod tests;

use crate::lines::{Lines, TooLong};
use crate::{address, text};
use std::net::IpAddr;

/// Longest line or datagram, in octets.
pub const REQUEST_OCTETS_MAX: usize = 1472;
/// Longest user data of a login, in octets.
pub const USER_OCTETS_MAX: usize = 512;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// This user is logged in from there; replaces what was known of the address.
    Login {
        /// From where.
        address: IpAddr,
        /// Who: what follows the address, as it stands; printable, not empty.
        user: String,
    },
    /// Nobody is logged in from there any more.
    Logout {
        /// From where.
        address: IpAddr,
    },
    /// Who is logged in from there?
    Query {
        /// From where.
        address: IpAddr,
    },
    /// Close, over TCP.
    Quit,
}

/// What is answered with [`Reply::Bad`]; the connection stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// No verb that is known here.
    #[error("command not found")]
    Verb,
    /// The address is missing or none.
    #[error("not an address")]
    Address,
    /// The user is missing, not printable, or longer than [`USER_OCTETS_MAX`].
    #[error("not a user")]
    User,
    /// Something stands where nothing may.
    #[error("too many arguments")]
    Arguments,
}

/// A line or datagram longer than [`REQUEST_OCTETS_MAX`]: the connection is closed, the datagram not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("whoson request: longer than {REQUEST_OCTETS_MAX} octets")]
pub struct RequestTooLong;

impl Request {
    /// Reads one datagram; only its first line counts.
    pub fn from_datagram(octets: &[u8]) -> Result<Result<Self, BadRequest>, RequestTooLong> {
        if octets.len() > REQUEST_OCTETS_MAX {
            return Err(RequestTooLong);
        }
        Ok(Self::parse(without_cr(octets.split(|&octet| octet == b'\n').next().unwrap_or_default())))
    }

    fn parse(line: &[u8]) -> Result<Self, BadRequest> {
        let (verb, rest) = word(line);
        let (address, after) = word(rest);
        let address = || address::parse(address).ok_or(BadRequest::Address);
        match verb.to_ascii_uppercase().as_slice() {
            b"LOGIN" => Ok(Self::Login { address: address()?, user: user(after)? }),
            b"LOGOUT" => nothing_more(after, Self::Logout { address: address()? }),
            b"QUERY" => nothing_more(after, Self::Query { address: address()? }),
            b"QUIT" => nothing_more(rest, Self::Quit),
            _ => Err(BadRequest::Verb),
        }
    }
}

/// The first word, and what follows it without the blanks between.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    (&line[..end], line[end..].trim_ascii_start())
}

fn nothing_more(rest: &[u8], request: Request) -> Result<Request, BadRequest> {
    if rest.trim_ascii().is_empty() { Ok(request) } else { Err(BadRequest::Arguments) }
}

fn user(octets: &[u8]) -> Result<String, BadRequest> {
    let user = str::from_utf8(octets).map_err(|_| BadRequest::User)?.trim_end();
    let fits = !user.is_empty() && user.len() <= USER_OCTETS_MAX && !user.contains(char::is_control);
    if fits { Ok(user.to_owned()) } else { Err(BadRequest::User) }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Finds requests in what comes over TCP or a stream socket.
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
    failed: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { lines: Lines::new(REQUEST_OCTETS_MAX), failed: false }
    }
}

impl Decoder {
    /// Takes what came in. Requests must be taken by [`Decoder::next_request`] until there is none before more is read,
    /// else nothing bounds what waits here.
    pub fn push(&mut self, octets: &[u8]) {
        self.lines.push(octets);
    }

    /// The next request, or what is wrong with it; `None`: more octets are needed.
    pub fn next_request(&mut self) -> Result<Option<Result<Request, BadRequest>>, RequestTooLong> {
        if self.failed {
            return Err(RequestTooLong);
        }
        loop {
            match self.lines.next_line() {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => return Ok(Some(Request::parse(without_cr(line)))),
                Ok(None) => return Ok(None),
                Err(TooLong) => {
                    self.failed = true;
                    return Err(RequestTooLong);
                }
            }
        }
    }
}

/// What is answered, alike over UDP and TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done; to a query: is logged in, and the text is the user.
    Yes(String),
    /// To a query: is not logged in.
    No(String),
    /// Not understood, refused, or cannot be known now: the client library takes it for a fault, not for an answer.
    Bad(String),
}

impl Reply {
    /// The line, and the empty line after it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let (result, text) = match self {
            Self::Yes(text) => (b'+', text),
            Self::No(text) => (b'-', text),
            Self::Bad(text) => (b'*', text),
        };
        out.push(result);
        text::push_printable(text, USER_OCTETS_MAX, out);
        out.extend_from_slice(b"\r\n\r\n");
    }
}

impl From<BadRequest> for Reply {
    fn from(bad: BadRequest) -> Self {
        Self::Bad(bad.to_string())
    }
}
