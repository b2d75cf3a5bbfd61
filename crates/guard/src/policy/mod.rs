//! Who may relay, as the operator wrote it, checked whole before anything starts.

pub mod danger;
mod names;
mod networks;
mod pattern;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use smtp::address::{Domain, ForwardPath, Host, LocalPart, Mailbox};

pub use danger::{Danger, Why};

use self::names::NameTable;
use self::networks::NetworkTable;
use self::pattern::{Names, parse_names, parse_network};
use crate::ip::{canonical_ip, cut_ipv6};
use crate::line::ConfigLine;
use crate::never_granted::NeverGranted;
use crate::rule::SharedRules;
use crate::suspicion::SharedSuspicion;

/// One entry of a list as written, and where.
#[derive(Debug, Clone)]
pub struct Entry {
    /// As written.
    pub text: String,
    /// Where.
    pub line: ConfigLine,
}

/// POP-before-SMTP switched on.
#[derive(Debug, Clone)]
pub struct PopSpec {
    /// IPv6 evidence counts for the first so many bits of the address: 64 to 128. Default 128: the address alone.
    pub ipv6_prefix_bits: u8,
    /// With which reverse-paths an address may relay that a DRAC server named: it names no account.
    pub drac_senders: DracSenders,
    /// The line that switched it on.
    pub line: ConfigLine,
}

/// Reverse-paths that a grant without an account may use.
#[derive(Debug, Clone, Default)]
pub enum DracSenders {
    /// Those of our own domains.
    #[default]
    Hosted,
    /// Those of a list.
    Listed(Vec<SenderPattern>),
    /// All.
    Any,
}

/// One reverse-path, or all of one domain (not of its subdomains).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderPattern {
    /// This one; the local part's case does not matter.
    Mailbox(Mailbox),
    /// All of this domain.
    Domain(Domain),
}

impl SenderPattern {
    /// Whether a reverse-path is one of them.
    pub fn matches(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::Domain(domain) => matches!(&mailbox.host, Host::Domain(host) if host == domain),
            Self::Mailbox(one) => {
                one.host == mailbox.host && one.local_part.as_str().eq_ignore_ascii_case(mailbox.local_part.as_str())
            }
        }
    }
}

/// Who may relay, as written. The empty one lets nobody but SMTP AUTH.
#[derive(Debug, Clone, Default)]
pub struct RelayPolicySpec {
    /// Clients that may relay: `192.0.2.7`, `192.0.2.0/28`, `2001:db8:1:2::/64`.
    pub networks: Vec<Entry>,
    /// Single clients by address, network, forward-confirmed name `mail.example.com`, or names below `.example.com`.
    pub client_map: Vec<Entry>,
    /// Domains whose mail we pass on: `example.com`, or all below it as `.example.com`.
    pub relay_domains: Vec<Entry>,
    /// `None`: a POP login grants nothing.
    pub pop: Option<PopSpec>,
    /// Addresses of this server: `user@[address]` means that user in the default domain.
    pub own_literals: Vec<Entry>,
    /// The domain of `<Postmaster>` and of the own literals.
    pub default_domain: Option<Domain>,
    /// Addresses that prove nobody.
    pub never: NeverGranted,
}

/// Who may relay, as meant. Only [`RelayPolicy::new`] makes one, so a dangerous one does not exist.
#[derive(Debug, Clone)]
pub struct RelayPolicy {
    pub(crate) networks: NetworkTable,
    pub(crate) client_networks: NetworkTable,
    pub(crate) client_names: NameTable,
    pub(crate) relay_domains: NameTable,
    pub(crate) pop: Option<PopSpec>,
    pub(crate) own_literals: HashMap<IpAddr, ConfigLine>,
    pub(crate) default_domain: Option<Domain>,
    pub(crate) never: NeverGranted,
}

impl RelayPolicy {
    /// Checks everything and names all dangers at once.
    pub fn new(spec: RelayPolicySpec) -> Result<Self, Vec<Danger>> {
        let mut builder = Builder { never: &spec.never, dangers: Vec::new() };
        let networks = builder.networks("relay.networks", spec.networks);
        let (client_networks, client_names) = builder.client_map(spec.client_map);
        let relay_domains = builder.relay_domains(spec.relay_domains);
        let pop = builder.pop(spec.pop);
        let own_literals = builder.own_literals(spec.own_literals);
        if !builder.dangers.is_empty() {
            return Err(builder.dangers);
        }
        let RelayPolicySpec { default_domain, never, .. } = spec;
        Ok(Self { networks, client_networks, client_names, relay_domains, pop, own_literals, default_domain, never })
    }

