//! Dovecot's authentication protocol (client to server, version 1): SMTP AUTH of Postfix and Exim. [`Decoder`] and [`Reply`]
//! are for the server, [`Client`] is for who asks one.
//!
//! Lines end in LF, parameters are parted by TAB. The server sends its [`Handshake`] at once: Exim says nothing before
//! it has seen `DONE`. The client begins with `VERSION` and `CPID`, then sends `AUTH`, `CONT` and `CANCEL` with ids of
//! its choice. Whoever drives this keeps what is under way: no more than [`REQUESTS_MAX`] on one connection, and not for
//! long, since Postfix says nothing when its client breaks an exchange off (`*`); it just begins another.
//!
//! Neither client tells a temporary `FAIL` from a wrong password: both say 535 to theirs (seen with Postfix 3.7, Exim
//! 4.96). When the connection closes instead of an answer, Exim says 435 and Postfix 454; Postfix says it once more at
//! its next AUTH. So the answer to "could not ask" is to close.

mod client;
mod escape;
mod reply;
mod request;
mod secret;
#[cfg(test)]
mod tests;

pub use client::{Account, Answer, Client, ClientError, Login, Step};
pub use reply::{Failure, Handshake, Mechanism, Property, REPLY_OCTETS_MAX, Reply};
pub use request::{Auth, Secured};
pub use secret::Secret;

use crate::lines::{Lines, TooLong};

/// Longest line from the client without its LF, in octets (Dovecot 2.3). Postfix lets its client's responses have
/// 12,288 octets of base64.
pub const LINE_OCTETS_MAX: usize = 16_384;
/// Requests that one connection should have under way. Postfix and Exim have one.
pub const REQUESTS_MAX: usize = 1000;
/// The major version that both sides must have.
pub const VERSION_MAJOR: u32 = 1;
/// Our minor version, which clients ignore: that of Dovecot 2.3.
const VERSION_MINOR: u32 = 2;

/// What ends the connection. Nothing after it can be believed, so it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DovecotAuthError {
    /// A line longer than [`LINE_OCTETS_MAX`].
    #[error("auth client: line longer than {LINE_OCTETS_MAX} octets")]
    LineTooLong,
    /// The first line is not `VERSION`, or of another major version.
    #[error("auth client: does not speak version {VERSION_MAJOR}")]
    Version,
    /// `CPID` is missing before the first request, comes twice, or has no number.
    #[error("auth client: CPID missing, repeated or without a number")]
    Cpid,
    /// A request without a number that an answer could carry.
    #[error("auth client: request without an id")]
    Id,
}

/// What the client says.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done.
    Hello {
        /// The client's minor version.
        minor: u32,
        /// Its process, as it says.
        pid: u32,
    },
    /// An exchange begins.
    Auth(Box<Auth>),
    /// An exchange goes on.
    Cont {
        /// Which.
        id: u32,
        /// The response, decoded; may be empty.
        response: Secret,
    },
    /// An exchange is given up. No answer.
    Cancel {
        /// Which.
        id: u32,
    },
    /// This request cannot be read, others can: answer [`Reply::Fail`], forget the id.
    Malformed {
        /// Which.
        id: u32,
        /// What may be told to the SMTP client.
        reason: &'static str,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Version,
    Cpid { minor: u32 },
    Requests,
    Failed(DovecotAuthError),
}

/// Finds events in what a client sends.
#[derive(Debug)]
pub struct Decoder {
    lines: Lines,
    stage: Stage,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { lines: Lines::new(LINE_OCTETS_MAX), stage: Stage::Version }
    }
}

impl Decoder {
    /// Takes what came in. Events must be taken by [`Decoder::next_event`] until there is none before more is read, else
    /// nothing bounds what waits here.
    pub fn push(&mut self, octets: &[u8]) {
        self.lines.push(octets);
    }

    /// The next event; `None`: more octets are needed.
    pub fn next_event(&mut self) -> Result<Option<Event>, DovecotAuthError> {
        if let Stage::Failed(error) = self.stage {
            return Err(error);
        }
        self.read().inspect_err(|&error| self.stage = Stage::Failed(error))
    }

    fn read(&mut self) -> Result<Option<Event>, DovecotAuthError> {
        while let Some(line) = self.lines.next_line().map_err(|TooLong| DovecotAuthError::LineTooLong)? {
            let mut parameters = line.split(|&octet| octet == b'\t');
            let command = parameters.next().unwrap_or_default();
            let event = match self.stage {
                Stage::Version => {
                    self.stage = Stage::Cpid { minor: version(command, parameters)? };
                    None
                }
                Stage::Cpid { minor } => {
                    let hello = hello(minor, command, parameters)?;
                    self.stage = if hello.is_some() { Stage::Requests } else { self.stage };
                    hello
                }
                Stage::Requests => request(command, parameters)?,
                Stage::Failed(error) => return Err(error),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        let is_foreign = matches!(self.stage, Stage::Version) && !self.lines.begins_like_text();
        if is_foreign { Err(DovecotAuthError::Version) } else { Ok(None) }
    }
}

/// The minor version.
fn version<'a>(command: &[u8], mut parameters: impl Iterator<Item = &'a [u8]>) -> Result<u32, DovecotAuthError> {
    let (major, minor) = (parameters.next().and_then(number), parameters.next().and_then(number));
    match (command, major, minor) {
        (b"VERSION", Some(VERSION_MAJOR), Some(minor)) => Ok(minor),
        _ => Err(DovecotAuthError::Version),
    }
}

fn hello<'a>(
    minor: u32,
    command: &[u8],
    mut parameters: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Event>, DovecotAuthError> {
    match command {
        b"CPID" => {
            let pid = parameters.next().and_then(number).ok_or(DovecotAuthError::Cpid)?;
            Ok(Some(Event::Hello { minor, pid }))
        }
        b"AUTH" | b"CONT" | b"CANCEL" => Err(DovecotAuthError::Cpid),
        // Whatever later versions say in the handshake, they say it to servers that may not know it.
        _ => Ok(None),
    }
}

fn request<'a>(
    command: &[u8],
    mut parameters: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Event>, DovecotAuthError> {
    match command {
        b"AUTH" | b"CONT" | b"CANCEL" => {}
        b"CPID" => return Err(DovecotAuthError::Cpid),
        _ => return Ok(None),
    }
    let id = parameters.next().and_then(number).ok_or(DovecotAuthError::Id)?;
    Ok(Some(match command {
        b"AUTH" => Auth::parse(id, parameters).map_or_else(|reason| Event::Malformed { id, reason }, Event::from),
        b"CONT" => match request::base64(parameters.next().unwrap_or_default()) {
            Some(response) if parameters.next().is_none() => Event::Cont { id, response },
            _ => Event::Malformed { id, reason: "Invalid base64 data in continued response" },
        },
        _ => Event::Cancel { id },
    }))
}

impl From<Auth> for Event {
    fn from(auth: Auth) -> Self {
        Self::Auth(Box::new(auth))
    }
}

/// Decimal digits only, within 32 bits.
fn number(octets: &[u8]) -> Option<u32> {
    let digits = str::from_utf8(octets).ok()?;
    digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
}
