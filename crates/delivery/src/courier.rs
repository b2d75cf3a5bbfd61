//! From a destination to an open connection: which hosts, in which order, and what it means that none was reached.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use dns::Exchange;
use smtp::client::{Protocol, Response};

use crate::classify::Verdict;
use crate::config::{Mx, Own, RemoteRoute, Smarthost, Tls};
use crate::destination::Destination;
use crate::link::{Address, Endpoint, Link, LinkError};
use crate::mx::{self, MxError};
use crate::shared::Shared;

/// Why there is no connection. [`Verdict::kind`] says whether that is final.
#[derive(Debug)]
pub(crate) struct Unreached {
    pub(crate) verdict: Verdict,
    /// Hosts were there and none answered: they deserve a rest. A failed look-up does not say that.
    pub(crate) rests: bool,
}

/// Opens a connection to the first host that takes one, of those not in `tried`.
pub(crate) async fn open(shared: &Shared, destination: &Destination, tried: &[Arc<str>]) -> Result<Link, Unreached> {
    match (destination, &shared.config.route) {
        (Destination::Lmtp(server), _) => open_lmtp(shared, server).await,
        (Destination::NextHop(server), _) => open_next_hop(shared, server, tried).await,
        (Destination::Smarthost, RemoteRoute::Smarthost(host)) => open_smarthost(shared, host, tried).await,
        (Destination::Domain(domain), RemoteRoute::Mx(mx)) => {
            open_domain(Search::new(shared, None, tried), mx, domain).await
        }
        (other, _) => {
            let text = format!("no route for {other:?}");
            Err(unreached(&"none".into(), Response::local(451, [4, 3, 5], text)))
        }
    }
}

fn unreached(relay: &Arc<str>, response: Response) -> Unreached {
    Unreached { verdict: Verdict::of_response(relay, response), rests: false }
}

async fn open_lmtp(shared: &Shared, server: &str) -> Result<Link, Unreached> {
    let (name, addresses) = if server.starts_with('/') {
        (server.to_owned(), vec![Address::Unix(PathBuf::from(server))])
    } else {
        let found = tokio::net::lookup_host(server).await;
        let found = found.map_err(|error| failed_name(server, &error.to_string()))?;
        (
            server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned(),
            mx::alternating(found, SocketAddr::is_ipv6).into_iter().map(Address::Tcp).collect(),
        )
    };
    let mut search = Search::new(shared, None, &[]);
    for address in addresses {
        let endpoint = Endpoint { name: name.clone(), address, protocol: Protocol::Lmtp, tls: Tls::Never };
        if let Some(link) = search.attempt(&endpoint).await {
            return Ok(link);
        }
    }
    Err(search.unreached(server))
}

/// The next hop of a relay domain: a host inside, known by name or address; TLS where it has it.
async fn open_next_hop(shared: &Shared, server: &str, tried: &[Arc<str>]) -> Result<Link, Unreached> {
    let (host, port) = server.rsplit_once(':').unwrap_or((server, ""));
    let port = port.parse().map_err(|_| failed_name(server, "no port"))?;
    let host = Smarthost { host: host.to_owned(), port, tls: Tls::Opportunistic, credentials: None };
    open_smarthost(shared, &host, tried).await
}

async fn open_smarthost(shared: &Shared, host: &Smarthost, tried: &[Arc<str>]) -> Result<Link, Unreached> {
    // The system's resolver: a smarthost may well stand in the hosts file only.
    let found = tokio::net::lookup_host((host.host.as_str(), host.port)).await;
    let found = found.map_err(|error| failed_name(&host.host, &error.to_string()))?;
    let found = mx::alternating(found, SocketAddr::is_ipv6);
    let mut search = Search::new(shared, host.credentials.as_ref(), tried);
    for address in found.into_iter().take(shared.config.limits.hosts_per_attempt) {
        let endpoint = Endpoint {
            name: host.host.clone(),
            address: Address::Tcp(address),
            protocol: Protocol::Smtp,
            tls: host.tls,
        };
        if let Some(link) = search.attempt(&endpoint).await {
            return Ok(link);
        }
    }
    Err(search.unreached(&host.host))
}

fn failed_name(name: &str, why: &str) -> Unreached {
    unreached(&name.into(), Response::local(451, [4, 4, 3], format!("look-up of {name} failed: {why}")))
}

async fn open_domain(mut search: Search<'_>, mx: &Mx, domain: &str) -> Result<Link, Unreached> {
    let shared = search.shared;
    let Some(exchanges) =
        exchanges(mx, &shared.config.own, domain).await.map_err(|error| search.no_list(domain, &error))?
    else {
        let address = literal(domain).ok_or_else(|| failed_name(domain, "not an address"))?;
        return search.attempt(&mx.endpoint(domain, address)).await.ok_or_else(|| search.unreached(domain));
    };
    let mut left = shared.config.limits.hosts_per_attempt;
    for (at, exchange) in exchanges.iter().take(left.saturating_mul(3)).enumerate() {
        if left == 0 {
            break;
        }
        let addresses = match mx::addresses(&mx.resolver, &exchange.host).await {
            Ok(addresses) => addresses,
            Err(error) => {
                search.unknown(&error);
                continue;
            }
        };
        if addresses.iter().any(|&address| shared.config.own.has_address(address)) {
            // Ourselves under another name: from this preference on it would come back (RFC 5321 §5.1).
            let better = exchanges[..at].iter().any(|earlier| earlier.preference < exchange.preference);
            return Err(if better { search.unreached(domain) } else { looped(domain) });
        }
        // A name without an address, or that cannot be found out, takes no host's place.
        left -= usize::from(!addresses.is_empty());
        for address in addresses {
            if let Some(link) = search.attempt(&mx.endpoint(&exchange.host, address)).await {
                return Ok(link);
            }
        }
    }
    Err(search.unreached(domain))
}

