//! The envelope as it is queued: plain data, already judged.

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

/// Who brought a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A stranger, for recipients of ours: a failure is never bounced.
    Outside,
    /// Somebody with a right to send.
    Account {
        /// The login behind the grant; a network grant has none.
        login: Option<String>,
        /// The right, in the words of the log.
        grant: String,
    },
    /// Ourselves: a delivery status notification.
    Bounce,
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
