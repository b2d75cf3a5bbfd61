//! Arguments of what other programs start: `ucspi`, `checkpassword`, `drac`, `dracd`.

use crate::command::connection::Endpoint;
use clap::{Args, Subcommand, ValueHint};
use std::{ffi::OsString, net::IpAddr, path::PathBuf};

/// `sekisho ucspi`
#[derive(Debug, Clone, Args)]
pub struct Ucspi {
    /// Socketmap listener of the server: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:10032")]
    pub socketmap: Endpoint,
    /// The mail server and its arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

/// `sekisho checkpassword`
#[derive(Debug, Clone, Args)]
pub struct Checkpassword {
    /// dovecot-auth listener of the server: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:10034")]
    pub dovecot_auth: Endpoint,
    /// Service that the user logs in to
    #[arg(long, value_name = "SERVICE", default_value = "pop3", value_parser = ["pop3", "imap"])]
    pub service: String,
    /// The program and its arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

/// `sekisho drac`
#[derive(Debug, Clone, Subcommand)]
pub enum Drac {
    /// Tell a server that a user has logged in from an address, as a POP server does
    Add {
        /// Server: HOST (the port is asked for), or HOST:PORT
        server: String,
        /// Client address of the login
        address: IpAddr,
    },
}

/// `sekisho dracd`
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Dracd {
    /// Start with an empty database
    #[arg(short = 'i')]
    pub empty: bool,
    /// Minutes until an address expires, 1 to 1440
    #[arg(short = 'e', value_name = "MINUTES", default_value_t = 30, allow_hyphen_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub minutes: u32,
    /// Database for other mail servers
    #[arg(value_name = "DBFILE", default_value = "/etc/mail/dracd.db", value_hint = ValueHint::FilePath)]
    pub database: PathBuf,
    /// Write a hash (Postfix's hash:) instead of a btree
    #[arg(long)]
    pub hash: bool,
    /// File of the servers that may add
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub allow: Option<PathBuf>,
    /// Address to listen at [default: 127.0.0.1; with a list 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// Port for UDP and TCP [default: two free ports]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Do not register with rpcbind: clients know the port
    #[arg(long)]
    pub no_rpcbind: bool,
    /// How often one server may add in a second
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub adds_per_second: u32,
    /// Accept loopback addresses, to try it out
    #[arg(long)]
    pub grant_loopback: bool,
}
