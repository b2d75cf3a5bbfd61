//! The running server, for `sekisho status`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Alarm, RecordsStatus};

/// The running server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When it was started.
    pub started_at: String,
    /// Seconds since.
    pub uptime_secs: u64,
    /// The configuration's file.
    pub file: String,
    /// When that was read.
    pub loaded_at: String,
    /// Where it listens.
    pub listeners: Vec<ListenerStatus>,
    /// Files that the process may have open; null is not known.
    pub open_files_max: Option<u64>,
    /// Files that it has open, each connection among them; null is not known.
    pub open_files: Option<u64>,
    /// Sessions at our own listeners.
    pub sessions: u64,
    /// Those in which somebody has logged in.
    pub sessions_logged_in: u64,
    /// Clients that are banned.
    pub bans: u64,
    /// Relaying is locked down: our own probe passed.
    #[serde(default)]
    pub relay_locked: bool,
    /// How often one has passed since the start.
    #[serde(default)]
    pub relay_alarms: u64,
    /// Grants of POP logins that are in force; null is not known.
    #[serde(default)]
    pub grants: Option<u64>,
    /// Parts of the server that do not work now.
    #[serde(default)]
    pub faults: Vec<FaultStatus>,
    /// The last lines of the log at `warn` and `error`, the latest last.
    #[serde(default)]
    pub errors: Vec<String>,
    /// The queue.
    pub queue: QueueStatus,
    /// Decisions that are kept; null: none are.
    pub records: Option<RecordsStatus>,
    /// This machine's default gateways, which are never granted.
    pub gateways: Vec<String>,
    /// Its own addresses, which are neither.
    pub own_addresses: Vec<String>,
    /// The certificate that is shown; null is none.
    pub certificate: Option<CertificateStatus>,
    /// Alarms in force, the worst first.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListenerStatus {
    /// Its name.
    pub name: String,
    /// What is spoken.
    pub protocol: String,
    /// `ADDRESS:PORT` or `unix:PATH`.
    pub bind: Vec<String>,
    /// Connections now.
    pub connections: u64,
    /// Connections that it may have.
    pub connections_max: u64,
    /// How full it is, in a word: `calm`, `crowded` (70 %), `strained` (85 %: strangers are turned away), `logins-only` (95 %).
    pub load: String,
}

/// Messages by state; one may be in several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueStatus {
    /// All of them.
    pub messages: u64,
    /// In an attempt now.
    pub active: u64,
    /// Deferred at least once.
    pub deferred: u64,
    /// Held, or with a recipient that is.
    pub held: u64,
    /// When the oldest arrived.
    pub oldest_arrived_at: Option<String>,
    /// How long the oldest that waits has waited.
    #[serde(default)]
    pub oldest_secs: Option<u64>,
}

/// A part of the server that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FaultStatus {
    /// `spool`, `directory`, `state` or `listeners`.
    pub part: String,
    /// What is wrong with it.
    pub what: String,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateStatus {
    /// From then on it holds.
    pub not_before: String,
    /// Until then.
    pub not_after: String,
    /// Days until then; negative: since then.
    #[serde(default)]
    pub days_left: i64,
    /// What is wrong with it.
    pub warnings: Vec<String>,
    /// How it is renewed; null: not by the server.
    #[serde(default)]
    pub renewal: Option<RenewalStatus>,
}

/// A certificate that the server fetches from an authority.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RenewalStatus {
    /// When it is renewed, or tried again; null: now.
    pub next_at: Option<String>,
    /// Tries that failed in a row.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<String>,
    /// Why the last one failed.
    pub error: Option<String>,
}
