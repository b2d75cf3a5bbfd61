//! Addresses that prove nobody, whoever tells of a login from there: one list for all sources of evidence, for grants by hand,
//! and for what a configuration may name.
//!
//! The original DRAC server adds whatever a trusted caller names, and callers do name `255.255.255.255`: it is what C's
//! `inet_addr` makes of an address that it cannot read. An address is refused that is no single user's machine, so that granting
//! it would open the relay to others or hide a fault of the caller. An IPv6 address that carries an IPv4 address is judged as
//! that, too.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::ip::{canonical_ip, carried_ipv4, carried_ipv4_network};

/// Why an address is never granted. It reads on after the address: "192.0.2.255 is …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {
    /// `0.0.0.0` or `::`: no machine has it.
    #[error("is the unspecified address")]
    Unspecified,
    /// `0.0.0.0/8`, "this network" (RFC 6890 §2.2.2): mostly a number that was taken for an address.
    #[error("lies in 0.0.0.0/8, where no client is")]
    ThisNetwork,
    /// `255.255.255.255`, which is also C's word for an address that does not parse.
    #[error("is the broadcast address, or the caller's word for an address that it could not read")]
    Broadcast,
    /// `240.0.0.0/4` (RFC 1112 §4): nobody's.
    #[error("lies in 240.0.0.0/4, which is reserved")]
    Reserved,
    /// `224.0.0.0/4` or `ff00::/8`: never a client's own address.
    #[error("is a multicast address")]
    Multicast,
    /// `169.254.0.0/16` or `fe80::/10`: without the interface, which evidence does not keep, another machine on each link.
    #[error("is a link-local address, which another machine has on each link")]
    LinkLocal,
    /// `127.0.0.0/8` or `::1`: every program of this machine, a web form among them, has it.
    #[error("is a loopback address, which any program of the machine has")]
    Loopback,
    /// A router that hides its clients behind its own address: whoever comes through it would be let in.
    #[error("is a gateway, behind which anybody may be")]
    Gateway,
    /// An address of this machine, such as its bridge's: its programs have it, and whoever comes through them.
    #[error("is an address of this machine, which whoever comes through a bridge or a program of it has")]
    Own,
    /// A listed proxy that did not name its client.
    #[error("is a proxy, and no PROXY header named its client")]
    Proxy,
    /// The operator says so.
    #[error("is listed in relay.drac.never")]
    Listed,
}

impl Never {
    /// What the operator may do so that the users behind the address are seen by their own; `None`: nothing is wrong with the
    /// way they come.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Gateway | Self::Own | Self::Proxy => Some(
                "let what stands in front pass on the real address of its clients: by the PROXY protocol (list it in `proxy_from`), \
                 or by forwarding without rewriting the source address",
            ),
            _ => None,
        }
    }
}

/// Whether loopback addresses may be granted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Loopback {
    /// They are refused.
    #[default]
    Refused,
    /// They may be, as for trying things out on one machine.
    Granted,
}

/// How a client's address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A listed proxy named it in its PROXY header.
    ByProxy,
    /// It is the socket's, or another server told of it.
    Otherwise,
}

/// What the machine says of its place in the network, when the configuration was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Here {
    /// Its default gateways.
    pub gateways: Vec<IpAddr>,
    /// The addresses of its own interfaces.
    pub own: Vec<IpAddr>,
}

/// The list, with the addresses of one site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NeverGranted {
    loopback: Loopback,
    gateways: Vec<IpAddr>,
    own: Vec<IpAddr>,
    listed: Vec<IpAddr>,
    proxies: Vec<IpNet>,
}

impl NeverGranted {
    /// The list for a machine with these gateways.
    pub fn new(loopback: Loopback, gateways: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { loopback, gateways: sorted(gateways), ..Self::default() }
    }

    /// The list for a machine in this place.
    pub fn of(loopback: Loopback, here: &Here) -> Self {
        // Loopback has its own answer.
        let own = here.own.iter().copied().filter(|address| !canonical_ip(*address).is_loopback());
        Self { own: sorted(own), ..Self::new(loopback, here.gateways.iter().copied()) }
    }

    /// With addresses that the operator names.
    #[must_use]
    pub fn with_listed(self, listed: impl IntoIterator<Item = IpAddr>) -> Self {
        Self { listed: sorted(listed), ..self }
    }

