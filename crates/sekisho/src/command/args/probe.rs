//! Arguments of `sekisho probe` and `sekisho relay`.

use super::report::Lang;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use probe::relay::Place;
use smtp::Mailbox;
use std::{net::IpAddr, path::PathBuf};

/// `sekisho probe`
#[derive(Debug, Clone, Subcommand)]
pub enum Probe {
    /// Try every known way to make a mail server relay for strangers
    ///
    /// Only a server on this machine, or one that you say is yours. Without --sink nothing is sent: a recipient that the
    /// server accepts is a doubt then. Exit codes: 0 closed; 1 open: a mail arrived in the sink; 2 wrong use; 75 uncertain, or
    /// not reachable.
    Relay(ProbeRelay),
    /// Look an address or a domain up in the public block lists, and say what a listing means and how it is left
    ///
    /// The lists of [[dnsbl]] are asked as well. Exit codes: 0 not listed; 1 listed; 75 no list gave an answer that counts.
    Blocklists(ProbeBlocklists),
    /// Look at the DNS of a mail domain: MX, PTR, SPF, DKIM, DMARC, MTA-STS, TLS-RPT, DANE; print the records to publish
    ///
    /// Exit codes: 0 good; 1 something is missing or wrong; 75 DNS did not answer for all of it.
    Dns(ProbeDns),
    /// Look at the TLS of a mail host: versions, certificate, logins before TLS, words put in behind STARTTLS
    ///
    /// Exit codes: 0 good; 1 something is wrong; 75 it could not be found out.
    Tls(ProbeTls),
}

/// `sekisho probe relay`
#[derive(Debug, Clone, Args)]
pub struct ProbeRelay {
    /// The server: HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT; port 25 if none is named
    #[arg(value_name = "HOST[:PORT]")]
    pub place: Place,
    /// The server is yours, and may be probed
    #[arg(long)]
    pub i_run_this_host: bool,
    /// Pause before each probe, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=60))]
    pub pace: u16,
    /// A mailbox of yours at another server, to which relayed mail goes: what arrives there proves an open relay
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub sink: Option<Mailbox>,
    /// The Maildir of that mailbox: wait for the mail there
    #[arg(long, value_name = "DIR", requires = "sink", value_hint = ValueHint::DirPath)]
    pub sink_maildir: Option<PathBuf>,
    /// How long it is waited for there, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "sink_maildir")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub sink_wait: u16,
    /// A mailbox of the server [default: postmaster in the domain of its name]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub local_user: Option<Mailbox>,
    /// Name to say at EHLO [default: the own address]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub helo: Option<String>,
    /// Own address to come from
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<IpAddr>,
    /// Write a report to print, as HTML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Language of that report [default: that of the locale]
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<Lang>,
}

/// `sekisho relay`
#[derive(Debug, Clone, Subcommand)]
pub enum Relay {
    /// Show whether relaying is locked down, why, and what the server's own probes came to last
    ///
    /// Ends with 1 while it is locked.
    Status,
    /// Let every right to relay count again
    ///
    /// Find out first how a stranger could relay: if they still can, the next probe locks again. Ends with 1 if nothing was
    /// locked.
    Unlock,
}

fn address(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<String, String> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || ".-:[]".contains(it);
    if !text.is_empty() && text.len() <= 255 && text.chars().all(is_of_name) {
        Ok(text.to_owned())
    } else {
        Err("it is no host name or address literal".to_owned())
    }
}

/// `sekisho probe blocklists`
#[derive(Debug, Clone, Args)]
pub struct ProbeBlocklists {
    /// Address of a mail server, or a domain
    #[arg(value_name = "IP|DOMAIN")]
    pub subject: String,
}

/// `sekisho probe dns`
#[derive(Debug, Clone, Args)]
pub struct ProbeDns {
    /// The domain, as it stands behind the @
    pub domain: String,
    /// DKIM selector to look at; may be given again
    #[arg(long = "selector", value_name = "S")]
    pub selectors: Vec<String>,
    /// Address that sends mail for the domain; may be given again [default for our own domain: this machine's addresses]
    #[arg(long = "ip", value_name = "ADDRESS")]
    pub addresses: Vec<IpAddr>,
}

/// `sekisho probe tls`
#[derive(Debug, Clone, Args)]
pub struct ProbeTls {
    /// The host [default port: 25]
    #[arg(value_name = "HOST[:PORT]")]
    pub target: String,
    /// How TLS begins [default: none on 443, 465, 993 and 995, pop3 on 110, else smtp]
    #[arg(long, value_name = "PROTOCOL")]
    pub starttls: Option<StartTls>,
    /// PEM file of certificates that are trusted besides those of the system
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub trust: Option<PathBuf>,
}

/// How TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StartTls {
    /// STARTTLS of SMTP
    Smtp,
    /// STLS of POP3
    Pop3,
    /// TLS at once
    None,
}
