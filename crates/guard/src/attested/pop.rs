//! Who logged in by POP from where: what POP-before-SMTP is founded on.
//!
//! Evidence names an account, or, when it came over DRAC, only the server that said that somebody logged in.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::ip::canonical_ip;
use crate::serial;

/// Evidence from further ahead than this is none: the clock was set back, and the grant would last too long.
const CLOCK_SLACK: Duration = Duration::from_mins(5);

/// Who told of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PopSource {
    /// Our own POP3 server.
    Pop3,
    /// The operator, by hand.
    Operator,
    /// Another POP or IMAP server, over DRAC.
    Drac,
    /// Dovecot's authentication reports.
    AuthPolicy,
    /// Another POP or IMAP server that let us check the password.
    DovecotAuth,
    /// A line in the log of another POP or IMAP server: the weakest, since whoever writes there is believed.
    Log,
}

impl PopSource {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Pop3 => "pop3",
            Self::Operator => "operator",
            Self::Drac => "drac",
            Self::AuthPolicy => "auth-policy",
            Self::DovecotAuth => "dovecot-auth",
            Self::Log => "log",
        }
    }

    /// Whether the account may be one that our directory does not know: another server checked the password.
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::AuthPolicy | Self::Log)
    }
}

/// Whose login it was, as far as we were told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// This account's.
    Account(String),
    /// Somebody's at this server, which told us over DRAC and does not say whose.
    Server(IpAddr),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(login) => f.write_str(login),
            Self::Server(server) => write!(f, "{server}"),
        }
    }
}

/// That an account logged in by POP from an address, and until when that counts. It permits nothing by itself.
/// ```compile_fail,E0451
/// fn forge(time: std::time::SystemTime) -> guard::PopEvidence {
///     guard::PopEvidence {
///         subject: guard::Subject::Account(String::new()), addr: [192, 0, 2, 7].into(), granted_at: time,
///         expires_at: time, shared: false, source: guard::PopSource::Pop3, device: None,
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PopEvidence {
    subject: Subject,
    addr: IpAddr,
    #[serde(serialize_with = "serial::micros")]
    granted_at: SystemTime,
    #[serde(serialize_with = "serial::micros")]
    expires_at: SystemTime,
    shared: bool,
    source: PopSource,
    device: Option<String>,
}

impl PopEvidence {
    /// The caller, a state engine, vouches that `login` authenticated by POP from `addr` at `granted_at`. `addr` is
    /// the key of [`RelayPolicy::pop_key`].
    pub fn attest_pop_login(login: String, addr: IpAddr, granted_at: SystemTime, expires_at: SystemTime) -> Self {
        let (subject, addr) = (Subject::Account(login), canonical_ip(addr));
        Self { subject, addr, granted_at, expires_at, shared: false, source: PopSource::Pop3, device: None }
    }

    /// The caller, a state engine, vouches that a DRAC server that may add told at `granted_at` that somebody logged in
    /// from `addr`.
    pub fn attest_drac_grant(server: IpAddr, addr: IpAddr, granted_at: SystemTime, expires_at: SystemTime) -> Self {
        let (subject, addr) = (Subject::Server(server), canonical_ip(addr));
        Self { subject, addr, granted_at, expires_at, shared: false, source: PopSource::Drac, device: None }
    }

    /// With who told, and whether several accounts are alive at the address.
    #[must_use]
    pub fn told_by(mut self, source: PopSource, shared: bool) -> Self {
        self.source = source;
        self.shared = shared;
        self
    }

    /// With the names of the account's devices that logged in, the latest last.
    #[must_use]
    pub fn by_devices(mut self, devices: Option<String>) -> Self {
        self.device = devices;
        self
    }

    /// The account's device that logged in; of several behind one address all that did, with blanks between.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Whose login it was.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The account in the directory's form, if one is named.
    pub fn login(&self) -> Option<&str> {
        match &self.subject {
            Subject::Account(login) => Some(login),
            Subject::Server(_) => None,
        }
    }

    /// The key under which it was stored.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// Time of the last login.
    pub fn granted_at(&self) -> SystemTime {
        self.granted_at
    }

    /// From this instant on it is none.
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// Several accounts are alive at this address.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// For an order that does not depend on the store's.
    pub(crate) fn text(&self) -> String {
        self.subject.to_string()
    }

    /// Who told.
    pub fn source(&self) -> PopSource {
        self.source
    }

    /// Whether it counts at this time.
    pub fn is_alive(&self, now: SystemTime) -> bool {
        now < self.expires_at && self.granted_at <= now + CLOCK_SLACK
    }
}
