//! `sekisho log`.

use clap::{Args, Subcommand};
use std::net::IpAddr;

/// `sekisho log`
#[derive(Debug, Clone, Subcommand)]
pub enum Log {
    /// List who changed what, and who tried to: the newest last
    Admin {
        /// At most so many
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Not older than so many hours
        #[arg(long, value_name = "N")]
        hours: Option<u32>,
        /// Whether lines were changed, taken out, swapped, or cut off
        #[command(flatten)]
        verify: Verify,
    },
    /// List what was relayed, by which right: the newest last
    ///
    /// Each message that is relayed leaves a line before it is answered with 250, bound to the line before by a keyed sum. With
    /// --verify the files are read, and nothing is asked of a server.
    Relay(RelayLog),
}

/// `--verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Walk all lines instead: say which was changed, taken out, swapped, doubled or cut off. Exit codes: 0 intact, 1 not
    #[arg(long)]
    pub verify: bool,
    /// With --verify: where the chain stood once, as it was noted elsewhere; a cut-off end is only found by this
    #[arg(long, value_name = "NUMBER:SUM", requires = "verify")]
    pub head: Option<keep::chain::Head>,
}

/// `sekisho log relay`
#[derive(Debug, Clone, Args)]
pub struct RelayLog {
    /// Not older than so many hours
    #[arg(long, value_name = "HOURS")]
    pub since: Option<u32>,
    /// Only what this account sent
    #[arg(long)]
    pub login: Option<String>,
    /// Only what this client sent
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<IpAddr>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Whether lines were changed, taken out, swapped, or cut off
    #[command(flatten)]
    pub verify: Verify,
}