    /// The same with one more relay network, as far as that could be written: what is a danger is one here, too.
    pub fn with_network(&self, entry: Entry) -> Result<Self, Vec<Danger>> {
        let mut builder = Builder { never: &self.never, dangers: Vec::new() };
        let more = builder.networks("relay.networks", vec![entry]);
        if !builder.dangers.is_empty() {
            return Err(builder.dangers);
        }
        let mut policy = self.clone();
        more.iter().for_each(|(network, line)| policy.networks.insert(network, line.clone()));
        Ok(policy)
    }

    /// The same with one more relay domain.
    pub fn with_relay_domain(&self, entry: Entry) -> Result<Self, Vec<Danger>> {
        let mut builder = Builder { never: &self.never, dangers: Vec::new() };
        match parse_names(&entry.text).and_then(Names::narrow_domain) {
            Ok(pattern) => {
                let mut policy = self.clone();
                policy.relay_domains.insert(&pattern, entry.line);
                Ok(policy)
            }
            Err(why) => {
                builder.note("domains.relay", &entry, why);
                Err(builder.dangers)
            }
        }
    }

    /// The mailbox that the directory must be asked about for `Hosting`: the forward-path's own, or the one meant by
    /// `<Postmaster>` and by an address literal of this server. `None`: there is nothing to ask.
    pub fn directory_mailbox<'a>(&self, path: &'a ForwardPath) -> Option<Cow<'a, Mailbox>> {
        match path {
            ForwardPath::Postmaster => self.in_default_domain("postmaster").map(Cow::Owned),
            ForwardPath::Mailbox(mailbox) => match &mailbox.host {
                Host::Domain(_) => Some(Cow::Borrowed(mailbox)),
                Host::Literal(ip) => {
                    self.own_literal(*ip)?;
                    self.in_default_domain(mailbox.local_part.as_str()).map(Cow::Owned)
                }
                Host::Other(_) => None,
            },
        }
    }

    /// The key under which POP logins are stored and looked up: the canonical address, with IPv6 cut as configured.
    pub fn pop_key(&self, client: IpAddr) -> IpAddr {
        cut_ipv6(client, self.pop.as_ref().map_or(128, |pop| pop.ipv6_prefix_bits))
    }

    /// Whether a mailbox lies in a relay domain.
    pub fn is_relay_domain(&self, mailbox: &Mailbox) -> bool {
        mailbox.host.domain().is_some_and(|domain| self.is_relay_domain_name(domain))
    }

    /// Whether a domain is a relay domain.
    pub fn is_relay_domain_name(&self, domain: &Domain) -> bool {
        self.relay_domains.find(domain).is_some()
    }

    /// Addresses that prove nobody.
    pub fn never(&self) -> &NeverGranted {
        &self.never
    }

    /// The networks that hold this address, with their lines.
    pub fn networks_around(&self, address: IpAddr) -> impl Iterator<Item = (IpNet, &ConfigLine)> {
        self.relaying_networks().filter(move |(net, _)| net.contains(&address))
    }

    /// Whether POP logins grant anything here.
    pub fn pop_enabled(&self) -> bool {
        self.pop.is_some()
    }

    /// Whether the address is in one of the relay networks.
    pub fn is_relay_network(&self, address: IpAddr) -> bool {
        self.networks.find(address).is_some()
    }

    /// Whether the address may relay by itself: it is in a relay network, or the client map lists it by address.
    pub fn is_listed_client(&self, address: IpAddr) -> bool {
        self.is_relay_network(address) || self.client_networks.find(address).is_some()
    }

    /// Every network that may relay, with its line, for the audit: the relay networks, then the client map.
    pub fn relaying_networks(&self) -> impl Iterator<Item = (IpNet, &ConfigLine)> {
        self.networks.iter().chain(self.client_networks.iter())
    }

    /// The relay networks, each with its line.
    pub fn networks(&self) -> impl Iterator<Item = (IpNet, &ConfigLine)> {
        self.networks.iter()
    }

    /// The client map's networks, each with its line.
    pub fn client_networks(&self) -> impl Iterator<Item = (IpNet, &ConfigLine)> {
        self.client_networks.iter()
    }

    /// The client map's names, each with its line: `mail.example.com`, or all below it as `.example.com`.
    pub fn client_names(&self) -> impl Iterator<Item = (String, &ConfigLine)> {
        self.client_names.iter()
    }

    /// The narrowest relay network around an address.
    pub fn network_of(&self, address: IpAddr) -> Option<IpNet> {
        self.networks.network_of(address)
    }

    /// The narrowest of the client map's networks around an address.
    pub fn client_network_of(&self, address: IpAddr) -> Option<IpNet> {
        self.client_networks.network_of(address)
    }

    /// The client map's entry for a name, as it is written.
    pub fn client_name_of(&self, name: &Domain) -> Option<String> {
        self.client_names.written(name)
    }

    /// POP before SMTP, if it is switched on.
    pub fn pop(&self) -> Option<&PopSpec> {
        self.pop.as_ref()
    }

    /// Every relay domain, for the audit.
    pub fn relay_domains(&self) -> impl Iterator<Item = (String, &ConfigLine)> {
        self.relay_domains.iter()
    }

    pub(crate) fn own_literal(&self, ip: IpAddr) -> Option<&ConfigLine> {
        self.own_literals.get(&canonical_ip(ip))
    }

    fn in_default_domain(&self, local_part: &str) -> Option<Mailbox> {
        let local_part = LocalPart::from_unquoted(local_part).ok()?;
        Some(Mailbox::new(local_part, self.default_domain.clone()?))
    }
}

