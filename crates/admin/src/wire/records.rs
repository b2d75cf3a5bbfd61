//! Decisions as they are kept.

use records::Kept;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Decisions that were looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Records {
    /// The newest first, each as it is kept.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Kept>,
    /// There may be more.
    pub more: bool,
    /// Stretches of the files that could not be read.
    pub damaged: u64,
    /// Decisions that were not kept since the server's start: the disk did not take them in time. 0 where no server is asked.
    #[serde(default)]
    pub dropped: u64,
}

/// What is kept of an id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecordsOfId {
    /// The decisions of this id.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Kept>,
    /// The others of its session, or all of it where the id is a session's; the oldest first.
    #[schema(value_type = Vec<Object>)]
    pub session: Vec<Kept>,
    /// Of each decision what would have had it accepted, as a running server judges it: each line ends the sentence "would be
    /// accepted if …".
    #[serde(default)]
    pub accepted_if: Vec<Vec<String>>,
    /// Stretches of the files that could not be read.
    #[serde(default)]
    pub damaged: u64,
}

/// How many decisions are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordsStatus {
    /// On disk.
    pub records: u64,
    /// Their octets.
    pub octets: u64,
    /// When the oldest was made.
    pub first_at: Option<String>,
    /// Dropped since the start: the disk did not take them in time.
    pub dropped: u64,
    /// Refused connections and logins that were only counted since the start, as their clients had too many.
    pub counted_only: u64,
}
