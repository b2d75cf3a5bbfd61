//! Registering DRAC with the rpcbind of this machine, so that clients which ask port 111 find it.
//!
//! rpcbind takes registrations from 127.0.0.1 and a port below 1024 only, so the caller needs the right to bind one. As with
//! the original, a server that starts takes the entries over; unlike it, one that ends takes them away, if they are still its own.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::Version;
use crate::call::{CallError, call, deadline, new_xid};
use crate::portmap::{self, Mapping, Ports, Transport, put_get_port, put_set, put_unset};

/// Where the rpcbind of this machine listens.
pub const RPCBIND: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), portmap::PORT);

/// Ports that rpcbind takes registrations from, as the C library chooses them.
const RESERVED_PORTS: std::ops::RangeInclusive<u16> = 600..=1023;

/// Why DRAC is not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Nobody listens there. The caller may answer on port 111 itself (`portmap::answer`).
    #[error("no rpcbind listens at {0}")]
    NotRunning(SocketAddr),
    /// This process may not bind a port below 1024, from which alone rpcbind takes registrations.
    #[error("no right to a port below 1024, from which alone rpcbind takes registrations")]
    NoReservedPort(#[source] io::Error),
    /// rpcbind refused an entry.
    #[error("rpcbind refuses to register version {} over {transport:?}", .version.number())]
    Refused {
        /// The entry's version.
        version: Version,
        /// The entry's transport.
        transport: Transport,
    },
    /// The exchange with rpcbind failed.
    #[error("rpcbind: {0}")]
    Call(#[source] CallError),
}

/// Registers both versions with each transport that has a port, in place of whatever was registered. It takes at most `within`.
pub fn register(rpcbind: SocketAddr, ports: Ports, within: Duration) -> Result<(), RegisterError> {
    let link = Link::open(rpcbind, within)?;
    for version in Version::ALL {
        // "False" only says that there was nothing to take away.
        link.ask(|out, xid| put_unset(out, xid, version))?;
        for transport in Transport::ALL {
            let Some(port) = ports.of(transport) else { continue };
            if link.ask(|out, xid| put_set(out, xid, Mapping { version, transport, port }))? == 0 {
                return Err(RegisterError::Refused { version, transport });
            }
        }
    }
    Ok(())
}

/// Takes the registration away, unless another server has put its own in its place. It takes at most `within`.
pub fn unregister(rpcbind: SocketAddr, ports: Ports, within: Duration) -> Result<(), RegisterError> {
    let link = Link::open(rpcbind, within)?;
    for version in Version::ALL {
        if link.is_ours(version, ports)? {
            link.ask(|out, xid| put_unset(out, xid, version))?;
        }
    }
    Ok(())
}

/// A socket to rpcbind and the end of the time.
struct Link {
    socket: UdpSocket,
    rpcbind: SocketAddr,
    until: Instant,
}

impl Link {
    fn open(rpcbind: SocketAddr, within: Duration) -> Result<Self, RegisterError> {
        let socket = reserved_socket()?;
        socket.connect(rpcbind).map_err(|error| RegisterError::Call(CallError::Io(error)))?;
        Ok(Self { socket, rpcbind, until: deadline(within) })
    }

    /// The one word that every procedure of version 2 that we use answers with.
    fn ask(&self, put: impl Fn(&mut Vec<u8>, u32)) -> Result<u32, RegisterError> {
        let mut request = Vec::new();
        put(&mut request, new_xid());
        call(&self.socket, &request, self.until, |mut results| results.word()).map_err(|error| match error {
            CallError::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
                RegisterError::NotRunning(self.rpcbind)
            }
            other => RegisterError::Call(other),
        })
    }

    fn is_ours(&self, version: Version, ports: Ports) -> Result<bool, RegisterError> {
        for transport in Transport::ALL {
            let Some(port) = ports.of(transport) else { continue };
            if self.ask(|out, xid| put_get_port(out, xid, version, transport))? != u32::from(port) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn reserved_socket() -> Result<UdpSocket, RegisterError> {
    let mut last = ErrorKind::AddrInUse.into();
    for port in RESERVED_PORTS.rev() {
        match UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(socket) => return Ok(socket),
            Err(error) if error.kind() == ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(RegisterError::NoReservedPort(error)),
        }
    }
    Err(RegisterError::NoReservedPort(last))
}
