//! `sekisho queue`, as it is typed.

use super::login::LoginName;
use clap::{Args, Subcommand};
use std::net::IpAddr;

/// `sekisho queue`
#[derive(Debug, Clone, Subcommand)]
pub enum Queue {
    /// List messages
    List {
        /// Only messages of this login
        #[arg(long)]
        login: Option<LoginName>,
        /// Only held messages
        #[arg(long)]
        held: bool,
        /// At most N messages
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
    },
    /// Show a message
    Show(Ids),
    /// Hold messages until you release them
    Hold {
        /// Queue ids
        #[arg(value_name = "ID", required_unless_present_any = ["login", "client"])]
        ids: Vec<String>,
        /// All messages of this login
        #[arg(long, conflicts_with = "ids")]
        login: Option<LoginName>,
        /// All messages that this client relayed without a login: by a network, a client map or DRAC
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["ids", "login"])]
        client: Option<IpAddr>,
    },
    /// Release held messages
    Release(Ids),
    /// Try messages now, whatever they wait for, and print the result
    Retry {
        /// Queue ids
        #[arg(value_name = "ID", required_unless_present_any = ["all", "destination"])]
        ids: Vec<String>,
        /// All messages to this domain, or to a destination as `queue show` prints it
        #[arg(long, value_name = "NAME", conflicts_with = "ids")]
        destination: Option<String>,
        /// All messages that wait
        #[arg(long, conflicts_with_all = ["ids", "destination"])]
        all: bool,
    },
    /// Delete messages permanently; nobody is notified
    Delete(Ids),
    /// Show the queue in numbers
    Stats,
}

/// Messages.
#[derive(Debug, Clone, Args)]
pub struct Ids {
    /// Queue ids
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}
