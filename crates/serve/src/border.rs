//! What every session shares: the configuration in force, what judging asks, the queue.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use spool::Spool;

use super::interfaces::dracd::rates::Rates;
use super::interfaces::policy::Messages;
use super::sessions::{Listed, Sessions};
use super::site::{ListenerSite, Site};
use super::smtp::header::DateClock;
use judge::auth::Origin;
use judge::{SessionId, Sources};
use listen::memory::Memory;
use listen::{Crowd, Pass, Place, Stream, TlsFacts};

/// The running server, as its sessions see it.
pub struct Border {
    /// The configuration in force; a reload replaces it whole.
    pub site: ArcSwap<Site>,
    /// Accounts, evidence, names of clients.
    pub sources: Arc<Sources>,
    /// Who is connected.
    pub sessions: Arc<Sessions>,
    /// How many connections clients and their networks have.
    pub crowd: Arc<Crowd>,
    /// The queue.
    pub spool: Arc<Spool>,
    /// What binds the lines of the administrators' changes.
    pub changes_key: keep::chain::Key,
    /// For messages on their way into it.
    pub memory: Memory,
    /// What mail servers ask about more than once.
    pub messages: Messages,
    /// Dates for header fields.
    pub dates: DateClock,
    /// What an operator must be told.
    pub watch: Arc<telemetry::Watch>,
    /// Decisions as they are kept; `None`: they are not.
    pub records: Option<records::Store>,
    /// How much other servers have told over DRAC lately.
    pub drac_rates: Rates,
}

/// A connection at its first word.
pub struct Opened {
    /// Its octets.
    pub stream: Stream,
    /// What a TLS handshake told that was made already.
    pub tls: Option<TlsFacts>,
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
    /// Its place among those of its networks; `None`: it needs none.
    pub place: Option<Place>,
    /// Its place in the list of sessions.
    pub listed: Listed,
}

impl Client {
    /// Where a login of this session comes from: the client, or the address for which it speaks by XCLIENT.
    pub fn origin(&self, ip: IpAddr) -> Origin {
        let (sources, listener) = (Arc::clone(&self.border.sources), Arc::clone(&self.listener.settings.name));
        Origin { sources, session: self.session, listener, ip }
    }
}
