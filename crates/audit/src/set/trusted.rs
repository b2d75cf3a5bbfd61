//! Clients that are listed: networks, names, and what of the networks has no right all the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use guard::ip::{ENDS_IN_IPV4, SIX_TO_FOUR, TEREDO};
use guard::never_granted::NeverGranted;
use guard::{ConfigLine, canonical_ip};
use ipnet::{IpNet, Ipv6Net};
use smtp::Domain;

use crate::addresses::Addresses;

/// Networks as they are listed.
pub(super) fn networks<'p>(listed: impl Iterator<Item = (IpNet, &'p ConfigLine)>) -> Vec<Listed> {
    listed.map(|(net, line)| Listed { net, line: line.clone() }).collect()
}

/// Names as they are listed.
pub(super) fn patterns<'p>(listed: impl Iterator<Item = (String, &'p ConfigLine)>) -> Vec<Pattern> {
    listed.map(|(text, line)| Pattern { text, line: line.clone() }).collect()
}

/// A network as it is listed.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The network.
    pub net: IpNet,
    /// Where.
    pub line: ConfigLine,
}

/// A name as it is listed.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// `mail.example.com`, or all below it as `.example.com`.
    pub text: String,
    /// Where.
    pub line: ConfigLine,
}

/// What lies in a listed network and has no right by that.
#[derive(Debug, Clone)]
pub struct Except {
    /// The addresses.
    pub net: IpNet,
    /// Why: `gateway` or `distrusted`.
    pub why: &'static str,
}

impl Pattern {
    /// Whether a name is meant. A domain is not below itself.
    pub fn matches(&self, name: &Domain) -> bool {
        match self.text.strip_prefix('.') {
            None => name.as_str() == self.text,
            Some(parent) => name.as_str().strip_suffix(parent).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

/// The pattern by which a name has its right: itself, or the longest that it is below.
pub(super) fn named<'p>(patterns: &'p [Pattern], name: &Domain) -> Option<&'p Pattern> {
    let meant = patterns.iter().filter(|pattern| pattern.matches(name));
    meant.max_by_key(|pattern| (!pattern.text.starts_with('.'), pattern.text.len()))
}

/// The narrowest network that holds an address.
pub(super) fn narrowest(listed: &[Listed], address: IpAddr) -> Option<&Listed> {
    let holds = listed.iter().filter(|one| one.net.contains(&address));
    holds.max_by_key(|one| one.net.prefix_len())
}

/// What has no right in these networks: gateways, in whatever form their addresses come, and whoever is distrusted.
pub(super) fn exceptions<'l>(
    listed: impl Iterator<Item = &'l Listed>,
    never: &NeverGranted,
    distrusted: &[IpAddr],
) -> Vec<Except> {
    let mut except: Vec<Except> = Vec::new();
    let mut note = |net: IpNet, why| {
        if !except.iter().any(|known| known.net == net) {
            except.push(Except { net, why });
        }
    };
    for one in listed {
        for gateway in never.gateways() {
            forms(*gateway, one.net, &mut |net| note(net, "gateway"));
        }
        for address in distrusted.iter().map(|address| canonical_ip(*address)) {
            if one.net.contains(&address) {
                note(address.into(), "distrusted");
            }
        }
    }
    except
}

/// The networks without the exceptions.
pub(super) fn less(listed: &[Listed], except: &[Except]) -> Addresses {
    let mut all: Addresses = listed.iter().map(|one| one.net).collect();
    for one in except {
        all.remove(one.net);
    }
    all
}

/// An address in a network, in all forms that carry it there.
fn forms(address: IpAddr, net: IpNet, found: &mut impl FnMut(IpNet)) {
    if net.contains(&address) {
        found(address.into());
    }
    let (IpAddr::V4(v4), IpNet::V6(net)) = (address, net) else { return };
    let at_the_end = ENDS_IN_IPV4.iter().map(|prefix| u128::from(prefix.addr()) | u128::from(u32::from(v4)));
    for form in at_the_end.map(Ipv6Addr::from).filter(|form| net.contains(form)) {
        found(IpAddr::V6(form).into());
    }
    if let Some(common) = common(net, six_to_four(v4)) {
        found(common);
    }
    // Its bits stand turned round, behind others that may be anything: no network is wider there than 256 addresses.
    if TEREDO.contains(&net) && net.prefix_len() >= 112 {
        let turned = u128::from(!u32::from(v4));
        let ends = |form: &Ipv6Addr| u128::from(*form) & u128::from(u32::MAX) == turned;
        for form in net.hosts().filter(ends) {
            found(IpAddr::V6(form).into());
        }
    }
}

/// The network of a site that comes by 6to4 (RFC 3056 §2).
fn six_to_four(v4: Ipv4Addr) -> Ipv6Net {
    let carried = u128::from(u32::from(v4)) << 80;
    Ipv6Net::new(Ipv6Addr::from(u128::from(SIX_TO_FOUR.addr()) | carried), 48).unwrap_or(SIX_TO_FOUR)
}

/// Of two networks one lies in the other, or they have nothing in common.
fn common(one: Ipv6Net, other: Ipv6Net) -> Option<IpNet> {
    if one.contains(&other) { Some(other.into()) } else { other.contains(&one).then(|| one.into()) }
}
