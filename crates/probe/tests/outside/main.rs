//! Probes against name servers and mail hosts on loopback: in order, mistaken, dead and hostile.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test")]

mod blocklists;
mod dns;
#[path = "../../../reputation/tests/name_server/mod.rs"]
mod name_server;
mod tls;

use std::time::Duration;

use name_server::{Entry, NameServer};
use probe::asking::Resolver;

/// What stands under a name.
type Names<'n> = [(&'n str, Vec<Entry>)];

async fn asking(names: &Names<'_>) -> (NameServer, Resolver) {
    let zone = names.iter().map(|(name, entries)| ((*name).to_owned(), entries.clone()));
    let server = NameServer::start(zone.collect()).await;
    let dns = config::Dns { servers: vec![server.address], timeout: Duration::from_millis(500) };
    (server, probe::asking::resolver(&dns).unwrap())
}

fn text(text: &str) -> Vec<Entry> {
    vec![Entry::Txt(vec![text.to_owned()])]
}

fn address(text: &str) -> Vec<Entry> {
    vec![Entry::A(text.parse().unwrap())]
}
