//! Sets of addresses: what networks hold together, less what is taken out, as the fewest networks that say the same.
#![cfg_attr(test, expect(clippy::needless_for_each, reason = "one call a line reads best so"))]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use guard::canonical_ip;
use ipnet::IpNet;

/// A set of addresses of both families. An IPv4-mapped address is its IPv4 address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Ranges,
    v6: Ranges,
}

/// Disjoint ranges in their order, none of them next to another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Ranges(Vec<Range>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    first: u128,
    last: u128,
}

/// Bits of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

impl Family {
    fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }

    fn address(self, number: u128) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::from(u32::try_from(number).unwrap_or(u32::MAX))),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(number)),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

impl Range {
    fn of(net: IpNet) -> Self {
        Self { first: number(net.network()), last: number(net.broadcast()) }
    }
}

impl FromIterator<IpNet> for Addresses {
    fn from_iter<T: IntoIterator<Item = IpNet>>(networks: T) -> Self {
        let mut all = Self::default();
        for net in networks {
            all.family(net).0.push(Range::of(net));
        }
        all.v4.settle();
        all.v6.settle();
        all
    }
}

impl Addresses {
    fn family(&mut self, net: IpNet) -> &mut Ranges {
        match net {
            IpNet::V4(_) => &mut self.v4,
            IpNet::V6(_) => &mut self.v6,
        }
    }

    /// Takes more into it.
    pub fn join(&mut self, others: &Self) {
        for (mine, theirs) in [(&mut self.v4, &others.v4), (&mut self.v6, &others.v6)] {
            mine.0.extend_from_slice(&theirs.0);
            mine.settle();
        }
    }

    /// Takes a network out of it.
    pub fn remove(&mut self, net: IpNet) {
        self.family(net).remove(Range::of(net));
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = canonical_ip(address);
        let ranges = if address.is_ipv4() { &self.v4 } else { &self.v6 };
        ranges.contains(number(address))
    }

    /// The fewest networks that hold these addresses and no other, IPv4 first.
    pub fn networks(&self) -> Vec<IpNet> {
        [self.v4.networks(Family::V4), self.v6.networks(Family::V6)].concat()
    }

    /// The first addresses of its pieces.
    pub fn firsts(&self) -> impl Iterator<Item = IpAddr> {
        let v4 = self.v4.0.iter().map(|range| Family::V4.address(range.first));
        v4.chain(self.v6.0.iter().map(|range| Family::V6.address(range.first)))
    }

    /// How many IPv4 addresses it has.
    pub fn ipv4_count(&self) -> u64 {
        let counts = self.v4.0.iter().map(|range| range.last - range.first + 1);
        u64::try_from(counts.sum::<u128>()).unwrap_or(u64::MAX)
    }
}

impl Ranges {
    /// Orders and joins.
    fn settle(&mut self) {
        self.0.sort_unstable();
        let mut joined: Vec<Range> = Vec::with_capacity(self.0.len());
        for range in self.0.drain(..) {
            match joined.last_mut() {
                Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
                _ => joined.push(range),
            }
        }
        self.0 = joined;
    }

    fn remove(&mut self, out: Range) {
        let pieces = self.0.iter().flat_map(|range| {
            let before = (range.first < out.first).then(|| Range { last: range.last.min(out.first - 1), ..*range });
            let after = (range.last > out.last).then(|| Range { first: range.first.max(out.last + 1), ..*range });
            before.into_iter().chain(after)
        });
        self.0 = pieces.collect();
    }

    fn contains(&self, number: u128) -> bool {
        let after = self.0.partition_point(|range| range.first <= number);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| number <= range.last)
    }

    fn networks(&self, family: Family) -> Vec<IpNet> {
        self.0.iter().flat_map(|range| cidrs(*range, family)).collect()
    }
}

/// A range as networks: each time the largest that begins where the last one ended.
fn cidrs(range: Range, family: Family) -> Vec<IpNet> {
    let bits = u32::from(family.bits());
    let (mut first, mut networks) = (range.first, Vec::new());
    loop {
        let aligned = first.trailing_zeros().min(bits);
        // Its last address, for so many free bits.
        let last = |free: u32| first | 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        let free = (0..=aligned).rev().find(|free| last(*free) <= range.last).unwrap_or(0);
        let prefix = u8::try_from(bits - free).unwrap_or(family.bits());
        networks.extend(IpNet::new(family.address(first), prefix));
        let last = last(free);
        if last >= range.last {
            return networks;
        }
        first = last + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(texts: &[&str]) -> Addresses {
        texts.iter().map(|text| text.parse::<IpNet>().unwrap()).collect()
    }

    fn shown(set: &Addresses) -> String {
        set.networks().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn networks_join_and_split() {
        for (texts, out, expected) in [
            (&["192.0.2.0/25", "192.0.2.128/25"][..], None, "192.0.2.0/24"),
            (&["10.0.0.0/8", "10.1.0.0/16"], None, "10.0.0.0/8"),
            (&["192.0.2.0/30"], Some("192.0.2.1/32"), "192.0.2.0/32 192.0.2.2/31"),
            (&["192.0.2.0/30"], Some("192.0.2.0/30"), ""),
            (&["0.0.0.0/0", "::/0"], None, "0.0.0.0/0 ::/0"),
            (&["::/0"], Some("8000::/1"), "::/1"),
            (&["2001:db8::/64"], Some("2001:db8::/65"), "2001:db8:0:0:8000::/65"),
            (&["192.0.2.255/32", "192.0.3.0/32"], None, "192.0.2.255/32 192.0.3.0/32"),
        ] {
            let mut all = set(texts);
            if let Some(out) = out {
                all.remove(out.parse().unwrap());
            }
            assert_eq!(shown(&all), expected, "{texts:?}");
        }
        assert_eq!(set(&["0.0.0.0/0"]).ipv4_count(), 1 << 32);
        assert!(set(&["192.0.2.0/24"]).contains("::ffff:192.0.2.9".parse().unwrap()));
    }

    proptest! {
        /// The networks hold what was put in and not taken out, and no other; and joined again they are the same.
        #[test]
        fn the_networks_are_the_set(
            nets in prop::collection::vec((any::<u8>(), 24_u8..=32), 0..6),
            outs in prop::collection::vec((any::<u8>(), 26_u8..=32), 0..4),
        ) {
            let net = |(last, prefix): (u8, u8)| {
                IpNet::new(IpAddr::from([192, 0, 2, last]), prefix).unwrap().trunc()
            };
            let (nets, outs): (Vec<_>, Vec<_>) = (nets.into_iter().map(net).collect(), outs.into_iter().map(net).collect());
            let mut all: Addresses = nets.iter().copied().collect();
            outs.iter().for_each(|out| all.remove(*out));
            let listed = all.networks();
            for last in 0..=255 {
                let address = IpAddr::from([192, 0, 2, last]);
                let is_in = nets.iter().any(|net| net.contains(&address)) && !outs.iter().any(|net| net.contains(&address));
                prop_assert_eq!(all.contains(address), is_in);
                prop_assert_eq!(listed.iter().filter(|net| net.contains(&address)).count(), usize::from(is_in));
            }
            prop_assert_eq!(listed.iter().copied().collect::<Addresses>(), all);
            let fewest = IpNet::aggregate(&listed);
            prop_assert_eq!(listed.len(), fewest.len());
        }
    }
}
