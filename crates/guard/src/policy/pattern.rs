//! Networks and names as written in the configuration, and which of them are too wide.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use smtp::address::Domain;

use super::Why;

/// The widest public IPv4 network of a site.
const PUBLIC_V4_BITS_MIN: u8 = 24;
/// The widest IPv6 network of a site.
const V6_BITS_MIN: u8 = 48;
/// Private networks (RFC 1918), with their text for the message.
const PRIVATE: [(Ipv4Net, &str); 3] = [
    (Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8), "10.0.0.0/8"),
    (Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12), "172.16.0.0/12"),
    (Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16), "192.168.0.0/16"),
];
const LOOPBACK_V4: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
/// "This network" (RFC 6890), multicast, reserved with the broadcast address.
const NO_CLIENT_V4: [Ipv4Net; 3] = [
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];
const MULTICAST_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8);
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// NAT64 (RFC 6052 §2.1, RFC 8215), its old relatives ::/96 and ::ffff:0:0:0/96, and Teredo (RFC 4380 §4), whose servers have a
/// /64 for all their clients: each holds all of IPv4 in less than a /48.
const TRANSLATED: [Ipv6Net; 5] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48),
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32),
];

/// An address or a network that is narrow enough to be a site's.
pub(crate) fn parse_network(text: &str) -> Result<IpNet, Why> {
    let network = match text.parse::<IpAddr>() {
        Ok(ip) => IpNet::from(ip),
        Err(_) => text.parse::<IpNet>().map_err(|_| Why::NotANetwork)?,
    };
    let network = canonical_network(network);
    match network {
        IpNet::V4(net) => narrow_v4(net)?,
        IpNet::V6(net) => narrow_v6(net)?,
    }
    Ok(network)
}

/// `::ffff:192.0.2.0/120` is `192.0.2.0/24`.
fn canonical_network(network: IpNet) -> IpNet {
    let IpNet::V6(v6) = network else { return network };
    let inside = v6.prefix_len() >= 96 && MAPPED.contains(&v6.addr());
    let v4 = v6.addr().to_ipv4_mapped().filter(|_| inside);
    v4.and_then(|addr| Ipv4Net::new(addr, v6.prefix_len() - 96).ok()).map_or(network, IpNet::V4)
}

fn narrow_v4(net: Ipv4Net) -> Result<(), Why> {
    if net.prefix_len() == 0 {
        return Err(Why::Everybody);
    }
    // 172.0.0.0/8 and 172.16.5.1/8 alike: what it reaches is worse than how it is spelt.
    width_v4(net.trunc())?;
    if net.trunc() == net { Ok(()) } else { Err(Why::HostBits(net.into())) }
}

fn width_v4(net: Ipv4Net) -> Result<(), Why> {
    if LOOPBACK_V4.contains(&net) || PRIVATE.iter().any(|(private, _)| private.contains(&net)) {
        return Ok(());
    }
    if NO_CLIENT_V4.iter().any(|range| range.contains(&net)) {
        return Err(Why::NoClient);
    }
    if net.prefix_len() >= PUBLIC_V4_BITS_MIN {
        return Ok(());
    }
    // Wider than a /7 nobody mistyped a private network.
    match PRIVATE.iter().find(|(private, _)| net.prefix_len() >= 7 && net.contains(private)) {
        Some((_, text)) => Err(Why::BeyondPrivate(text)),
        None => Err(Why::TooWide(PUBLIC_V4_BITS_MIN)),
    }
}

fn narrow_v6(net: Ipv6Net) -> Result<(), Why> {
    if net.prefix_len() == 0 {
        return Err(Why::Everybody);
    }
    width_v6(net.trunc())?;
    if net.trunc() == net { Ok(()) } else { Err(Why::HostBits(net.into())) }
}

fn width_v6(net: Ipv6Net) -> Result<(), Why> {
    let one = net.prefix_len() == 128;
    if net.addr() == Ipv6Addr::LOCALHOST && one {
        return Ok(());
    }
    if MULTICAST_V6.contains(&net) || (net.addr().is_unspecified() && one) {
        return Err(Why::NoClient);
    }
    if net.prefix_len() < V6_BITS_MIN {
        return Err(Why::TooWide(V6_BITS_MIN));
    }
    if net.contains(&Ipv6Addr::LOCALHOST) {
        return Err(Why::CoversLoopback);
    }
    let translated = TRANSLATED.iter().chain([&MAPPED]).any(|range| range.contains(&net) || net.contains(range));
    if translated && net.prefix_len() < 120 { Err(Why::Translated) } else { Ok(()) }
}

/// A name, or with a leading dot all names below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) domain: Domain,
    pub(crate) below: bool,
}

impl Names {
    /// A client's own name: never a single label, since `localhost` and `mail` are anybody's.
    pub(crate) fn narrow_client(self) -> Result<Self, Why> {
        if is_registry(self.domain.as_str()) { Err(Why::NameTooBroad) } else { Ok(self) }
    }

    /// A relay domain: a single label may be a site's own, all names below a registry's may not.
    pub(crate) fn narrow_domain(self) -> Result<Self, Why> {
        if self.below && is_registry(self.domain.as_str()) { Err(Why::NameTooBroad) } else { Ok(self) }
    }
}

/// Whether a client map entry is meant as a name.
pub(crate) fn looks_like_name(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    !text.contains([':', '/']) && last.starts_with(|c: char| c.is_alphabetic())
}

pub(crate) fn parse_names(text: &str) -> Result<Names, Why> {
    let (below, name) = text.strip_prefix('.').map_or((false, text), |rest| (true, rest));
    let domain = Domain::parse(name).map_err(|_| Why::NotAName)?;
    Ok(Names { domain, below })
}

/// Names under which others register: one label, or the customary second level of a country (`co.jp`). A guess that
/// needs no list; a miss is still bounded by forward confirmation.
fn is_registry(name: &str) -> bool {
    const SECOND_LEVEL: [&str; 13] = ["ac", "ad", "co", "com", "ed", "edu", "go", "gov", "gr", "lg", "ne", "net", "or"];
    match name.split_once('.') {
        None => true,
        Some((second, top)) => top.len() == 2 && (SECOND_LEVEL.contains(&second) || second == "org"),
    }
}
