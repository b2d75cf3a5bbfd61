//! `sekisho explain` and `sekisho replay`.

use super::login::LoginName;
use super::records::Time;
use clap::{Args, ValueHint};
use std::net::IpAddr;
use std::path::PathBuf;

/// `sekisho explain`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "client"]))]
pub struct Explain {
    /// Id in the reply and in the log, or id of a session
    pub id: Option<String>,
    /// Judge a session of this client that never happened
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,
    /// Name in its EHLO
    #[arg(long, value_name = "NAME", requires = "client")]
    pub helo: Option<String>,
    /// Envelope sender; '' for the null sender
    #[arg(long, value_name = "ADDRESS", requires = "client")]
    pub from: Option<String>,
    /// Recipient
    #[arg(long, value_name = "ADDRESS", requires = "from")]
    pub to: Option<String>,
    /// Login (SMTP AUTH)
    #[arg(long, value_name = "LOGIN", requires = "client")]
    pub auth: Option<LoginName>,
    /// Listener [default: Sekisho's own for mail]
    #[arg(long, value_name = "NAME", requires = "client")]
    pub listener: Option<String>,
    /// The client uses TLS
    #[arg(long, requires = "client")]
    pub tls: bool,
}

/// `sekisho replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// Not older: 30m, 24h, 7d, or YYYY-MM-DD[THH:MM]
    #[arg(long, value_name = "TIME")]
    pub since: Time,
    /// Older than this [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<Time>,
    /// Folder of the records [default: as configured]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub records: Option<PathBuf>,
}
