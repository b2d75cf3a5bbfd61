//! Commands about decisions that were kept.

use clap::{Args, Subcommand};

/// The id of a record or a session.
#[derive(Debug, Clone, Args)]
pub struct RecordId {
    /// Id in the reply and in the log, or id of a session
    pub id: String,
}

/// `sekisho records`
#[derive(Debug, Clone, Subcommand)]
pub enum Records {
    /// List decisions, the newest first
    List(RecordsList),
    /// Print the record of an id as it is stored, and the others of its session
    Show(RecordId),
}

/// `sekisho records list`
#[derive(Debug, Clone, Args)]
pub struct RecordsList {
    /// Only decisions about this client: ADDRESS or ADDRESS/PREFIX
    #[arg(long)]
    pub client: Option<String>,
    /// Only decisions about this login, and its failed attempts
    #[arg(long)]
    pub login: Option<String>,
    /// Only mail from or to this address, or a domain: @DOMAIN
    #[arg(long)]
    pub address: Option<String>,
    /// Only refusals for this reason, for example relay-denied
    #[arg(long)]
    pub reason: Option<String>,
    /// Only this session
    #[arg(long)]
    pub session: Option<String>,
    /// Not older than this: 30m, 24h, 7d, or YYYY-MM-DD[THH:MM]
    #[arg(long, value_name = "WHEN")]
    pub since: Option<String>,
    /// Older than this
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    /// At most N, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}
