//! The whole command line as data; help, man pages and completions are made from it.

use super::map::Map;
use super::{audit::Audit, doctor::Doctor, global::Global, import::Import};
use clap::{Args, Parser, Subcommand, ValueHint};
use std::{net::IpAddr, path::PathBuf};

mod choice;
mod log;
mod probe;
mod programs;
mod queue;
mod records;
mod replay;
mod report;
mod strangers;
mod top;

pub use self::choice::{Choice, ChoiceCommand, Senders, Switch};
pub use self::log::{Log, RelayLog, Verify};
pub use self::probe::{Probe, ProbeBlocklists, ProbeDns, ProbeRelay, ProbeTls, Relay, StartTls};
pub use self::programs::{Checkpassword, Drac, Dracd, Ucspi};
pub use self::queue::{Ids, Queue};
pub use self::records::{RecordId, Records, RecordsList};
pub use self::replay::{Explain, Replay};
pub use self::report::{About, Report};
pub use self::strangers::{Ban, Dnsbl, Guard};
pub use self::top::Top;

/// A mail border server that is never abused.
#[derive(Debug, Parser)]
#[command(name = "sekisho", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 not so, or no such thing; 2 wrong use or bad configuration; 75 try later (ucspi and checkpassword: 111)."
)]
pub struct Sekisho {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything on 127.0.0.1 with unprivileged ports, to try it out
    Demo(Demo),
    /// Write a configuration, keys and the first account, and print the DNS records to publish
    Init(Init),
    /// Run the server
    Serve,
    /// Let the running server read its configuration again; no session is dropped
    ///
    /// The certificate is read again too. A configuration with a mistake, or one that changes what is only read at the
    /// start (hostname, data_dir, admin, metrics, directory, state, relay.export, spool, dns, the routes and bounds of delivery, the counting of
    /// failed logins), is refused with its keys named, and nothing changes. --set is refused: the server keeps its own.
    Reload,
    /// Show the running server: alarms in force, since when, listeners, sessions, queue, open files, certificate
    ///
    /// Ends with 1 if an alarm is in force, with 75 if no server answers.
    Status,
    /// Watch the running server in a terminal: rates, sessions, queue, senders, reasons of refusals, latest decisions
    ///
    /// Keys: q ends it, p lets the picture stand still, + and - change how often the server is asked. With --json: one answer of the
    /// server as it is. Ends with 75 if no server answers.
    Top(Top),
    /// What the operator must know at once
    #[command(subcommand)]
    Alarm(Alarm),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(Config),
    /// Accounts and their devices
    #[command(subcommand)]
    User(User),
    /// Domains that have accounts here
    #[command(subcommand)]
    Domain(Domain),
    /// Addresses that lead to others
    #[command(subcommand)]
    Alias(Alias),
    /// POP-before-SMTP grants: who may relay now because of a POP login
    #[command(subcommand)]
    Grant(Grant),
    /// Strangers: against whom nothing is held
    #[command(subcommand)]
    Guard(Guard),
    /// Clients that may not connect for a while
    #[command(subcommand)]
    Ban(Ban),
    /// Who is connected to our own listeners, and ending it
    #[command(subcommand)]
    Session(Session),
    /// Lists in DNS that are asked about strangers ([[dnsbl]])
    #[command(subcommand)]
    Dnsbl(Dnsbl),
    /// The mail queue
    #[command(subcommand)]
    Queue(Queue),
    /// Say why a recipient, connection or login was accepted or refused: the id is in the reply and in the log
    ///
    /// Tells who asked for what, when and where; the facts with their source and age; the rules in their order with file and line,
    /// those that are only tried too; what was asked step by step; the reply. With the id of a session: all of it, briefly.
    /// Works without a running server too. Ends with 1 if nothing is kept under the id.
    ///
    /// With --client: what would become of a session that nobody had. The running server judges it and notes nothing of it. Ends
    /// with 0 if it would be accepted, 1 if not.
    Explain(Explain),
    /// Decisions that were kept ([records]): find them, print them
    #[command(subcommand)]
    Records(Records),
    /// What was recorded: the changes that administrators made
    #[command(subcommand)]
    Log(Log),
    /// A digest for people: accepted, refused by reason, greylisted, turned away by our own fault, refused logins
    ///
    /// Made of the kept decision records, whether a server runs or not.
    Report(Report),
    /// Judge what was recorded by another configuration, and list every verdict that changes
    ///
    /// Nothing is sent, counted or changed, and no server is needed. What was not recorded is unknown there, and counted; access
    /// maps of that configuration are asked. Ends with 0 if nothing changes, 1 if something does, 2 for wrong use.
    Replay(Replay),
    /// Access maps and other files of mail servers: check, compile, look up
    #[command(subcommand)]
    Map(Map),
    /// Between tcpserver and a mail server of qmail's kind: set RELAYCLIENT for clients that may relay, and only for them
    ///
    /// The running server is asked for the client's address (TCPREMOTEIP). Where it does not answer, the client is told to
    /// come back and the program is not started.
    Ucspi(Ucspi),
    /// The checkpassword interface, for POP servers of qmail's kind: a login there becomes a right to relay
    ///
    /// Login and password are read from descriptor 3. Ends with 1 for a wrong login, 2 for wrong use, 111 if it cannot
    /// be known now; else becomes the program, in the folder of the mailbox, with USER and HOME set.
    Checkpassword(Checkpassword),
    /// DRAC by hand: tell a server of a login
    #[command(subcommand)]
    Drac(Drac),
    /// DRAC alone, in the place of rpc.dracd: POP servers tell of logins, other mail servers read the database
    ///
    /// Stays in the foreground. Who may add stands in /etc/mail/dracd.allow or /etc/drac/dracd.allow; without either it
    /// listens on loopback only. What it knows lies in DBFILE.state; DBFILE is made from it, and is empty after the end.
    Dracd(Dracd),
    /// Make a configuration from another mail system's, and say what was taken, what differs and what has no counterpart
    ///
    /// The report goes to standard error, a line for each setting with its place. What would let strangers relay is not
    /// taken, only named. With --json configuration and report are one object.
    Import(Import),
    /// Who may relay, by what right, when each right was last used, and what is dangerous in it
    ///
    /// Asks the running server; without one the configuration and its files are read. Ends with 1 if something was found that is as bad as
    /// --fail-on, 2 if the configuration cannot be read.
    Audit(Audit),
    /// Look at a Postfix or sendmail beside Sekisho (which mail never reaches it, where an earlier permit goes around it), or at
    /// sekisho.toml (who relays without a login, what goes in the clear, who else may ask)
    ///
    /// Ends with 1 if it finds a danger, 2 if it cannot read the file.
    Doctor(Doctor),
    /// Whether relaying is locked down, since a stranger could relay, and unlocking it
    #[command(subcommand)]
    Relay(Relay),
    /// Test a server or a domain from outside
    #[command(subcommand)]
    Probe(Probe),
    /// Write man pages or shell completions
    #[command(subcommand, hide = true)]
    Docs(Docs),
}

