//! Commands about decisions that were kept.

use super::login::LoginName;
use clap::{Args, Subcommand};
use std::{str::FromStr, time::SystemTime};

/// A time: so long ago (30m, 12h, 7d), or a date with or without the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub SystemTime);

impl FromStr for Time {
    type Err = records::search::NoTime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        records::search::when(text, SystemTime::now()).map(Self)
    }
}

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
    pub login: Option<LoginName>,
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
    #[arg(long, value_name = "TIME")]
    pub since: Option<Time>,
    /// Older than this
    #[arg(long, value_name = "TIME")]
    pub until: Option<Time>,
    /// At most N, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}
