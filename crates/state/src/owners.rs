//! Where accounts' owners log in: whether a network is one of theirs.

use std::net::IpAddr;

/// A network from which an account's owner logged in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkOf<'a> {
    /// The account's login.
    pub(crate) login: &'a str,
    /// The network's first address.
    pub(crate) network: IpAddr,
}

/// Whether it was remembered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It was not.
    New,
    /// It was; its end is another now.
    Again,
}
