//! `sekisho report`, as it is typed.

use super::login::LoginName;
use super::records::Time;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::net::IpAddr;
use std::path::PathBuf;

/// `sekisho report`
#[derive(Debug, Clone, Args)]
pub struct Report {
    /// Since when: 30m, 24h, 7d, or YYYY-MM-DD[THH:MM]
    #[arg(long, default_value = "1d", global = true, value_name = "TIME")]
    pub since: Time,
    /// Language [default: that of the locale]
    #[arg(long, global = true)]
    pub lang: Option<Lang>,
    /// Write a page for a browser or for printing to this file
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Print a mail to this address, with text and HTML, for a sendmail program: `sekisho report --mail-to A | sendmail -t`
    #[arg(long, global = true, value_name = "ADDRESS", conflicts_with = "html")]
    pub mail_to: Option<String>,
    /// The digest, if nothing else is asked for.
    #[command(subcommand)]
    pub about: Option<About>,
}

/// What it is about.
#[derive(Debug, Clone, Subcommand)]
pub enum About {
    /// Print a statement for a block list or a complainant: what a login or a client sent, and since when it is stopped
    Abuse {
        /// Account, with its devices [default: all mail]
        #[arg(long, conflicts_with = "client")]
        login: Option<LoginName>,
        /// Address of the client
        #[arg(long)]
        client: Option<IpAddr>,
    },
}

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English
    En,
    /// Japanese
    Ja,
}

impl From<Lang> for keep::Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => Self::English,
            Lang::Ja => Self::Japanese,
        }
    }
}
