//! Bans, as they go over the admin API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A client that may not connect for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ban {
    /// An IPv4 address, or the first of an IPv6 /64.
    pub address: String,
    /// Why: a stable word, or what the operator said.
    pub reason: String,
    /// When it began.
    pub since: String,
    /// When it ends.
    pub until: String,
    /// How many bans before it were remembered when it began.
    pub before: u8,
}

/// A ban by hand.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// The client's address; of an IPv6 address its /64.
    pub address: String,
    /// How long, in minutes, at most a year; a day if not given.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// Why, for the list and the log.
    #[serde(default)]
    pub reason: Option<String>,
}
