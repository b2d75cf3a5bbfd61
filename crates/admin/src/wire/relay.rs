//! Whether relaying is locked down.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether relaying is locked down, and our own probes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Relay {
    /// No right but SMTP AUTH counts.
    pub locked: bool,
    /// Since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The probes that passed then: listener, address, probe, right.
    pub causes: Vec<String>,
    /// How often a probe passed since the start.
    pub alarms: u64,
    /// When our own probes were played last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probed_at: Option<String>,
    /// How many recipients were tried then.
    pub tried: u64,
    /// Those that would have been relayed.
    pub passed: Vec<String>,
}
