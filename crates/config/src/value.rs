//! Readers of single values: names, networks, addresses with ports, numbers with their unit.

use crate::nearest::nearest;
use ipnet::IpNet;
use smtp::address::{Domain, Host, Mailbox};
use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::Duration,
};

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name, or address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `HOST:PORT`, as delivery names a destination.
impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Why a value cannot be read, and how it would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    pub(crate) message: String,
    pub(crate) hint: Cow<'static, str>,
}

pub(crate) fn unreadable<T>(message: String, hint: &'static str) -> Result<T, Unreadable> {
    Err(Unreadable { message, hint: hint.into() })
}

/// A domain name.
pub(crate) fn domain(text: &str) -> Result<Domain, Unreadable> {
    match Domain::parse(text) {
        Ok(domain) => Ok(domain),
        Err(why) => unreadable(format!("\"{text}\" is no domain name: {why}"), "as in \"example.net\""),
    }
}

/// A domain name with a dot in it.
pub(crate) fn host_name(text: &str) -> Result<Domain, Unreadable> {
    let name = domain(text)?;
    if !name.as_str().contains('.') {
        return unreadable(format!("\"{text}\" is no fully qualified name"), "as in \"mail.example.net\"");
    }
    Ok(name)
}

/// `LOCAL@DOMAIN`, and no route.
pub(crate) fn mailbox(text: &str) -> Result<Mailbox, Unreadable> {
    match Mailbox::parse(text) {
        Ok(mailbox) if matches!(mailbox.host, Host::Domain(_)) && mailbox.routing().is_none() => Ok(mailbox),
        Ok(_) => unreadable(format!("\"{text}\" is no plain address"), "as in \"alice@example.net\""),
        Err(why) => unreadable(format!("\"{text}\" is no address: {why}"), "as in \"alice@example.net\""),
    }
}

/// One ASCII sign, or none.
pub(crate) fn delimiter(text: &str) -> Result<Option<char>, Unreadable> {
    let mut signs = text.chars();
    match (signs.next(), signs.next()) {
        (None, _) => Ok(None),
        (Some(sign), None) if sign.is_ascii_punctuation() && !"@.\"<>".contains(sign) => Ok(Some(sign)),
        _ => unreadable(format!("\"{text}\" begins no detail"), "one ASCII sign such as \"+\" or \"-\", or \"\""),
    }
}

/// `ADDRESS` or `ADDRESS/PREFIX`; host bits are kept for the guard to judge. An IPv4-mapped one is IPv4.
pub(crate) fn network(text: &str) -> Result<IpNet, Unreadable> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(net) = net else {
        return unreadable(format!("\"{text}\" is no network"), "as in \"192.0.2.0/28\" or \"2001:db8::1\"");
    };
    Ok(unmapped(net))
}

fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let v4 = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    v4.and_then(|(addr, prefix)| IpNet::new(addr.into(), prefix).ok()).unwrap_or(net)
}

/// `ADDRESS:PORT`, `[ADDRESS]:PORT`. With a default port also the address alone, and none that nobody can connect to.
pub(crate) fn socket_addr(text: &str, port: Option<u16>) -> Result<SocketAddr, Unreadable> {
    let alone = || {
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        Some(SocketAddr::new(inner.parse().ok()?, port?))
    };
    let given = text.parse().ok().filter(|addr: &SocketAddr| port.is_none() || addr.port() > 0);
    match given.or_else(alone) {
        Some(addr) => Ok(addr),
        None => unreadable(format!("\"{text}\" is no address with a port"), "as in \"0.0.0.0:25\" or \"[::]:25\""),
    }
}

