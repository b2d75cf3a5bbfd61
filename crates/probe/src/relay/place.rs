//! Which host is probed, and whether it may be: relay probes look like an attack to whoever did not ask for them.

use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr;

/// The port of SMTP (RFC 5321 §4.5.4.2).
const SMTP: u16 = 25;
/// Longest name of a host, in octets (RFC 1035 §2.3.4).
const NAME_OCTETS_MAX: usize = 253;

/// `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or a bare address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// Why a text names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST[:PORT]")]
pub struct PlaceError(String);

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError(text.chars().take(NAME_OCTETS_MAX).collect());
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self { host: ip.to_string(), port: SMTP });
        }
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(Self { host: addr.ip().to_string(), port: addr.port() });
        }
        if let Some(ip) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let ip = ip.parse::<IpAddr>().map_err(|_| wrong())?;
            return Ok(Self { host: ip.to_string(), port: SMTP });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (text, SMTP),
        };
        let is_name = |it: u8| it.is_ascii_alphanumeric() || b".-_".contains(&it);
        if host.is_empty() || host.len() > NAME_OCTETS_MAX || port == 0 || !host.bytes().all(is_name) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Whether an address is of this machine: the system lets a socket have it.
pub fn is_local(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    if ip.is_multicast() || ip.is_unspecified() {
        return false;
    }
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}
