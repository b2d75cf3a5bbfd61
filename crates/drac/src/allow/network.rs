//! The lines that were added: one network or address, such as `192.0.2.0/24` or `2001:db8::1`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Entry;
use super::field::Oddity;

/// A network by its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4(Entry<u32>),
    V6(Entry<u128>),
}

/// Whether the line's first word is meant as a network: no line of old had a colon or slash there.
pub(super) fn looks_like_one(line: &[u8]) -> bool {
    first_word(line).iter().any(|octet| matches!(octet, b':' | b'/'))
}

/// Reads a line that [`looks_like_one`]. Behind the network only a comment may follow.
pub(super) fn parse(line: &[u8]) -> Result<Network, Oddity> {
    let word = first_word(line);
    let after = line[word.len()..].trim_ascii();
    if !after.is_empty() && !after.starts_with(b"#") {
        let column = line.len() - line[word.len()..].trim_ascii_start().len() + 1;
        return Err((column, "void: after a network only a comment may stand".to_owned()));
    }
    let text = std::str::from_utf8(word).unwrap_or_default();
    let no_network = || (1, "void: this is no network; write it as `192.0.2.0/24` or `2001:db8::/48`".to_owned());
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| no_network())?;
    let bits_all = if address.is_ipv4() { u32::BITS } else { u128::BITS };
    let bits = match bits {
        None => bits_all,
        Some(bits) => prefix_length(bits).filter(|bits| *bits <= bits_all).ok_or_else(no_network)?,
    };
    of_prefix(address, bits)
}

fn of_prefix(address: IpAddr, bits: u32) -> Result<Network, Oddity> {
    let host_bits =
        |network: String| (1, format!("void: the address has bits behind its prefix; write `{network}/{bits}`"));
    match address {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => mapped(v6, bits),
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(u32::BITS - bits).unwrap_or(0);
            let network = v4.to_bits() & mask;
            let whole = network == v4.to_bits();
            whole
                .then_some(Network::V4(Entry { mask, address: network }))
                .ok_or_else(|| host_bits(Ipv4Addr::from_bits(network).to_string()))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(u128::BITS - bits).unwrap_or(0);
            let network = v6.to_bits() & mask;
            let whole = network == v6.to_bits();
            whole
                .then_some(Network::V6(Entry { mask, address: network }))
                .ok_or_else(|| host_bits(Ipv6Addr::from_bits(network).to_string()))
        }
    }
}

/// A client that comes v4-mapped is judged by its IPv4 address, so the network is one of IPv4.
fn mapped(v6: Ipv6Addr, bits: u32) -> Result<Network, Oddity> {
    let v4 = v6.to_canonical();
    match bits.checked_sub(96) {
        Some(bits_v4) => of_prefix(v4, bits_v4),
        None => Err((1, format!("void: write the IPv4 network itself, such as `{v4}/32`"))),
    }
}

/// Digits only: no sign, no leading 0.
fn prefix_length(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

fn first_word(line: &[u8]) -> &[u8] {
    line.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}
