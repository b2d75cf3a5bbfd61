//! Who may relay, as a value: per listener what it relays for, and the rights that its clients may have there. It is computed
//! from the policy in force, the accounts and the state; [`Set::may_relay`] answers from it alone, without the guard, and a test
//! holds the two together.

mod door;
mod grant;
mod login;
mod question;
mod trusted;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use directory::{Account, Device};
use guard::{ConfigLine, PopEvidence, RelayPolicy};

pub use door::{Door, LoginOffer, Way};
pub use grant::GrantRight;
pub use login::{DeviceBounds, LoginRight, Usable};
pub use question::{Answer, Asked, By, WhyNot};
pub use trusted::{Except, Listed, Pattern};

use crate::addresses::Addresses;

/// What a set is computed from.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// Who may relay through our own listeners.
    pub own: &'a RelayPolicy,
    /// The same for the mail servers that ask us.
    pub asked: &'a RelayPolicy,
    /// The listeners.
    pub doors: &'a [Door],
    /// The accounts.
    pub accounts: &'a [Account],
    /// Their devices.
    pub devices: &'a [Device],
    /// The evidence of logins.
    pub evidence: &'a [PopEvidence],
    /// Addresses behind which many seem to be, where that takes their right.
    pub distrusted: &'a [IpAddr],
    /// Clients that are banned: addresses, or the first of an IPv6 /64.
    pub banned: &'a [IpAddr],
    /// By the clock of who keeps the evidence.
    pub now: SystemTime,
}

/// Who may relay, by what right.
#[derive(Debug, Clone, Default)]
pub struct Set {
    /// The listeners, in the order of the configuration.
    pub doors: Vec<Door>,
    /// The relay networks, each as listed.
    pub networks: Vec<Listed>,
    /// The client map's networks.
    pub clients: Vec<Listed>,
    /// The client map's names.
    pub names: Vec<Pattern>,
    /// What lies in a listed network and yet has no right by that.
    pub except: Vec<Except>,
    /// The addresses of the relay networks, less the exceptions.
    pub by_network: Addresses,
    /// The same of the client map's networks.
    pub by_client_map: Addresses,
    /// Addresses that no name of the client map helps: gateways, and those behind which many seem to be.
    pub(crate) nobodys: Vec<IpAddr>,
    /// Domains whose mail our own listeners pass on for everybody.
    pub own_domains: Vec<Pattern>,
    /// Domains whose mail is passed on for those that mail servers ask about.
    pub asked_domains: Vec<Pattern>,
    /// POP before SMTP, where it is switched on.
    pub pop: Option<PopRight>,
    /// Accounts and devices, by what they log in with.
    pub logins: BTreeMap<String, LoginRight>,
    /// Grants that are alive.
    pub grants: Vec<GrantRight>,
    /// Clients that are banned.
    pub banned: Vec<IpAddr>,
    never: guard::never_granted::NeverGranted,
    now_secs: u64,
}

/// POP before SMTP, as it is switched on.
#[derive(Debug, Clone)]
pub struct PopRight {
    /// Where.
    pub line: ConfigLine,
    /// What a grant that names no account may send as.
    pub senders: guard::DracSenders,
}

impl Set {
    /// Computes it.
    pub fn new(given: &Given<'_>) -> Self {
        let own = given.own;
        let networks = trusted::networks(own.networks());
        let clients = trusted::networks(own.client_networks());
        let except = trusted::exceptions(networks.iter().chain(&clients), own.never(), given.distrusted);
        let grants = match own.pop() {
            Some(pop) => grant::alive(given, pop.ipv6_prefix_bits),
            None => Vec::new(),
        };
        Self {
            doors: given.doors.to_vec(),
            by_network: trusted::less(&networks, &except),
            by_client_map: trusted::less(&clients, &except),
            networks,
            clients,
            names: trusted::patterns(own.client_names()),
            except,
            nobodys: given.distrusted.iter().map(|address| guard::canonical_ip(*address)).collect(),
            own_domains: trusted::patterns(own.relay_domains()),
            asked_domains: trusted::patterns(given.asked.relay_domains()),
            pop: own.pop().map(|pop| PopRight { line: pop.line.clone(), senders: pop.drac_senders.clone() }),
            logins: login::all(given.accounts, given.devices),
            grants,
            banned: given.banned.to_vec(),
            never: own.never().clone(),
            now_secs: secs(given.now),
        }
    }

    /// When it was computed, in seconds since 1970.
    pub fn now_secs(&self) -> u64 {
        self.now_secs
    }

    /// Every address that has a right by itself, or by a grant, whoever sends.
    pub fn addresses(&self) -> Addresses {
        let mut all = self.by_network.clone();
        all.join(&self.by_client_map);
        self.grants.iter().for_each(|grant| all.join(&grant.addresses));
        all
    }
}

pub(crate) fn secs(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
