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

/// The attributes that Postfix 3.7 to 3.10 send, as places in [`Request::known`].
#[derive(Clone, Copy)]
enum Attribute {
    Request,
    ProtocolState,
    ProtocolName,
    ClientAddress,
    ClientName,
    ReverseClientName,
    ClientPort,
    ServerAddress,
    ServerPort,
    HeloName,
    Sender,
    Recipient,
    RecipientCount,
    QueueId,
    Instance,
    Size,
    EtrnDomain,
    Stress,
    SaslMethod,
    SaslUsername,
    SaslSender,
    CcertSubject,
    CcertIssuer,
    CcertFingerprint,
    CcertPubkeyFingerprint,
    EncryptionProtocol,
    EncryptionCipher,
    EncryptionKeysize,
    PolicyContext,
    CompatibilityLevel,
    MailVersion,
}

/// How many there are.
const ATTRIBUTES: usize = Attribute::MailVersion as usize + 1;

impl Attribute {
    fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"request" => Self::Request,
            b"protocol_state" => Self::ProtocolState,
            b"protocol_name" => Self::ProtocolName,
            b"client_address" => Self::ClientAddress,
            b"client_name" => Self::ClientName,
            b"reverse_client_name" => Self::ReverseClientName,
            b"client_port" => Self::ClientPort,
            b"server_address" => Self::ServerAddress,
            b"server_port" => Self::ServerPort,
            b"helo_name" => Self::HeloName,
            b"sender" => Self::Sender,
            b"recipient" => Self::Recipient,
            b"recipient_count" => Self::RecipientCount,
            b"queue_id" => Self::QueueId,
            b"instance" => Self::Instance,
            b"size" => Self::Size,
            b"etrn_domain" => Self::EtrnDomain,
            b"stress" => Self::Stress,
            b"sasl_method" => Self::SaslMethod,
            b"sasl_username" => Self::SaslUsername,
            b"sasl_sender" => Self::SaslSender,
            b"ccert_subject" => Self::CcertSubject,
            b"ccert_issuer" => Self::CcertIssuer,
            b"ccert_fingerprint" => Self::CcertFingerprint,
            b"ccert_pubkey_fingerprint" => Self::CcertPubkeyFingerprint,
            b"encryption_protocol" => Self::EncryptionProtocol,
            b"encryption_cipher" => Self::EncryptionCipher,
            b"encryption_keysize" => Self::EncryptionKeysize,
            b"policy_context" => Self::PolicyContext,
            b"compatibility_level" => Self::CompatibilityLevel,
            b"mail_version" => Self::MailVersion,
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
    others: Vec<(Span, Span)>,
    attributes: usize,
}

impl Building {
    pub(super) fn is_empty(&self) -> bool {
        self.attributes == 0
    }

    pub(super) fn add(&mut self, line: &[u8]) -> Result<(), PolicyError> {
        self.attributes += 1;
        if self.attributes > ATTRIBUTES_MAX {
            return Err(PolicyError::TooManyAttributes);
        }
        let malformed = PolicyError::NotAnAttribute { line: self.attributes };
        let equals = line.iter().position(|&octet| octet == b'=').filter(|&at| at > 0).ok_or(malformed)?;
        if smtp::line::find(0, line).is_some() {
            return Err(malformed);
        }
        let (name, value) = (&line[..equals], &line[equals + 1..]);
        if let Some(known) = Attribute::of(name) {
            // What Postfix sends, it sends once. Of two the last is taken, as all known policy servers do: they keep
            // the attributes in a table, so whoever puts one behind the others in between means to replace it.
            self.known[known as usize] = Some(self.keep(value)?);
        } else {
            let other = (self.keep(name)?, self.keep(value)?);
            self.others.push(other);
        }
        Ok(())
    }

    fn keep(&mut self, octets: &[u8]) -> Result<Span, PolicyError> {
        if self.octets.capacity() == 0 {
            self.octets.reserve_exact(OCTETS_EXPECTED);
        }
        let start = u32::try_from(self.octets.len()).map_err(|_| PolicyError::RequestTooLong)?;
        self.octets.extend_from_slice(octets);
        match u32::try_from(self.octets.len()) {
            Ok(end) if self.octets.len() <= REQUEST_OCTETS_MAX => Ok(start..end),
            _ => Err(PolicyError::RequestTooLong),
        }
    }

