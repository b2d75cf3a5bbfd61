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
    /// POP before SMTP: a POP login lets its address relay for a while, as that account.
    pub pop: Pop,
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
