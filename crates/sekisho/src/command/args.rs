//! The whole command line as data; help, man pages and completions are made from it.

use super::map::Map;
use super::{audit::Audit, doctor::Doctor, global::Global, import::Import};
use backup::args::{BackupArgs, RestoreArgs};
use clap::{Args, Parser, Subcommand, ValueHint};
use std::{net::IpAddr, path::PathBuf};

mod choice;
mod init;
mod log;
mod login;
mod names;
mod own;
mod probe;
mod programs;
mod queue;
mod records;
mod replay;
mod report;
mod strangers;
mod top;
mod upkeep;

pub use self::choice::{Choice, ChoiceCommand, Senders, Switch};
pub use self::init::{AcmeFlags, Challenge, Init};
pub use self::log::{Log, RelayLog, Verify};
pub use self::login::LoginName;
pub(super) use self::login::full;
pub use self::names::{Alias, Domain};
pub use self::own::{Account, AliasTable, Expiry, Export, Import as Table, Own, OwnPasswd, Quota, UserSet};
pub use self::probe::{Probe, ProbeBlocklists, ProbeDns, ProbeRelay, ProbeTls, Relay, StartTls};
pub use self::programs::{Checkpassword, Drac, Dracd, Ucspi};
pub use self::queue::{Ids, Queue};
pub use self::records::{RecordId, Records, RecordsList, Time};
pub use self::replay::{Explain, Replay};
pub use self::report::{About, Report};
pub use self::strangers::{Ban, Dnsbl, Guard};
pub use self::top::Top;
pub use self::upkeep::{Key, Reload};

