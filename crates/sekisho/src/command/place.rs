//! A question to one of the server's listeners for other mail servers: where it is, and a connection that ends in time.
//!
//! The programs that ask here are started for each connection of a mail server, so there is no runtime, and nothing that
//! waits without a bound.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Where a listener is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// TCP.
    Inet(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl FromStr for Place {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A connection whose every step must be done before its time is over.
pub(super) struct Line {
    reader: BufReader<Wire>,
}

impl Line {
    /// Connects; everything on the line must be done within `limit` from now on.
    pub(super) fn connect(place: &Place, limit: Duration) -> io::Result<Self> {
        let until = Instant::now() + limit;
        let (domain, address) = match place {
            Place::Inet(address) => (Domain::for_address(*address), SockAddr::from(*address)),
            Place::Unix(path) => (Domain::UNIX, SockAddr::unix(path)?),
        };
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.connect_timeout(&address, limit)?;
        Ok(Self { reader: BufReader::new(Wire { socket, until }) })
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.reader.get_mut().write_all(octets)
    }

    /// What comes up to `end`, without it; longer than `octets_max` is an error, and so is an end before.
    pub(super) fn read_to(&mut self, end: u8, octets_max: u64) -> io::Result<Vec<u8>> {
        let mut octets = Vec::new();
        self.reader.by_ref().take(octets_max + 1).read_until(end, &mut octets)?;
        match octets.pop() {
            Some(last) if last == end => Ok(octets),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without its end")),
        }
    }

    /// The next octets, as many as `octets` has room for.
    pub(super) fn read_exact(&mut self, octets: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(octets)
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
    fn places() {
        for text in ["127.0.0.1:10032", "[::1]:10032", "unix:/run/sekisho/socketmap"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "127.0.0.1", "localhost:10032", "::1:10032:x", "unix:", "/run/sekisho/socketmap"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    /// A server that says `octets` at once, then keeps the connection.
    fn saying(octets: &'static [u8]) -> (Place, std::net::TcpListener) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = Place::Inet(listener.local_addr().unwrap());
        let accepting = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = accepting.accept().unwrap();
            stream.write_all(octets).unwrap();
            // Until the other side has gone.
            let _ = io::copy(&mut stream, &mut io::sink());
        });
        (place, listener)
    }

    #[test]
    fn a_silent_server_costs_no_more_than_the_limit() {
        let (place, _listener) = saying(b"3");
        let started = Instant::now();
        let mut line = Line::connect(&place, Duration::from_millis(100)).unwrap();
        line.send(b"x").unwrap();
        assert_eq!(line.read_to(b':', 10).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(line.read_exact(&mut [0; 1]).is_err());
        assert!(line.send(b"x").is_err());
        assert!(started.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn an_answer_is_as_long_as_it_may_be() {
        let (place, _listener) = saying(b"abc:abcd:");
        let mut line = Line::connect(&place, Duration::from_secs(10)).unwrap();
        assert_eq!(line.read_to(b':', 3).unwrap(), b"abc");
        assert!(line.read_to(b':', 3).is_err());
    }
}
