//! One policy request: raw octets, and what they mean.

use super::{ATTRIBUTES_MAX, PolicyError, REQUEST_OCTETS_MAX};
use crate::address;
use std::fmt;
use std::net::IpAddr;

/// Octets for which a request has room at once; requests of Postfix have about 700.
const OCTETS_EXPECTED: usize = 1024;

/// When in the SMTP session Postfix asks (`protocol_state`). With `smtpd_delay_reject = yes`, its default, the
/// restrictions of connect, HELO and MAIL are asked at RCPT, and say so here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// `CONNECT`
    Connect,
    /// `HELO`
    Helo,
    /// `EHLO`
    Ehlo,
    /// `MAIL`
    Mail,
    /// `RCPT`
    Rcpt,
    /// `DATA`, also where the client uses BDAT.
    Data,
    /// `END-OF-MESSAGE`
    EndOfMessage,
    /// `VRFY`
    Vrfy,
    /// `ETRN`
    Etrn,
}

impl Stage {
    fn parse(value: &[u8]) -> Option<Self> {
        Some(match value {
            b"CONNECT" => Self::Connect,
            b"HELO" => Self::Helo,
            b"EHLO" => Self::Ehlo,
            b"MAIL" => Self::Mail,
            b"RCPT" => Self::Rcpt,
            b"DATA" => Self::Data,
            b"END-OF-MESSAGE" => Self::EndOfMessage,
            b"VRFY" => Self::Vrfy,
            b"ETRN" => Self::Etrn,
            _ => return None,
        })
    }
}

/// The attributes that are looked at, as places in [`Request::known`].
#[derive(Clone, Copy)]
enum Attribute {
    Request,
    ProtocolState,
    ClientAddress,
    ClientName,
    HeloName,
    Sender,
    Recipient,
    Instance,
    SaslMethod,
    SaslUsername,
    PolicyContext,
    EncryptionProtocol,
}

/// How many there are.
const ATTRIBUTES: usize = Attribute::EncryptionProtocol as usize + 1;

impl Attribute {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"request" => Self::Request,
            b"protocol_state" => Self::ProtocolState,
            b"client_address" => Self::ClientAddress,
            b"client_name" => Self::ClientName,
            b"helo_name" => Self::HeloName,
            b"sender" => Self::Sender,
            b"recipient" => Self::Recipient,
            b"instance" => Self::Instance,
            b"sasl_method" => Self::SaslMethod,
            b"sasl_username" => Self::SaslUsername,
            b"policy_context" => Self::PolicyContext,
            b"encryption_protocol" => Self::EncryptionProtocol,
            _ => return None,
        })
    }
}

/// Where a value lies in the octets of its request.
type Span = std::ops::Range<u32>;

/// A request as far as it has come in.
#[derive(Debug, Default)]
pub(super) struct Building {
    octets: Vec<u8>,
    known: [Option<Span>; ATTRIBUTES],
    attributes: usize,
    /// In octets, with what is not looked at.
    length: usize,
}

impl Building {
    pub(super) fn is_empty(&self) -> bool {
        self.attributes == 0
    }

    /// The next line is none.
    pub(super) fn no_attribute(&self) -> PolicyError {
        PolicyError::NotAnAttribute { line: self.attributes + 1 }
    }

    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), PolicyError> {
        self.attributes += 1;
        if self.attributes > ATTRIBUTES_MAX {
            return Err(PolicyError::TooManyAttributes);
        }
        let malformed = PolicyError::NotAnAttribute { line: self.attributes };
        let equals = line.iter().position(|&octet| octet == b'=').filter(|&at| at > 0).ok_or(malformed)?;
        let (name, value) = (&line[..equals], &line[equals + 1..]);
        // What another protocol opens with may have an equals sign in it, as in the target of a web page's request (T50).
        let is_name = name.iter().all(|&octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.'));
        if !is_name || smtp::line::find(0, value).is_some() {
            return Err(malformed);
        }
        self.length += name.len() + value.len();
        if self.length > REQUEST_OCTETS_MAX {
            return Err(PolicyError::RequestTooLong);
        }
        if let Some(known) = Attribute::of(name) {
            // What Postfix sends, it sends once. Of two the last is taken, as all known policy servers do: they keep
            // the attributes in a table, so whoever puts one behind the others in between means to replace it.
            self.known[known as usize] = Some(self.keep(value)?);
        }
        Ok(())
    }

    fn keep(&mut self, octets: &[u8]) -> Result<Span, PolicyError> {
        if self.octets.capacity() == 0 {
            self.octets.reserve_exact(OCTETS_EXPECTED);
        }
        let start = u32::try_from(self.octets.len()).map_err(|_| PolicyError::RequestTooLong)?;
        self.octets.extend_from_slice(octets);
        let end = u32::try_from(self.octets.len()).map_err(|_| PolicyError::RequestTooLong)?;
        Ok(start..end)
    }

    pub(super) fn finish(self) -> Result<Request, PolicyError> {
        let request = Request { octets: self.octets, known: self.known };
        if request.known(Attribute::Request) == b"smtpd_access_policy" {
            Ok(request)
        } else {
            Err(PolicyError::UnknownRequest)
        }
    }
}