    pub(super) fn finish(self) -> Result<Request, PolicyError> {
        let request = Request { octets: self.octets, known: self.known, others: self.others };
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
    others: Vec<(Span, Span)>,
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

    /// `SMTP` or `ESMTP`.
    pub fn protocol_name(&self) -> &[u8] {
        self.known(Attribute::ProtocolName)
    }

    /// The argument of HELO or EHLO.
    pub fn helo_name(&self) -> &[u8] {
        self.known(Attribute::HeloName)
    }

    /// The queue id; empty before DATA unless the message has a queue file sooner.
    pub fn queue_id(&self) -> &[u8] {
        self.known(Attribute::QueueId)
    }

    /// The reverse-path without brackets; empty for the null reverse-path, and before MAIL.
    pub fn sender(&self) -> &[u8] {
        self.known(Attribute::Sender)
    }

    /// The forward-path without brackets; empty except at RCPT, and at DATA and END-OF-MESSAGE if there is just one.
    pub fn recipient(&self) -> &[u8] {
        self.known(Attribute::Recipient)
    }

    /// Accepted recipients: 0 up to DATA, the number at DATA and END-OF-MESSAGE.
    pub fn recipient_count(&self) -> Option<u32> {
        self.number(Attribute::RecipientCount)
    }

    /// The SMTP client's address; `None` if Postfix does not know it (`unknown`).
    pub fn client_address(&self) -> Option<IpAddr> {
        address::parse(self.known(Attribute::ClientAddress))
    }

    /// The client's name by DNS, there and back; `unknown` if it has none.
    pub fn client_name(&self) -> &[u8] {
        self.known(Attribute::ClientName)
    }

    /// The client's name by reverse DNS only: whoever owns the address may have written anything.
    pub fn reverse_client_name(&self) -> &[u8] {
        self.known(Attribute::ReverseClientName)
    }

    /// The client's TCP port.
    pub fn client_port(&self) -> Option<u16> {
        self.number(Attribute::ClientPort)
    }

    /// Our address that the client connected to (Postfix 3.2).
    pub fn server_address(&self) -> Option<IpAddr> {
        address::parse(self.known(Attribute::ServerAddress))
    }

    /// Our TCP port (Postfix 3.2).
    pub fn server_port(&self) -> Option<u16> {
        self.number(Attribute::ServerPort)
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

    /// What the client said in MAIL's AUTH= (RFC 4954 §5): a claim.
    pub fn sasl_sender(&self) -> &[u8] {
        self.known(Attribute::SaslSender)
    }

    /// The size in octets: what MAIL announced, at END-OF-MESSAGE the real one. 0: unknown.
    pub fn size(&self) -> Option<u64> {
        self.number(Attribute::Size)
    }

    /// The subject of the client's verified certificate, in xtext; empty without.
    pub fn ccert_subject(&self) -> &[u8] {
        self.known(Attribute::CcertSubject)
    }

    /// The issuer of the client's verified certificate, in xtext.
    pub fn ccert_issuer(&self) -> &[u8] {
        self.known(Attribute::CcertIssuer)
    }

    /// The fingerprint of the client's certificate, verified or not.
    pub fn ccert_fingerprint(&self) -> &[u8] {
        self.known(Attribute::CcertFingerprint)
    }

    /// The fingerprint of the public key in the client's certificate, verified or not.
    pub fn ccert_pubkey_fingerprint(&self) -> &[u8] {
        self.known(Attribute::CcertPubkeyFingerprint)
    }

    /// The version of TLS; empty without.
    pub fn encryption_protocol(&self) -> &[u8] {
        self.known(Attribute::EncryptionProtocol)
    }

    /// The cipher of TLS.
    pub fn encryption_cipher(&self) -> &[u8] {
        self.known(Attribute::EncryptionCipher)
    }

    /// The cipher's strength in bits; 0 without TLS.
    pub fn encryption_keysize(&self) -> Option<u32> {
        self.number(Attribute::EncryptionKeysize)
    }

    /// The argument of ETRN; empty without.
    pub fn etrn_domain(&self) -> &[u8] {
        self.known(Attribute::EtrnDomain)
    }

    /// `yes` while Postfix is overloaded, else empty.
    pub fn stress(&self) -> &[u8] {
        self.known(Attribute::Stress)
    }

    /// What `policy_context` in main.cf says (Postfix 3.1): tells several uses of one service apart.
    pub fn policy_context(&self) -> &[u8] {
        self.known(Attribute::PolicyContext)
    }

    /// Postfix's `compatibility_level` (Postfix 3.8).
    pub fn compatibility_level(&self) -> &[u8] {
        self.known(Attribute::CompatibilityLevel)
    }

    /// Postfix's version (Postfix 3.8).
    pub fn mail_version(&self) -> &[u8] {
        self.known(Attribute::MailVersion)
    }

    /// Attributes that no version of Postfix up to 3.10 sends, in their order.
    pub fn others(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.others.iter().map(|(name, value)| (self.at(name), self.at(value)))
    }

    fn known(&self, name: Attribute) -> &[u8] {
        self.known[name as usize].as_ref().map_or(b"", |span| self.at(span))
    }

    fn at(&self, span: &Span) -> &[u8] {
        &self.octets[span.start as usize..span.end as usize]
    }

    /// Decimal digits only: `+1`, which Rust reads, is none.
    fn number<N: std::str::FromStr>(&self, name: Attribute) -> Option<N> {
        let digits = str::from_utf8(self.known(name)).ok()?;
        digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse().ok())?
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
