//! Takes connections from a listener's socket and gives each to its protocol.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use guard::{Load, Stage};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::away::{Answered, Away};
use super::border::{Border, Client, Opened};
use super::door::Door as Threshold;
use super::interfaces::{self, Connection};
use super::site::{ListenerSite, Site};
use super::{pop3, smtp as smtp_service};
use config::Protocol;
use judge::{SessionId, offence};
use listen::{Address, Link, Met, Pass, Place, Refused, Stream, proxy};

/// How long a proxy may take for its header, and a client for the first TLS handshake.
const PREAMBLE_WAIT: Duration = Duration::from_secs(30);
/// How long we pause when the system has no more file descriptors: closing sessions give some back.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// One socket that is being served.
pub struct Door {
    /// The socket.
    pub socket: Socket,
    /// Where it listens, by which each new configuration is looked up.
    pub address: Address,
}

/// A socket of one of the kinds that we listen to.
pub enum Socket {
    /// Connections.
    Tcp(TcpListener),
    /// Connections from this host.
    Unix(UnixListener),
    /// Datagrams.
    Udp(UdpSocket),
}

impl Door {
    /// Serves until `stop` turns true or the listener is in no configuration any more.
    pub async fn serve(self, border: Arc<Border>, stop: watch::Receiver<bool>) {
        let entrance = Entrance { address: self.address, border, stop };
        match self.socket {
            Socket::Tcp(socket) => entrance.connections(&socket).await,
            Socket::Unix(socket) => entrance.local_connections(&socket).await,
            Socket::Udp(socket) => interfaces::datagrams(socket, entrance.border, entrance.stop).await,
        }
    }
}

/// Where connections come in.
struct Entrance {
    address: Address,
    border: Arc<Border>,
    stop: watch::Receiver<bool>,
}

impl Entrance {
    async fn local_connections(mut self, socket: &UnixListener) {
        loop {
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((unix, _)) => self.admit_local(unix),
                    Err(error) => pause_after(&error, &self.address).await,
                },
                changed = self.stop.changed() => {
                    if changed.is_err() || *self.stop.borrow() {
                        return;
                    }
                }
            }
        }
    }

    /// The permissions of the socket say who may connect.
    fn admit_local(&self, unix: UnixStream) {
        let site = self.border.site.load_full();
        let Some(listener) = site.at(&self.address).map(Arc::clone) else { return };
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        match listener.gate.enter(here, listener.settings.connections_max, listener.settings.connections_max) {
            Ok(pass) => {
                listener.gate.met(Met::Served);
                let connection = Connection::new(Arc::clone(&self.border), &listener, here, pass);
                tokio::spawn(interfaces::serve(connection, Link::Unix(unix), self.stop.clone()));
            }
            Err(refused) => {
                listener.gate.met(Met::TurnedAway);
                debug!(listener = &*listener.settings.name, ?refused, "turned away");
            }
        }
    }

    async fn connections(mut self, socket: &TcpListener) {
        loop {
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((tcp, peer)) => self.admit(tcp, peer.ip()),
                    Err(error) => pause_after(&error, &self.address).await,
                },
                changed = self.stop.changed() => {
                    if changed.is_err() || *self.stop.borrow() {
                        return;
                    }
                }
            }
        }
    }

    /// Gives a connection its task, if there is room for it.
    fn admit(&self, tcp: TcpStream, peer: IpAddr) {
        let site = self.border.site.load_full();
        let Some(listener) = site.at(&self.address).map(Arc::clone) else { return };
        let peer = guard::canonical_ip(peer);
        let limits = &listener.settings;
        if !limits.peers.is_empty() && !limits.peers.iter().any(|net| net.contains(&peer)) {
            listener.gate.met(Met::TurnedAway);
            return info!(listener = &*limits.name, client = %peer, cause = "not one of its peers", "connection failed");
        }
        // A proxy brings many clients: each is counted once its header names it. A mail server that asks us speaks for many.
        let proxied = limits.proxy_from.iter().any(|net| net.contains(&peer));
        // DRAC may be spoken by anybody, if only to be told that he may not.
        let of_many = proxied || (limits.protocol.is_interface() && limits.protocol != Protocol::Dracd);
        let per_client = if of_many { limits.connections_max } else { limits.connections_per_client_max };
        match listener.gate.enter(peer, limits.connections_max, per_client) {
            Ok(pass) => {
                let _ = tcp.set_nodelay(true);
                let border = Arc::clone(&self.border);
                if limits.protocol.is_interface() {
                    listener.gate.met(Met::Served);
                    let connection = Connection::new(border, &listener, peer, pass);
                    tokio::spawn(interfaces::serve(connection, Link::Tcp(tcp), self.stop.clone()));
                    return;
                }
                let session = border.sources.sessions.next();
                let arrival = Arrival { border, site, listener, peer, session, proxied, pass };
                // Boxed: a task is moved several times until it runs.
                tokio::spawn(Box::pin(arrival.serve(tcp)));
            }
            Err(refused) => Turned { border: &self.border, listener: &listener, peer, refused }.tell(&tcp),
        }
    }
}

/// A connection at its first word, and its client.
struct Begun {
    ip: IpAddr,
    place: Option<Place>,
    opened: Opened,
}

/// A connection that has its place.
struct Arrival {
    border: Arc<Border>,
    site: Arc<Site>,
    listener: Arc<ListenerSite>,
    peer: IpAddr,
    session: SessionId,
    proxied: bool,
    pass: Pass,
}

