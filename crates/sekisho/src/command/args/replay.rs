//! `sekisho explain` and `sekisho replay`.

use clap::{Args, ValueHint};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// `sekisho explain`
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["id", "client"]))]
pub struct Explain {
    /// The id in the reply and in the log, or that of a session
    pub id: Option<String>,
    /// What would become of a session of this client
    #[arg(long, value_name = "IP")]
    pub client: Option<IpAddr>,
    /// What it calls itself
    #[arg(long, value_name = "NAME", requires = "client")]
    pub helo: Option<String>,
    /// Whose mail it is; '' for the null reverse-path
    #[arg(long, value_name = "ADDRESS", requires = "client")]
    pub from: Option<String>,
    /// To whom it is
    #[arg(long, value_name = "ADDRESS", requires = "from")]
    pub to: Option<String>,
    /// Who logged in (SMTP AUTH)
    #[arg(long, value_name = "LOGIN", requires = "client")]
    pub auth: Option<String>,
    /// At which listener [default: our own for mail]
    #[arg(long, value_name = "NAME", requires = "client")]
    pub listener: Option<String>,
    /// It uses TLS
    #[arg(long, requires = "client")]
    pub tls: bool,
}

/// `sekisho replay`
#[derive(Debug, Clone, Args)]
pub struct Replay {
    /// How far back: 30m, 12h or 7d
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Duration,
    /// Up to how long ago [default: now]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub until: Option<Duration>,
    /// Folder of the records [default: that of the configuration]
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