/// What Postfix asks about. Values are octets as the SMTP client sent them, which need not be UTF-8; an attribute that
/// is missing reads as an empty one, since Postfix sends an empty one for what it does not know.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    octets: Vec<u8>,
    known: [Option<Span>; ATTRIBUTES],
}

impl Request {
    /// When in the session; `None` if this is no stage of Postfix's.
    pub fn stage(&self) -> Option<Stage> {
        Stage::parse(self.known(Attribute::ProtocolState))
    }

    /// `protocol_state` as sent.
    pub fn protocol_state(&self) -> &[u8] {
        self.known(Attribute::ProtocolState)
    }

    /// The argument of HELO or EHLO.
    pub fn helo_name(&self) -> &[u8] {
        self.known(Attribute::HeloName)
    }

    /// The reverse-path without brackets; empty for the null reverse-path, and before MAIL.
    pub fn sender(&self) -> &[u8] {
        self.known(Attribute::Sender)
    }

    /// The forward-path without brackets; empty except at RCPT, and at DATA and END-OF-MESSAGE if there is just one.
    pub fn recipient(&self) -> &[u8] {
        self.known(Attribute::Recipient)
    }

    /// The SMTP client's address; `None` if Postfix does not know it (`unknown`).
    pub fn client_address(&self) -> Option<IpAddr> {
        address::parse(self.known(Attribute::ClientAddress))
    }

    /// The client's name by DNS, there and back; `unknown` if it has none.
    pub fn client_name(&self) -> &[u8] {
        self.known(Attribute::ClientName)
    }

    /// The same for all requests about one message, and for several recipients of it.
    pub fn instance(&self) -> &[u8] {
        self.known(Attribute::Instance)
    }

    /// The mechanism of SMTP AUTH; empty without.
    pub fn sasl_method(&self) -> &[u8] {
        self.known(Attribute::SaslMethod)
    }

    /// The login that Postfix's SASL proved; empty without.
    pub fn sasl_username(&self) -> &[u8] {
        self.known(Attribute::SaslUsername)
    }

    /// What the place in `main.cf` is called from which this is asked; empty where it has no name (Postfix below 3.1).
    pub fn policy_context(&self) -> &[u8] {
        self.known(Attribute::PolicyContext)
    }

    /// The version of TLS under which the client speaks, empty without TLS; `None`: it is not told (Postfix below 2.5).
    pub fn encryption_protocol(&self) -> Option<&[u8]> {
        self.known[Attribute::EncryptionProtocol as usize].as_ref().map(|span| self.at(span))
    }

    fn known(&self, name: Attribute) -> &[u8] {
        self.known[name as usize].as_ref().map_or(b"", |span| self.at(span))
    }

    fn at(&self, span: &Span) -> &[u8] {
        &self.octets[span.start as usize..span.end as usize]
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("protocol_state", &self.protocol_state().escape_ascii().to_string())
            .field("client_address", &self.client_address())
            .field("sender", &self.sender().escape_ascii().to_string())
            .field("recipient", &self.recipient().escape_ascii().to_string())
            .field("instance", &self.instance().escape_ascii().to_string())
            .finish_non_exhaustive()
    }
}
