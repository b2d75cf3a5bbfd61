//! `listener.peers`, `proxy_from` and `xclient_from`: who may connect, and who is believed when he names a client.

use super::Protocol;
use crate::reading::Reading;
use crate::value::{self, Unreadable};
use guard::policy::{self, Why};
use ipnet::IpNet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Who may connect. Who speaks an interface for mail servers names clients, and is believed.
pub(super) fn meant(texts: &[String], protocol: Protocol, path: &str, reading: &mut Reading<'_>) -> Vec<IpNet> {
    let path = format!("{path}.peers");
    if !protocol.is_interface() {
        return reading.each(&path, texts, |text| value::network(text).map(|net| net.trunc()));
    }
    if texts.is_empty() && protocol != Protocol::Dracd {
        let loopback = [IpNet::new(Ipv4Addr::LOCALHOST.into(), 8), IpNet::new(Ipv6Addr::LOCALHOST.into(), 128)];
        return loopback.into_iter().flatten().map(|net| net.trunc()).collect();
    }
    trusted(texts, &path, reading)
}

/// Networks whose hosts are believed: none may be too wide for it.
pub(super) fn trusted(texts: &[String], path: &str, reading: &mut Reading<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Some(net) = reading.parsed(&path, value::network(text)) else { continue };
        if let Err(why) = policy::check_network(&net.to_string()) {
            reading.parsed::<()>(&path, Err(too_wide(text, &why)));
        }
        networks.push(net.trunc());
    }
    networks
}

/// Why a network is too wide to be trusted with naming clients, and what to write instead.
fn too_wide(text: &str, why: &Why) -> Unreadable {
    let told = why.to_string();
    let value::Advice { reason, hint } = value::advice(&told);
    let (reason, hint) = match why {
        // The guard speaks of relay clients.
        Why::Everybody | Why::TooWide(_) | Why::BeyondPrivate(_) => (
            reason.split(':').next().unwrap_or_default(),
            "list the hosts themselves: who names a client's address can take on any right",
        ),
        _ => (reason, hint),
    };
    Unreadable { message: format!("\"{text}\" {reason}"), hint: hint.to_owned().into() }
}