/// A mail server that never relays for strangers.
#[derive(Debug, Parser)]
#[command(name = "sekisho", version, max_term_width = 100, arg_required_else_help = true)]
#[command(
    after_help = "Exit codes: 0 done; 1 failed or not found; 2 wrong use or bad configuration; 75 try again later (ucspi and checkpassword: 111)."
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
    ///
    /// As root and without --dir: prepares this machine too (user, folders, unit of systemd), and looks whether its name leads here
    /// and whether it reaches others. What is there already stays as it is.
    Init(Box<Init>),
    /// Run the server
    Serve,
    /// Make the running server read its configuration again; no session is dropped
    ///
    /// The server reads the certificate again too. It applies the whole configuration or none of it. It refuses a configuration with a
    /// mistake, or with a change to a key that needs a restart (hostname, data_dir, admin, metrics, directory, state, relay.export, spool,
    /// dns, the routes and limits of delivery, the counting of failed logins), and names the keys. --set is refused: the server keeps
    /// its own.
    Reload(Reload),
    /// Show the running server: alarms, uptime, listeners, sessions, relaying, queue, open files, certificate
    ///
    /// Exit codes: 0 no alarm is in force; 1 an alarm is in force; 75 no server answers.
    Status,
    /// Watch the running server in a terminal: rates, sessions, queue, senders, reasons of refusals, latest decisions
    ///
    /// Keys: q ends it, p lets the picture stand still, + and - change how often the server is asked. With --json: one answer of the
    /// server as it is. Exit code 75: no server answers.
    Top(Top),
    /// Alarms: what the operator must know at once
    #[command(subcommand)]
    Alarm(Alarm),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(Config),
    /// The server's key, which seals device secrets
    #[command(subcommand)]
    Key(Key),
    /// Manage accounts and their devices
    #[command(subcommand)]
    User(User),
    /// Change your own password; the new one is asked for, or read from standard input
    ///
    /// For users of the machine that the server runs on. Who they are is known by their user (account.users), or by login and old password.
    Passwd(OwnPasswd),
    /// Your own account, for users of the machine that the server runs on
    #[command(subcommand)]
    Account(Account),
    /// Manage domains that have accounts here
    #[command(subcommand)]
    Domain(Domain),
    /// Manage addresses that lead to others
    #[command(subcommand)]
    Alias(Alias),
    /// Relay grants: addresses that may relay now because of a POP login
    #[command(subcommand)]
    Grant(Grant),
    /// Exempt clients from the rules about strangers
    #[command(subcommand)]
    Guard(Guard),
    /// Ban clients, list bans, lift them
    #[command(subcommand)]
    Ban(Ban),
    /// List sessions at Sekisho's own listeners, and end them
    #[command(subcommand)]
    Session(Session),
    /// DNS lists that are asked about strangers ([[dnsbl]])
    #[command(subcommand)]
    Dnsbl(Dnsbl),
    /// List, hold, release, retry and delete mail in the queue
    #[command(subcommand)]
    Queue(Queue),
    /// Explain why a recipient, connection or login was accepted or refused: the id is in the reply and in the log
    ///
    /// Prints who asked for what, when and where; the facts with their source and age; the rules in their order with file and line,
    /// also those that are only observed; each step; the reply; and what would have changed a refusal. With the id of a session: a
    /// summary of the session. It works without a running server, too. Exit codes: 0 found; 1 no record has the id; 75 the records
    /// cannot be read.
    ///
    /// With --client: what would become of a session that never happened. The running server judges it, and counts and remembers
    /// nothing. Exit codes: 0 it would be accepted; 1 it would be refused; 75 no server answers.
    Explain(Explain),
    /// Find and print recorded decisions ([records])
    #[command(subcommand)]
    Records(Records),
    /// Show what was relayed, and what administrators changed
    #[command(subcommand)]
    Log(Log),
    /// Print a digest for people: accepted, refused by reason, greylisted, deferred by our own fault, failed logins
    ///
    /// It is made from the decision records. No server is needed.
    Report(Report),
    /// Back up accounts, queue, state, configuration and, if wanted, keys and mail, while the server runs
    ///
    /// All that was accepted before the backup began is in it, or was delivered. Without a running server the files are read, and no
    /// server can start meanwhile. The file or folder is readable by its owner only. Says what is in it and what is not.
    Backup(BackupArgs),
    /// Restore a backup; the restored queue is held until --release-queue
    ///
    /// Every checksum is verified before anything is changed. Refuses while a server runs, and where data is there (--replace puts it
    /// aside). Nobody can know what was sent after the backup was made: so nothing of the restored queue is sent before you say so.
    Restore(RestoreArgs),
    /// Judge recorded decisions by another configuration, and list each one that changes
    ///
    /// Nothing is sent, counted or changed, and no server is needed. A fact that was not recorded is unknown, and counted; access
    /// maps of that configuration are looked up. Exit codes: 0 nothing changes; 1 a decision changes; 2 wrong use, or the
    /// configuration does not load; 75 the records cannot be read.
    Replay(Replay),
    /// Check, compile and look up access maps and other files of mail servers
    #[command(subcommand)]
    Map(Map),
    /// Set RELAYCLIENT for clients that may relay, between tcpserver and a qmail-style mail server
    ///
    /// It asks the running server about the client's address (TCPREMOTEIP). If the server does not answer, the client gets a
    /// temporary refusal, and the program does not start.
    Ucspi(Ucspi),
    /// Check a password for a qmail-style POP server (checkpassword interface): a login there becomes a relay grant
    ///
    /// It reads login and password from descriptor 3. Exit codes: 1 wrong login; 2 wrong use; 111 it cannot be checked now.
    /// Otherwise it becomes the program, in the folder of the mailbox, with USER and HOME set.
    Checkpassword(Checkpassword),
    /// Report a login to a DRAC server by hand
    #[command(subcommand)]
    Drac(Drac),
    /// Run a DRAC server alone, instead of rpc.dracd: POP servers report logins, other mail servers read the database
    ///
    /// It stays in the foreground. /etc/mail/dracd.allow or /etc/drac/dracd.allow says who may add; without either file it
    /// listens on loopback only. It keeps its entries in DBFILE.state; DBFILE is made from them, and is empty after the end.
    Dracd(Dracd),
    /// Make a configuration from another mail system's, and report what was imported, what differs and what has no counterpart
    ///
    /// The report goes to standard error, a line for each setting with its place. A setting that would let strangers relay is not
    /// imported, only named. With --json configuration and report are one object.
    Import(Import),
    /// Show who may relay and why, when each relay grant was last used, and what is dangerous about it
    ///
    /// It asks the running server. If no server answers at the configuration's admin socket, it reads the configuration and its
    /// files. Exit codes: 0 no finding is as bad as --fail-on; 1 a finding is; 2 the configuration cannot be read; 75 a server runs,
    /// but does not answer.
    Audit(Audit),
    /// Check a Postfix or sendmail beside Sekisho (which mail never reaches Sekisho, which earlier permit bypasses it), or
    /// sekisho.toml (who relays without a login, what is sent in clear text, who else may ask)
    ///
    /// Exit codes: 0 no danger; 1 a danger was found; 2 the file cannot be read.
    Doctor(Doctor),
    /// Show whether relaying is locked because a stranger could relay, and unlock it
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
    /// Folder for everything [default: a new folder that is removed at the end]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// First port: SMTP is N, submission N+1, submissions N+2, POP3 N+3, POP3S N+4
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1024..=65_520))]
    pub port_base: Option<u16>,
}

