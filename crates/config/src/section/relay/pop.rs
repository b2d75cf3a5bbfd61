//! `[relay.pop]`: POP before SMTP.

use crate::reading::Reading;
use crate::source::Position;
use crate::value::minutes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[relay.pop]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Pop", deny_unknown_fields, default)]
pub struct WrittenPop {
    /// Whether a POP login gives a relay grant. Default `true`.
    pub enabled: bool,
    /// How long after the last login, in minutes. 1 to 1,440. Default 30.
    #[schemars(range(min = 1, max = 1_440))]
    pub minutes: u32,
    /// Messages that one grant may send in an hour; a new login does not restart the count. 1 to 1,000,000. Default 100.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_hour: u32,
    /// Recipients that one grant may reach in an hour. 1 to 1,000,000. Default 500.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub recipients_per_hour: u32,
    /// Part of an IPv6 address that a grant is for, in bits; 128 is the address alone. 64 to 128. Default 128.
    #[schemars(range(min = 64, max = 128))]
    pub ipv6_prefix: u8,
}

impl Default for WrittenPop {
    fn default() -> Self {
        Self { enabled: true, minutes: 30, messages_per_hour: 100, recipients_per_hour: 500, ipv6_prefix: 128 }
    }
}

/// `[relay.pop]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Pop {
    pub enabled: bool,
    pub lifetime: Duration,
    pub messages_per_hour: u32,
    pub recipients_per_hour: u32,
    pub ipv6_prefix: u8,
    /// The line `enabled` stands in, or that of the section, for traces.
    pub place: Position,
}

impl WrittenPop {
    pub(super) fn meant(&self, reading: &Reading<'_>) -> Pop {
        Pop {
            enabled: self.enabled,
            lifetime: minutes(self.minutes),
            messages_per_hour: self.messages_per_hour,
            recipients_per_hour: self.recipients_per_hour,
            ipv6_prefix: self.ipv6_prefix,
            place: reading.position("relay.pop.enabled"),
        }
    }
}
