//! Whose mail an account takes, as it is typed.

use super::login::LoginName;
use clap::{Args, Subcommand, ValueEnum};

/// `sekisho user choice`
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// Ask for the account's password first, and check it, for a user's own change; wrong passwords are throttled
    #[arg(long)]
    pub own: bool,
    /// What is chosen.
    #[command(subcommand)]
    pub command: ChoiceCommand,
}

/// What of it.
#[derive(Debug, Clone, Subcommand)]
pub enum ChoiceCommand {
    /// List the senders that an account accepts and refuses
    List {
        /// USER@DOMAIN, or USER in the default domain
        login: LoginName,
    },
    /// Accept senders: the most specific entry decides
    Accept(Senders),
    /// Refuse senders: 550 refused-by-recipient; other recipients still get the mail
    Refuse(Senders),
    /// Remove senders from the lists
    Remove(Senders),
    /// Accept only mail from accepted senders, from logins of this server, and without a sender (bounces) unless <> is refused
    Only {
        /// USER@DOMAIN, or USER in the default domain
        login: LoginName,
        /// On or off
        switch: Switch,
    },
}

/// Senders that somebody chooses.
#[derive(Debug, Clone, Args)]
pub struct Senders {
    /// USER@DOMAIN, or USER in the default domain
    pub login: LoginName,
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
