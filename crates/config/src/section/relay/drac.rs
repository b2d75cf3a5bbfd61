//! `[relay.drac]`: other POP servers tell of logins at theirs.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value;
use guard::{DracSenders, SenderPattern};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{net::IpAddr, path::PathBuf};

/// `[relay.drac]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Drac", deny_unknown_fields, default)]
pub struct WrittenDrac {
    /// Envelope senders with which an address may relay after a DRAC login, because DRAC names no account: `"hosted"` (senders of
    /// your own domains), a list of `user@domain` and `@domain`, or `"any"`. Default `"hosted"`.
    pub senders: WrittenSenders,
    /// File of the servers that may add, in the form of `dracd.allow`: `NETMASK NETADDR` or `NETADDR/PREFIX` a line. Default none:
    /// only loopback may add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// Whether adds over UDP from other hosts than this one count. The source address is the only proof, and anybody can forge
    /// it; over TCP that is not easy. Default `false`.
    pub udp_from_others: bool,
    /// How often one server may add in a second; beyond that the answer is "system error". 1 to 1,000,000. Default 2,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub adds_per_second: u32,
    /// How clients find the service: `"register"` with the rpcbind of this host, `"answer"` their questions on port 111 by itself
    /// (if no rpcbind runs), or `"off"`. Default `"register"`.
    pub rpcbind: Rpcbind,
    /// More addresses that never get a grant, whichever source reports a login: DRAC, Sekisho's own POP3 server, Dovecot, a log,
    /// or `sekisho grant add`. These never get a grant in any case: `0.0.0.0/8`, `240.0.0.0/4`, multicast, link-local and
    /// loopback addresses, this host's default gateways and its own addresses (behind a container's bridge, everybody is the
    /// gateway), and the proxies of `proxy_from`. Default `[]`.
    pub never: Vec<String>,
    /// Whether loopback addresses may get a grant, whichever source reports a login from there. Default `false`.
    pub loopback: bool,
}

impl Default for WrittenDrac {
    fn default() -> Self {
        Self {
            senders: WrittenSenders::Word(SendersWord::Hosted),
            allow: None,
            udp_from_others: false,
            adds_per_second: 2_000,
            rpcbind: Rpcbind::Register,
            never: Vec::new(),
            loopback: false,
        }
    }
}

/// `relay.drac.senders`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Senders", untagged)]
pub enum WrittenSenders {
    /// One of the words.
    Word(SendersWord),
    /// These.
    List(Vec<String>),
}

/// A word in the place of a list of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SendersWord {
    /// Those of our own domains.
    Hosted,
    /// Everybody.
    Any,
}

/// `relay.drac.rpcbind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Rpcbind {
    /// Registers with the one that runs.
    Register,
    /// Answers in its place.
    Answer,
    /// Neither: clients know the port.
    Off,
}

/// `[relay.drac]`, as meant.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Drac {
    pub senders: DracSenders,
    pub allow: Option<PathBuf>,
    pub udp_from_others: bool,
    pub adds_per_second: u32,
    pub rpcbind: Rpcbind,
    pub never: Vec<IpAddr>,
    pub loopback: bool,
}

impl WrittenDrac {
    pub(super) fn meant(&self, reading: &mut Reading<'_>) -> Drac {
        let never = reading.addresses("relay.drac.never", &self.never);
        Drac {
            senders: self.senders.meant(reading),
            allow: self.allow.as_ref().map(|path| reading.below(path)),
            udp_from_others: self.udp_from_others,
            adds_per_second: self.adds_per_second,
            rpcbind: self.rpcbind,
            never,
            loopback: self.loopback,
        }
    }
}

impl WrittenSenders {
    fn meant(&self, reading: &mut Reading<'_>) -> DracSenders {
        let texts = match self {
            Self::Word(SendersWord::Hosted) => return DracSenders::Hosted,
            Self::Word(SendersWord::Any) => return DracSenders::Any,
            Self::List(texts) => texts,
        };
        DracSenders::Listed(reading.each("relay.drac.senders", texts, |text| match text.strip_prefix('@') {
            Some(domain) => value::domain(domain).map(SenderPattern::Domain),
            None => value::mailbox(text).map(SenderPattern::Mailbox),
        }))
    }
}

impl Drac {
    pub(super) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("relay.drac.rpcbind", &self.rpcbind, &new.rpcbind);
    }
}
