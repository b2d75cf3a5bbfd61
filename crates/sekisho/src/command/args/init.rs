//! Arguments of `sekisho init`.

use clap::{Args, ValueEnum, ValueHint};
use setup::plan::Smarthost;
use std::path::PathBuf;

/// `sekisho init`
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Name of this server, as mail.example.net
    #[arg(long, value_name = "H")]
    pub hostname: String,
    /// Domain whose mail is taken
    #[arg(long, value_name = "D")]
    pub domain: String,
    /// Folder for configuration and data [default: /etc/sekisho and /var/lib/sekisho]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// First account; its password is asked for, or read from standard input
    #[arg(long, value_name = "NAME", default_value = "postmaster")]
    pub user: String,
    /// Send all mail to other domains through this host; port 587 if none is named
    #[arg(long, value_name = "HOST[:PORT]")]
    pub smarthost: Option<Smarthost>,
    /// Log in there; the password is asked for, or is the next line of standard input
    #[arg(long, value_name = "USER", requires = "smarthost")]
    pub smarthost_user: Option<String>,
    /// Certificate that somebody else renews, with --key
    #[arg(long, value_name = "FILE", requires = "key", value_hint = ValueHint::FilePath)]
    pub certificate: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "certificate", value_hint = ValueHint::FilePath)]
    pub key: Option<PathBuf>,
    /// How the certificate is fetched.
    #[command(flatten)]
    pub acme: AcmeFlags,
}

/// `--acme` and what belongs to it.
#[derive(Debug, Clone, Args)]
pub struct AcmeFlags {
    /// Fetch the certificate from an authority, whose terms of service you agree to by this, and renew it
    #[arg(long, conflicts_with = "certificate")]
    pub acme: bool,
    /// The authority's directory [default: Let's Encrypt]
    #[arg(long, value_name = "URL", requires = "acme")]
    pub acme_directory: Option<String>,
    /// Mail address that the authority may write to
    #[arg(long, value_name = "ADDRESS", requires = "acme")]
    pub acme_contact: Option<String>,
    /// How the authority sees that the name is this server's [default: http-01]
    #[arg(long, value_name = "KIND", requires = "acme")]
    pub acme_challenge: Option<Challenge>,
    /// Document root of a web server on this machine, for http-01
    #[arg(long, value_name = "DIR", requires = "acme", value_hint = ValueHint::DirPath)]
    pub acme_webroot: Option<PathBuf>,
    /// Program that publishes and removes a record, for dns-01
    #[arg(long, value_name = "PROGRAM", requires = "acme", value_hint = ValueHint::FilePath)]
    pub acme_hook: Option<String>,
}

/// A kind of challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Challenge {
    /// By HTTP on port 80
    #[value(name = "http-01")]
    Http01,
    /// By TLS on port 443
    #[value(name = "tls-alpn-01")]
    TlsAlpn01,
    /// By a record in DNS
    #[value(name = "dns-01")]
    Dns01,
}

impl Challenge {
    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}
