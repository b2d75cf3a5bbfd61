//! The names of addresses that send or take the domain's mail, and whether they lead back (PTR, FCrDNS).

use std::net::IpAddr;

use dns::{Answer, Resolver};
use futures_util::future::join_all;

use crate::finding::Finding;
use crate::publish::Record;

const TOPIC: &str = "PTR";
/// Addresses that are looked at.
const ADDRESSES_MAX: usize = 32;

/// An address, and the host that it should be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) address: IpAddr,
    pub(crate) host: String,
}

/// Looks at each address of the Internet once.
pub(crate) async fn look(dns: &Resolver, wanted: &[Wanted]) -> Vec<Finding> {
    let mut once: Vec<&Wanted> = Vec::new();
    for it in wanted.iter().filter(|it| guard::is_public(it.address)) {
        if once.len() < ADDRESSES_MAX && once.iter().all(|known| known.address != it.address) {
            once.push(it);
        }
    }
    join_all(once.into_iter().map(|it| name(dns, it))).await
}

async fn name(dns: &Resolver, wanted: &Wanted) -> Finding {
    let (address, subject) = (wanted.address, wanted.address.to_string());
    let publish = || Record::name_of(address, &wanted.host);
    let (names, confirmed) = tokio::join!(dns.names(address), dns.confirmed_name(address));
    match (names, confirmed) {
        (_, Answer::Found(name)) => Finding::good(TOPIC, subject, format!("is called {name}, which leads back to it")),
        (Answer::None, _) => {
            let text = "it has no name: many refuse its mail. Whoever gave you the address sets it";
            Finding::missing(TOPIC, subject, text).publish(publish())
        }
        (Answer::Failed(failure), _) | (_, Answer::Failed(failure)) => Finding::unknown(TOPIC, subject, &failure),
        (Answer::Found(names), Answer::None) => {
            let names: Vec<&str> = names.iter().map(smtp::Domain::as_str).collect();
            let text = if names.is_empty() {
                "its name is none that a host can have".to_owned()
            } else {
                format!("is called {}, which does not lead back to it", names.join(", "))
            };
            Finding::wrong(TOPIC, subject, text).publish(publish())
        }
    }
}
