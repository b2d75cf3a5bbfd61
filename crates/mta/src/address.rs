//! Addresses of hosts as other mail programs write them.

use std::net::{IpAddr, Ipv6Addr};

/// Longest text that is tried: `IPv6:[` and the longest IPv6 text with a zone.
const TEXT_OCTETS_MAX: usize = 80;

/// Reads an address: plain, in brackets, with sendmail's `IPv6:` in front, with a zone behind. A mapped IPv4 address
/// becomes IPv4, so that no second spelling of an address stands beside the first. `None`: `unknown`, empty, none at all.
pub fn parse(octets: &[u8]) -> Option<IpAddr> {
    if octets.len() > TEXT_OCTETS_MAX {
        return None;
    }
    let text = str::from_utf8(octets).ok()?;
    let text = match text.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None => text,
    };
    match text.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => parse_v6(&text[5..]),
        _ => text.parse::<IpAddr>().ok().map(|address| address.to_canonical()).or_else(|| parse_v6(text)),
    }
}

/// The zone says through which of the mail program's interfaces the peer came; no rule can mean it.
fn parse_v6(text: &str) -> Option<IpAddr> {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    let zone_fits = zone.is_none_or(|zone| !zone.is_empty() && address.is_unicast_link_local());
    zone_fits.then(|| IpAddr::V6(address).to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let table = [
            ("192.0.2.7", Some("192.0.2.7")),
            ("[192.0.2.7]", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("2001:0DB8:0:0::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("IPv6:2001:db8::1", Some("2001:db8::1")),
            ("[ipv6:2001:db8::1]", Some("2001:db8::1")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("IPv6:::ffff:192.0.2.7", Some("192.0.2.7")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("2001:db8::1%eth0", None),
            ("fe80::1%", None),
            ("IPv6:192.0.2.7", None),
            ("[192.0.2.7", None),
            ("192.0.2.7]", None),
            ("unknown", None),
            ("[UNAVAILABLE]", None),
            ("", None),
            ("192.0.2.007", None),
            ("192.0.2", None),
            ("192.0.2.7 ", None),
            ("192.0.2.7/32", None),
            ("0x7f000001", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text.as_bytes()).map(|address| address.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(parse(b"\xff\xfe"), None);
        assert_eq!(parse(&b"0".repeat(100_000)), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read(address: IpAddr) {
            proptest::prop_assert_eq!(parse(address.to_string().as_bytes()), Some(address.to_canonical()));
        }
    }
}
