//! Which hosts take mail for a domain (RFC 5321 §5.1, RFC 7505).
//!
//! What DNS could not tell is [`MxError::Unknown`] and the mail waits; only an answer that says so fails it. The asking is
//! done by the program's resolver; [`order`] judges a list against ourselves.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;

use dns::{Answer, Exchange, Failure, Resolver};
use smtp::client::Response;

use crate::config::Own;

/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 6;

/// Why there is no host to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MxError {
    /// The domain says that it takes no mail (RFC 7505).
    #[error("{0} takes no mail")]
    NullMx(String),
    /// There is no such domain, or it has neither MX nor address.
    #[error("{0} has neither MX nor address")]
    NoSuchDomain(String),
    /// We are its best MX but do not host it: it would come back for ever.
    #[error("mail for {0} loops back to us")]
    Loop(String),
    /// DNS did not tell in time.
    #[error("look-up of {name} failed: {why}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What the resolver said.
        why: String,
    },
}

impl MxError {
    /// In the form of a reply: the first three are final, the last is not.
    pub fn response(&self) -> Response {
        let text = self.to_string();
        match self {
            Self::NullMx(_) => Response::local(556, [5, 1, 10], text),
            Self::NoSuchDomain(_) => Response::local(550, [5, 1, 2], text),
            Self::Loop(_) => Response::local(554, [5, 4, 6], text),
            Self::Unknown { .. } => Response::local(451, [4, 4, 3], text),
        }
    }
}

/// The hosts for a domain, best first, none of them us. The implicit MX (RFC 5321 §5.1) is the domain itself.
pub async fn exchanges(dns: &Resolver, domain: &str, own: &Own) -> Result<Vec<Exchange>, MxError> {
    match dns.exchanges(domain).await {
        Answer::Found(list) => order(domain, list, own).map(shuffled),
        Answer::None => Ok(vec![Exchange { preference: 0, host: domain.to_owned() }]),
        Answer::Failed(failure) => Err(unknown(format!("{domain} MX"), &failure)),
    }
}

/// Hosts of one preference in an order of chance, so that each has its share (RFC 5321 §5.1) and none that is dead stands before
/// the others for ever.
fn shuffled(mut list: Vec<Exchange>) -> Vec<Exchange> {
    let chance = RandomState::new();
    list.sort_by_cached_key(|exchange| (exchange.preference, chance.hash_one(&exchange.host)));
    list
}

/// In turns of one family and the other, beginning with that of the first: a network without one of them, or a host with many
/// dead addresses of it, leaves the other in reach.
pub(crate) fn alternating<T>(addresses: impl IntoIterator<Item = T>, is_v6: impl Fn(&T) -> bool) -> Vec<T> {
    let mut addresses = addresses.into_iter().peekable();
    let first = addresses.peek().is_some_and(&is_v6);
    let (first, second): (Vec<T>, Vec<T>) = addresses.partition(|address| is_v6(address) == first);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::with_capacity(first.len() + second.len());
    while first.len() + second.len() > 0 {
        turns.extend(first.next());
        turns.extend(second.next());
    }
    turns
}

/// The addresses of a host, IPv6 and IPv4 in turns; empty if it has none.
pub async fn addresses(dns: &Resolver, host: &str) -> Result<Vec<IpAddr>, MxError> {
    match dns.addresses(host).await {
        Answer::Found(known) => {
            let mut known = alternating(known, IpAddr::is_ipv6);
            known.truncate(ADDRESSES_MAX);
            Ok(known)
        }
        Answer::None => Ok(Vec::new()),
        Answer::Failed(failure) => Err(unknown(format!("{host} AAAA, A"), &failure)),
    }
}

fn unknown(name: String, failure: &Failure) -> MxError {
    MxError::Unknown { name, why: failure.to_string() }
}

