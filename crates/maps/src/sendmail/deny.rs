//! The older `deny`: clients by address, its first octets, and name; senders by address and domain.

use std::net::Ipv6Addr;

use super::domains::domain_name;
use crate::found::Found;
use crate::key::{address_prefixes, domain_and_parents};
use crate::mistake::shown;
use crate::store::Store;
use crate::subject::Subject;

/// The entry that refuses a client or a sender.
pub(crate) fn look_up<'a>(store: &'a Store, subject: Subject<'_>) -> Option<Found<'a>> {
    match subject {
        Subject::Client { addr, name } => address(store, &addr.to_canonical().to_string())
            .or_else(|| name.and_then(|name| domain(store, name.trim_end_matches('.')))),
        Subject::Sender(path) if !path.is_empty() => store.look_up(path).or_else(|| {
            let (_, host) = path.rsplit_once('@')?;
            match host.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
                Some(literal) => address(store, literal.strip_prefix("IPv6:").unwrap_or(literal)),
                None => domain(store, host.trim_end_matches('.')),
            }
        }),
        _ => None,
    }
}

fn address<'a>(store: &'a Store, text: &str) -> Option<Found<'a>> {
    address_prefixes(text).find_map(|key| store.look_up(key))
}

fn domain<'a>(store: &'a Store, name: &str) -> Option<Found<'a>> {
    domain_and_parents(name).find_map(|key| store.look_up(key))
}

/// Whether a key of `deny` is an address, a domain, or an IP address or its first octets.
pub(crate) fn check_key(key: &str) -> Result<(), String> {
    if let Some((local, domain)) = key.rsplit_once('@') {
        return if local.is_empty() { Err(format!("{} has no user", shown(key))) } else { domain_name(domain) };
    }
    if key.contains(':') && key.parse::<Ipv6Addr>().is_ok() {
        return Ok(());
    }
    if key.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        let octets: Vec<&str> = key.split('.').collect();
        let fine = octets.len() <= 4 && octets.iter().all(|o| o.parse::<u8>().is_ok_and(|n| n.to_string() == **o));
        return if fine { Ok(()) } else { Err(format!("{} is no address and no octets of one", shown(key))) };
    }
    domain_name(key)
}
