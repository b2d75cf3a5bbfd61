//! The interfaces for other mail servers: each connection is a [`Visit`]. Who speaks here names clients and is believed, so
//! a listener lets in only its `peers`.
//!
//! Three of them ask about SMTP clients: `client` judges those as our own server would, `path` reads addresses as they tell
//! them.
//!
//! A visit may last for days; it goes by the configuration in force at each question, not by that of its beginning.

pub mod auth_policy;
pub mod client;
pub mod dovecot_auth;
pub mod dracd;
pub mod milter;
pub mod path;
pub mod policy;
pub mod socketmap;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tracing::{debug, info};

use super::auth::Proved;
use super::border::{Border, SessionId};
use super::site::{ListenerSite, Site};
use crate::config::Protocol;
use crate::judge::Party;
use crate::listen::{Address, Link, Pass};

/// How long an answer that is being made may take after the server was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// One connection of another mail server.
pub struct Visit {
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
    _pass: Pass,
}

impl Visit {
    /// A connection that has its place.
    pub fn new(border: Arc<Border>, listener: &ListenerSite, (peer, pass): (IpAddr, Pass)) -> Self {
        let session = border.next_session();
        let settings = &listener.settings;
        Self { border, listener: Arc::clone(&settings.name), protocol: settings.protocol, peer, session, _pass: pass }
    }

    /// The configuration in force, and this listener in it; `None`: it is there no more, speaks something else, or this peer
    /// is none of its peers any more. The connection is to be closed then.
    pub fn site(&self) -> Option<(Arc<Site>, Arc<ListenerSite>)> {
        in_force(&self.border, (&self.listener, self.protocol, self.peer))
    }

    /// A client that the mail server tells of, as the judge sees it.
    pub fn party<'a>(
        &'a self,
        site: &'a Site,
        (ip, helo): (IpAddr, Option<&'a str>),
        proved: Option<&'a Proved>,
    ) -> Party<'a> {
        Party {
            border: &self.border,
            site,
            policy: &site.beside,
            ip: guard::canonical_ip(ip),
            listener: &self.listener,
            session: self.session,
            helo,
            proved,
        }
    }
}

/// The configuration in force and a listener in it, if it still speaks this with this peer.
pub fn in_force(
    border: &Border,
    (listener, protocol, peer): (&str, Protocol, IpAddr),
) -> Option<(Arc<Site>, Arc<ListenerSite>)> {
    let site = border.site.load_full();
    let listener = site.named(listener).map(Arc::clone)?;
    let settings = &listener.settings;
    let is_peer = settings.peers.is_empty() || settings.peers.iter().any(|net| net.contains(&peer));
    // Whoever came by a Unix socket is loopback here, and was let in by its permissions.
    let may = is_peer || (peer.is_loopback() && !settings.unix.is_empty());
    (settings.protocol == protocol && may).then_some((site, listener))
}

/// Serves a connection until it ends or the server does.
pub async fn serve(visit: Visit, link: Link, mut stop: watch::Receiver<bool>) {
    debug!(session = %visit.session, listener = &*visit.listener, client = %visit.peer, "visited");
    let session = visit.session;
    let listener = Arc::clone(&visit.listener);
    let served = async {
        match visit.protocol {
            Protocol::Policy => policy::serve(&visit, link).await,
            Protocol::Socketmap => socketmap::serve(&visit, link).await,
            Protocol::Milter => milter::serve(&visit, link).await,
            Protocol::DovecotAuth => dovecot_auth::serve(&visit, link).await,
            Protocol::AuthPolicy => auth_policy::serve(&visit, link).await,
            Protocol::Dracd => dracd::serve(&visit, link).await,
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
        info!(session = %session, listener = &*listener, cause = ?error.to_string(), "visit broken off");
    }
}

/// Serves datagrams until the server ends.
pub async fn datagrams(socket: UdpSocket, address: Address, (border, stop): (Arc<Border>, watch::Receiver<bool>)) {
    dracd::serve_datagrams(socket, address, (border, stop)).await;
}

/// What a service ends with: done, or why not.
pub type Served = io::Result<()>;
