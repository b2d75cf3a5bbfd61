//! The client's forward-confirmed name: its address' PTR name, if that name leads back to the address.
//!
//! A name that is not confirmed is none: whoever owns an address writes its PTR record as he likes.

use std::net::IpAddr;
use std::time::Duration;

use guard::{ConfirmedName, Fact, Fault};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use smtp::Domain;

use crate::config::Dns;

/// PTR names tried for one address: more are no honest host's.
const NAMES_MAX: usize = 4;

/// Asks DNS.
pub struct Resolver {
    inner: Option<TokioResolver>,
    timeout: Duration,
}

impl Resolver {
    /// A resolver by the settings; one that cannot be made answers *unknown* to everything.
    pub fn new(dns: &Dns) -> Self {
        let built = if dns.servers.is_empty() {
            TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build)
        } else {
            let servers = dns.servers.iter().map(|server| {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                config
            });
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).build()
        };
        if let Err(error) = &built {
            tracing::warn!(%error, "no DNS resolver: client names stay unknown");
        }
        Self { inner: built.ok(), timeout: dns.timeout }
    }

    /// The forward-confirmed name of an address; `Known(None)`: it has none.
    pub async fn confirmed_name(&self, ip: IpAddr) -> Fact<Option<ConfirmedName>> {
        let Some(resolver) = &self.inner else { return Fact::Unknown(Fault::Unavailable("dns")) };
        match tokio::time::timeout(self.timeout, confirm(resolver, ip)).await {
            Ok(Ok(name)) => Fact::Known(name.map(ConfirmedName::attest_forward_confirmed)),
            Ok(Err(_)) => Fact::Unknown(Fault::Unavailable("dns")),
            Err(_) => Fact::Unknown(Fault::TimedOut("dns")),
        }
    }
}

async fn confirm(resolver: &TokioResolver, ip: IpAddr) -> Result<Option<Domain>, NetError> {
    let names = match resolver.reverse_lookup(ip).await {
        Ok(found) => found,
        Err(error) if error.is_no_records_found() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut failed = None;
    for record in names.answers().iter().take(NAMES_MAX) {
        let RData::PTR(name) = &record.data else { continue };
        match resolver.lookup_ip(name.0.clone()).await {
            Ok(found) if found.iter().any(|found| guard::canonical_ip(found) == ip) => {
                if let Ok(domain) = Domain::parse(&name.to_ascii()) {
                    return Ok(Some(domain));
                }
            }
            Ok(_) => {}
            Err(error) if error.is_no_records_found() => {}
            Err(error) => failed = Some(error),
        }
    }
    // "No" only if every name was answered.
    failed.map_or(Ok(None), Err)
}
