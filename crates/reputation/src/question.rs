//! Under which names lists are asked (RFC 5782 §2.1, §2.4, §3).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The client's address in front of the list's domain: the octets of IPv4, the nibbles of IPv6, the last one first.
pub fn by_address(address: IpAddr, zone: &str) -> String {
    match address {
        IpAddr::V4(v4) => by_ipv4(v4, zone),
        IpAddr::V6(v6) => by_ipv6(v6, zone),
    }
}

pub(crate) fn by_ipv4(address: Ipv4Addr, zone: &str) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.{zone}")
}

/// Also for an IPv4-mapped address, under which the test entries of IPv6 stand.
pub(crate) fn by_ipv6(address: Ipv6Addr, zone: &str) -> String {
    let mut name = String::with_capacity(64 + zone.len());
    for octet in address.octets().iter().rev() {
        // Writing into a string cannot fail.
        let _ = write!(name, "{:x}.{:x}.", octet & 0xf, octet >> 4);
    }
    name + zone
}

/// A domain in front of the list's; `None`: the two are no name together.
pub fn by_domain(domain: &str, zone: &str) -> Option<String> {
    let name = format!("{}.{zone}", domain.trim_end_matches('.'));
    (name.len() <= smtp::address::DOMAIN_OCTETS_MAX).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_standard() {
        let table = [
            ("192.0.2.99", "99.2.0.192.l.example"),
            ("2001:db8:1:2:3:4:567:89ab", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.l.example"),
        ];
        for (address, name) in table {
            assert_eq!(by_address(address.parse().unwrap(), "l.example"), name);
        }
        let mapped = by_ipv6("::ffff:7f00:2".parse().unwrap(), "l.example");
        assert!(mapped.starts_with("2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0."), "{mapped}");
        assert_eq!(by_domain("d.example.", "l.example").as_deref(), Some("d.example.l.example"));
        assert_eq!(by_domain(&"d.".repeat(126), "l.example"), None);
    }
}
