//! Evidence of POP logins: as it is told, kept, taken back, and vouched for before the guard.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use guard::{PopEvidence, PopSource, Subject};

/// A POP login to record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopLogin {
    /// The key under which it counts, see `guard::RelayPolicy::pop_key`.
    pub addr: IpAddr,
    /// Whose it was. An account in the directory's form, 1 to 320 octets; not `[ADDRESS]`, which stands for a server.
    pub subject: Subject,
    /// Who told.
    pub source: PopSource,
    /// The account's device that logged in: its name, without blanks.
    pub device: Option<Arc<str>>,
}

/// What became of a login that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// When it was recorded, by the engine's clock.
    pub granted_at: SystemTime,
    /// From when on it does not count.
    pub expires_at: SystemTime,
    /// The same account was alive at the same address.
    pub renewed: bool,
    /// Other accounts are alive at the address too.
    pub shared: bool,
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
    pub(crate) fn matches(&self, addr: IpAddr, login: &str) -> bool {
        match self {
            Self::Addr(only) => *only == addr,
            Self::Login(only) => only == login,
            Self::Both(only_addr, only_login) => *only_addr == addr && only_login == login,
            Self::All => true,
        }
    }

    /// With the address in its canonical form.
    pub(crate) fn canonical(self) -> Self {
        match self {
            Self::Addr(addr) => Self::Addr(guard::canonical_ip(addr)),
            Self::Both(addr, login) => Self::Both(guard::canonical_ip(addr), login),
            other => other,
        }
    }
}

/// A live login as an engine keeps it. It is no evidence until [`attest`] makes it one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptLogin {
    pub(crate) addr: IpAddr,
    pub(crate) subject: Subject,
    pub(crate) source: PopSource,
    pub(crate) devices: Option<Arc<str>>,
    pub(crate) granted_at: SystemTime,
    pub(crate) expires_at: SystemTime,
    /// Others are alive at the address too.
    pub(crate) shared: bool,
}

/// Vouches for what an engine kept, whichever engine it is: a server that may add told so, or an account logged in.
pub(crate) fn attest(kept: KeptLogin) -> PopEvidence {
    let KeptLogin { addr, subject, source, devices, granted_at, expires_at, shared } = kept;
    match subject {
        Subject::Server(server) => PopEvidence::attest_drac_grant(server, addr, granted_at, expires_at),
        Subject::Account(login) => PopEvidence::attest_pop_login(login, addr, granted_at, expires_at)
            .told_by(source, shared)
            .by_devices(devices.map(|devices| devices.to_string())),
    }
}
