//! What is remembered until its end.

use std::net::IpAddr;

/// Of whom or what something is remembered. Each kind has a table of its own, so that a flood of one hides no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MemoryKey<'a> {
    /// That a next hop refused a recipient for good, by the forward-path.
    HopRefusals(&'a str),
    /// That a next hop takes mail for a recipient, by the forward-path.
    HopTakes(&'a str),
    /// That somebody logged in from a network, by its first address.
    LoggedInFrom(IpAddr),
    /// That a client waited for our greeting and behaved, by a subscriber's address.
    Waited(IpAddr),
}

impl MemoryKey<'_> {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 4;

    /// The kind's number, from 0.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::HopRefusals(_) => 0,
            Self::LoggedInFrom(_) => 1,
            Self::Waited(_) => 2,
            Self::HopTakes(_) => 3,
        }
    }
}
