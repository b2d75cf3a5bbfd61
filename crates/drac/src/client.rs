//! The client's half of DRAC: it names an address to a server and waits, but never longer than it was told to.
//!
//! A POP server blocks in this call while its user waits, so everything counts against one limit: the server's name, its port
//! mapper, and the call with its retransmissions. The original waits up to 25 seconds, and for a mute port mapper a minute.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::call::{CallError, call, deadline, new_xid, time_left};
use crate::portmap::{self, GetAddress, put_get_address, put_get_port, read_address, read_port};
use crate::rpc::{Failure, Procedure, put_call};
use crate::xdr::put_word;
use crate::{AddResult, PROGRAM, Version};

/// How long a call takes at most unless the caller says otherwise.
pub const WITHIN: Duration = Duration::from_secs(2);

const ADD: u32 = 1;

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: Option<u16>,
}

impl Target {
    /// A host's name or address. Its port mapper is asked for the port.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: None }
    }

    /// The same, when the port is known.
    #[must_use]
    pub fn at_port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Reads `HOST`, `HOST:PORT`, `IPV6` or `[IPV6]:PORT`.
    pub fn parse(text: &str) -> Self {
        let split = text.rsplit_once(':').filter(|(host, _)| host.starts_with('[') || !host.contains(':'));
        let bare = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match split.and_then(|(host, port)| Some((bare(host), port.parse().ok()?))) {
            Some((host, port)) => Self { host, port: Some(port) },
            None => Self::new(bare(text)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

/// Why there is no answer of the server to an add. The texts are those that callers of the C library log.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is nothing that a call could be sent to; the C library's -1.
    #[error("{server}: RPC: {why}")]
    NoHandle {
        /// The server, as the caller named it.
        server: String,
        /// What was missing.
        why: NoHandle,
    },
    /// The call was sent and has no result; the C library's -2.
    #[error("call failed: RPC: {0}")]
    CallFailed(#[from] CallError),
    /// The server answered with a number that has no meaning; the C library's 3.
    #[error("Server reports unknown error")]
    UnknownResult(u32),
}

/// Why the server could not be found.
#[derive(Debug, thiserror::Error)]
pub enum NoHandle {
    /// The name has no address.
    #[error("Unknown host")]
    UnknownHost,
    /// The name was not resolved in time.
    #[error("Unknown host; its name was not resolved in time")]
    NameTimedOut,
    /// The port mapper knows no DRAC server.
    #[error("Program not registered")]
    NotRegistered,
    /// The port mapper did not tell.
    #[error("Port mapper failure - {0}")]
    PortMapper(#[source] CallError),
    /// The system gives no socket, or has no way there.
    #[error("Remote system error - {0}")]
    Io(#[from] io::Error),
}

/// Has `server` add `user`, within the given time (usually [`WITHIN`]).
pub fn add(server: &Target, user: IpAddr, within: Duration) -> Result<AddResult, ClientError> {
    let until = deadline(within);
    Connection::open_until(server, Version::of(user), until)?.add_until(user, until)
}

/// A server that was found, for several adds.
#[derive(Debug)]
pub struct Connection {
    socket: UdpSocket,
}

impl Connection {
    /// Finds the server of `version`. Nothing is sent to it yet.
    pub fn open(server: &Target, version: Version, within: Duration) -> Result<Self, ClientError> {
        Self::open_until(server, version, deadline(within))
    }

    /// Has the server add `user`. A v4-mapped address is added as the IPv4 address that it is.
    pub fn add(&self, user: IpAddr, within: Duration) -> Result<AddResult, ClientError> {
        self.add_until(user, deadline(within))
    }

    fn open_until(server: &Target, version: Version, until: Instant) -> Result<Self, ClientError> {
        find(server, version, until)
            .and_then(|address| Ok(connected(address)?))
            .map(|socket| Self { socket })
            .map_err(|why| ClientError::NoHandle { server: server.to_string(), why })
    }

    fn add_until(&self, user: IpAddr, until: Instant) -> Result<AddResult, ClientError> {
        let mut request = Vec::new();
        put_add(&mut request, new_xid(), user);
        let number = call(&self.socket, &request, until, |mut results| results.word())?;
        AddResult::of_number(number).ok_or(ClientError::UnknownResult(number))
    }
}

/// Appends a call that adds `user`: 44 octets for IPv4, 104 for IPv6.
pub fn put_add(out: &mut Vec<u8>, xid: u32, user: IpAddr) {
    put_call(out, xid, Procedure { program: PROGRAM, version: Version::of(user).number(), number: ADD });
    match user.to_canonical() {
        IpAddr::V4(v4) => put_word(out, v4.to_bits()),
        // An array of char: every octet is a word. Ours have no sign, servers look at the lowest octet only.
        IpAddr::V6(v6) => {
            for octet in v6.octets() {
                put_word(out, octet.into());
            }
        }
    }
}

fn find(server: &Target, version: Version, until: Instant) -> Result<SocketAddr, NoHandle> {
    let host = resolve(&server.host, until)?;
    let port = match server.port {
        Some(port) => port,
        None => ask_port(host, version, until)?.ok_or(NoHandle::NotRegistered)?,
    };
    Ok(SocketAddr::new(host, port))
}

/// An address of the host; IPv4 if it has one, since the original server has no other socket.
fn resolve(host: &str, until: Instant) -> Result<IpAddr, NoHandle> {
    if let Ok(address) = host.parse() {
        return Ok(address);
    }
    // RFC 6761 §6.3: no resolver need be asked for it.
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let left = time_left(until).ok_or(NoHandle::NameTimedOut)?;
    let (tell, told) = mpsc::channel();
    let name = host.to_owned();
    // The system's resolver waits as long as it likes. If that is too long, its thread ends by itself later.
    thread::Builder::new().name("drac-resolve".to_owned()).spawn(move || {
        let addresses = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
        // Nobody waits any more if this fails.
        drop(tell.send(addresses.unwrap_or_else(|_| Vec::new())));
    })?;
    let addresses = told.recv_timeout(left).map_err(|_| NoHandle::NameTimedOut)?;
    let first = |ipv4: bool| addresses.iter().map(SocketAddr::ip).find(|address| address.is_ipv4() == ipv4);
    first(true).or_else(|| first(false)).ok_or(NoHandle::UnknownHost)
}

/// Asks the port mapper as the C library does: version 4, then 3, then 2, where the one before is not known to it.
fn ask_port(host: IpAddr, version: Version, until: Instant) -> Result<Option<u16>, NoHandle> {
    let port_mapper = SocketAddr::new(host, portmap::PORT);
    let socket = connected(port_mapper)?;
    let mut request = Vec::new();
    for rpcbind in [4, 3] {
        request.clear();
        put_get_address(&mut request, new_xid(), GetAddress { rpcbind, version, server: port_mapper });
        match call(&socket, &request, until, read_address) {
            Err(CallError::Failed(
                Failure::ProgramMismatch { .. } | Failure::ProgramUnavailable | Failure::ProcedureUnavailable,
            )) => {}
            answered => return answered.map_err(NoHandle::PortMapper),
        }
    }
    if host.is_ipv6() {
        // Version 2 knows ports of IPv4 only.
        return Ok(None);
    }
    request.clear();
    put_get_port(&mut request, new_xid(), version, portmap::Transport::Udp);
    call(&socket, &request, until, read_port).map_err(NoHandle::PortMapper)
}

/// Connected, so that only that server's answers come in, and a port where nobody listens is known at once.
fn connected(address: SocketAddr) -> io::Result<UdpSocket> {
    let any = if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(address)?;
    Ok(socket)
}