/// `HOST`, `HOST:PORT`, `ADDRESS`, `[ADDRESS]:PORT`.
pub(crate) fn host_port(text: &str, default_port: u16) -> Result<HostPort, Unreadable> {
    if let Ok(addr) = socket_addr(text, Some(default_port)) {
        return Ok(HostPort { host: addr.ip().to_string(), port: addr.port() });
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let port = if port.is_empty() && !text.ends_with(':') { Some(default_port) } else { port.parse().ok() };
    let Some(port) = port.filter(|port| *port > 0) else {
        return unreadable(format!("\"{text}\" has no readable port"), "as in \"mail.example.net:25\"");
    };
    if host.parse::<Ipv6Addr>().is_ok() {
        return unreadable(format!("\"{text}\" needs brackets"), "as in \"[2001:db8::1]:25\"");
    }
    Ok(HostPort { host: domain(host)?.as_str().to_owned(), port })
}

/// Mechanisms of a login, strongest first.
const MECHANISMS: [&str; 5] = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"];

/// A mechanism of a login, in upper case.
pub(crate) fn mechanism(text: &str) -> Result<String, Unreadable> {
    let upper = text.to_ascii_uppercase();
    if MECHANISMS.contains(&upper.as_str()) {
        return Ok(upper);
    }
    let hint = match nearest(&upper, MECHANISMS.into_iter()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("one of {}", MECHANISMS.join(", ")),
    };
    Err(Unreadable { message: format!("unknown mechanism \"{text}\""), hint: hint.into() })
}

/// Permissions of a file, octal.
pub(crate) fn permissions(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777)
}

/// Counts of the file fit in 32 bits, and so in `usize` on every machine that we build for.
pub(crate) fn count(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

pub(crate) fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

pub(crate) fn secs(secs: u32) -> Duration {
    Duration::from_secs(secs.into())
}

/// What the guard says of a danger: why it is one, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Advice<'t> {
    pub(crate) reason: &'t str,
    pub(crate) hint: &'t str,
}

/// The guard ends its reason with what to write instead.
pub(crate) fn advice(why: &str) -> Advice<'_> {
    let (reason, hint) = why.split_once("; ").unwrap_or((why, ""));
    Advice { reason, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        let table = [
            ("Example.NET.", Some("example.net")),
            ("localhost", Some("localhost")),
            ("xn--q9jyb4c", Some("xn--q9jyb4c")),
            ("", None),
            ("a..b", None),
            ("-a.b", None),
            ("192.0.2.1", None),
            ("a b", None),
            ("ä.example", Some("xn--4ca.example")),
        ];
        for (text, expected) in table {
            assert_eq!(domain(text).ok().as_ref().map(Domain::as_str), expected, "{text:?}");
        }
        assert!(domain(&"a.".repeat(130)).is_err());
    }

    #[test]
    fn networks() {
        let table = [
            ("192.0.2.1", Some("192.0.2.1/32")),
            ("192.0.2.1/24", Some("192.0.2.1/24")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::ffff:192.0.2.0/120", Some("192.0.2.0/24")),
            ("192.0.2", None),
            ("192.0.2.0/33", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(network(text).ok().map(|net| net.to_string()).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn mailboxes_and_delimiters() {
        for (text, good) in
            [("a@d.test", true), ("a", false), ("a%b@d.test", false), ("a@[192.0.2.1]", false), ("", false)]
        {
            assert_eq!(mailbox(text).is_ok(), good, "{text:?}");
        }
        let table =
            [("+", Some(Some('+'))), ("-", Some(Some('-'))), ("", Some(None)), ("++", None), ("@", None), ("x", None)];
        for (text, expected) in table {
            assert_eq!(delimiter(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn hosts_with_ports() {
        let table = [
            ("mx.example.net", Some(("mx.example.net", 25))),
            ("MX.example.net:2525", Some(("mx.example.net", 2525))),
            ("192.0.2.1", Some(("192.0.2.1", 25))),
            ("192.0.2.1:26", Some(("192.0.2.1", 26))),
            ("2001:db8::1", Some(("2001:db8::1", 25))),
            ("[2001:db8::1]:27", Some(("2001:db8::1", 27))),
            ("mx:", None),
            ("mx:0", None),
            ("192.0.2.1:0", None),
            ("[2001:db8::1]:0", None),
            ("[[2001:db8::1]]", None),
            ("mx:70000", None),
            (":25", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(host, port)| HostPort { host: host.to_owned(), port });
            assert_eq!(host_port(text, 25).ok(), expected, "{text:?}");
        }
    }
}
