//! Alarms, and who sends and refuses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An alarm in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alarm {
    /// Its kind in a stable word, such as `queue-age` or `launching-pad`.
    pub alarm: String,
    /// `warning` or `critical`.
    pub level: String,
    /// Of whom or what; empty: of the server as a whole.
    pub subject: String,
    /// What it is.
    pub title: String,
    /// The numbers behind it.
    pub detail: String,
    /// What to do.
    pub todo: String,
    /// Commands that do it.
    pub commands: Vec<String>,
    /// Since when it is in force.
    pub since: String,
}

/// What another server refused within a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FarSide {
    /// The recipients' domain.
    pub domain: String,
    /// Refusals for the time being (4xx), those of servers that did not answer among them.
    pub temporary: u64,
    /// Refusals for good (5xx).
    pub permanent: u64,
}

/// What was taken since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Taken {
    /// Messages answered with 250.
    pub messages: u64,
    /// Of these, those with the null sender.
    pub null_sender: u64,
}