/// `sekisho demo`
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// Folder for everything [default: a new one that is removed at the end]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// First port: SMTP is N, submission N+1, submissions N+2, POP3 N+3, POP3S N+4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_520))]
    pub port_base: Option<u16>,
}

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
}

/// `sekisho config`
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Say what is wrong with the configuration and with the files that it names
    ///
    /// Finds what serve would refuse, without starting anything: keys and certificates, passwords' files, maps, two listeners at
    /// one place. Exit codes: 0 it is good, perhaps with warnings; 2 the server would not start with it.
    Check,
    /// Print the configuration with every default in its place
    Show {
        /// Print what is in force in the running server, with its --set and without changes that wait for a reload
        #[arg(long)]
        running: bool,
    },
    /// Print what every key means
    Reference,
    /// Print the JSON Schema, for editors
    Schema,
    /// Print the default rules about strangers, each with its reason in English and Japanese
    Defaults,
}

/// `sekisho user`
#[derive(Debug, Clone, Subcommand)]
pub enum User {
    /// Make an account; the password is asked for, or read from standard input
    Add(UserAdd),
    /// Change the password; it is asked for, or read from standard input
    Passwd(Passwd),
    /// Delete an account; its mailbox stays
    Delete(Login),
    /// List accounts
    List(InDomain),
    /// Show an account
    Show(Login),
    /// Refuse every login of an account and its devices
    Lock(Login),
    /// Let an account log in again
    Unlock(Login),
    /// Secrets of devices, for APOP, CRAM-MD5 and old programs
    #[command(subcommand)]
    Device(Device),
    /// Whose mail an account takes: accepted and refused senders
    Choice(Choice),
}

/// An account.
#[derive(Debug, Clone, Args)]
pub struct Login {
    /// USER@DOMAIN, or USER in the default domain
    pub login: String,
}

/// Some accounts.
#[derive(Debug, Clone, Args)]
pub struct InDomain {
    /// Only those of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
}

/// `sekisho user add`
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct UserAdd {
    /// USER@DOMAIN, or USER in the default domain
    pub login: String,
    /// Room of the mailbox, in octets
    #[arg(long, value_name = "OCTETS")]
    pub quota: Option<u64>,
    /// Only device secrets, and only by APOP or CRAM-MD5
    #[arg(long)]
    pub apop_only: bool,
    /// No main password: only devices log in
    #[arg(long, conflicts_with = "hash")]
    pub no_password: bool,
    /// What is read is a hash with its scheme, as {SHA512-CRYPT}…, not a password
    #[arg(long)]
    pub hash: bool,
    /// Make the domain too; from then on its mail is taken
    #[arg(long)]
    pub new_domain: bool,
}

