//! Addresses that nobody may add, whoever asks.
//!
//! The original DRAC server adds whatever a trusted caller names, and callers do name `255.255.255.255`: it is what C's
//! `inet_addr` makes of an address that it cannot read. An address is refused that is no single user's machine, so that granting
//! it would open the relay to others or hide a fault of the caller.

use std::net::IpAddr;

/// Why an address is never granted. It reads on after the address: "192.0.2.255 is …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {
    /// `0.0.0.0` or `::`: no machine has it.
    #[error("is the unspecified address")]
    Unspecified,
    /// `255.255.255.255`, which is also C's word for an address that does not parse.
    #[error("is the broadcast address, or the caller's word for an address that it could not read")]
    Broadcast,
    /// `224.0.0.0/4` or `ff00::/8`: never a client's own address.
    #[error("is a multicast address")]
    Multicast,
    /// `127.0.0.0/8` or `::1`: every program of this machine, a web form among them, has it.
    #[error("is a loopback address, which any program of the machine has")]
    Loopback,
    /// A router that hides its clients behind its own address: whoever comes through it would be let in.
    #[error("is a gateway, behind which anybody may be")]
    Gateway,
}

/// Whether loopback addresses may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// They are refused.
    Refused,
    /// They may be, as for trying things out on one machine.
    Granted,
}

/// The rule, with the addresses of one site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeverGranted {
    loopback: Loopback,
    gateways: Vec<IpAddr>,
}

impl NeverGranted {
    /// The rule for a machine with these gateways.
    pub fn new(loopback: Loopback, gateways: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut gateways: Vec<IpAddr> = gateways.into_iter().map(|address| address.to_canonical()).collect();
        gateways.sort_unstable();
        gateways.dedup();
        Self { loopback, gateways }
    }

    /// Why this address may not be granted; `None` if nothing speaks against it. A v4-mapped address is its IPv4 address.
    pub fn why(&self, address: IpAddr) -> Option<Never> {
        let address = address.to_canonical();
        if address.is_unspecified() {
            Some(Never::Unspecified)
        } else if matches!(address, IpAddr::V4(v4) if v4.is_broadcast()) {
            Some(Never::Broadcast)
        } else if address.is_multicast() {
            Some(Never::Multicast)
        } else if address.is_loopback() {
            (self.loopback == Loopback::Refused).then_some(Never::Loopback)
        } else {
            self.gateways.binary_search(&address).is_ok().then_some(Never::Gateway)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t19_addresses_that_are_nobodys() {
        let gateways = ["172.17.0.1", "fe80::1", "::ffff:10.0.0.1"].map(|text| text.parse().unwrap());
        let rule = NeverGranted::new(Loopback::Refused, gateways);
        let cases = [
            ("0.0.0.0", Some(Never::Unspecified)),
            ("::", Some(Never::Unspecified)),
            ("::ffff:0.0.0.0", Some(Never::Unspecified)),
            ("255.255.255.255", Some(Never::Broadcast)),
            ("::ffff:255.255.255.255", Some(Never::Broadcast)),
            ("224.0.0.1", Some(Never::Multicast)),
            ("239.255.255.255", Some(Never::Multicast)),
            ("::ffff:224.0.0.1", Some(Never::Multicast)),
            ("ff02::1", Some(Never::Multicast)),
            ("127.0.0.1", Some(Never::Loopback)),
            ("127.9.9.9", Some(Never::Loopback)),
            ("::1", Some(Never::Loopback)),
            ("::ffff:127.0.0.1", Some(Never::Loopback)),
            ("172.17.0.1", Some(Never::Gateway)),
            ("::ffff:172.17.0.1", Some(Never::Gateway)),
            ("10.0.0.1", Some(Never::Gateway)),
            ("fe80::1", Some(Never::Gateway)),
            ("172.17.0.2", None),
            ("192.0.2.1", None),
            ("2001:db8::1", None),
            ("fe80::2", None),
            ("0.0.0.32", None),
        ];
        for (address, expected) in cases {
            assert_eq!(rule.why(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn loopback_is_granted_where_it_was_asked_for() {
        let rule = NeverGranted::new(Loopback::Granted, []);
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(rule.why(address.parse().unwrap()), None, "{address}");
        }
        assert_eq!(rule.why("255.255.255.255".parse().unwrap()), Some(Never::Broadcast));
    }
}
