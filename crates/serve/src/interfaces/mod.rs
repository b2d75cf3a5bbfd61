//! The interfaces for other mail servers: each connection is a [`Connection`]. Who speaks here names clients and is believed, so
//! a listener lets in only its `peers`.
//!
//! Three of them ask about SMTP clients: `client` judges those as our own server would.
//!
//! A connection may last for days; it goes by the configuration in force at each question, not by that of its beginning.

pub mod auth_policy;
pub mod client;
pub mod dovecot_auth;
pub mod dracd;
pub mod milter;
pub mod policy;
pub mod socketmap;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use guard::Depth;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tracing::{debug, info};

use self::client::Asking;
use super::border::Border;
use super::site::ListenerSite;
use config::{Protocol, RelayMode};
use judge::auth::Origin;
use judge::evidence::Recorder;
use judge::{SessionId, Terms};
use listen::{Link, Pass};

/// How long an answer that is being made may take after the server was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// One connection of another mail server.
#[derive(Clone)]
pub struct Connection {
    /// The server.
    pub border: Arc<Border>,
    /// The listener's name.
    pub listener: Arc<str>,
    /// What is spoken.
    pub protocol: Protocol,
    /// Who speaks; loopback for a Unix socket, whose permissions said who may.
    pub peer: IpAddr,
    /// Its id in the log.
    pub session: SessionId,
    _pass: Arc<Pass>,
}

impl Connection {
    /// A connection that has its place.
    pub fn new(border: Arc<Border>, listener: &ListenerSite, peer: IpAddr, pass: Pass) -> Self {
        let session = border.sources.sessions.next();
        let settings = &listener.settings;
        Self {
            border,
            listener: Arc::clone(&settings.name),
            protocol: settings.protocol,
            peer,
            session,
            _pass: Arc::new(pass),
        }
    }

    /// The configuration in force, and what this listener says in it; `None`: it is there no more, speaks something else, or
    /// this peer is none of its peers any more. The connection is to be closed then.
    pub fn in_force(&self) -> Option<InForce> {
        let site = self.border.site.load();
        let listener = Arc::clone(site.named(&self.listener)?);
        let settings = &listener.settings;
        let is_peer = settings.peers.is_empty() || settings.peers.iter().any(|net| net.contains(&self.peer));
        // Whoever came by a Unix socket is loopback here, and was let in by its permissions.
        let may = is_peer || (self.peer.is_loopback() && !settings.unix.is_empty());
        let is_served = settings.protocol == self.protocol && may;
        let relay = settings.relay;
        is_served.then(|| InForce { terms: Arc::clone(&site.terms), relay, listener })
    }

    /// By what its questions are answered.
    pub fn asking<'a>(&'a self, in_force: &'a InForce) -> Asking<'a> {
        let depth = match in_force.relay {
            RelayMode::Permit => Depth::Relaying,
            RelayMode::Restrict => Depth::Hosting,
        };
        Asking { connection: self, terms: &in_force.terms, mode: in_force.relay, depth }
    }

    /// Where a login comes from that the mail server tells of.
    pub fn origin(&self, ip: IpAddr) -> Origin {
        let (sources, listener) = (Arc::clone(&self.border.sources), Arc::clone(&self.listener));
        Origin { sources, session: self.session, listener, ip }
    }

    /// Records logins that it tells of.
    pub fn recorder<'a>(&'a self, terms: &'a Terms) -> Recorder<'a> {
        Recorder { sources: &self.border.sources, terms, session: self.session }
    }
}

/// The configuration by which a question is answered.
#[derive(Debug)]
pub struct InForce {
    /// By what is judged.
    pub terms: Arc<Terms>,
    /// Who decides about relaying for those that this listener is asked about.
    pub relay: RelayMode,
    /// The listener.
    pub listener: Arc<ListenerSite>,
}

/// Serves a connection until it ends or the server does.
pub async fn serve(connection: Connection, link: Link, mut stop: watch::Receiver<bool>) {
    debug!(session = %connection.session, listener = &*connection.listener, client = %connection.peer, "connected");
    let session = connection.session;
    let listener = Arc::clone(&connection.listener);
    let served = async {
        match connection.protocol {
            Protocol::Policy => policy::serve(&connection, link).await,
            Protocol::Socketmap => socketmap::serve(&connection, link).await,
            Protocol::Milter => milter::serve(&connection, link).await,
            Protocol::DovecotAuth => dovecot_auth::serve(&connection, link).await,
            Protocol::AuthPolicy => auth_policy::serve(&connection, link).await,
            Protocol::Dracd => dracd::serve(&connection, link).await,
            // Those have their own ways.
            Protocol::Smtp | Protocol::Submission | Protocol::Submissions | Protocol::Pop3 | Protocol::Pop3s => Ok(()),
        }
    };
    let stopped = async {
        while !*stop.borrow() {
            if stop.changed().await.is_err() {
                break;
            }
        }
        tokio::time::sleep(STOP_GRACE).await;
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = stopped => Ok(()),
    };
    if let Err(error) = ended {
        info!(session = %session, listener = &*listener, cause = ?error.to_string(), "connection aborted");
    }
}

/// Serves datagrams until the server ends.
pub async fn datagrams(socket: UdpSocket, border: Arc<Border>, stop: watch::Receiver<bool>) {
    dracd::serve_datagrams(socket, border, stop).await;
}

/// What a service ends with: done, or why not.
pub type Served = io::Result<()>;
