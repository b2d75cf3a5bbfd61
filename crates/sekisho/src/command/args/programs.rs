//! Arguments of what other programs start: `ucspi`, `checkpassword`, `drac`, `dracd`.

use crate::command::connection::Endpoint;
use clap::{Args, Subcommand, ValueHint};
use std::{ffi::OsString, net::IpAddr, path::PathBuf};

/// `sekisho ucspi`
#[derive(Debug, Clone, Args)]
pub struct Ucspi {
    /// The server's socketmap listener: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:10032")]
    pub socketmap: Endpoint,
    /// The mail server and its arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

/// `sekisho checkpassword`
#[derive(Debug, Clone, Args)]
pub struct Checkpassword {
    /// The server's dovecot-auth listener: ADDRESS:PORT or unix:PATH
    #[arg(long, value_name = "PLACE", default_value = "127.0.0.1:10034")]
    pub dovecot_auth: Endpoint,
    /// What is logged in to
    #[arg(long, value_name = "SERVICE", default_value = "pop3", value_parser = ["pop3", "imap"])]
    pub service: String,
    /// The program and its arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub program: Vec<OsString>,
}

/// `sekisho drac`
#[derive(Debug, Clone, Subcommand)]
pub enum Drac {
    /// Tell a server that somebody has logged in from an address, as a POP server does
    Add {
        /// The server: HOST, whose port is asked for, or HOST:PORT
        server: String,
        /// Whence he logged in
        address: IpAddr,
    },
}

/// `sekisho dracd`
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Dracd {
    /// Begin with an empty database
    #[arg(short = 'i')]
    pub empty: bool,
    /// Minutes after which an address is forgotten, 1 to 1440
    #[arg(short = 'e', value_name = "MINUTES", default_value_t = 30, allow_hyphen_values = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_440))]
    pub minutes: u32,
    /// Database for other mail servers
    #[arg(value_name = "DBFILE", default_value = "/etc/mail/dracd.db", value_hint = ValueHint::FilePath)]
    pub database: PathBuf,
    /// A hash, as Postfix's hash:, not a btree
    #[arg(long)]
    pub hash: bool,
    /// File of the servers that may add
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub allow: Option<PathBuf>,
    /// Address to listen at [default: 127.0.0.1; with a list 0.0.0.0]
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// Port of both transports [default: two that are free]
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Do not register with rpcbind: clients know the port
    #[arg(long)]
    pub no_rpcbind: bool,
    /// Adds a second that one server may make
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub adds_per_second: u32,
    /// Let loopback addresses be added, to try it out
    #[arg(long)]
    pub grant_loopback: bool,
}
