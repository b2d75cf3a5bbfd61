//! Who or what is looked up.

use std::fmt;
use std::net::IpAddr;

/// Of whom a table is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The client.
    Client {
        /// Its address; IPv4 in IPv6 counts as IPv4.
        addr: IpAddr,
        /// Its name, only if DNS confirms it both ways. `None`: unknown.
        name: Option<&'a str>,
    },
    /// The name in HELO or EHLO.
    Helo(&'a str),
    /// A reverse-path without its brackets; empty is the null one.
    Sender(&'a str),
    /// A forward-path without its brackets.
    Recipient(&'a str),
    /// A forward-path of a domain that is ours. sendmail looks `user@` up for these only; to the others it is as
    /// [`Recipient`](Self::Recipient).
    LocalRecipient(&'a str),
}

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
    pub(super) fn also_untagged(self) -> bool {
        matches!(self, Self::Connect | Self::From | Self::To)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
