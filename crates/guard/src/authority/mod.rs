//! The makers of relay grants, and the order in which they are asked.
//!
//! Authorities give, rules only take away: no rule, no map entry `OK`, no greeting name and no header can make a
//! grant. What this crate cannot check itself enters by a constructor named `attest_…`; those who call one vouch for
//! it. There are four: [`Login::attest_authenticated`], [`PopEvidence::attest_pop_login`],
//! [`PopEvidence::attest_drac_grant`] and [`ConfirmedName::attest_forward_confirmed`].

pub mod address;
pub mod auth;
pub mod client_map;
pub(crate) mod network;
pub mod pop;
pub(crate) mod relay_domain;

use std::net::IpAddr;
use std::time::SystemTime;

pub use address::{AddressJudgement, AddressRight, judge_address};
pub use auth::{Device, Login, RecipientScope};
pub use client_map::ConfirmedName;
pub use pop::{ChargeKey, PopEvidence, PopSource, Subject};

use crate::fact::{Fault, RcptFacts};
use crate::policy::{ConfigLine, RelayPolicy};
use crate::trace::Trace;
use crate::verdict::{Need, Reason};

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
        /// The address or prefix it logged in from.
        addr: IpAddr,
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

    /// The line of the configuration that gives it.
    pub fn line(&self) -> Option<&ConfigLine> {
        match self {
            Self::Auth { .. } => None,
            Self::Network(line) | Self::ClientMap(line) | Self::Pop { line, .. } => Some(line),
        }
    }
}

/// What one authority says.
pub(crate) enum Answer {
    /// It gives.
    Grant(RelayGrant),
    /// It has nothing to give; the next one is asked.
    Nothing,
    /// It could not find out; the next one is asked, but a final no becomes temporary.
    Fault(Fault),
    /// It must know more first.
    Need(Need),
    /// It knows the client and says no; nobody else is asked.
    Refuse(Reason),
}

/// One question to one authority.
type Authority = fn(&RelayPolicy, &RcptFacts<'_>, &mut Trace) -> Answer;

/// Asked in this order when nobody is logged in. What needs no look-up and has no quota comes first, so that a listed
/// client is neither charged nor touched by a failing state engine.
const IN_ORDER: [Authority; 4] = [network::ask, client_map::ask_address, client_map::ask_name, pop::ask];

/// Asks the authorities. A login binds: who authenticated is judged by that alone, so that a device cannot shed its
/// limits by its address.
pub(crate) fn ask(policy: &RelayPolicy, facts: &RcptFacts<'_>, trace: &mut Trace) -> Answer {
    if let Some(login) = &facts.login {
        return auth::ask(login, facts, trace);
    }
    let mut first_fault = None;
    for authority in IN_ORDER {
        match authority(policy, facts, trace) {
            Answer::Nothing => {}
            Answer::Fault(fault) => {
                first_fault.get_or_insert(fault);
            }
            decided => return decided,
        }
    }
    first_fault.map_or(Answer::Nothing, Answer::Fault)
}