    /// With the proxies that are believed when they name a client.
    #[must_use]
    pub fn with_proxies(self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        Self { proxies: proxies.into_iter().collect(), ..self }
    }

    /// Why this address may not be granted; `None` if nothing speaks against it. A v4-mapped address is its IPv4 address.
    pub fn why(&self, address: IpAddr) -> Option<Never> {
        self.why_named(address, Named::Otherwise)
    }

    /// The same for an address of which it is known who named it: a network of proxies may hold clients that they name, but
    /// one that is listed by itself is a proxy and nothing else.
    pub fn why_named(&self, address: IpAddr, named: Named) -> Option<Never> {
        forms(address).find_map(|form| self.of_form(form, named))
    }

    fn of_form(&self, form: IpAddr, named: Named) -> Option<Never> {
        let is_in = |list: &[IpAddr]| list.binary_search(&form).is_ok();
        let is_proxy = |net: &IpNet| net.contains(&form) && (named == Named::Otherwise || is_single(net));
        if is_in(&self.listed) {
            Some(Never::Listed)
        } else if is_in(&self.gateways) {
            Some(Never::Gateway)
        } else if let Some(never) = of_range(form) {
            Some(never)
        } else if self.proxies.iter().any(is_proxy) {
            Some(Never::Proxy)
        } else if form.is_loopback() {
            (self.loopback == Loopback::Refused).then_some(Never::Loopback)
        } else {
            is_in(&self.own).then_some(Never::Own)
        }
    }

    /// The default gateways.
    pub fn gateways(&self) -> &[IpAddr] {
        &self.gateways
    }

    /// The addresses of this machine's interfaces, without loopback.
    pub fn own(&self) -> &[IpAddr] {
        &self.own
    }

    /// Every single address that is never granted for itself: the gateways', this machine's own, those that the operator lists,
    /// and proxies that are listed one by one. Ranges that are nobody's are not among them.
    pub fn singles(&self) -> impl Iterator<Item = IpAddr> {
        let proxies = self.proxies.iter().filter(|net| is_single(net)).map(IpNet::addr);
        self.gateways.iter().chain(&self.own).chain(&self.listed).copied().chain(proxies)
    }

    /// Whether the address is a gateway's: what it is in is no proof of whose mail comes from there, however narrow.
    pub fn is_gateway(&self, address: IpAddr) -> bool {
        forms(address).any(|form| self.gateways.binary_search(&form).is_ok())
    }

    /// Why a network may not be listed as one of clients: all of it is nobody's, or it is a gateway by itself. Loopback is
    /// configured by being listed.
    pub fn why_network(&self, network: IpNet) -> Option<Never> {
        let carried = match network {
            IpNet::V6(v6) => carried_ipv4_network(v6).map(IpNet::V4),
            IpNet::V4(_) => None,
        };
        let of = |network: IpNet| {
            let gateway = is_single(&network) && self.is_gateway(network.addr());
            // Each of the ranges is one piece: a network whose ends lie in them lies in them.
            let nobodys = of_range(network.network()).and(of_range(network.broadcast()));
            gateway.then_some(Never::Gateway).or(nobodys)
        };
        of(network).or_else(|| carried.and_then(of))
    }
}

/// The address as all tables know it, and the IPv4 address that it carries.
fn forms(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = canonical_ip(address);
    let carried = match address {
        IpAddr::V6(v6) => carried_ipv4(v6).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    };
    std::iter::once(address).chain(carried)
}

/// The ranges that are nobody's wherever the machine stands.
fn of_range(address: IpAddr) -> Option<Never> {
    if address.is_unspecified() {
        return Some(Never::Unspecified);
    }
    if address.is_multicast() {
        return Some(Never::Multicast);
    }
    match address {
        IpAddr::V4(v4) if v4.is_broadcast() => Some(Never::Broadcast),
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Some(Never::ThisNetwork),
        IpAddr::V4(v4) if v4.octets()[0] >= 240 => Some(Never::Reserved),
        IpAddr::V4(v4) => v4.is_link_local().then_some(Never::LinkLocal),
        IpAddr::V6(v6) => v6.is_unicast_link_local().then_some(Never::LinkLocal),
    }
}

fn is_single(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

fn sorted(addresses: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut addresses: Vec<IpAddr> = addresses.into_iter().map(canonical_ip).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests;
