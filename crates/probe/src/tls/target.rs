//! What is probed: a host, a port, and how TLS begins there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::asking::clean;

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name in lower case, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What is typed names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT")]
pub struct BadTarget(String);

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// STARTTLS of SMTP (RFC 3207).
    Smtp,
    /// STLS of POP3 (RFC 2595).
    Pop3,
    /// At once.
    Implicit,
}

impl Start {
    /// What is usual on a port.
    pub fn usual(port: u16) -> Self {
        match port {
            443 | 465 | 993 | 995 => Self::Implicit,
            110 => Self::Pop3,
            _ => Self::Smtp,
        }
    }
}

impl Target {
    /// Reads one; without a port that of SMTP.
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        let bad = || BadTarget(clean(text.as_bytes(), 100));
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: 25 });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(bad)?),
            None => (text, 25),
        };
        let host = host.trim_end_matches('.');
        let name = smtp::Domain::parse(host).map_err(|_| bad())?;
        Ok(Self { host: name.as_str().to_ascii_lowercase(), port })
    }

    /// Whether DNS need not be asked for its addresses.
    pub fn is_known(&self) -> bool {
        self.known_addresses().is_some()
    }

    /// Its addresses, where DNS need not be asked.
    pub(crate) fn known_addresses(&self) -> Option<Vec<IpAddr>> {
        if self.host == "localhost" {
            return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        self.host.parse().ok().map(|address| vec![address])
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse() {
            Ok(address) => SocketAddr::new(address, self.port).fmt(f),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_as_they_are_typed() {
        for (text, host, port) in [
            ("MX.d.example", "mx.d.example", 25),
            ("mx.d.example.:587", "mx.d.example", 587),
            ("192.0.2.1", "192.0.2.1", 25),
            ("192.0.2.1:465", "192.0.2.1", 465),
            ("2001:db8::1", "2001:db8::1", 25),
            ("[2001:db8::1]", "2001:db8::1", 25),
            ("[2001:db8::1]:995", "2001:db8::1", 995),
            ("localhost:2525", "localhost", 2525),
        ] {
            assert_eq!(Target::parse(text), Ok(Target { host: host.to_owned(), port }), "{text}");
        }
        for text in ["", ":25", "mx:", "mx:0", "mx:70000", "a b", "-", "mx.d.example/x"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
