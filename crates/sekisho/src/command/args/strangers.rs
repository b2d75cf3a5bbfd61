//! Commands about strangers: who is exempted, who is banned, what lists say.

use clap::Subcommand;
use std::net::IpAddr;

/// `sekisho guard`
#[derive(Debug, Clone, Subcommand)]
pub enum Guard {
    /// Exempt a client from the rules about strangers, at once; it gets no right to relay
    ///
    /// The entry is written to guard.exempt_file, and the running server reads it.
    Exempt {
        /// ADDRESS, ADDRESS/PREFIX, a name, or all names below .DOMAIN; a name counts only if it resolves back to the address
        #[arg(value_name = "CLIENT")]
        who: String,
    },
    /// Take an exemption back
    Unexempt {
        /// As it was given
        #[arg(value_name = "CLIENT")]
        who: String,
    },
    /// List who is exempted by guard.exempt_file
    List,
}

/// `sekisho ban`
#[derive(Debug, Clone, Subcommand)]
pub enum Ban {
    /// Ban an address; of an IPv6 address its /64
    ///
    /// Where no login is offered, its connections are closed with 554 or 421; elsewhere it can only log in. Own networks, listed proxies
    /// and this machine are never banned.
    Add {
        /// Address of the client
        address: IpAddr,
        /// How long, in minutes
        #[arg(long, value_name = "N", default_value = "1440", value_parser = clap::value_parser!(u32).range(1..=527_040))]
        minutes: Option<u32>,
        /// Why, for the list and the log
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// List bans, also those that came by many failed logins, unknown recipients or connections
    List,
    /// Lift bans, at once; that they were is forgotten, too
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Lift {
        /// That of this address
        #[arg(group = "which")]
        address: Option<IpAddr>,
        /// Every one
        #[arg(long, group = "which")]
        all: bool,
    },
}

/// `sekisho dnsbl`
#[derive(Debug, Clone, Subcommand)]
pub enum Dnsbl {
    /// List them, and how they stand: sound by their test points, tripped, silent; how often asked, and what came of it
    List,
}
