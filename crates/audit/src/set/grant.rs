//! A live grant: evidence of a POP login, and the addresses for which it counts.

use std::net::IpAddr;
use std::time::SystemTime;

use guard::ip::{ENDS_IN_IPV4, TEREDO};
use guard::never_granted::{Named, NeverGranted};
use guard::{PopEvidence, PopSource, Subject};
use ipnet::{IpNet, Ipv6Net};

use super::Given;
use crate::addresses::Addresses;

/// A grant that is alive.
#[derive(Debug, Clone)]
pub struct GrantRight {
    /// Where the login came from: an address, or the first of an IPv6 network.
    pub addr: IpAddr,
    /// The addresses whose logins are kept so.
    pub(super) key: Addresses,
    /// For which of them it counts. None: they prove nobody.
    pub addresses: Addresses,
    /// Whose login it was.
    pub subject: Subject,
    /// The device that logged in.
    pub device: Option<String>,
    /// Who told.
    pub source: PopSource,
    /// Several accounts are alive there.
    pub shared: bool,
    /// Since when.
    pub granted_at: SystemTime,
    /// Until when.
    pub expires_at: SystemTime,
}

/// The evidence that is alive.
pub(super) fn alive(given: &Given<'_>, ipv6_prefix_bits: u8) -> Vec<GrantRight> {
    let alive = given.evidence.iter().filter(|one| one.is_alive(given.now));
    let right = |one: &PopEvidence| GrantRight {
        addr: one.addr(),
        key: Keyed::new(one.addr(), ipv6_prefix_bits).all(),
        addresses: Keyed::new(one.addr(), ipv6_prefix_bits).granted(given.own.never()),
        subject: one.subject().clone(),
        device: one.device().map(str::to_owned),
        source: one.source(),
        shared: one.is_shared(),
        granted_at: one.granted_at(),
        expires_at: one.expires_at(),
    };
    alive.map(right).collect()
}

/// Whose logins are kept under a key.
struct Keyed {
    /// The address itself: always where it is a translator's, since the rest of its network is anybody's.
    itself: Option<IpAddr>,
    /// The network that it begins, without translators.
    network: Addresses,
}

impl Keyed {
    fn new(key: IpAddr, ipv6_prefix_bits: u8) -> Self {
        let IpAddr::V6(v6) = key else { return Self { itself: Some(key), network: Addresses::default() } };
        if ipv6_prefix_bits == 128 {
            return Self { itself: Some(key), network: Addresses::default() };
        }
        // Kept under a longer prefix than counts now, nobody is looked up so.
        let begun = Ipv6Net::new(v6, ipv6_prefix_bits).ok().filter(|net| net.trunc() == *net);
        let mut network: Addresses = begun.into_iter().map(IpNet::from).collect();
        translators().for_each(|range| network.remove(range.into()));
        let is_translator = translators().any(|range| range.contains(&v6));
        Self { itself: is_translator.then_some(key), network }
    }

    /// All of them.
    fn all(&self) -> Addresses {
        let mut all = self.network.clone();
        all.join(&self.itself.map(IpNet::from).into_iter().collect());
        all
    }

    /// Without what is never granted.
    fn granted(self, never: &NeverGranted) -> Addresses {
        let is_never = |address: IpAddr| never.why_named(address, Named::ByProxy).is_some();
        let itself = self.itself.filter(|itself| !is_never(*itself));
        let mut granted = self.network;
        let singles: Vec<IpAddr> = never.singles().filter(|single| granted.contains(*single)).collect();
        for single in singles.into_iter().filter(|single| is_never(*single)) {
            granted.remove(single.into());
        }
        // What else is never granted is so by a range that is no narrower than such a network: one address speaks for all.
        let any = granted.firsts().next();
        if any.is_some_and(is_never) {
            granted = Addresses::default();
        }
        granted.join(&itself.map(IpNet::from).into_iter().collect());
        granted
    }
}

fn translators() -> impl Iterator<Item = Ipv6Net> {
    ENDS_IN_IPV4.into_iter().chain([TEREDO])
}
