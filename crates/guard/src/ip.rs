//! One address, one spelling: an IPv4-mapped IPv6 address is its IPv4 address everywhere. Other forms that carry an IPv4
//! address stay addresses of their own, but say whose they are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Prefixes whose last 32 bits are an IPv4 address: NAT64 (RFC 6052 §2.1), IPv4-translated (RFC 2765 §2.1), and the
/// IPv4-compatible form (RFC 4291 §2.5.5.1).
pub const ENDS_IN_IPV4: [Ipv6Net; 3] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96),
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96),
];
/// 6to4 (RFC 3056 §2): the IPv4 address of the site's router follows the prefix.
pub const SIX_TO_FOUR: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16);
/// Teredo (RFC 4380 §4): the client's IPv4 address stands at the end, its bits turned round.
pub const TEREDO: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32);

/// The address that all tables and comparisons use: `::ffff:192.0.2.1` becomes `192.0.2.1` (RFC 4291 §2.5.5.2).
pub fn canonical_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The IPv4 address that an IPv6 address carries, whatever carries it. `::` and `::1` carry none.
pub fn carried_ipv4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    if ip.is_unspecified() || ip.is_loopback() {
        return None;
    }
    if let Some(mapped) = ip.to_ipv4_mapped() {
        return Some(mapped);
    }
    let [_, high, low, _, _, _, before, last] = ip.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    if ENDS_IN_IPV4.iter().any(|net| net.contains(&ip)) {
        Some(joined(before, last))
    } else if SIX_TO_FOUR.contains(&ip) {
        Some(joined(high, low))
    } else {
        TEREDO.contains(&ip).then(|| joined(!before, !last))
    }
}

/// The IPv4 network that all addresses of an IPv6 network carry an address of; `None` where it is not one network.
pub fn carried_ipv4_network(net: Ipv6Net) -> Option<Ipv4Net> {
    let first = carried_ipv4(net.network())?;
    let bits = if SIX_TO_FOUR.contains(&net) {
        net.prefix_len().saturating_sub(16).min(32)
    } else {
        net.prefix_len().checked_sub(96)?
    };
    // Teredo turns the bits round, so only a single address is one.
    let whole = !TEREDO.contains(&net) || bits == 32;
    whole.then(|| Ipv4Net::new(first, bits).ok()).flatten()
}

/// Whether the first half of an address says nothing of whose it is: it is a translator's, with all of IPv4 behind it, or a
/// Teredo server's, with all of its clients.
fn is_told_apart_by_its_end(ip: Ipv6Addr) -> bool {
    TEREDO.contains(&ip) || ENDS_IN_IPV4.iter().any(|net| net.contains(&ip))
}

/// The canonical address with an IPv6 address cut to its first `bits`; IPv4 stays whole, and so does an address that carries
/// an IPv4 address at its end: cut, it would be everybody's.
pub fn cut_ipv6(ip: IpAddr, bits: u8) -> IpAddr {
    match canonical_ip(ip) {
        IpAddr::V6(v6) if bits < 128 && !is_told_apart_by_its_end(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
        other => other,
    }
}

/// The first address of the network of so many bits around an address; an IPv4-mapped one is its IPv4 address.
pub fn network_around(ip: IpAddr, bits: u8) -> IpAddr {
    match canonical_ip(ip) {
        IpAddr::V4(v4) => {
            IpAddr::V4((u32::from(v4) & u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)).into())
        }
        v6 @ IpAddr::V6(_) => cut_ipv6(v6, bits),
    }
}

/// Whether an address is one of the Internet's, of which its DNS has to say something.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let nobody = v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast();
            !(nobody || v4.is_loopback() || v4.is_private() || v4.is_link_local())
        }
        IpAddr::V6(v6) => {
            let nobody = v6.is_unspecified() || v6.is_multicast();
            !(nobody || v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(canonical_ip(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
        assert_eq!(canonical_ip(ip("::192.0.2.1")), ip("::192.0.2.1"), "the old compatible form is no IPv4 address");
        assert_eq!(canonical_ip(ip("2001:db8::1")), ip("2001:db8::1"));
    }

    #[test]
    fn only_ipv6_is_cut() {
        assert_eq!(cut_ipv6(ip("2001:db8:1:2:3::4"), 64), ip("2001:db8:1:2::"));
        assert_eq!(cut_ipv6(ip("2001:db8::4"), 128), ip("2001:db8::4"));
        assert_eq!(cut_ipv6(ip("2001:db8::4"), 0), ip("::"));
        for whole in ["64:ff9b::c000:201", "2001:0:4136:e378::1", "::ffff:0:192.0.2.1"] {
            assert_eq!(cut_ipv6(ip(whole), 64), ip(whole), "its first half is a translator's");
        }
        assert_eq!(cut_ipv6(ip("2002:c000:201:5::1"), 64), ip("2002:c000:201:5::"), "a site's own");
        assert_eq!(cut_ipv6(ip("::ffff:192.0.2.1"), 64), ip("192.0.2.1"));
    }

    #[test]
    fn networks_around_addresses() {
        let table = [
            ("192.0.2.7", 24, "192.0.2.0"),
            ("192.0.2.7", 32, "192.0.2.7"),
            ("192.0.2.7", 0, "0.0.0.0"),
            ("::ffff:192.0.2.7", 16, "192.0.0.0"),
            ("2001:db8:1:2::7", 48, "2001:db8:1::"),
        ];
        for (address, bits, first) in table {
            assert_eq!(network_around(ip(address), bits), ip(first), "{address}/{bits}");
        }
    }

    #[test]
    fn our_own_networks_are_not_public() {
        for address in ["10.1.2.3", "192.168.0.1", "127.0.0.1", "169.254.1.1", "::1", "fd00::1", "fe80::1", "0.0.0.0"] {
            assert!(!is_public(ip(address)), "{address}");
        }
        for address in ["192.0.2.1", "2001:db8::1"] {
            assert!(is_public(ip(address)), "{address}");
        }
    }
}
