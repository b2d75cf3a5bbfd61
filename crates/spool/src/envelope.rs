//! The envelope as it is queued: plain data, already judged.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::UnixMicros;

/// For whom a message is, from whom, and what the client asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// As printed without angle brackets; empty is the null reverse-path.
    pub reverse_path: String,
    /// At least one; an index into this list names a recipient everywhere in this crate.
    pub recipients: Vec<Recipient>,
    /// Who brought it: decides whether a failure may be reported to the reverse-path.
    pub origin: Origin,
    /// When it was accepted.
    pub arrived_at_unix_micros: UnixMicros,
    /// The session's id in the log.
    pub session: String,
    /// SMTPUTF8 was asked for (RFC 6531).
    pub smtputf8: bool,
    /// BODY=8BITMIME (RFC 6152).
    pub eight_bit: bool,
    /// ENVID of RFC 3461 §4.4, decoded from xtext.
    pub envid: Option<String>,
    /// RET of RFC 3461 §4.3.
    pub ret: Option<Ret>,
    /// Size of header and body in octets, as accepted.
    pub message_octets: u64,
}

/// One recipient of an [`Envelope`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// As printed without angle brackets.
    pub forward_path: String,
    /// Where delivery takes it.
    pub target: Target,
    /// NOTIFY of RFC 3461 §4.1 as bits: the meaning is the caller's, the spool only keeps it.
    pub notify: u8,
    /// ORCPT of RFC 3461 §4.2, as given.
    pub orcpt: Option<String>,
    /// The alias by which it came to this recipient; `None`: the client gave it as it is.
    pub via: Option<Box<Via>>,
}

/// How an address came to lead to a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Via {
    /// What the client gave, as printed without angle brackets.
    pub given: String,
    /// The alias that led to the recipient: an address, or `@domain` for a catch-all.
    pub alias: String,
}

/// Where a recipient's copy goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The mailbox of an account.
    Maildir {
        /// Its login.
        account: String,
    },
    /// By the remote route, to the host or domain named.
    Remote {
        /// A domain in A-label form, or an address literal.
        host: String,
    },
    /// To one host by SMTP: the next hop of a relay domain.
    NextHop {
        /// `host:port`.
        server: String,
    },
    /// To a mailbox server by LMTP (RFC 2033).
    Lmtp {
        /// `host:port`, or the absolute path of a socket.
        server: String,
    },
}

impl Target {
    /// The destination in one text: what is held for it is counted together.
    pub fn destination(&self) -> String {
        match self {
            Self::Maildir { account } => format!("maildir:{account}"),
            Self::Remote { host } => format!("remote:{host}"),
            Self::NextHop { server } => format!("smtp:{server}"),
            Self::Lmtp { server } => format!("lmtp:{server}"),
        }
    }
}

/// Who brought a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A stranger, for recipients of ours: a failure is never bounced.
    Outside,
    /// Somebody with a right to send.
    Account(Sender),
    /// Ourselves: a delivery status notification.
    Bounce,
}

/// Somebody with a right to send, as known when the message was accepted. The right may have ended since.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sender {
    /// The login behind the right; a network's has none.
    pub login: Option<String>,
    /// The account's number, which a new account of the same name does not have; `None`: not known, or not an account.
    pub account_id: Option<u64>,
    /// The right, in the words of the log.
    pub grant: String,
    /// The address it was sent from.
    pub client: Option<IpAddr>,
    /// Whether the reverse-path is known to be the sender's own.
    pub reverse_path: Ownership,
}

/// Whether a reverse-path is known to be that of who used it: only then it may be sent a notice, since anybody can name
/// anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ownership {
    /// It is.
    Proved,
    /// Nobody vouches for it.
    Unproved,
}

impl Envelope {
    /// Whether anybody may be told what becomes of the message: who sent it proved that the reverse-path is theirs.
    pub fn may_tell(&self) -> bool {
        let Origin::Account(sender) = &self.origin else { return false };
        sender.reverse_path == Ownership::Proved && !self.reverse_path.is_empty()
    }
}

/// How much of a message a failure report returns. The spool has its own type for that, as it has its own bits in
/// [`Recipient::notify`]: both are the form on disk, which a change to the protocol's types must not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ret {
    /// RET=FULL
    Full,
    /// RET=HDRS
    Headers,
}
