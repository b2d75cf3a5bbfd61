//! Arguments of `sekisho probe` and `sekisho relay`.

use super::report::Lang;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use probe::target::Target;
use smtp::Mailbox;
use std::{net::IpAddr, path::PathBuf};

/// `sekisho probe`
#[derive(Debug, Clone, Subcommand)]
pub enum Probe {
    /// Try every known way to make a mail server relay for strangers
    ///
    /// It probes a server on this machine, or one that you declare to be yours. Without --sink it sends no mail: an accepted
    /// recipient is then only a suspicion. Exit codes: 0 closed; 1 open: a mail arrived in the sink; 2 wrong use; 75 uncertain, or
    /// not reachable.
    Relay(ProbeRelay),
    /// Look up an address or a domain in the public block lists, and say what a listing means and how to be removed
    ///
    /// It asks the lists of [[dnsbl]] as well. Exit codes: 0 not listed; 1 listed; 75 no list gave an answer that counts.
    Blocklists(ProbeBlocklists),
    /// Check the DNS of a mail domain: MX, PTR, SPF, DKIM, DMARC, MTA-STS, TLS-RPT, DANE; print the records to publish
    ///
    /// Exit codes: 0 good; 1 something is missing or wrong; 75 DNS did not answer for all of it.
    Dns(ProbeDns),
    /// Check the TLS of a mail host: versions, certificate, logins before TLS, commands injected after STARTTLS
    ///
    /// Exit codes: 0 good; 1 something is wrong; 75 not found out.
    Tls(ProbeTls),
}

/// `sekisho probe relay`
#[derive(Debug, Clone, Args)]
pub struct ProbeRelay {
    /// The server: HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT; default port: 25
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Target,
    /// The server is yours, and you may probe it
    #[arg(long)]
    pub i_run_this_host: bool,
    /// Pause before each probe, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=60))]
    pub pace: u16,
    /// Your mailbox at another server: relayed mail goes there, and a mail that arrives proves an open relay
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub sink: Option<Mailbox>,
    /// The Maildir of that mailbox: wait for the mail there
    #[arg(long, value_name = "DIR", requires = "sink", value_hint = ValueHint::DirPath)]
    pub sink_maildir: Option<PathBuf>,
    /// How long to wait there, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "sink_maildir")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3_600))]
    pub sink_wait: u16,
    /// A mailbox of the server [default: postmaster in the domain of its name]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub local_user: Option<Mailbox>,
    /// Name for EHLO [default: the command's own address]
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub helo: Option<String>,
    /// Source address of the connections
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<IpAddr>,
    /// Write a report for printing, as HTML
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub html: Option<PathBuf>,
    /// Language of that report [default: that of the locale]
    #[arg(long, value_name = "LANGUAGE")]
    pub lang: Option<Lang>,
}

/// `sekisho relay`
#[derive(Debug, Clone, Subcommand)]
pub enum Relay {
    /// Show whether relaying is locked, why, and the last result of the server's own probes
    ///
    /// Exit codes: 0 not locked; 1 locked; 75 no server answers.
    Status,
    /// Unlock relaying: every relay grant counts again
    ///
    /// First find out how a stranger could relay: if strangers still can, the next probe locks relaying again. Exit codes: 0 unlocked;
    /// 1 nothing was locked; 75 no server answers, or the lock cannot be removed.
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
    /// Domain: the part of a mail address after the @
    pub domain: String,
    /// DKIM selector to check; can be given several times
    #[arg(long = "selector", value_name = "S")]
    pub selectors: Vec<String>,
    /// Address that sends mail for the domain; can be given several times [default for an own domain: this machine's addresses]
    #[arg(long = "ip", value_name = "ADDRESS")]
    pub addresses: Vec<IpAddr>,
}

/// `sekisho probe tls`
#[derive(Debug, Clone, Args)]
pub struct ProbeTls {
    /// The host [default port: 25]
    #[arg(value_name = "HOST[:PORT]")]
    pub target: Target,
    /// How TLS begins [default: none on 443, 465, 993 and 995, pop3 on 110, else smtp]
    #[arg(long, value_name = "PROTOCOL")]
    pub starttls: Option<StartTls>,
    /// PEM file of certificates to trust, besides those of the system
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
