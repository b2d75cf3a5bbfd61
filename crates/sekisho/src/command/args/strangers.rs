//! Commands about strangers: who is exempted, who is banned, what lists say.

use clap::Subcommand;
use std::net::IpAddr;

/// `sekisho guard`
#[derive(Debug, Clone, Subcommand)]
pub enum Guard {
    /// Exempt a client from the rules about strangers, at once; it still may not relay
    ///
    /// The command writes the entry to guard.exempt_file, and the running server reads it.
    Exempt {
        /// ADDRESS, ADDRESS/PREFIX, a name, or all names below .DOMAIN; a name counts only if it resolves back to the address
        #[arg(value_name = "CLIENT")]
        who: String,
    },
    /// Remove an exemption
    Unexempt {
        /// As given before
        #[arg(value_name = "CLIENT")]
        who: String,
    },
    /// List the exemptions in guard.exempt_file
    List,
}

/// `sekisho ban`
#[derive(Debug, Clone, Subcommand)]
pub enum Ban {
    /// Ban an address; of an IPv6 address its /64
    ///
    /// Listeners without login close its connections with 554 or 421; at the others it can only log in. Own networks, listed proxies
    /// and this machine are never banned.
    Add {
        /// Address of the client
        address: IpAddr,
        /// How long, in minutes
        #[arg(long, value_name = "N", default_value = "1440", value_parser = clap::value_parser!(u32).range(1..=527_040))]
        minutes: Option<u32>,
        /// Reason, for the list and the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List bans, also those that Sekisho made by itself
    List,
    /// Lift bans, at once; earlier bans are forgotten, too
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Lift {
        /// Ban of this address
        #[arg(group = "which")]
        address: Option<IpAddr>,
        /// All bans
        #[arg(long, group = "which")]
        all: bool,
    },
}

/// `sekisho dnsbl`
#[derive(Debug, Clone, Subcommand)]
pub enum Dnsbl {
    /// List the DNS lists: whether each one counts, how often it was asked, and what it answered
    List,
}
