//! Commands about decisions that were kept.

use clap::{Args, Subcommand};

/// The id of a record or a session.
#[derive(Debug, Clone, Args)]
pub struct RecordId {
    /// The id in the reply and in the log, or that of a session
    pub id: String,
}

/// `sekisho records`
#[derive(Debug, Clone, Subcommand)]
pub enum Records {
    /// List decisions, the newest first
    List(RecordsList),
    /// Print the record of an id as it is kept, and those of its session
    Show(RecordId),
}

/// `sekisho records list`
#[derive(Debug, Clone, Args)]
pub struct RecordsList {
    /// Only those of this client: ADDRESS or ADDRESS/PREFIX
    #[arg(long)]
    pub client: Option<String>,
    /// Only those of this login, or with this login refused
    #[arg(long)]
    pub login: Option<String>,
    /// Only those from or to this address, or of a domain: @DOMAIN
    #[arg(long)]
    pub address: Option<String>,
    /// Only those refused for this reason, as relay-denied
    #[arg(long)]
    pub reason: Option<String>,
    /// Only those of this session
    #[arg(long)]
    pub session: Option<String>,
    /// Not older: 30m, 24h, 7d, or YYYY-MM-DD[THH:MM]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Older than this
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}
