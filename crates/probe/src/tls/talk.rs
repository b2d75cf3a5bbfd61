//! The few lines of SMTP or POP3 around TLS, with a host that may be hostile: each reply is bounded in octets and time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use smtp::client::{Capabilities, Response, ResponseLimits, ResponseReader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Longest wait for one reply.
pub(crate) const REPLY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Octets of one reply of POP3.
const POP3_OCTETS_MAX: usize = 65_536;
/// The same for SMTP.
const LIMITS: ResponseLimits =
    ResponseLimits { line_octets_max: 2_048, lines_max: 64, text_octets_max: 8_192, reply_octets_max: 65_536 };

/// Why a conversation ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    #[error("nothing came in time")]
    TimedOut,
    #[error("the connection was closed")]
    Closed,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("it does not speak the protocol")]
    NotProtocol,
    #[error("it refuses: {0}")]
    Refused(String),
    #[error("it went on in the clear behind the answer to STARTTLS")]
    GoesOn,
}

/// Which protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Smtp,
    Pop3,
}

/// How a reply of POP3 ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    /// With a line of a dot, where it is positive.
    UntilDot,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) is_positive: bool,
    /// Lines, without control characters.
    pub(crate) text: String,
}

/// What is offered at this point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    pub(crate) starttls: bool,
    /// Ways to log in.
    pub(crate) logins: Vec<String>,
}

/// A conversation.
pub(crate) struct Talk<S> {
    stream: S,
    protocol: Protocol,
    reader: ResponseReader,
    pending: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub(crate) fn new(stream: S, protocol: Protocol) -> Self {
        Self { stream, protocol, reader: ResponseReader::new(LIMITS), pending: Vec::new() }
    }

    /// The next reply.
    pub(crate) async fn reply(&mut self) -> Result<Said, TalkError> {
        self.reply_of(Lines::One).await
    }

    async fn reply_of(&mut self, lines: Lines) -> Result<Said, TalkError> {
        let read = async {
            match self.protocol {
                Protocol::Smtp => self.smtp().await,
                Protocol::Pop3 => self.pop3(lines).await,
            }
        };
        tokio::time::timeout(REPLY_WAIT_MAX, read).await.unwrap_or(Err(TalkError::TimedOut))
    }

    async fn smtp(&mut self) -> Result<Said, TalkError> {
        loop {
            match self.reader.next_response() {
                Ok(Some(Response { code, text, .. })) => {
                    return Ok(Said { is_positive: code / 100 == 2, text });
                }
                Ok(None) => {}
                Err(_) => return Err(TalkError::NotProtocol),
            }
            let octets = self.read().await?;
            self.reader.push(&octets);
        }
    }

    async fn pop3(&mut self, lines: Lines) -> Result<Said, TalkError> {
        loop {
            if let Some((said, length)) = pop3_reply(&self.pending, lines)? {
                self.pending.drain(..length);
                return Ok(said);
            }
            if self.pending.len() > POP3_OCTETS_MAX {
                return Err(TalkError::NotProtocol);
            }
            let octets = self.read().await?;
            self.pending.extend_from_slice(&octets);
        }
    }

    async fn read(&mut self) -> Result<Vec<u8>, TalkError> {
        let mut octets = vec![0; 4_096];
        let length = self.stream.read(&mut octets).await?;
        octets.truncate(length);
        if octets.is_empty() { Err(TalkError::Closed) } else { Ok(octets) }
    }

