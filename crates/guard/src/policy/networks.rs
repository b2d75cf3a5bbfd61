//! Networks with the line of each.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use crate::ip::canonical_ip;
use crate::line::ConfigLine;

/// Networks with the line of each; the longest match names the line.
#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkTable {
    v4: PrefixMap<Ipv4Net, ConfigLine>,
    v6: PrefixMap<Ipv6Net, ConfigLine>,
}

impl NetworkTable {
    /// Only networks that passed the check of the policy come here; a second line for the same one is ignored.
    pub(crate) fn insert(&mut self, network: IpNet, line: ConfigLine) {
        match network {
            IpNet::V4(net) => {
                self.v4.entry(net).or_insert(line);
            }
            IpNet::V6(net) => {
                self.v6.entry(net).or_insert(line);
            }
        }
    }

    pub(crate) fn find(&self, ip: IpAddr) -> Option<&ConfigLine> {
        match canonical_ip(ip) {
            IpAddr::V4(ip) => self.v4.get_lpm(&Ipv4Net::from(ip)).map(|(_, line)| line),
            IpAddr::V6(ip) => self.v6.get_lpm(&Ipv6Net::from(ip)).map(|(_, line)| line),
        }
    }

    /// The network of that line.
    pub(crate) fn network_of(&self, ip: IpAddr) -> Option<IpNet> {
        match canonical_ip(ip) {
            IpAddr::V4(ip) => self.v4.get_lpm(&Ipv4Net::from(ip)).map(|(net, _)| IpNet::V4(net)),
            IpAddr::V6(ip) => self.v6.get_lpm(&Ipv6Net::from(ip)).map(|(net, _)| IpNet::V6(net)),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (IpNet, &ConfigLine)> {
        let v4 = self.v4.iter().map(|(net, line)| (IpNet::V4(net), line));
        v4.chain(self.v6.iter().map(|(net, line)| (IpNet::V6(net), line)))
    }
}
