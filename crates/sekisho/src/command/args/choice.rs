//! Whose mail an account takes, as it is typed.

use clap::{Args, Subcommand, ValueEnum};

/// `sekisho user choice`
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// Ask for the account's password first, and check it, as for a user's own change; wrong ones are throttled
    #[arg(long)]
    pub own: bool,
    /// What is chosen.
    #[command(subcommand)]
    pub command: ChoiceCommand,
}

/// What of it.
#[derive(Debug, Clone, Subcommand)]
pub enum ChoiceCommand {
    /// List whom an account accepts and refuses
    List {
        /// USER@DOMAIN, or USER in the default domain
        login: String,
    },
    /// Accept senders: the most specific entry decides
    Accept(Senders),
    /// Refuse senders: 550 refused-by-recipient, whoever else gets the mail
    Refuse(Senders),
    /// Take senders from the lists
    Remove(Senders),
    /// Take only what is accepted, what logins of this server send, and what has no sender (bounces) unless <> is refused
    Only {
        /// USER@DOMAIN, or USER in the default domain
        login: String,
        /// On or off
        switch: Switch,
    },
}

/// Senders that somebody chooses.
#[derive(Debug, Clone, Args)]
pub struct Senders {
    /// USER@DOMAIN, or USER in the default domain
    pub login: String,
    /// USER@DOMAIN, DOMAIN with its subdomains, .DOMAIN (its subdomains alone), or <> for mail without a sender
    #[arg(required = true, value_name = "SENDER")]
    pub senders: Vec<String>,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}
