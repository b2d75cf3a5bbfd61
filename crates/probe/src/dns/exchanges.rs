//! Who takes the domain's mail (RFC 5321 §5.1, RFC 7505).

use std::net::IpAddr;

use dns::{Answer, Resolver};
use futures_util::future::join_all;

use crate::finding::Finding;
use crate::publish::Record;

const TOPIC: &str = "MX";
/// Hosts that are looked at.
const HOSTS_MAX: usize = 20;
/// Addresses of one host that are looked at.
const ADDRESSES_MAX: usize = 8;

/// Hosts with their addresses, and what was found of them.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    pub(crate) hosts: Vec<Host>,
    pub(crate) findings: Vec<Finding>,
}

/// A host that takes mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Looks at the exchanges; `suggested` is the host that could be published if there are none.
pub(crate) async fn look(dns: &Resolver, domain: &str, suggested: &str) -> Exchanges {
    let exchanges = match dns.exchanges(domain).await {
        Answer::Found(exchanges) => exchanges,
        Answer::None => return without(dns, domain, suggested).await,
        Answer::Failed(failure) => return only(Finding::unknown(TOPIC, domain, &failure)),
    };
    if exchanges.iter().any(|exchange| exchange.host.is_empty()) {
        return only(match exchanges.len() {
            1 => Finding::good(TOPIC, domain, "null MX: the domain takes no mail"),
            _ => {
                Finding::wrong(TOPIC, domain, "a null MX (\"0 .\") stands beside other hosts: remove one or the others")
            }
        });
    }
    let mut names: Vec<(u16, &str)> = exchanges.iter().map(|it| (it.preference, &*it.host)).collect();
    names.sort_unstable();
    let looked = join_all(names.iter().take(HOSTS_MAX).map(|(preference, name)| host(dns, *preference, name))).await;
    let mut found = Exchanges::default();
    for (host, finding) in looked {
        found.findings.push(finding);
        found.hosts.extend(host.filter(|host| found.hosts.iter().all(|known| known.name != host.name)));
    }
    if names.len() > HOSTS_MAX {
        let text = format!("{} hosts: only the first {HOSTS_MAX} were looked at", names.len());
        found.findings.push(Finding::good(TOPIC, domain, text));
    }
    found
}

fn only(finding: Finding) -> Exchanges {
    Exchanges { hosts: Vec::new(), findings: vec![finding] }
}

/// Without MX the domain's own address takes its mail, if it has one.
async fn without(dns: &Resolver, domain: &str, suggested: &str) -> Exchanges {
    let publish = Record::exchange(domain, suggested);
    match dns.addresses(domain).await {
        Answer::Found(mut addresses) => {
            addresses.truncate(ADDRESSES_MAX);
            let text = "no MX: mail goes to the domain's own address, which few mean";
            let findings = vec![Finding::missing(TOPIC, domain, text).publish(publish)];
            Exchanges { hosts: vec![Host { name: domain.to_owned(), addresses }], findings }
        }
        Answer::None => {
            only(Finding::missing(TOPIC, domain, "no MX and no address: the domain takes no mail").publish(publish))
        }
        Answer::Failed(failure) => only(Finding::unknown(TOPIC, domain, &failure)),
    }
}

async fn host(dns: &Resolver, preference: u16, name: &str) -> (Option<Host>, Finding) {
    if name.parse::<IpAddr>().is_ok() {
        let text = format!("MX {preference} {name} is an address: an MX names a host");
        return (None, Finding::wrong(TOPIC, name, text));
    }
    let (alias, addresses) = tokio::join!(dns.alias(name), dns.addresses(name));
    let finding = match (&alias, &addresses) {
        (Answer::Found(target), _) => {
            let text =
                format!("MX {preference} {name} is an alias (CNAME) of {target}: name that one (RFC 2181 §10.3)");
            Finding::wrong(TOPIC, name, text)
        }
        (_, Answer::None) => Finding::wrong(TOPIC, name, format!("MX {preference} {name} has no address")),
        (_, Answer::Failed(failure)) => Finding::unknown(TOPIC, name, failure),
        (_, Answer::Found(addresses)) => reachable(preference, name, addresses),
    };
    let mut addresses = match addresses {
        Answer::Found(addresses) => addresses,
        Answer::None | Answer::Failed(_) => Vec::new(),
    };
    addresses.truncate(ADDRESSES_MAX);
    // What an alias leads to is the host that should be named.
    let name = match alias {
        Answer::Found(target) => target,
        Answer::None | Answer::Failed(_) => name.to_owned(),
    };
    (Some(Host { name, addresses }), finding)
}

fn reachable(preference: u16, name: &str, addresses: &[IpAddr]) -> Finding {
    if let Some(private) = addresses.iter().find(|address| !guard::is_public(**address)) {
        let text = format!("MX {preference} {name} has {private}, which nobody outside can reach");
        return Finding::wrong(TOPIC, name, text);
    }
    let addresses: Vec<String> = addresses.iter().take(ADDRESSES_MAX).map(ToString::to_string).collect();
    Finding::good(TOPIC, name, format!("MX {preference}, at {}", addresses.join(", ")))
}
