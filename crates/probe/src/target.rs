//! Which host is probed, as it is typed: `HOST`, `HOST:PORT`, `[IPv6]:PORT` or a bare address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::str::FromStr;

use crate::asking::clean;

/// The port of SMTP (RFC 5321 §4.5.4.2).
const SMTP: u16 = 25;

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// A name in lower case, or an address.
    pub host: String,
    /// TCP port, not 0.
    pub port: u16,
}

/// What is typed names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no HOST, HOST:PORT, ADDRESS or [IPv6]:PORT")]
pub struct BadTarget(String);

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        read(text).ok_or_else(|| BadTarget(clean(text.as_bytes(), 100)))
    }
}

fn read(text: &str) -> Option<Target> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(Target { host: address.to_string(), port: SMTP });
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        let (address, behind) = bracketed.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if behind.is_empty() { SMTP } else { port(behind.strip_prefix(':')?)? };
        return Some(Target { host: address.to_string(), port });
    }
    let (host, port) = match text.split_once(':') {
        Some((host, digits)) => (host, port(digits)?),
        None => (text, SMTP),
    };
    let host = match host.parse::<Ipv4Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => smtp::Domain::parse(host).ok()?.as_str().to_owned(),
    };
    Some(Target { host, port })
}

/// Digits alone: the standard library would take a sign.
fn port(digits: &str) -> Option<u16> {
    let port: NonZero<u16> = digits.parse().ok()?;
    digits.starts_with(|it: char| it.is_ascii_digit()).then_some(port.get())
}

impl Target {
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
        for (text, host, port, shown) in [
            ("MX.d.example", "mx.d.example", 25, "mx.d.example:25"),
            ("mx.d.example.:587", "mx.d.example", 587, "mx.d.example:587"),
            ("mail_server", "mail_server", 25, "mail_server:25"),
            ("localhost:2525", "localhost", 2525, "localhost:2525"),
            ("192.0.2.1", "192.0.2.1", 25, "192.0.2.1:25"),
            ("192.0.2.1:465", "192.0.2.1", 465, "192.0.2.1:465"),
            ("2001:db8::1", "2001:db8::1", 25, "[2001:db8::1]:25"),
            ("[2001:DB8::1]", "2001:db8::1", 25, "[2001:db8::1]:25"),
            ("[2001:db8::1]:995", "2001:db8::1", 995, "[2001:db8::1]:995"),
            ("mx:65535", "mx", 65_535, "mx:65535"),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target, Target { host: host.to_owned(), port }, "{text}");
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse(), Ok(target), "what is shown is read as the same");
        }
    }

    #[test]
    fn what_names_no_host() {
        for text in [
            "",
            " ",
            ":25",
            "mx:",
            "mx:0",
            "mx:00",
            "mx:65536",
            "mx:+25",
            "mx:-1",
            "mx:25:25",
            "mx:smtp",
            "mx..",
            "a b",
            "-",
            "mx.d.example/x",
            "http://mx.d.example/",
            "192.0.2.1:0",
            "192.0.2",
            "[192.0.2.1]",
            "[mx.d.example]:25",
            "[2001:db8::1]:0",
            "[2001:db8::1]:",
            "[2001:db8::1]25",
            "[[2001:db8::1]]",
            "[[2001:db8::1",
            "[2001:db8::1",
            "2001:db8::1]",
            "2001:db8::1]:25",
            "[fe80::1%1]:25",
            "[]",
            "mx.d.example\r\nQUIT",
        ] {
            assert!(text.parse::<Target>().is_err(), "{text:?}");
        }
    }
}