/// What a case is judged by: who may relay, and the rules.
#[derive(Debug)]
pub struct Policy {
    /// Who may relay.
    pub relay: RelayPolicy,
    /// What takes away.
    pub rules: SharedRules,
    /// What is held against strangers.
    pub suspicion: SharedSuspicion,
    /// Which configuration it is of, counted from the start of the process; records name it.
    pub version: u64,
}

/// Whether a network is as narrow as one in the relay policy must be. For networks that are trusted with something else
/// that opens the relay, such as naming a client's address.
pub fn check_network(text: &str) -> Result<(), Why> {
    parse_network(text).map(|_| ())
}

/// Collects the dangers while the tables grow.
struct Builder<'a> {
    never: &'a NeverGranted,
    dangers: Vec<Danger>,
}

impl Builder<'_> {
    fn note(&mut self, key: &'static str, entry: &Entry, why: Why) {
        self.dangers.push(Danger { line: entry.line.clone(), key, written: entry.text.clone(), why });
    }

    fn networks(&mut self, key: &'static str, entries: Vec<Entry>) -> NetworkTable {
        let mut table = NetworkTable::default();
        for entry in entries {
            let parsed = parse_network(&entry.text);
            let never = |network| self.never.why_network(network).map_or(Ok(network), |why| Err(Why::Never(why)));
            match parsed.and_then(never) {
                Ok(network) => table.insert(network, entry.line),
                Err(why) => self.note(key, &entry, why),
            }
        }
        table
    }

    fn client_map(&mut self, entries: Vec<Entry>) -> (NetworkTable, NameTable) {
        const KEY: &str = "relay.client_map";
        let (by_name, by_number) = entries.into_iter().partition(|entry| pattern::looks_like_name(&entry.text));
        let networks = self.networks(KEY, by_number);
        let mut names = NameTable::default();
        for entry in by_name {
            match parse_names(&entry.text).and_then(Names::narrow_client) {
                Ok(pattern) => names.insert(&pattern, entry.line),
                Err(why) => self.note(KEY, &entry, why),
            }
        }
        (networks, names)
    }

    fn relay_domains(&mut self, entries: Vec<Entry>) -> NameTable {
        let mut table = NameTable::default();
        for entry in entries {
            match parse_names(&entry.text).and_then(Names::narrow_domain) {
                Ok(pattern) => table.insert(&pattern, entry.line),
                Err(why) => self.note("relay.relay_domains", &entry, why),
            }
        }
        table
    }

    fn pop(&mut self, spec: Option<PopSpec>) -> Option<PopSpec> {
        let spec = spec?;
        if (64..=128).contains(&spec.ipv6_prefix_bits) {
            return Some(spec);
        }
        let entry = Entry { text: spec.ipv6_prefix_bits.to_string(), line: spec.line };
        self.note("relay.pop.ipv6_prefix_bits", &entry, Why::PopPrefix);
        None
    }

    fn own_literals(&mut self, entries: Vec<Entry>) -> HashMap<IpAddr, ConfigLine> {
        let mut literals = HashMap::new();
        for entry in entries {
            match entry.text.parse::<IpAddr>() {
                Ok(ip) => {
                    literals.insert(canonical_ip(ip), entry.line);
                }
                Err(_) => self.note("relay.own_literals", &entry, Why::NotANetwork),
            }
        }
        literals
    }
}

#[cfg(test)]
mod tests;