/// `sekisho config`
#[derive(Debug, Clone, Subcommand)]
pub enum Config {
    /// Check the configuration and the files that it names
    ///
    /// It finds what serve would refuse, without starting anything: keys and certificates, password files, maps, two listeners at
    /// one address. Exit codes: 0 good, perhaps with warnings; 2 the server would not start with it.
    Check,
    /// Say what differs between the running server's configuration and the file: what a reload would change
    ///
    /// Key by key, with file and line, and which of them need a restart. Exit codes: 0 nothing differs, 1 something does, 2 the file
    /// has a mistake.
    Diff,
    /// Print the configuration with every default filled in
    Show {
        /// Print what is in force in the running server: with its --set, without changes that wait for a reload
        #[arg(long)]
        running: bool,
    },
    /// Explain every key
    Reference,
    /// Print the JSON Schema for editors
    Schema,
    /// Print the default rules about strangers, each with its reason in English and Japanese
    Defaults,
}

/// `sekisho user`
#[derive(Debug, Clone, Subcommand)]
pub enum User {
    /// Create an account; the password is asked for, or read from standard input
    Add(UserAdd),
    /// Change the password; it is asked for, or read from standard input
    Passwd(Passwd),
    /// Change what an account may do: its room, until when it may log in, whose it is
    ///
    /// All of it or nothing. A session of an account that has expired ends at its next command.
    Set(UserSet),
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
    /// Manage devices: a login and password of their own, for APOP, CRAM-MD5 and old programs
    #[command(subcommand)]
    Device(Device),
    /// Choose whose mail an account accepts and refuses
    Choice(Choice),
    /// Write all accounts as a table (CSV)
    Export(Export),
    /// Make and change accounts as a table (CSV) says: all rows or none
    ///
    /// The first row names the columns: login, name, quota, expires, locked, apop_only, hash. Only login must be there; what is empty stays as
    /// it is. Passwords come as hashes with their scheme, and only for accounts that are made.
    /// The command names each wrong line.
    Import(Table),
}

/// An account.
#[derive(Debug, Clone, Args)]
pub struct Login {
    /// USER@DOMAIN, or USER in the default domain
    pub login: LoginName,
}

/// Some accounts.
#[derive(Debug, Clone, Args)]
pub struct InDomain {
    /// Only accounts of this domain
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
}

/// `sekisho user add`
#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct UserAdd {
    /// USER@DOMAIN, or USER in the default domain
    pub login: LoginName,
    /// Size limit of the mailbox: 2G, 500M, or octets
    #[arg(long, value_name = "SIZE")]
    pub quota: Option<Quota>,
    /// Name of the person, for people who read the list
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Only devices log in, and only by APOP or CRAM-MD5
    #[arg(long)]
    pub apop_only: bool,
    /// No account password: only devices log in
    #[arg(long, conflicts_with = "hash")]
    pub no_password: bool,
    /// What is read is a hash with its scheme, as {SHA512-CRYPT}…, not a password
    #[arg(long)]
    pub hash: bool,
    /// Create the domain too; from then on its mail is accepted
    #[arg(long)]
    pub new_domain: bool,
}