/// Best first; from the preference where we ourselves stand on nothing is tried (RFC 5321 §5.1: it would loop).
pub fn order(domain: &str, mut list: Vec<Exchange>, own: &Own) -> Result<Vec<Exchange>, MxError> {
    if !list.is_empty() && list.iter().all(|exchange| exchange.host.is_empty()) {
        return Err(MxError::NullMx(domain.to_owned()));
    }
    list.retain(|exchange| !exchange.host.is_empty());
    list.sort();
    let own_preference = list.iter().find(|exchange| own.has_name(&exchange.host)).map(|exchange| exchange.preference);
    if let Some(limit) = own_preference {
        list.retain(|exchange| exchange.preference < limit);
        if list.is_empty() {
            return Err(MxError::Loop(domain.to_owned()));
        }
    }
    if list.is_empty() { Err(MxError::NoSuchDomain(domain.to_owned())) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(hosts: &[(u16, &str)]) -> Vec<Exchange> {
        hosts.iter().map(|(preference, host)| Exchange { preference: *preference, host: (*host).into() }).collect()
    }

    #[test]
    fn better_hosts_come_first_and_we_ourselves_end_the_list() {
        let own = Own { names: vec!["us.example".into()], ..Own::default() };
        let order = |hosts: &[(u16, &str)]| order("d.example", list(hosts), &own);
        assert_eq!(order(&[(20, "b"), (10, "a"), (20, "a2")]), Ok(list(&[(10, "a"), (20, "a2"), (20, "b")])));
        assert_eq!(order(&[(10, "a"), (20, "US.example"), (20, "c"), (30, "d")]), Ok(list(&[(10, "a")])));
        assert_eq!(order(&[(10, "us.example"), (20, "b")]), Err(MxError::Loop("d.example".into())));
        assert_eq!(order(&[(0, "")]), Err(MxError::NullMx("d.example".into())));
        assert_eq!(order(&[(0, ""), (10, "a")]), Ok(list(&[(10, "a")])));
    }

    #[test]
    fn families_take_turns_and_equal_hosts_change_places() {
        let turns = |text: &str| {
            let addresses = text.split(' ').map(|one| one.parse::<IpAddr>().unwrap());
            alternating(addresses, IpAddr::is_ipv6).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            turns("2001:db8::1 2001:db8::2 2001:db8::3 192.0.2.1 192.0.2.2"),
            "2001:db8::1 192.0.2.1 2001:db8::2 192.0.2.2 2001:db8::3"
        );
        assert_eq!(turns("192.0.2.1 192.0.2.2 2001:db8::1"), "192.0.2.1 2001:db8::1 192.0.2.2");
        assert_eq!(turns("2001:db8::1 2001:db8::2"), "2001:db8::1 2001:db8::2");
        assert!(alternating(Vec::new(), IpAddr::is_ipv6).is_empty());
        let hosts = list(&[(10, "a"), (20, "b"), (20, "c"), (30, "d")]);
        let seen: std::collections::BTreeSet<String> =
            (0..100).map(|_| shuffled(hosts.clone()).into_iter().map(|exchange| exchange.host).collect()).collect();
        assert_eq!(seen, ["abcd".to_owned(), "acbd".to_owned()].into());
    }

    #[test]
    fn only_what_dns_said_is_final() {
        let codes = |error: MxError| (error.response().code, error.response().enhanced);
        assert_eq!(codes(MxError::NullMx("d".into())), (556, Some([5, 1, 10])));
        assert_eq!(codes(MxError::NoSuchDomain("d".into())), (550, Some([5, 1, 2])));
        assert_eq!(codes(MxError::Loop("d".into())), (554, Some([5, 4, 6])));
        assert_eq!(codes(MxError::Unknown { name: "d".into(), why: "x".into() }), (451, Some([4, 4, 3])));
    }

    #[test]
    fn loopback_is_ourselves() {
        let own = Own { addresses: vec!["192.0.2.1".parse().unwrap()], ..Own::default() };
        for ours in ["127.0.0.1", "::1", "0.0.0.0", "::ffff:127.0.0.2", "192.0.2.1", "::ffff:192.0.2.1"] {
            assert!(own.has_address(ours.parse().unwrap()), "{ours}");
        }
        assert!(!own.has_address("192.0.2.2".parse().unwrap()));
    }
}