fn looped(domain: &str) -> Unreached {
    unreached(&domain.into(), MxError::Loop(domain.to_owned()).response())
}

/// `None`: the destination is an address literal. One of ours is a loop.
async fn exchanges(mx: &Mx, own: &Own, domain: &str) -> Result<Option<Vec<Exchange>>, MxError> {
    match literal(domain) {
        Some(address) if own.has_address(address) => Err(MxError::Loop(domain.to_owned())),
        Some(_) => Ok(None),
        None => mx::exchanges(&mx.resolver, domain, own).await.map(Some),
    }
}

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`, also without brackets.
fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let plain = match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => &inner[5..],
        _ => inner,
    };
    plain.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

impl Mx {
    fn endpoint(&self, name: &str, address: IpAddr) -> Endpoint {
        Endpoint {
            name: name.to_owned(),
            address: Address::Tcp(SocketAddr::new(address, self.port)),
            protocol: Protocol::Smtp,
            tls: self.tls,
        }
    }
}

/// The attempts at one destination, and what the last one said.
struct Search<'a> {
    shared: &'a Shared,
    credentials: Option<&'a sasl::client::Credentials>,
    tried: &'a [Arc<str>],
    last: Option<(Arc<str>, Response)>,
    /// A host was there and did not answer.
    reached_for: bool,
    /// A look-up failed, so "there are no hosts" is not known.
    unknown: bool,
}

impl<'a> Search<'a> {
    fn new(shared: &'a Shared, credentials: Option<&'a sasl::client::Credentials>, tried: &'a [Arc<str>]) -> Self {
        Self { shared, credentials, tried, last: None, reached_for: false, unknown: false }
    }

    /// Where opportunistic TLS breaks, once more in clear: many old hosts offer what they cannot do.
    async fn attempt(&mut self, endpoint: &Endpoint) -> Option<Link> {
        if self.tried.contains(&endpoint.relay()) {
            return None;
        }
        self.reached_for = true;
        let result = match endpoint.tls {
            Tls::Opportunistic => self.open_as_may_be(endpoint).await,
            _ => self.open(endpoint).await,
        };
        match result {
            Ok(link) => Some(link),
            Err(error) => {
                tracing::debug!(relay = %endpoint.relay(), %error, "host unusable");
                self.last = Some((endpoint.relay(), error.response()));
                None
            }
        }
    }

    async fn open(&self, endpoint: &Endpoint) -> Result<Link, LinkError> {
        Link::open(endpoint, &self.shared.link, self.credentials).await
    }

    async fn open_as_may_be(&self, endpoint: &Endpoint) -> Result<Link, LinkError> {
        let relay = endpoint.relay();
        let clear = Endpoint { tls: Tls::Never, ..endpoint.clone() };
        if self.shared.is_tls_given_up(&relay) {
            return self.open(&clear).await;
        }
        match self.open(endpoint).await {
            Err(error) if error.is_about_tls() => {
                self.shared.give_up_tls(&relay, &error);
                self.open(&clear).await
            }
            other => other,
        }
    }

    fn unknown(&mut self, error: &MxError) {
        self.unknown = true;
        self.last.get_or_insert_with(|| ("dns".into(), error.response()));
    }

    fn no_list(&self, domain: &str, error: &MxError) -> Unreached {
        debug_assert!(!self.reached_for);
        unreached(&domain.into(), error.response())
    }

    /// After the last host.
    fn unreached(&self, destination: &str) -> Unreached {
        match &self.last {
            Some((relay, response)) => {
                Unreached { verdict: Verdict::of_response(relay, response.clone()), rests: self.reached_for }
            }
            None if !self.tried.is_empty() || self.unknown => unreached(
                &destination.into(),
                Response::local(451, [4, 4, 1], format!("no other host for {destination}")),
            ),
            // DNS answered for every host of the list: none has an address.
            None => unreached(&destination.into(), MxError::NoSuchDomain(destination.to_owned()).response()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_addresses() {
        let address = |text: &str| text.parse::<IpAddr>().ok();
        for (text, expected) in [
            ("[192.0.2.1]", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("[IPv6:2001:db8::1]", "2001:db8::1"),
            ("[ipv6:::ffff:192.0.2.1]", "192.0.2.1"),
        ] {
            assert_eq!(literal(text), address(expected), "{text}");
        }
        for text in ["example.com", "[x]", "", "[192.0.2.1", "あいうえお"] {
            assert_eq!(literal(text), None, "{text}");
        }
    }
}
