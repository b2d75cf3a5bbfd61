//! `sekisho explain` and `sekisho replay`.

use clap::{Args, ValueHint};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

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
    pub auth: Option<String>,
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
    /// How far back: 30m, 12h or 7d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Duration,
    /// Up to how long ago: 1h [default: now]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub until: Option<Duration>,
    /// Folder of the records [default: as configured]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub records: Option<PathBuf>,
}

/// `90s`, `30m`, `12h`, `7d`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is no span of time; as in 30m, 12h or 7d");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let secs: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u32 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    Ok(Duration::from_secs(u64::from(number) * secs))
}
