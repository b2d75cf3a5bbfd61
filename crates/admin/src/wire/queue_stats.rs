//! The queue in numbers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{FarSide, Taken};

/// The queue in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueStats {
    /// Messages.
    pub messages: u64,
    /// Recipients that wait.
    pub recipients: u64,
    /// Messages that are held, or have a recipient that is.
    pub held: u64,
    /// Messages in an attempt now.
    pub active: u64,
    /// Messages that were deferred.
    pub deferred: u64,
    /// Octets of all messages.
    pub message_octets: u64,
    /// Octets of the segments on disk.
    pub disk_octets: u64,
    /// When the oldest arrived.
    pub oldest_arrived_at: Option<String>,
    /// Messages by age.
    pub ages: Vec<Bucket>,
    /// Messages by who brought them, most first.
    pub origins: Vec<Bucket>,
    /// Messages an hour ago, or at the start; null: the server has just begun.
    #[serde(default)]
    pub messages_an_hour_ago: Option<u64>,
    /// Recipients that wait, by the login that brought them, most first.
    #[serde(default)]
    pub logins: Vec<Bucket>,
    /// Why recipients wait, in the words of the other side, most first.
    #[serde(default)]
    pub reasons: Vec<Bucket>,
    /// Who refused most within a day.
    #[serde(default)]
    pub far_sides: Vec<FarSide>,
    /// What was taken since the start.
    #[serde(default)]
    pub taken: Option<Taken>,
}

/// Some of a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bucket {
    /// Which.
    pub name: String,
    /// How many messages; in lists of recipients, how many of those.
    pub messages: u64,
}
