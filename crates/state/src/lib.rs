//! Evidence of logins and the rates of their use: what a verdict is founded on. It holds no right: only
//! `guard::authority` turns evidence into a grant.
//!
//! | file | answers for |
//! |---|---|
//! | `embedded` | [`Embedded`]: its operations, each whole and atomic |
//! | `gcra` | rates |
//! | `throttle` | failed logins |

mod embedded;
pub mod gcra;
pub mod throttle;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use guard::{Fault, PopSource, Subject};

pub use embedded::Embedded;
pub use throttle::{AuthGate, AuthLimits, Counted, FailedLogin};

/// A POP login to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopLogin {
    /// The key under which it counts, see `guard::RelayPolicy::pop_key`.
    pub addr: IpAddr,
    /// Whose it was. An account in the directory's form, 1 to 320 octets; not `[ADDRESS]`, which stands for a server.
    pub subject: Subject,
    /// Who told.
    pub source: PopSource,
}

/// What became of a login that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// From when on it does not count.
    pub expires_at: SystemTime,
    /// The same account was alive at the same address.
    pub renewed: bool,
    /// Other accounts are alive at the address too.
    pub shared: bool,
}

/// How much an account may send from an address by its POP logins. The window begins with the first charge and does
/// not begin anew when the login is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PopLimits {
    /// Messages in a window.
    pub messages: u32,
    /// Recipients in a window.
    pub recipients: u32,
    /// Its length.
    pub window: Duration,
}

/// Whether a charge was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// Counted.
    Within,
    /// Not counted: the window has no room until then.
    Exceeded {
        /// When the window ends.
        until: SystemTime,
    },
    /// Not counted: there is no live evidence (any more).
    NoEvidence,
}

impl From<ChargeOutcome> for guard::Charged {
    /// Without evidence there is no room.
    fn from(outcome: ChargeOutcome) -> Self {
        match outcome {
            ChargeOutcome::Within => Self::Within,
            ChargeOutcome::Exceeded { .. } | ChargeOutcome::NoEvidence => Self::Exceeded,
        }
    }
}

/// Which evidence is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoke {
    /// All at an address.
    Addr(IpAddr),
    /// All of an account.
    Login(String),
    /// One account at one address.
    Both(IpAddr, String),
    /// Everything.
    All,
}

impl Revoke {
    fn matches(&self, addr: IpAddr, login: &str) -> bool {
        match self {
            Self::Addr(only) => *only == addr,
            Self::Login(only) => only == login,
            Self::Both(only_addr, only_login) => *only_addr == addr && only_login == login,
            Self::All => true,
        }
    }

    /// With the address in its canonical form.
    fn canonical(self) -> Self {
        match self {
            Self::Addr(addr) => Self::Addr(guard::canonical_ip(addr)),
            Self::Both(addr, login) => Self::Both(guard::canonical_ip(addr), login),
            other => other,
        }
    }
}

/// How large the tables may grow, and how failed logins are slowed down.
#[derive(Debug, Clone, Copy)]
pub struct StateConfig {
    /// Evidence kept at most; above it the one that expires first goes.
    pub grants_max: usize,
    /// Accounts kept at one address at most; above it the one that expires first goes.
    pub logins_per_address_max: usize,
    /// Failed logins.
    pub auth: AuthLimits,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { grants_max: 1_000_000, logins_per_address_max: 256, auth: AuthLimits::default() }
    }
}

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// There was no store: nobody has evidence. That relays for nobody; legacy clients must log in by POP again.
    pub fresh: bool,
    /// Evidence read back, the expired included.
    pub grants: usize,
}

/// Why the state engine gives no answer. None of these is ever a grant.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory or the file cannot be used.
    #[error("state {path}: {op} failed")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        op: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is damaged. Nothing was changed.
    #[error(
        "state {path} is damaged ({detail}). It holds evidence of POP logins and their quotas, nothing that cannot come \
         again: move the file away and start again, then nobody has a POP grant until the next POP login"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another process has it open.
    #[error("state {path} is in use by another process; only one server may run on it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The last write failed; everything is unknown until one succeeds. It is tried every second.
    #[error("state: the last write failed; tried again every second")]
    WriteFailed,
    /// Too many writes wait.
    #[error("state: too many writes wait")]
    Overloaded,
    /// A login without name or longer than 320 octets.
    #[error("state: the login is empty or too long")]
    BadLogin,
    /// The engine was closed.
    #[error("state: closed")]
    Closed,
}

impl StateError {
    /// What the guard is told.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::WriteFailed | Self::Overloaded | Self::InUse { .. } => Fault::Unavailable("state"),
            Self::Damaged { .. } | Self::BadLogin => Fault::Broken("state"),
            Self::Closed => Fault::Closed("state"),
        }
    }
}

impl StateError {
    /// The same for another caller who waited for the same write.
    fn again(&self) -> Self {
        match self {
            Self::Overloaded => Self::Overloaded,
            Self::Closed => Self::Closed,
            _ => Self::WriteFailed,
        }
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        error.fault()
    }
}
