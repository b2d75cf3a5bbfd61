//! Plays the probes, and says which passed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use guard::{AskedRcpt, Depth, Manner, Policy, RelayPolicy};
use judge::lock::Probed;
use judge::looking::Would;
use judge::{Case, Connected, Judge, Sources, Terms};
use smtp::server::ServerConfig;
use tracing::error;

use super::transcript::{self, Event};
use crate::relay::{Values, probes};

/// Addresses that nobody has (RFC 5737, RFC 3849, RFC 9637). A stranger has the first that the configuration does not list; one
/// that lists all of a kind lets strangers relay.
const IPV4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 1), Ipv4Addr::new(203, 0, 113, 1)];
const IPV6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 1)];
/// Own addresses that are tried.
const OWN_MAX: usize = 32;
/// What is kept of what passed.
const PASSED_MAX: usize = 100;

/// A way by which strangers' mail comes in.
#[derive(Debug, Clone)]
pub struct Way {
    /// The listener.
    pub name: Arc<str>,
    /// How it reads commands; for mail servers that ask, how theirs may.
    pub config: Arc<ServerConfig>,
    /// Who speaks there.
    pub kind: WayKind,
}

/// Who speaks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayKind {
    /// Strangers themselves.
    Session,
    /// A mail server, which may be told that its client may relay.
    Asked,
}

/// Plays every probe by every way, as strangers and from own addresses. Nothing is counted or told but what is given back.
pub async fn play(sources: &Sources, terms: &Terms, ways: &[Way]) -> Probed {
    let at = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
    let mut probed = Probed { at, ..Probed::default() };
    let all = match probes() {
        Ok(all) => all,
        Err(error) => {
            error!(%error, "relay unprobed");
            return probed;
        }
    };
    let values = values(terms);
    for way in ways {
        let mut played: Vec<Vec<Event>> = Vec::new();
        for probe in &all {
            let events = transcript::of(&way.config, probe, &values);
            if played.contains(&events) {
                continue;
            }
            let tried = Tried { sources, terms, way, probe: &probe.id, events: &events };
            tried.everywhere(&mut probed).await;
            played.push(events);
            // Mail goes first.
            tokio::task::yield_now().await;
        }
    }
    probed
}

fn values(terms: &Terms) -> Values {
    let settings = &terms.settings;
    let local_domain = settings.domains.default.as_ref().map_or(settings.hostname.as_str(), |domain| domain.as_str());
    Values {
        target_user: "relaytest".to_owned(),
        target_domain: "example.com".to_owned(),
        local_user: "postmaster".to_owned(),
        local_domain: local_domain.to_owned(),
        local_host: settings.hostname.clone(),
        local_ip: Ipv4Addr::LOCALHOST.into(),
        helo: "prober.example".to_owned(),
    }
}

/// One probe by one way.
struct Tried<'a> {
    sources: &'a Sources,
    terms: &'a Terms,
    way: &'a Way,
    probe: &'a str,
    events: &'a [Event],
}

impl Tried<'_> {
    fn policy(&self) -> &Policy {
        match self.way.kind {
            WayKind::Session => &self.terms.policy,
            WayKind::Asked => &self.terms.mta_policy,
        }
    }

    async fn everywhere(&self, probed: &mut Probed) {
        let relay = &self.policy().relay;
        for client in strangers(relay) {
            if let Some(right) = self.from(client, &mut probed.tried).await {
                self.passed(client, right, probed);
            }
        }
        for client in own(relay) {
            // What was seen to log in there, or is listed by its name, has a right.
            match self.from(client, &mut probed.tried).await {
                None | Some("charged" | "pop" | "client-map") => {}
                Some(right) => self.passed(client, right, probed),
            }
        }
    }

    fn passed(&self, client: IpAddr, right: &str, probed: &mut Probed) {
        if probed.passed.len() < PASSED_MAX {
            probed.passed.push(format!("{} {client} {} {right}", self.way.name, self.probe));
        }
    }

    /// By which right one of the probe's recipients would be relayed.
    async fn from(&self, client: IpAddr, tried: &mut u64) -> Option<&'static str> {
        let manners: &[Manner] = match self.way.kind {
            WayKind::Session => &[Manner::OWN],
            WayKind::Asked => {
                &[Manner::asked_by_mail_server(Depth::Relaying), Manner::asked_by_mail_server(Depth::Granting)]
            }
        };
        for manner in manners {
            let (session, listener) = (self.sources.sessions.next(), Arc::clone(&self.way.name));
            let mut case = Case::new(Connected { client: Some(client), session, listener }, *manner);
            for event in self.events {
                match event {
                    Event::Helo(name) => case.greeted(Some(name.clone())),
                    Event::Mail(reverse_path) => case.begin(reverse_path.clone(), None),
                    Event::Rcpt { forward_path, had_source_route } => {
                        *tried += 1;
                        let asked = AskedRcpt { forward_path, had_source_route: *had_source_route };
                        let judge = Judge { sources: self.sources, terms: self.terms, policy: self.policy() };
                        if let Would::Relay(right) = judge.would(&mut case, asked).await {
                            return Some(right);
                        }
                    }
                }
            }
        }
        None
    }
}

/// One of each kind.
fn strangers(relay: &RelayPolicy) -> Vec<IpAddr> {
    [one_of(relay, &IPV4.map(IpAddr::V4)), one_of(relay, &IPV6.map(IpAddr::V6))].into_iter().flatten().collect()
}

/// The first that the configuration does not list, or else the first: never one that this machine or its gateway has (in
/// laboratories they do), which is no stranger's.
fn one_of(relay: &RelayPolicy, addresses: &[IpAddr]) -> Option<IpAddr> {
    let never = relay.never();
    let is_used = |ip: &IpAddr| never.own().contains(ip) || never.gateways().contains(ip);
    let mut nobodys = addresses.iter().copied().filter(|ip| !is_used(ip));
    nobodys.clone().find(|ip| !relay.is_listed_client(*ip)).or_else(|| nobodys.next())
}

/// Own addresses, and gateways behind which anybody may be, that are not listed.
fn own(relay: &RelayPolicy) -> Vec<IpAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let never = relay.never();
    let mut own: Vec<IpAddr> = loopback.iter().chain(never.own()).chain(never.gateways()).copied().collect();
    own.sort_unstable();
    own.dedup();
    own.retain(|ip| !relay.is_listed_client(*ip));
    own.truncate(OWN_MAX);
    own
}
