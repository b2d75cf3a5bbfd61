//! One address, one spelling: an IPv4-mapped IPv6 address is its IPv4 address everywhere.

use std::net::{IpAddr, Ipv6Addr};

/// The address that all tables and comparisons use: `::ffff:192.0.2.1` becomes `192.0.2.1` (RFC 4291 §2.5.5.2).
pub fn canonical_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The canonical address with an IPv6 address cut to its first `bits`; IPv4 stays whole.
pub fn cut_ipv6(ip: IpAddr, bits: u8) -> IpAddr {
    match canonical_ip(ip) {
        IpAddr::V6(v6) if bits < 128 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
        other => other,
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
        assert_eq!(cut_ipv6(ip("::ffff:192.0.2.1"), 64), ip("192.0.2.1"));
    }
}