/// `sekisho user passwd`
#[derive(Debug, Clone, Args)]
pub struct Passwd {
    /// USER@DOMAIN, or USER in the default domain
    pub login: LoginName,
    /// Ask for the old password first, and check it, for a user's own change; wrong passwords are throttled
    #[arg(long, conflicts_with = "hash")]
    pub old: bool,
    /// What is read is a hash with its scheme, as {SHA512-CRYPT}…, not a password
    #[arg(long)]
    pub hash: bool,
}

/// `sekisho user device`
#[derive(Debug, Clone, Subcommand)]
pub enum Device {
    /// Create a device and show its password; it is shown only once
    Add(DeviceAdd),
    /// List devices
    List(DeviceList),
    /// Revoke a device, at once and permanently
    Revoke(DeviceRevoke),
}

/// `sekisho user device add`
#[derive(Debug, Clone, Args)]
pub struct DeviceAdd {
    /// Account of the device
    pub login: LoginName,
    /// Name of the device, for example scanner
    pub name: String,
    /// Network from which it may log in; can be given several times
    #[arg(long = "from", value_name = "NETWORK")]
    pub networks: Vec<String>,
    /// Messages that it may send in an hour
    #[arg(long, value_name = "N")]
    pub messages_per_hour: Option<u32>,
    /// Let it send to everybody, not only to your own domains
    #[arg(long)]
    pub anywhere: bool,
    /// Days until it expires
    #[arg(long, value_name = "DAYS")]
    pub days: Option<u32>,
}

/// `sekisho user device list`
#[derive(Debug, Clone, Args)]
pub struct DeviceList {
    /// Only devices of this account
    pub login: Option<LoginName>,
}

/// `sekisho user device revoke`
#[derive(Debug, Clone, Args)]
pub struct DeviceRevoke {
    /// Login of the device, for example alice-scanner@example.net
    pub login: LoginName,
}

/// `sekisho grant`
#[derive(Debug, Clone, Subcommand)]
pub enum Grant {
    /// Let an address relay for an account, as after a POP login of the account
    Add {
        /// Address of the client
        address: IpAddr,
        /// Account
        login: LoginName,
        /// How long, in minutes [default: relay.pop.minutes]
        #[arg(long)]
        minutes: Option<u32>,
    },
    /// List grants
    List,
    /// Revoke grants, at once
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
    Revoke {
        /// Grants of this address
        #[arg(long, group = "which")]
        address: Option<IpAddr>,
        /// Grants of this account
        #[arg(long, group = "which")]
        login: Option<LoginName>,
        /// All grants
        #[arg(long, group = "which", conflicts_with_all = ["address", "login"])]
        all: bool,
    },
}

/// `sekisho session`
#[derive(Debug, Clone, Subcommand)]
pub enum Session {
    /// List who is connected to Sekisho's own SMTP and POP3 listeners
    List,
    /// End sessions at once: SMTP with 421; POP3 deletes nothing
    #[command(group = clap::ArgGroup::new("which").required(true).multiple(true))]
    Cut {
        /// Session with this id, as in `session list` and the log
        #[arg(group = "which")]
        session: Option<String>,
        /// Sessions of this account and of its devices
        #[arg(long, group = "which")]
        login: Option<LoginName>,
        /// Sessions of this client
        #[arg(long, group = "which")]
        client: Option<IpAddr>,
        /// All sessions
        #[arg(long, group = "which", conflicts_with_all = ["session", "login", "client"])]
        all: bool,
    },
}

/// `sekisho alarm`
#[derive(Debug, Clone, Subcommand)]
pub enum Alarm {
    /// List alarms in force
    ///
    /// Exit codes: 0 none; 1 an alarm is in force; 75 no server answers.
    List,
    /// Send a test alarm to every receiver in [alarms]
    Test,
}

/// `sekisho docs`
#[derive(Debug, Clone, Subcommand)]
pub enum Docs {
    /// Write a man page of every command, and sekisho.toml.5
    Man {
        /// Folder
        dir: PathBuf,
    },
    /// Print the completions of a shell
    Completions {
        /// Shell
        shell: clap_complete::Shell,
    },
}
