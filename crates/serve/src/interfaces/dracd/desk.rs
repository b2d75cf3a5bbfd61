//! Who may add which address: the decision, which `serve` and the stand-alone server share.

use std::net::IpAddr;

use drac::AddResult;
use drac::allow::Allow;
use drac::portmap::Transport;
use guard::never_granted::Never;

/// Answers adds: the service with the server's evidence, or the stand-alone server with its own.
pub trait Desk: Send + Sync + 'static {
    /// The results of adds, in their order. Each that succeeded is durable.
    fn settle(&self, adds: Vec<Asked>) -> impl Future<Output = Vec<AddResult>> + Send;
}

/// An add that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Who asks, as far as the transport proves it; never IPv4-mapped.
    pub peer: IpAddr,
    /// How it came.
    pub over: Transport,
    /// Whom the peer says has logged in there.
    pub address: IpAddr,
}

/// Who may add at all.
#[derive(Debug, Clone, Copy)]
pub struct Callers<'a> {
    /// The list.
    pub allow: &'a Allow,
    /// A datagram's source address is believed when it is not loopback, too.
    pub udp_from_others: bool,
}

/// Why nothing was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The peer is not on the list.
    #[error("not allowed to add")]
    NotAllowed,
    /// The peer is, but anybody could have sent this datagram in its name.
    #[error("UDP from another host proves nothing: use TCP, or set relay.drac.udp_from_others")]
    Forgeable,
    /// The peer has added as many as one may.
    #[error("too many adds a second")]
    TooMany,
    /// The address is nobody's.
    #[error("{0}")]
    Never(#[from] Never),
}

impl Refusal {
    /// What the peer is told.
    pub fn result(self) -> AddResult {
        match self {
            Self::NotAllowed | Self::Forgeable => AddResult::PermissionDenied,
            // The peer has every right; it is the address, or the moment.
            Self::TooMany | Self::Never(_) => AddResult::SystemError,
        }
    }
}

impl Callers<'_> {
    /// Whether this one may add.
    pub fn check(&self, asked: &Asked) -> Result<(), Refusal> {
        if !self.allow.allows(asked.peer) {
            return Err(Refusal::NotAllowed);
        }
        // The kernel lets nobody send from loopback but this host.
        if asked.over == Transport::Udp && !asked.peer.is_loopback() && !self.udp_from_others {
            return Err(Refusal::Forgeable);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use guard::never_granted::{Loopback, NeverGranted};

    fn asked(peer: &str, over: Transport) -> Asked {
        Asked { peer: peer.parse().unwrap(), over, address: "192.0.2.66".parse().unwrap() }
    }

    fn listed() -> Allow {
        Allow::parse("dracd.allow", b"255.255.255.255 192.0.2.5\n127.0.0.1/32\n2001:db8::/64\n").unwrap().allow
    }

    /// A datagram has nothing but its source address to show for itself, and that is easily forged.
    #[test]
    fn t17_a_datagram_from_elsewhere_adds_nothing() {
        let allow = listed();
        let strict = Callers { allow: &allow, udp_from_others: false };
        for peer in ["192.0.2.5", "2001:db8::7"] {
            assert_eq!(strict.check(&asked(peer, Transport::Udp)), Err(Refusal::Forgeable), "{peer}");
            assert_eq!(strict.check(&asked(peer, Transport::Tcp)), Ok(()), "{peer}: it has made a handshake");
            let trusting = Callers { udp_from_others: true, ..strict };
            assert_eq!(trusting.check(&asked(peer, Transport::Udp)), Ok(()), "{peer}: as the operator wants it");
        }
        assert_eq!(strict.check(&asked("127.0.0.1", Transport::Udp)), Ok(()));
        for over in Transport::ALL {
            for udp_from_others in [false, true] {
                let callers = Callers { allow: &allow, udp_from_others };
                for stranger in ["192.0.2.6", "127.0.0.2", "::1", "2001:db8:0:1::7"] {
                    assert_eq!(callers.check(&asked(stranger, over)), Err(Refusal::NotAllowed), "{stranger}");
                }
            }
        }
    }

    #[test]
    fn t18_without_a_list_only_loopback_may_add() {
        let callers = Callers { allow: &Allow::loopback_only(), udp_from_others: true };
        for over in Transport::ALL {
            assert_eq!(callers.check(&asked("127.0.0.1", over)), Ok(()));
            assert_eq!(callers.check(&asked("::1", over)), Ok(()));
            for stranger in ["127.0.0.2", "10.0.0.1", "172.17.0.1", "192.168.1.1", "fe80::1", "0.0.0.0", "::"] {
                assert_eq!(callers.check(&asked(stranger, over)), Err(Refusal::NotAllowed), "{stranger}");
            }
        }
    }

    #[test]
    fn each_refusal_has_its_result() {
        let broadcast = NeverGranted::new(Loopback::Refused, []).why([255; 4].into()).unwrap();
        let cases = [
            (Refusal::NotAllowed, AddResult::PermissionDenied),
            (Refusal::Forgeable, AddResult::PermissionDenied),
            (Refusal::TooMany, AddResult::SystemError),
            (Refusal::Never(broadcast), AddResult::SystemError),
        ];
        for (refusal, result) in cases {
            assert_eq!(refusal.result(), result, "{refusal}");
        }
    }
}
