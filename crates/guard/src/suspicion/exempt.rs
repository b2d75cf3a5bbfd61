//! Clients against whom nothing is held, as the operator lists them. To be on this list is no right.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use smtp::address::Domain;

use crate::ip::canonical_ip;
use crate::line::ConfigLine;

/// Whom an entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// An address or a network, never IPv4-mapped.
    Network(IpNet),
    /// A forward-confirmed name.
    Name(Domain),
    /// Every forward-confirmed name below a domain.
    Below(Domain),
}

/// The clients, with the line of each.
#[derive(Debug, Clone, Default)]
pub struct Exempt {
    v4: PrefixMap<Ipv4Net, ConfigLine>,
    v6: PrefixMap<Ipv6Net, ConfigLine>,
    names: HashMap<Box<str>, ConfigLine>,
    below: HashMap<Box<str>, ConfigLine>,
}

impl Exempt {
    /// Adds an entry; a second line for the same one is ignored.
    pub fn add(&mut self, who: &Who, line: ConfigLine) {
        match who {
            Who::Network(IpNet::V4(net)) => {
                self.v4.entry(net.trunc()).or_insert(line);
            }
            Who::Network(IpNet::V6(net)) => {
                self.v6.entry(net.trunc()).or_insert(line);
            }
            Who::Name(name) => {
                self.names.entry(name.as_str().into()).or_insert(line);
            }
            Who::Below(name) => {
                self.below.entry(name.as_str().into()).or_insert(line);
            }
        }
    }

    /// The line that exempts an address.
    pub fn address(&self, ip: IpAddr) -> Option<&ConfigLine> {
        match canonical_ip(ip) {
            IpAddr::V4(ip) => self.v4.get_lpm(&Ipv4Net::from(ip)).map(|(_, line)| line),
            IpAddr::V6(ip) => self.v6.get_lpm(&Ipv6Net::from(ip)).map(|(_, line)| line),
        }
    }

    /// The line that exempts a name, which must be forward-confirmed: whoever owns an address calls it as he likes.
    pub fn name(&self, confirmed: &str) -> Option<&ConfigLine> {
        if let Some(line) = self.names.get(confirmed) {
            return Some(line);
        }
        let mut rest = confirmed;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(line) = self.below.get(parent) {
                return Some(line);
            }
            rest = parent;
        }
        None
    }

    /// Whether a name may exempt.
    pub fn has_names(&self) -> bool {
        !self.names.is_empty() || !self.below.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_and_names() {
        let mut exempt = Exempt::default();
        let entries = [
            Who::Network("192.0.2.7/32".parse().unwrap()),
            Who::Network("2001:db8:1::/48".parse().unwrap()),
            Who::Name(Domain::parse("mail.example.net").unwrap()),
            Who::Below(Domain::parse("pool.example").unwrap()),
        ];
        for (line, who) in (1..).zip(&entries) {
            exempt.add(who, ConfigLine::new("t", line));
        }
        let by_address = |ip: &str| exempt.address(ip.parse().unwrap()).map(|line| line.line);
        assert_eq!(by_address("192.0.2.7"), Some(1));
        assert_eq!(by_address("::ffff:192.0.2.7"), Some(1));
        assert_eq!(by_address("192.0.2.8"), None);
        assert_eq!(by_address("2001:db8:1:2::3"), Some(2));
        let by_name = |name: &str| exempt.name(name).map(|line| line.line);
        assert_eq!(by_name("mail.example.net"), Some(3));
        assert_eq!(by_name("a.mail.example.net"), None);
        assert_eq!(by_name("a.b.pool.example"), Some(4));
        assert_eq!(by_name("xpool.example"), None);
        assert_eq!(by_name("pool.example"), None);
    }
}
