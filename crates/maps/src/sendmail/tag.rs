//! Tags of sendmail's access database: what an entry is about.

use std::fmt;

use crate::key::fold;

/// Tags that the rulesets know, folded.
pub(crate) const KNOWN: [&str; 20] = [
    "connect",
    "from",
    "to",
    "spam",
    "greetpause",
    "clientrate",
    "clientconn",
    "certissuer",
    "certsubject",
    "tls_srv",
    "tls_clt",
    "tls_rcpt",
    "try_tls",
    "srv_features",
    "clt_features",
    "tls_srv_features",
    "tls_clt_features",
    "authinfo",
    "cfe",
    "dane",
];

/// A tag of sendmail's access database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tag {
    /// Clients; also without a tag.
    Connect,
    /// Senders; also without a tag.
    From,
    /// Recipients; also without a tag.
    To,
    /// Recipients that want spam, or do not (`FEATURE(delay_checks)`).
    Spam,
    /// Clients: milliseconds to wait before the greeting.
    GreetPause,
    /// Clients: connections in a time; without anything behind the tag: everybody else's.
    ClientRate,
    /// Clients: connections at once; the same.
    ClientConn,
}

impl Tag {
    /// As it stands in a file, without the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "Connect",
            Self::From => "From",
            Self::To => "To",
            Self::Spam => "Spam",
            Self::GreetPause => "GreetPause",
            Self::ClientRate => "ClientRate",
            Self::ClientConn => "ClientConn",
        }
    }

    /// Whether entries without a tag count as well.
    pub(crate) fn also_untagged(self) -> bool {
        matches!(self, Self::Connect | Self::From | Self::To)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key of the database, taken apart.
#[derive(Clone, Copy)]
pub(crate) struct TaggedKey<'a> {
    pub(crate) tag: Option<Tag>,
    /// What stands behind the tag.
    pub(crate) rest: &'a str,
}

impl<'a> TaggedKey<'a> {
    /// Of a folded key, whose tag is folded too. One of the other tags counts as a part of the key.
    pub(crate) fn split(key: &'a str) -> Self {
        for tag in [Tag::Connect, Tag::From, Tag::To, Tag::Spam, Tag::GreetPause, Tag::ClientRate, Tag::ClientConn] {
            let folded = fold(tag.as_str());
            if let Some(rest) = key.strip_prefix(folded.as_ref()).and_then(|rest| rest.strip_prefix(':')) {
                return Self { tag: Some(tag), rest };
            }
        }
        Self { tag: None, rest: key }
    }
}