impl Arrival {
    async fn serve(mut self, tcp: TcpStream) {
        let protocol = self.listener.settings.protocol;
        let begun = if self.proxied || protocol.implicit_tls() {
            // Boxed: a session must not keep room for it.
            tokio::time::timeout(PREAMBLE_WAIT, Box::pin(self.preamble(tcp))).await
        } else {
            // Nothing in it depends on the peer, and what is looked up has a deadline of its own.
            Ok(Ok(self.come_in(tcp, self.peer).await))
        };
        let Begun { ip, place, opened } = match begun {
            Ok(Ok(Some(begun))) => begun,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => return self.failed(&error),
            Err(_) => return self.failed(&io::Error::from(io::ErrorKind::TimedOut)),
        };
        let Self { border, site, listener, peer, session, pass, .. } = self;
        listener.gate.met(Met::Served);
        let (at, here, inside) = (Arc::clone(&border), Arc::clone(&site), Arc::clone(&listener));
        let listed = border.sessions.begin(session, &listener.settings, ip);
        let client = Client { border, site, listener, ip, peer, session, pass, place, listed };
        if protocol.is_smtp() {
            smtp_service::serve(client, opened).await;
        } else {
            pop3::serve(client, opened).await;
        }
        // Who leaves makes room, and perhaps a step less.
        if inside.gate.step() != Load::Calm {
            Threshold { border: &at, site: &here, listener: &inside }.shed();
        }
    }

    /// What comes before the first word where the peer has to say something: the PROXY header, whether the client may come in, the TLS
    /// handshake. `None`: the client was turned away.
    async fn preamble(&mut self, mut tcp: TcpStream) -> io::Result<Option<Begun>> {
        let ip = if self.proxied { proxy::client_behind(&mut tcp).await.map_err(io::Error::other)? } else { self.peer };
        let limits = &self.listener.settings;
        if self.proxied
            && let Err(refused) = self.pass.hand_to(ip, limits.connections_per_client_max)
        {
            Turned { border: &self.border, listener: &self.listener, peer: ip, refused }.tell(&tcp);
            return Ok(None);
        }
        let Some(Begun { place, opened, .. }) = self.come_in(tcp, ip).await else { return Ok(None) };
        if !self.listener.settings.protocol.implicit_tls() {
            return Ok(Some(Begun { ip, place, opened }));
        }
        let tls = self.listener.tls.clone().ok_or_else(|| io::Error::other("no certificate"))?;
        let (stream, facts) = opened.stream.start_tls(tls).await?;
        Ok(Some(Begun { ip, place, opened: Opened { stream, tls: Some(facts) } }))
    }

    /// Whether the client may come in. `None`: it was turned away.
    async fn come_in(&self, tcp: TcpStream, ip: IpAddr) -> Option<Begun> {
        let threshold = Threshold { border: &self.border, site: &self.site, listener: &self.listener };
        match threshold.enter(ip, self.session).await {
            Ok(place) => Some(Begun { ip, place, opened: Opened { stream: Stream::Plain(tcp), tls: None } }),
            Err(away) => {
                self.send_away(&tcp, ip, &away);
                None
            }
        }
    }

    /// Says why, in clear only, and closes.
    fn send_away(&self, tcp: &TcpStream, ip: IpAddr, away: &Away) {
        let (settings, records) = (&self.listener.settings, &self.border.sources.records);
        let (mut line, id) = (Vec::new(), records.id_for(Some(ip)));
        self.listener.gate.met(Met::TurnedAway);
        if settings.protocol.is_smtp() {
            away.reply(id).write_to(&mut line);
        } else {
            line.extend_from_slice(away.pop3());
        }
        let client = offence::Client { session: self.session, listener: &settings.name, addr: ip };
        let reply = String::from_utf8_lossy(&line).trim_end().to_owned();
        away.told(client, Stage::Connect, Answered { id, reply }).tell(records);
        if !settings.protocol.implicit_tls() {
            // A socket just accepted takes one line without waiting; if not, the client learns it by the close.
            let _ = tcp.try_write(&line);
        }
    }

    fn failed(&self, error: &io::Error) {
        let listener = &*self.listener.settings.name;
        self.listener.gate.met(Met::Failed);
        info!(listener, client = %self.peer, cause = ?error.to_string(), "connection failed");
    }
}

/// A client for which a listener has no room.
struct Turned<'a> {
    border: &'a Border,
    listener: &'a ListenerSite,
    peer: IpAddr,
    refused: Refused,
}

impl Turned<'_> {
    /// Says why and closes; nobody waits for a client that is turned away.
    fn tell(self, tcp: &TcpStream) {
        let Self { border, listener, peer, refused } = self;
        let (protocol, name) = (listener.settings.protocol, &*listener.settings.name);
        listener.gate.met(Met::TurnedAway);
        if protocol.is_interface() {
            // Each of them tries again by itself.
            return debug!(listener = name, client = %peer, ?refused, "turned away");
        }
        let (records, away) = (&border.sources.records, Away::NoRoom(refused));
        let (mut line, id) = (Vec::new(), records.id_for(Some(peer)));
        if protocol.is_smtp() {
            away.reply(id).write_to(&mut line);
        } else {
            line.extend_from_slice(away.pop3());
        }
        if !protocol.implicit_tls() {
            // A socket just accepted takes one line without waiting; if not, the client learns it by the close.
            let _ = tcp.try_write(&line);
        }
        let client = offence::Client { session: border.sources.sessions.next(), listener: name, addr: peer };
        let reply = String::from_utf8_lossy(&line).trim_end().to_owned();
        away.told(client, Stage::Connect, Answered { id, reply }).tell(records);
    }
}

async fn pause_after(error: &io::Error, address: &Address) {
    // A client that left before we took it is no fault of ours.
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        warn!(%address, cause = %error, "accepting paused");
        tokio::time::sleep(EXHAUSTED_PAUSE).await;
    }
}
