//! What is set of an account, tables of accounts and aliases, and what users do with their own account.

use super::login::LoginName;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;
use std::str::FromStr;

/// `sekisho user set`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct UserSet {
    /// USER@DOMAIN, or USER in the default domain
    pub login: LoginName,
    /// Room of the mailbox: 2G, 500M, octets, or none for no bound of its own
    #[arg(long, value_name = "SIZE", group = "what")]
    pub quota: Option<Quota>,
    /// Refuse every login from this day on (2027-03-31), from this time on (2027-03-31T18:00), or never
    #[arg(long, value_name = "WHEN", group = "what")]
    pub expires: Option<Expiry>,
    /// Whose it is, for people who read the list
    #[arg(long, value_name = "NAME", group = "what")]
    pub name: Option<String>,
}

/// Octets that a mailbox may hold; `None`: no bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota(pub Option<u64>);

impl FromStr for Quota {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match keep::size::parse(text) {
            Some(octets) => Ok(Self(Some(octets))),
            None if text == "none" => Ok(Self(None)),
            None => Err("write 2G, 500M, octets, or none"),
        }
    }
}

impl Quota {
    /// As the API has it.
    pub(in crate::command) fn spelt(self) -> String {
        self.0.map_or_else(|| "none".to_owned(), |octets| octets.to_string())
    }
}

/// From when on every login is refused, in seconds since 1970; `None`: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry(Option<u64>);

impl FromStr for Expiry {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match terminal::time::of_date(text) {
            Some(secs) => Ok(Self(Some(secs))),
            None if text == "never" => Ok(Self(None)),
            None => Err("write 2027-03-31, 2027-03-31T18:00, or never"),
        }
    }
}

impl Expiry {
    /// As the API has it.
    pub(in crate::command) fn spelt(self) -> String {
        let time = self.0.and_then(|secs| jiff::Timestamp::from_second(i64::try_from(secs).ok()?).ok());
        time.map_or_else(|| "never".to_owned(), |time| time.to_string())
    }
}

/// `sekisho user export`
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// Where to [default: standard output]; a file that is there is not written over
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// With the hashes of passwords: whoever has the file can try passwords on them
    #[arg(long)]
    pub with_hashes: bool,
}

/// `sekisho alias export`
#[derive(Debug, Clone, Args)]
pub struct AliasTable {
    /// Where to [default: standard output]; a file that is there is not written over
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
}

/// `sekisho user import`, `sekisho alias import`
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The table: CSV in UTF-8 with a header row
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Make domains that are not there; from then on their mail is taken
    #[arg(long)]
    pub new_domains: bool,
}

/// Where a user's own account is asked for.
#[derive(Debug, Clone, Args)]
pub struct Own {
    /// The server's socket [default: account.socket of the configuration if that can be read, else /run/sekisho/account.sock]
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// The login, if it is not that of your user on this machine; its password is asked for
    #[arg(long)]
    pub login: Option<LoginName>,
}

/// `sekisho passwd`
#[derive(Debug, Clone, Args)]
pub struct OwnPasswd {
    /// Whose.
    #[command(flatten)]
    pub own: Own,
}

/// `sekisho account`
#[derive(Debug, Clone, Subcommand)]
pub enum Account {
    /// Show it: room, until when you may log in, devices
    Show(Own),
    /// Cut one of your devices off, at once and permanently
    Revoke {
        /// Its name, or what it logs in with
        device: String,
        /// Whose.
        #[command(flatten)]
        own: Own,
    },
}