/// `sekisho user passwd`
#[derive(Debug, Clone, Args)]
pub struct Passwd {
    /// USER@DOMAIN, or USER in the default domain
    pub login: String,
    /// Ask for the old password first, and check it, as for a user's own change; wrong ones are throttled
    #[arg(long, conflicts_with = "hash")]
    pub old: bool,
    /// What is read is a hash with its scheme, as {SHA512-CRYPT}…, not a password
    #[arg(long)]
    pub hash: bool,
}

/// `sekisho user device`
#[derive(Debug, Clone, Subcommand)]
pub enum Device {
    /// Make a device and show its secret, the only time
    Add(DeviceAdd),
    /// List devices
    List(DeviceList),
    /// Cut a device off, at once and for good
    Revoke(DeviceRevoke),
}

/// `sekisho user device add`
#[derive(Debug, Clone, Args)]
pub struct DeviceAdd {
    /// The account it belongs to
    pub login: String,
    /// Its name, as scanner
    pub name: String,
    /// Network that it may log in from; may be given again
    #[arg(long = "from", value_name = "NETWORK")]
    pub networks: Vec<String>,
    /// Messages that it may send an hour
    #[arg(long, value_name = "N")]
    pub messages_per_hour: Option<u32>,
    /// Let it send to everybody, not only to own domains
    #[arg(long)]
    pub anywhere: bool,
    /// Days until it is refused
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u32>,
}

/// `sekisho user device list`
#[derive(Debug, Clone, Args)]
pub struct DeviceList {
    /// Only those of this account
    pub login: Option<String>,
}

/// `sekisho user device revoke`
#[derive(Debug, Clone, Args)]
pub struct DeviceRevoke {
    /// What the device logs in with, as alice-scanner@example.net
    pub login: String,
}

/// `sekisho domain`
#[derive(Debug, Clone, Subcommand)]
pub enum Domain {
    /// Take the mail of a domain
    Add {
        /// The domain
        domain: String,
        /// Who gets what is for nobody else [default: nobody; it is refused]
        #[arg(long, value_name = "ADDRESS")]
        catch_all: Option<String>,
    },
    /// List domains
    List,
    /// Have mail for a domain come later for a while (450); its users log in and send as ever
    Off {
        /// The domain
        domain: String,
    },
    /// Take the mail of such a domain again
    On {
        /// The domain
        domain: String,
    },
    /// Remove a domain that has neither accounts nor aliases
    Delete {
        /// The domain
        domain: String,
    },
}

/// `sekisho alias`
#[derive(Debug, Clone, Subcommand)]
pub enum Alias {
    /// Let an address lead to others
    Add {
        /// The address
        address: String,
        /// Accounts here, or addresses anywhere
        #[arg(required = true)]
        targets: Vec<String>,
        /// The address is an account's: let the account keep a copy of each mail
        #[arg(long)]
        keep_copy: bool,
    },
    /// List aliases
    List,
    /// Remove an alias
    Delete {
        /// The address
        address: String,
    },
}

/// `sekisho grant`
#[derive(Debug, Clone, Subcommand)]
pub enum Grant {
    /// Let an address relay as an account, as if that had logged in by POP
    Add {
        /// Address of the client
        address: IpAddr,
        /// The account
        login: String,
        /// How long, in minutes [default: relay.pop.minutes]
        #[arg(long)]
        minutes: Option<u32>,
    },
    /// List grants
    List,
    /// Take grants back, at once
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
    Revoke {
        /// Those of this address
        #[arg(long, group = "which")]
        address: Option<IpAddr>,
        /// Those of this account
        #[arg(long, group = "which")]
        login: Option<String>,
        /// Every one
        #[arg(long, group = "which", conflicts_with_all = ["address", "login"])]
        all: bool,
    },
}

/// `sekisho session`
#[derive(Debug, Clone, Subcommand)]
pub enum Session {
    /// List who is connected to our own SMTP and POP3 listeners
    List,
    /// End sessions at once: SMTP with 421, POP3 without deleting anything
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
    Cut {
        /// The session with this id, as `session list` and the log tell it
        #[arg(group = "which")]
        session: Option<String>,
        /// Those of this account, and of its devices
        #[arg(long, group = "which")]
        login: Option<String>,
        /// Those of this client
        #[arg(long, group = "which")]
        client: Option<IpAddr>,
        /// Every one
        #[arg(long, group = "which", conflicts_with_all = ["session", "login", "client"])]
        all: bool,
    },
}

/// `sekisho alarm`
#[derive(Debug, Clone, Subcommand)]
pub enum Alarm {
    /// List alarms in force; ends with 1 if there are any
    List,
    /// Send an alarm that says that it is a test to whoever [alarms] names
    Test,
}

/// `sekisho docs`
#[derive(Debug, Clone, Subcommand)]
pub enum Docs {
    /// Write a man page of every command, and sekisho.toml.5
    Man {
        /// Where to
        dir: PathBuf,
    },
    /// Print the completions of a shell
    Completions {
        /// Which
        shell: clap_complete::Shell,
    },
}
