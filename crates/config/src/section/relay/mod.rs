//! `[relay]`: who may relay without a login.

mod client;
mod drac;
mod export;
mod pop;
mod record;

pub use client::{Client, ClientWho, WrittenClient};
pub use drac::{Drac, Rpcbind, SendersWord, WrittenDrac, WrittenSenders};
pub use export::Export;
pub use pop::{Pop, WrittenPop};
pub use record::{Record, WrittenRecord};

use crate::map_file::{self, MapFile};
use crate::reading::Reading;
use crate::restart::Restart;
use crate::source::Position;
use crate::value::{self, Unreadable};
use ipnet::IpNet;
use maps::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smtp::Domain;
use std::time::Duration;

/// `[relay]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Relay", deny_unknown_fields, default)]
pub struct WrittenRelay {
    /// Networks with hosts that may relay, as narrow as possible: `ADDRESS` or `ADDRESS/PREFIX`. A network that would let
    /// strangers relay (a public network wider than /24, or /48 in IPv6, or more than a private network) is rejected at start. No
    /// network is trusted by default, not even loopback. Default `[]`.
    pub networks: Vec<String>,
    /// Sender domains of relaying networks, each as `"NETWORK DOMAIN DOMAIN …"`: a satellite or a customer in the network sends
    /// with these domains, so bounces go back there. A sender of another foreign domain gets no bounce. Default `[]`.
    pub sender_domains: Vec<String>,
    /// Single clients that may relay, each by address or by forward-confirmed name. Default `[]`.
    pub clients: Vec<WrittenClient>,
    /// Files of other mail servers that let clients relay, as `TYPE:FILE`: `sendmail-access` (entries with `RELAY`),
    /// `relay-allow`, `ip-allow`, `name-allow`. Each entry counts like an entry in `relay.clients` or `domains.relay`, and is
    /// checked in the same way. Default `[]`.
    pub maps: Vec<String>,
    /// What the server does if an address that may relay by itself shows more than 10 HELO names and more than 10 unrelated
    /// sender domains within an hour, so that strangers seem to come through it: `"off"`; `"observe"` writes to the log
    /// (`trust_collapsed`); `"enforce"` also stops its relaying until it was quiet for an hour or the configuration is read
    /// again. Default `"observe"`.
    pub identity_collapse: IdentityCollapse,
    /// How long after the start, in seconds, the server runs all relay probes against itself; then after each reload and daily.
    /// If a probe passes, relaying is locked: only SMTP AUTH relays until `sekisho relay unlock`. 0 to 3,600. Default 10.
    #[schemars(range(min = 0, max = 3_600))]
    pub self_probe_after_secs: u32,
    /// POP before SMTP: after a POP login its address may relay for a while, with the addresses of that account.
    pub pop: WrittenPop,
    /// DRAC: other POP servers report their logins.
    pub drac: WrittenDrac,
    /// The record of each relayed message.
    pub record: WrittenRecord,
    /// Berkeley DB file of the addresses that have a grant now, for mail servers that can only read such a file: `"btree:FILE"`
    /// or `"hash:FILE"`. As in `[[access]]` and in Postfix, the database of `FILE` is `FILE.db`; a name that ends in `.db` is the
    /// database itself. The weakest way: a file cannot fail closed. It is written again at the start, and within a minute if
    /// somebody removed or damaged it, and emptied at the end. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

impl Default for WrittenRelay {
    fn default() -> Self {
        Self {
            networks: Vec::new(),
            sender_domains: Vec::new(),
            clients: Vec::new(),
            maps: Vec::new(),
            identity_collapse: IdentityCollapse::default(),
            self_probe_after_secs: 10,
            pop: WrittenPop::default(),
            drac: WrittenDrac::default(),
            record: WrittenRecord::default(),
            export: None,
        }
    }
}

/// `[relay]`, as meant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Relay {
    pub networks: Vec<Network>,
    pub sender_domains: Vec<SenderDomains>,
    pub clients: Vec<Client>,
    pub maps: Vec<MapFile>,
    pub identity_collapse: IdentityCollapse,
    pub self_probe_after: Duration,
    pub pop: Pop,
    pub drac: Drac,
    pub record: Record,
    pub export: Option<Export>,
}

/// `relay.identity_collapse`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityCollapse {
    /// Nothing.
    Off,
    /// It is told.
    #[default]
    Observe,
    /// The right of the address is taken away.
    Enforce,
}

/// One of `relay.networks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network, as written (host bits and all).
    pub net: IpNet,
    /// The entry.
    pub place: Position,
}

/// One of `relay.sender_domains`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SenderDomains {
    /// Where the senders are.
    pub net: IpNet,
    /// The domains that are theirs.
    pub domains: Vec<Domain>,
}

impl SenderDomains {
    fn read(text: &str) -> Result<Self, Unreadable> {
        let mut words = text.split_ascii_whitespace();
        let net = value::network(words.next().unwrap_or_default())?;
        let domains = words.map(value::domain).collect::<Result<Vec<_>, _>>()?;
        if domains.is_empty() {
            return value::unreadable(format!("\"{text}\" names no domain"), "as in \"192.0.2.0/28 branch.example\"");
        }
        Ok(Self { net, domains })
    }
}

/// What `relay.maps` may be.
const KINDS: [Kind; 4] = [Kind::SendmailAccess, Kind::RelayAllow, Kind::IpAllow, Kind::NameAllow];

impl WrittenRelay {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Relay {
        let mut networks = Vec::new();
        for (index, text) in self.networks.iter().enumerate() {
            let path = format!("relay.networks[{index}]");
            let place = reading.position(&path);
            networks.extend(reading.parsed(&path, value::network(text)).map(|net| Network { net, place }));
        }
        let sender_domains = self.sender_domains.iter().enumerate().filter_map(|(index, text)| {
            reading.parsed(&format!("relay.sender_domains[{index}]"), SenderDomains::read(text))
        });
        let sender_domains = sender_domains.collect();
        let clients = self.clients.iter().enumerate();
        let clients = clients.filter_map(|(index, it)| it.meant(&format!("relay.clients[{index}]"), reading)).collect();
        let pop = self.pop.meant(reading);
        let maps = map_file::all("relay.maps", &self.maps, &KINDS, reading);
        let drac = self.drac.meant(reading);
        let record = self.record.meant(reading);
        let export = self.export.as_ref();
        let export = export.and_then(|text| export::meant(text, reading));
        let identity_collapse = self.identity_collapse;
        let self_probe_after = Duration::from_secs(self.self_probe_after_secs.into());
        Relay {
            networks,
            sender_domains,
            clients,
            maps,
            identity_collapse,
            self_probe_after,
            pop,
            drac,
            record,
            export,
        }
    }
}

impl Relay {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("relay.export", &self.export, &new.export);
        self.drac.needing_a_restart(&new.drac, restart);
        self.record.needing_a_restart(&new.record, restart);
    }
}
