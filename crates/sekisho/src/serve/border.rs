//! What every session shares: the configuration in force, the accounts, the evidence, the queue.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use directory::Directory;
use spool::Spool;
use state::Embedded;

use super::beside::dracd::rates::Rates;
use super::beside::policy::Messages;
use super::memory::Memory;
use super::site::{ListenerSite, Site};
use super::smtp::header::DateClock;
use crate::listen::Pass;

/// The running server, as its sessions see it.
pub struct Border {
    /// The configuration in force; a reload replaces it whole.
    pub site: ArcSwap<Site>,
    /// Accounts, addresses, secrets.
    pub directory: Arc<Directory>,
    /// Evidence of logins, failed guesses.
    pub state: Arc<Embedded>,
    /// The queue.
    pub spool: Arc<Spool>,
    /// For messages on their way into it.
    pub memory: Memory,
    /// Names of clients, and where mail goes; `None`: there are no name servers.
    pub dns: Option<Arc<dns::Resolver>>,
    /// What mail servers ask about more than once.
    pub messages: Messages,
    /// Dates for header fields.
    pub dates: DateClock,
    /// How much other servers have told over DRAC lately.
    pub drac_rates: Rates,
    /// Counts the sessions ([`SessionId::first`]).
    pub sessions: AtomicU64,
    /// By which an unknown login gets a salt of its own, the same at each try (SCRAM).
    pub decoy_key: [u8; 32],
    /// Keys the hash under which wrong guesses are told apart; new at each start.
    pub guess_key: [u8; 32],
}

/// One connection's surroundings.
pub struct Client {
    /// The server.
    pub border: Arc<Border>,
    /// The configuration that this session keeps.
    pub site: Arc<Site>,
    /// The listener it came in by.
    pub listener: Arc<ListenerSite>,
    /// The client's address, as a listed proxy told it or as the socket has it; never IPv4-mapped.
    pub ip: IpAddr,
    /// The socket's peer: differs from `ip` behind a proxy.
    pub peer: IpAddr,
    /// The session's id in the log.
    pub session: SessionId,
    /// Its place in the listener's count.
    pub pass: Pass,
}

/// Names a session in every line of its log; unique over restarts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

impl SessionId {
    /// Where a process begins to count: the microseconds of its start, so that no id comes twice.
    pub fn first() -> AtomicU64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        AtomicU64::new(u64::try_from(since.as_micros()).unwrap_or(u64::MAX / 2))
    }
}

impl Border {
    /// The id of a session that begins.
    pub fn next_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

/// In base 36: short enough for every line.
impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; 13];
        let mut rest = self.0;
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_are_short() {
        let first = SessionId::first().into_inner();
        assert!(SessionId(first).to_string().len() <= 13);
        assert_eq!(SessionId(35).to_string(), "z");
        assert_eq!(SessionId(36).to_string(), "10");
    }
}
