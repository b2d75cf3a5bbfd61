//! `[relay]` as written: the authorities that can give a relay grant without a login.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[relay]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Relay {
    /// Networks whose hosts may relay, as narrow as possible: `ADDRESS` or `ADDRESS/PREFIX`. What would let strangers relay
    /// (a public network wider than /24, or /48 in IPv6, or more than a private network) does not start. No network is
    /// trusted by default, loopback neither. Default `[]`.
    pub networks: Vec<String>,
    /// Single clients that may relay, each by address or by forward-confirmed name. Default `[]`.
    pub clients: Vec<Client>,
    /// Files of other mail servers that give relaying, as `TYPE:FILE`: `sendmail-access` (entries with `RELAY`), `relay-allow`,
    /// `ip-allow`, `name-allow`. Each entry counts as if it stood in `relay.clients` or `domains.relay`, and is checked like them.
    /// Default `[]`.
    pub maps: Vec<String>,
    /// POP before SMTP: a POP login lets its address relay for a while, as that account.
    pub pop: Pop,
    /// DRAC: other POP servers tell of logins at theirs.
    pub drac: Drac,
    /// Berkeley DB file of the addresses that have a grant now, for mail servers that can do nothing but read one: `"btree:FILE"`
    /// or `"hash:FILE"`. The weakest way: a file cannot fail closed. It is written anew at the start and emptied at the
    /// end. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub export: Option<String>,
}

/// `[relay.drac]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drac {
    /// With which reverse-paths an address may relay that DRAC named, since it names no account: `"hosted"` (those of our own
    /// domains), a list of `user@domain` and `@domain`, or `"any"`. Default `"hosted"`.
    pub senders: Senders,
    /// File of the servers that may add, in the form of `dracd.allow`: `NETMASK NETADDR` or `NETADDR/PREFIX` a line. Default none:
    /// only loopback may add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
    /// Whether adds over UDP are believed from other hosts than this one. The source address is all the proof there is, and
    /// it can be forged; over TCP it cannot easily be. Default `false`.
    pub udp_from_others: bool,
    /// Adds a second that one server may make; beyond it the answer is "system error". 1 to 1,000,000. Default 2,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub adds_per_second: u32,
    /// How clients find the service: `"register"` with the rpcbind of this host, `"answer"` their questions on port 111
    /// ourselves (where no rpcbind runs), or `"off"`. Default `"register"`.
    pub rpcbind: Rpcbind,
    /// Addresses that are never granted, besides the unspecified, broadcast, multicast and loopback ones and this host's default
    /// gateways: behind a container's bridge, everybody is the gateway. Default `[]`.
    pub never: Vec<String>,
    /// Whether loopback addresses may be granted. Default `false`.
    pub loopback: bool,
}

impl Default for Drac {
    fn default() -> Self {
        Self {
            senders: Senders::Word(SendersWord::Hosted),
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
#[serde(untagged)]
pub enum Senders {
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

/// `[[relay.clients]]`: exactly one of the two keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Client {
    /// Address or network of the client, `ADDRESS` or `ADDRESS/PREFIX`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// Name of the client: a host, or `.example.net` for every host below it. Believed only when the address's name resolves
    /// back to the address. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `[relay.pop]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pop {
    /// Whether a POP login grants relaying. Default `true`.
    pub enabled: bool,
    /// How long after the last login, in minutes. 1 to 1,440. Default 30.
    #[schemars(range(min = 1, max = 1_440))]
    pub minutes: u32,
    /// Messages that one grant may send an hour; a renewal does not start the count anew. 1 to 1,000,000. Default 100.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_hour: u32,
    /// Recipients that one grant may reach an hour. 1 to 1,000,000. Default 500.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub recipients_per_hour: u32,
    /// Part of an IPv6 address that a grant is for, in bits; 128 is the address alone. 64 to 128. Default 128.
    #[schemars(range(min = 64, max = 128))]
    pub ipv6_prefix: u8,
}

impl Default for Pop {
    fn default() -> Self {
        Self { enabled: true, minutes: 30, messages_per_hour: 100, recipients_per_hour: 500, ipv6_prefix: 128 }
    }
}
