//! An entry of a file that lets somebody relay, with its line, for the relay policy to check and take.
//!
//! What a file means as a whole must not grow on the way. What cannot be said as an entry is left out, with a warning.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which clients an entry means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPattern {
    /// Those of a network, or one address.
    Net(IpNet),
    /// The one of this name, or with a dot before it those below; believed only if DNS confirms it both ways.
    Name(String),
}

impl fmt::Display for ClientPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Who may relay, or where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelayWhat {
    /// These clients, to wherever they like.
    Client(ClientPattern),
    /// Everybody, to this domain, or with a dot before it to those below.
    Domain(String),
}

/// One entry, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayEntry {
    /// Who, or where to.
    pub what: RelayWhat,
    /// From 1; 0 where there are no lines.
    pub line: u32,
}

/// A name, and all below it; of one label only itself, since all below `jp` is not what a list of hosts means.
pub(crate) fn with_subdomains(name: &str) -> impl Iterator<Item = String> + use<> {
    let below = name.starts_with('.') || name.contains('.');
    let own = (!name.starts_with('.')).then(|| name.to_owned());
    own.into_iter().chain(below.then(|| format!(".{}", name.trim_start_matches('.'))))
}

/// An address, the first octets of IPv4, or `NET/BITS` without host bits. sendmail's `ipv6:` before it is taken off, and
/// then the first 16-bit parts do too.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    if let Some(text) = text.strip_prefix("ipv6:") {
        return ipv6_parts(text).map(IpNet::V6);
    }
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(IpNet::from(addr));
    }
    if text.contains('/') {
        return text.parse::<IpNet>().ok().filter(|net| net.addr() == net.network());
    }
    let mut octets = [0; 4];
    let mut count = 0_u8;
    for part in text.split('.') {
        let octet: u8 = part.parse().ok()?;
        if octet.to_string() != part {
            return None;
        }
        *octets.get_mut(usize::from(count))? = octet;
        count += 1;
    }
    Ipv4Net::new(Ipv4Addr::from(octets), count * 8).ok().map(IpNet::V4)
}

fn ipv6_parts(text: &str) -> Option<Ipv6Net> {
    let mut segments = [0; 8];
    let mut count = 0_u8;
    for part in text.split(':') {
        let segment = u16::from_str_radix(part, 16).ok()?;
        // As sendmail writes it: nothing else is ever looked up.
        if format!("{segment:x}") != part {
            return None;
        }
        *segments.get_mut(usize::from(count))? = segment;
        count += 1;
    }
    Ipv6Net::new(Ipv6Addr::from(segments), count * 16).ok()
}
