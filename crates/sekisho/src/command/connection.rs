//! A question to one of the server's listeners for other mail servers: where it is, and a connection that ends in time.
//!
//! The programs that ask here are started for each connection of a mail server, so there is no runtime, and nothing that
//! waits without a bound.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// So much is read at once.
const RECEIVED_OCTETS: usize = 4096;

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Endpoint {
    type Err = &'static str;

    /// As in `bind`. Names are not looked up: that could take longer than an answer may.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("no path behind unix:"),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Inet).map_err(|_| "not ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connection whose every step must be done before its time is over.
pub(super) struct Connection {
    wire: Wire,
    received: Box<[u8]>,
}

impl Connection {
    /// Connects; everything on it must be done within `limit` from now on.
    pub(super) fn connect(endpoint: &Endpoint, limit: Duration) -> io::Result<Self> {
        let until = Instant::now() + limit;
        let (domain, address) = match endpoint {
            Endpoint::Inet(address) => (Domain::for_address(*address), SockAddr::from(*address)),
            Endpoint::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect_timeout(&address, limit)?;
        Ok(Self { wire: Wire { socket, until }, received: vec![0; RECEIVED_OCTETS].into() })
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.wire.write_all(octets)
    }

    /// What comes in next. That nothing comes any more is an error.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.wire.read(&mut self.received) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(octets) => return Ok(&self.received[..octets]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The system says of a socket whose time is over that it would block.
fn timed_out(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

struct Wire {
    socket: Socket,
    until: Instant,
}

impl Wire {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Wire {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(self.left()?))?;
        self.socket.read(octets).map_err(timed_out)
    }
}

impl Write for Wire {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(self.left()?))?;
        self.socket.write(octets).map_err(timed_out)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        for text in ["127.0.0.1:10032", "[::1]:10032", "unix:/run/sekisho/socketmap"] {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for text in ["", "127.0.0.1", "localhost:10032", "::1:10032:x", "unix:", "/run/sekisho/socketmap"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }

    /// A server that says `octets` at once, then keeps the connection.
    fn saying(octets: &'static [u8]) -> (Endpoint, std::net::TcpListener) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
        let accepting = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = accepting.accept().unwrap();
            stream.write_all(octets).unwrap();
            // Until the other side has gone.
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        (endpoint, listener)
    }

    #[test]
    fn a_silent_server_costs_no_more_than_the_limit() {
        let (endpoint, _listener) = saying(b"3");
        let started = Instant::now();
        let mut connection = Connection::connect(&endpoint, Duration::from_millis(100)).unwrap();
        connection.send(b"x").unwrap();
        assert_eq!(connection.receive().unwrap(), b"3");
        assert_eq!(connection.receive().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(connection.receive().is_err());
        assert!(connection.send(b"x").is_err());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_end_is_an_error() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Inet(listener.local_addr().unwrap());
        let mut connection = Connection::connect(&endpoint, Duration::from_secs(10)).unwrap();
        drop(listener.accept().unwrap());
        assert_eq!(connection.receive().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
