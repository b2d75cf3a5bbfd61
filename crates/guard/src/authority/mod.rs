//! The makers of relay grants.
//!
//! Authorities give, rules only take away: no rule, no map entry `OK`, no greeting name and no header can make a
//! grant. What this crate cannot check itself enters by a constructor named `attest_…` ([`crate::attested`]); those who
//! call one vouch for it.

pub(crate) mod address;
pub(crate) mod auth;
pub(crate) mod client_map;
pub(crate) mod network;
pub(crate) mod pop;
pub(crate) mod relay_domain;

use std::net::IpAddr;
use std::time::SystemTime;

use crate::attested::Subject;
use crate::charge::{Charge, Charged};
use crate::fact::{Fact, Fault};
use crate::facts::Need;
use crate::line::ConfigLine;
use crate::reason::Reason;

/// Leave for one recipient to be relayed, made only here: private field, no `Clone`, `Default` or `Deserialize`. A
/// store keeps evidence (who logged in, from where, until when), never a grant.
/// ```compile_fail,E0451
/// fn forge(line: guard::ConfigLine) -> guard::RelayGrant {
///     guard::RelayGrant { right: guard::Right::Network(line) }
/// }
/// ```
/// ```compile_fail,E0277
/// fn twice<T: Clone>() {}
/// twice::<guard::RelayGrant>();
/// ```
/// ```compile_fail,E0277
/// fn from_nothing<T: Default>() {}
/// from_nothing::<guard::RelayGrant>();
/// ```
/// ```compile_fail,E0599
/// fn no_constructor(line: guard::ConfigLine) {
///     let _ = guard::RelayGrant::new(guard::Right::Network(line));
/// }
/// ```
/// The right can be read, not changed:
/// ```compile_fail,E0616
/// fn change(grant: guard::RelayGrant) -> guard::Right {
///     grant.right
/// }
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct RelayGrant {
    right: Right,
}

impl RelayGrant {
    /// By which right.
    pub fn right(&self) -> &Right {
        &self.right
    }
}

/// The right behind a grant. A value of it permits nothing by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// SMTP AUTH in this session.
    Auth {
        /// The account.
        login: String,
        /// Its device, if a device's secret was used.
        device: Option<String>,
    },
    /// A relay network.
    Network(ConfigLine),
    /// A line of the client map, by address or by forward-confirmed name.
    ClientMap(ConfigLine),
    /// A POP login.
    Pop {
        /// The account, or the server that vouched by DRAC.
        subject: Subject,
        /// The account's device that logged in there, or several, as [`PopEvidence::device`](crate::PopEvidence::device).
        device: Option<String>,
        /// The address or prefix it logged in from.
        addr: IpAddr,
        /// Since when.
        granted_at: SystemTime,
        /// Until when.
        expires_at: SystemTime,
        /// The line that lets POP logins count.
        line: ConfigLine,
    },
}

impl Right {
    /// Stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Auth { .. } => "auth",
            Self::Network(_) => "network",
            Self::ClientMap(_) => "client-map",
            Self::Pop { .. } => "pop",
        }
    }

    /// The account behind it; networks, map lines and what DRAC told have none.
    pub fn login(&self) -> Option<&str> {
        match self {
            Self::Auth { login, .. } | Self::Pop { subject: Subject::Account(login), .. } => Some(login),
            Self::Network(_) | Self::ClientMap(_) | Self::Pop { .. } => None,
        }
    }

    /// The device of that account, where one is known.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::Auth { device, .. } | Self::Pop { device, .. } => device.as_deref(),
            Self::Network(_) | Self::ClientMap(_) => None,
        }
    }

    /// Whether it holds while relaying is locked down: who proves himself now is no stranger.
    pub(crate) fn outlasts_a_lock(&self) -> bool {
        match self {
            Self::Auth { .. } => true,
            Self::Network(_) | Self::ClientMap(_) | Self::Pop { .. } => false,
        }
    }

    /// The line of the configuration that gives it.
    pub fn line(&self) -> Option<&ConfigLine> {
        match self {
            Self::Auth { .. } => None,
            Self::Network(line) | Self::ClientMap(line) | Self::Pop { line, .. } => Some(line),
        }
    }
}

/// Which right belongs to a client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRight {
    /// None.
    Nothing,
    /// A POP login, or what DRAC told: it holds for some reverse-paths only, and has a quota.
    SomeSenders,
    /// One for every reverse-path: a relay network, the client map, or DRAC where the policy wants no reverse-path.
    AnySender,
}

/// What one authority says.
pub(crate) enum Answer {
    /// It gives.
    Grant(RelayGrant),
    /// It gives once this is charged.
    Pending(Box<Pending>),
    /// It has nothing to give; the next one is asked.
    Nothing,
    /// It could not find out; the next one is asked, but a final no becomes temporary.
    Fault(Fault),
    /// It must know more first.
    Need(Need),
    /// It knows the client and says no; nobody else is asked.
    Refuse(Reason),
}

/// A right that is given once its charge is reserved. It permits nothing by itself.
#[derive(Debug)]
pub(crate) struct Pending {
    right: Right,
    charge: Charge,
}

impl Pending {
    /// What is to be reserved.
    pub(crate) fn charge(&self) -> &Charge {
        &self.charge
    }

    /// By which right.
    pub(crate) fn right(&self) -> &Right {
        &self.right
    }

    /// The line of the configuration that gives the right.
    pub(crate) fn line(&self) -> Option<&ConfigLine> {
        self.right.line()
    }

    /// The grant, if there was a place.
    pub(crate) fn reserved(self, charged: Fact<Charged>) -> Result<RelayGrant, Reason> {
        match charged {
            Fact::Known(Charged::Within) => Ok(RelayGrant { right: self.right }),
            Fact::Known(Charged::Exceeded) => Err(Reason::GrantExhausted),
            Fact::Unknown(_) => Err(Reason::AuthorityUnavailable),
        }
    }
}
