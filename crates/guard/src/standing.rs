//! What is found out about a stranger that no list knows: the names of its address, whether the domain it sends for is there,
//! and whether it has waited. As values; each can only be held against a mail.

use serde::Serialize;

/// What DNS calls an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PtrName {
    /// It has no name.
    None,
    /// It has one that does not lead back to it: anybody writes such a name.
    Name(Box<str>),
    /// It has one that does.
    Confirmed(Box<str>),
}

impl PtrName {
    /// The name, believed or not.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None => None,
            Self::Name(name) | Self::Confirmed(name) => Some(name),
        }
    }

    /// The name, if it leads back to the address.
    pub fn confirmed(&self) -> Option<&str> {
        match self {
            Self::Confirmed(name) => Some(name),
            Self::None | Self::Name(_) => None,
        }
    }
}

/// Whether a bounce could reach the domain of the reverse-path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SenderDomain {
    /// It has a host, or there is no domain to ask about.
    Alive,
    /// It has neither an exchange nor an address, or says itself that it takes no mail (RFC 7505).
    Dead,
}

/// Whether a stranger has waited (greylisting, RFC 6647).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Greylist {
    /// It was never seen: it begins to wait now.
    New {
        /// Seconds that it has to wait.
        secs_left: u32,
    },
    /// It came back too early.
    Waiting {
        /// Seconds that it still has to wait.
        secs_left: u32,
    },
    /// It has waited.
    Passed,
}
