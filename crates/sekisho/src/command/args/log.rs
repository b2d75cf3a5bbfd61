//! `sekisho log`.

use super::login::LoginName;
use super::records::Time;
use clap::{Args, Subcommand};
use std::net::IpAddr;

/// `sekisho log`
#[derive(Debug, Clone, Subcommand)]
pub enum Log {
    /// List who changed what, and who tried to; the newest last
    ///
    /// It asks the running server; without one, and with --verify, it reads the files. Exit codes: 0 done, or intact; 1 --verify
    /// found a change; 2 wrong use; 75 it cannot be read.
    Admin {
        /// At most N lines
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only the last N hours
        #[arg(long, value_name = "N")]
        hours: Option<u32>,
        /// Checking the chain.
        #[command(flatten)]
        verify: Verify,
    },
    /// List what was relayed, and by which grant; the newest last
    ///
    /// Each relayed message gets a line before the client gets 250; a keyed sum binds it to the line before. The command reads the
    /// files and asks no server: run it as the server's user. Exit codes: 0 done, or intact; 1 --verify found a change; 2 wrong
    /// use; 75 the files cannot be read.
    Relay(RelayLog),
}

/// `--verify`
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// Check all lines instead: print each one that was changed, removed, swapped, doubled or cut off
    #[arg(long)]
    pub verify: bool,
    /// With --verify: the end of the chain as it was noted elsewhere; only this finds a cut-off end
    #[arg(long, value_name = "NUMBER:SUM", requires = "verify")]
    pub head: Option<keep::chain::Head>,
}

/// `sekisho log relay`
#[derive(Debug, Clone, Args)]
pub struct RelayLog {
    /// Not older: 30m, 24h, 7d, or YYYY-MM-DD[THH:MM]
    #[arg(long, value_name = "TIME")]
    pub since: Option<Time>,
    /// Only what this account sent
    #[arg(long)]
    pub login: Option<LoginName>,
    /// Only what this client sent
    #[arg(long, value_name = "ADDRESS")]
    pub client: Option<IpAddr>,
    /// At most N lines
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
    /// Checking the chain.
    #[command(flatten)]
    pub verify: Verify,
}
