//! Lists in DNS over the admin API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A list in DNS (`[[dnsbl]]`), and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DnsList {
    /// What the configuration calls it.
    pub name: String,
    /// `ip` or `domain`.
    pub kind: String,
    /// `enforce` or `observe`.
    pub mode: String,
    /// What its test points say: of a list of addresses for IPv4 and for IPv6.
    pub standing: Vec<String>,
    /// Whether what it lists counts now.
    pub counts: bool,
    /// Whether it lists far more than it used to, and weighs nothing.
    pub tripped: bool,
    /// Whether it does not answer, and is not asked for a while.
    pub rests: bool,
    /// Questions put to it since the start.
    pub asked: u64,
    /// Of these, listings.
    pub listed: u64,
    /// Of these, not answered.
    pub failed: u64,
    /// Of these, answered by what is no listing.
    pub errors: u64,
    /// Whom it listed wrongly, and who passes by it now: a hundred of them at most.
    pub amends: Vec<String>,
    /// How many those are.
    pub amends_count: u64,
}
