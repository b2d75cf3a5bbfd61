//! Who or what is looked up.

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
