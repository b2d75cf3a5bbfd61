//! Where a Linux machine stands in its network: its default gateways, from the text of `/proc/net/route` and
//! `/proc/net/ipv6_route`, and its own addresses, from that of `/proc/net/fib_trie` and `/proc/net/if_inet6`.
//!
//! In a container the default gateway is the bridge, and may be the address that everybody outside seems to come from. The
//! caller reads the files; a line that cannot be read is passed over, since the kernel, not a person, wrote it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The route leads through a gateway (`RTF_UP` and `RTF_GATEWAY` of the kernel's `route.h`).
const UP_AND_GATEWAY: u32 = 0x0001 | 0x0002;
/// The route only refuses (`RTF_REJECT`).
const REJECT: u32 = 0x0200;

/// Addresses that bridges of containers have unless somebody gave them others: whoever comes through one has its address.
pub const TYPICAL: [Typical; 5] = [
    Typical { address: Ipv4Addr::new(172, 17, 0, 1), of: "Docker" },
    Typical { address: Ipv4Addr::new(10, 88, 0, 1), of: "Podman" },
    Typical { address: Ipv4Addr::new(10, 42, 0, 1), of: "CNI of k3s" },
    Typical { address: Ipv4Addr::new(10, 244, 0, 1), of: "CNI (flannel)" },
    Typical { address: Ipv4Addr::new(192, 168, 122, 1), of: "libvirt" },
];

/// A bridge's address as it comes.
#[derive(Debug, Clone, Copy)]
pub struct Typical {
    /// The address.
    pub address: Ipv4Addr,
    /// What makes such a bridge.
    pub of: &'static str,
}

/// Gateways of IPv4 default routes in the text of `/proc/net/route`.
pub fn ipv4(route: &str) -> Vec<IpAddr> {
    route.lines().filter_map(ipv4_line).collect()
}

/// Gateways of IPv6 default routes in the text of `/proc/net/ipv6_route`.
pub fn ipv6(ipv6_route: &str) -> Vec<IpAddr> {
    ipv6_route.lines().filter_map(ipv6_line).collect()
}

/// The machine's own addresses in the text of `/proc/net/fib_trie`: those whose whole length is a local route.
pub fn own_ipv4(fib_trie: &str) -> Vec<IpAddr> {
    let mut own: Vec<IpAddr> = Vec::new();
    let mut leaf = None;
    for line in fib_trie.lines().map(str::trim_start) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim_end().parse::<Ipv4Addr>().ok();
        } else if line.starts_with("/32 host LOCAL") {
            own.extend(leaf.map(IpAddr::V4));
        }
    }
    own.sort_unstable();
    own.dedup();
    own
}

/// The machine's own addresses in the text of `/proc/net/if_inet6`: each line begins with one.
pub fn own_ipv6(if_inet6: &str) -> Vec<IpAddr> {
    let address = |line: &str| u128::from_str_radix(line.split_ascii_whitespace().next()?, 16).ok();
    if_inet6.lines().filter_map(address).map(|address| Ipv6Addr::from(address).to_canonical()).collect()
}

/// Interface, destination, gateway, flags, references, use, metric, mask, …: addresses are words as the machine keeps them.
fn ipv4_line(line: &str) -> Option<IpAddr> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let mut word = |skipped| u32::from_str_radix(fields.nth(skipped)?, 16).ok();
    let (destination, gateway, flags, mask) = (word(0)?, word(0)?, word(0)?, word(3)?);
    let default = destination == 0 && mask == 0 && leads_on(flags) && gateway != 0;
    default.then(|| Ipv4Addr::from(gateway.to_ne_bytes()).into())
}

/// Destination, its prefix length, source, its prefix length, next hop, metric, references, use, flags, interface.
fn ipv6_line(line: &str) -> Option<IpAddr> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let address = |place: usize| u128::from_str_radix(fields.get(place)?, 16).ok();
    let word = |place: usize| u32::from_str_radix(fields.get(place)?, 16).ok();
    let default = address(0)? == 0 && word(1)? == 0 && leads_on(word(8)?);
    let next_hop = address(4)?;
    (default && next_hop != 0).then(|| Ipv6Addr::from(next_hop).to_canonical())
}

fn leads_on(flags: u32) -> bool {
    flags & UP_AND_GATEWAY == UP_AND_GATEWAY && flags & REJECT == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn t01_default_gateways_of_ipv4() {
        let text = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
            eth1\t0000000A\t0102A8C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n\
            eth2\t00000000\tFE0200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
            down\t00000000\t010011AD\t0002\t0\t0\t0\t00000000\t0\t0\t0\n\
            lo\t00000000\t010011AD\t0203\t0\t0\t0\t00000000\t0\t0\t0\n\
            half\t00000000\t0100";
        assert_eq!(ipv4(text), parsed(&["172.17.0.1", "192.0.2.254"]));
        assert!(ipv4("").is_empty());
    }

    #[test]
    fn t01_the_machine_s_own_addresses() {
        let text = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n\
            \x20    +-- 127.0.0.0/8 2 0 2\n           |-- 127.0.0.0\n              /8 host LOCAL\n\
            \x20          |-- 127.0.0.1\n              /32 host LOCAL\n\
            \x20       +-- 172.17.0.0/30 2 0 2\n           |-- 172.17.0.0\n              /16 link UNICAST\n\
            \x20          |-- 172.17.0.1\n              /32 host LOCAL\n\
            \x20       |-- 172.17.255.255\n           /32 link BROADCAST\nLocal:\n  |-- 172.17.0.1\n     /32 host LOCAL\n";
        assert_eq!(own_ipv4(text), parsed(&["127.0.0.1", "172.17.0.1"]));
        let text = "00000000000000000000000000000001 01 80 10 80       lo\n\
            20010db8000000000000000000000002 04 40 00 82     eth0\nbroken\n";
        assert_eq!(own_ipv6(text), parsed(&["::1", "2001:db8::2"]));
        assert!(own_ipv4("").is_empty() && own_ipv6("").is_empty());
    }

    #[test]
    fn t01_default_gateways_of_ipv6() {
        let zero = "00000000000000000000000000000000";
        let text = format!(
            "{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
             20010db8000000000000000000000000 20 {zero} 00 fe800000000000000000000000000002 00000400 00000001 00000000 00000003 eth0\n\
             {zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200       lo\n\
             {zero} 00 {zero} 00 {zero} 00000400 00000001 00000000 00000001     tun0\n\
             {zero} 00 short\n"
        );
        assert_eq!(ipv6(&text), parsed(&["fe80::1"]));
    }
}
