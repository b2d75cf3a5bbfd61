//! Who may relay: `[relay]` and `[domains]`, with what files add to them, as the guard takes it, and what in them is dangerous.

use crate::file::Settings;
use crate::reading::Reading;
use crate::section::domains::RelayDomain;
use crate::source::Position;
use crate::value::{self, HostPort};
use guard::never_granted::{Here, Loopback, NeverGranted};
use guard::{Danger, RelayPolicy, RelayPolicySpec, policy};
use std::net::SocketAddr;

/// What files of other mail servers add to who may relay.
#[derive(Debug, Clone, Default)]
pub struct MapEntries {
    /// Clients by address, network or name, as `relay.clients` writes them.
    pub clients: Vec<policy::Entry>,
    /// Domains.
    pub domains: Vec<MapDomain>,
}

/// A domain that a file names.
#[derive(Debug, Clone)]
pub struct MapDomain {
    /// As `domains.relay` writes it, and where.
    pub entry: policy::Entry,
    /// Who takes its mail, if a file says so.
    pub next_hop: Option<HostPort>,
}

impl MapEntries {
    fn domains_with_next_hop(&self) -> impl Iterator<Item = policy::Entry> {
        self.domains.iter().filter(|domain| domain.next_hop.is_some()).map(|domain| domain.entry.clone())
    }
}

impl Settings {
    /// Addresses that prove nobody, for a machine that stands `here`.
    pub fn never_granted(&self, here: &Here) -> NeverGranted {
        let drac = &self.relay.drac;
        let loopback = if drac.loopback { Loopback::Granted } else { Loopback::Refused };
        let proxies = self.listeners.iter().flat_map(|listener| listener.proxy_from.iter().copied());
        NeverGranted::of(loopback, here).with_listed(drac.never.iter().copied()).with_proxies(proxies)
    }

    /// Who may relay through our own listeners: what is written here, and what the files of `more` give.
    pub fn relay_policy(&self, more: &MapEntries, here: &Here) -> Result<RelayPolicy, Vec<Danger>> {
        let with_next_hop = |it: &&RelayDomain| it.next_hop.is_some();
        let written = self.domains.relay.iter().filter(with_next_hop).map(|it| entry(&it.domain, &it.place));
        self.policy(more, here, written.chain(more.domains_with_next_hop()).collect())
    }

    /// The same for the mail servers that ask us: their own domains are no relaying either.
    pub fn beside_policy(&self, more: &MapEntries, here: &Here) -> Result<RelayPolicy, Vec<Danger>> {
        let written = self.domains.relay.iter().map(|it| entry(&it.domain, &it.place));
        self.policy(more, here, written.chain(more.domains.iter().map(|domain| domain.entry.clone())).collect())
    }

    fn policy(
        &self,
        more: &MapEntries,
        here: &Here,
        relay_domains: Vec<policy::Entry>,
    ) -> Result<RelayPolicy, Vec<Danger>> {
        let networks = self.relay.networks.iter().map(|it| entry(&it.net, &it.place)).collect();
        let clients = self.relay.clients.iter().map(|it| entry(&it.who, &it.place));
        let client_map = clients.chain(more.clients.iter().cloned()).collect();
        let pop = &self.relay.pop;
        let pop = pop.enabled.then(|| policy::PopSpec {
            ipv6_prefix_bits: pop.ipv6_prefix,
            drac_senders: self.relay.drac.senders.clone(),
            line: pop.place.line(),
        });
        let mail = self.listeners.iter().filter(|listener| !listener.protocol.is_interface());
        let bound = mail.flat_map(|listener| &listener.bind).map(SocketAddr::ip);
        let start = Position { file: self.file.clone(), line: 1, column: 1 };
        let own_literals = bound.filter(|addr| !addr.is_unspecified()).map(|addr| entry(&addr, &start)).collect();
        let default_domain = self.domains.default.clone();
        let never = self.never_granted(here);
        RelayPolicy::new(RelayPolicySpec {
            networks,
            client_map,
            relay_domains,
            pop,
            own_literals,
            default_domain,
            never,
        })
    }
}

fn entry(text: &impl ToString, place: &Position) -> policy::Entry {
    policy::Entry { text: text.to_string(), line: place.line() }
}

/// What would relay for strangers, each at its entry.
pub(crate) fn check(settings: &Settings, reading: &mut Reading<'_>) {
    let Err(dangers) = settings.relay_policy(&MapEntries::default(), &Here::default()) else { return };
    for danger in dangers {
        let path = path(settings, &danger);
        let why = danger.why.to_string();
        let value::Advice { reason, hint } = value::advice(&why);
        let key = path.split('[').next().unwrap_or(&path);
        reading.wrong(&path, format!("`{key}`: \"{}\" {reason}", danger.written), hint);
    }
}

/// The entry that a danger means: the one that stands in its line and is written so.
fn path(settings: &Settings, danger: &Danger) -> String {
    let relay = &settings.relay;
    let is = |text: String, place: &Position| text == danger.written && place.line() == danger.line;
    let network = relay.networks.iter().position(|it| is(it.net.to_string(), &it.place));
    let client = relay.clients.iter().position(|it| is(it.who.to_string(), &it.place));
    let domain = settings.domains.relay.iter().position(|it| is(it.domain.as_str().to_owned(), &it.place));
    let network = network.map(|index| format!("relay.networks[{index}]"));
    let client = || client.map(|index| format!("relay.clients[{index}]"));
    let domain = || domain.map(|index| format!("domains.relay[{index}].domain"));
    network.or_else(client).or_else(domain).unwrap_or_else(|| danger.key.trim_end_matches("_bits").to_owned())
}
