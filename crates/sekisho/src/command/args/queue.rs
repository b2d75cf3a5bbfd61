//! `sekisho queue`, as it is typed.

use clap::{Args, Subcommand};
use std::net::IpAddr;

/// `sekisho queue`
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// List messages
    List {
        /// Only those of this login
        #[arg(long)]
        login: Option<String>,
        /// Only those that are held
        #[arg(long)]
        held: bool,
        /// At most so many
        #[arg(long, default_value_t = 1_000)]
        limit: usize,
    },
    /// Show a message
    Show(Ids),
    /// Keep messages until they are released
    Hold {
        /// Queue ids
        #[arg(value_name = "ID", required_unless_present_any = ["login", "client"])]
        ids: Vec<String>,
        /// All that this login has in the queue
        #[arg(long, conflicts_with = "ids")]
        login: Option<String>,
        /// All that this client has in it by a right without a login: a network's, a client map's, DRAC's
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["ids", "login"])]
        client: Option<IpAddr>,
    },
    /// Let held messages go
    Release(Ids),
    /// Try messages now, whatever they wait for, and say what came of it
    Retry {
        /// Queue ids
        #[arg(value_name = "ID", required_unless_present_any = ["all", "destination"])]
        ids: Vec<String>,
        /// Whatever goes there: a domain, or a destination as `queue show` tells it
        #[arg(long, value_name = "NAME", conflicts_with = "ids")]
        destination: Option<String>,
        /// Whatever waits
        #[arg(long, conflicts_with_all = ["ids", "destination"])]
        all: bool,
    },
    /// Take messages out for good, without a word to anybody
    Delete(Ids),
    /// The queue in numbers
    Stats,
}

/// Messages.
#[derive(Debug, Clone, Args)]
pub struct Ids {
    /// Queue ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}