    pub(crate) async fn write(&mut self, text: &str) -> Result<(), TalkError> {
        let write = async {
            self.stream.write_all(text.as_bytes()).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(REPLY_WAIT_MAX, write).await.map_err(|_| TalkError::TimedOut)?.map_err(TalkError::Io)
    }

    /// Asks what is offered.
    pub(crate) async fn offers(&mut self, greeting_name: &str) -> Result<Offers, TalkError> {
        match self.protocol {
            Protocol::Smtp => {
                self.write(&format!("EHLO {greeting_name}\r\n")).await?;
                let said = self.reply().await?;
                if !said.is_positive {
                    return Err(TalkError::Refused(said.text));
                }
                let offered = Capabilities::parse(&Response { code: 250, enhanced: None, text: said.text });
                Ok(Offers { starttls: offered.starttls, logins: offered.auth })
            }
            Protocol::Pop3 => {
                self.write("CAPA\r\n").await?;
                let said = self.reply_of(Lines::UntilDot).await?;
                Ok(pop3_offers(&said))
            }
        }
    }

    /// Asks for TLS; the octets behind the command come with it. The stream is free when nothing came beyond the reply.
    pub(crate) async fn start_tls(mut self, behind: &str) -> Result<S, TalkError> {
        let command = match self.protocol {
            Protocol::Smtp => "STARTTLS",
            Protocol::Pop3 => "STLS",
        };
        self.write(&format!("{command}\r\n{behind}")).await?;
        let said = self.reply().await?;
        if !said.is_positive {
            return Err(TalkError::Refused(said.text));
        }
        if self.reader.is_empty() && self.pending.is_empty() { Ok(self.stream) } else { Err(TalkError::GoesOn) }
    }

    /// Says goodbye, whatever comes of it; how many replies were there before the connection ended.
    pub(crate) async fn quit(mut self, replies_max: u32) -> u32 {
        let mut replies = 0;
        if self.write("QUIT\r\n").await.is_ok() {
            while replies < replies_max && self.reply().await.is_ok() {
                replies += 1;
            }
        }
        replies
    }
}

/// A whole reply at the start of what came, and its length.
fn pop3_reply(octets: &[u8], lines: Lines) -> Result<Option<(Said, usize)>, TalkError> {
    let Some(end) = octets.iter().position(|octet| *octet == b'\n') else { return Ok(None) };
    let is_positive = octets.starts_with(b"+OK");
    if !is_positive && !octets.starts_with(b"-ERR") {
        return Err(TalkError::NotProtocol);
    }
    let mut length = end + 1;
    if is_positive && lines == Lines::UntilDot {
        let dot = |window: &[u8]| window == b"\n.\r\n";
        match octets.windows(4).position(dot) {
            Some(at) => length = at + 4,
            None => return Ok(None),
        }
    }
    let text = String::from_utf8_lossy(&octets[..length]);
    let text: String = text.chars().filter(|it| *it == '\n' || !it.is_control()).take(POP3_OCTETS_MAX).collect();
    Ok(Some((Said { is_positive, text: text.trim_end().to_owned() }, length)))
}

fn pop3_offers(said: &Said) -> Offers {
    let mut offers = Offers::default();
    for line in said.text.lines().skip(1).filter(|_| said.is_positive).take(64) {
        let mut words = line.split_ascii_whitespace();
        match words.next().map(str::to_ascii_uppercase).as_deref() {
            Some("STLS") => offers.starttls = true,
            Some("USER") => offers.logins.push("USER".to_owned()),
            Some("SASL") => offers.logins.extend(words.take(16).map(str::to_ascii_uppercase)),
            _ => {}
        }
    }
    offers
}

/// What a client calls itself that has no name: its address (RFC 5321 §4.1.3).
pub(crate) fn greeting_name(local: Option<SocketAddr>) -> String {
    match local.map(|local| local.ip().to_canonical()) {
        Some(IpAddr::V4(address)) => format!("[{address}]"),
        Some(IpAddr::V6(address)) => format!("[IPv6:{address}]"),
        None => "[127.0.0.1]".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_of_pop3_are_whole_or_not_there() {
        let one = |octets: &str| {
            pop3_reply(octets.as_bytes(), Lines::One).map(|it| it.map(|(said, length)| (said.is_positive, length)))
        };
        assert_eq!(one("+OK hi\r\n+OK").unwrap(), Some((true, 8)));
        assert_eq!(one("-ERR no\r\n").unwrap(), Some((false, 9)));
        assert_eq!(one("+OK hi").unwrap(), None);
        assert!(one("220 hi\r\n").is_err());
        let capa = "+OK\r\nUSER\r\nstls\r\nSASL plain LOGIN\r\n.\r\n";
        let (said, length) = pop3_reply(capa.as_bytes(), Lines::UntilDot).unwrap().unwrap();
        assert_eq!(length, capa.len());
        assert_eq!(
            pop3_offers(&said),
            Offers { starttls: true, logins: vec!["USER".into(), "PLAIN".into(), "LOGIN".into()] }
        );
        assert!(pop3_reply(&capa.as_bytes()[..capa.len() - 1], Lines::UntilDot).unwrap().is_none());
    }
}
