//! The configuration as it is meant: parsed, checked across sections, paths made absolute. The program sees only this.
//!
//! Plain data; `config::mean` makes it. The meaning of each field is told at the key of the same name in `config::file`.

use super::file::{
    AuthOffer, LogFormat, LogLevel, Protocol, RelayMode, Rpcbind, SmarthostTls, Stage, TlsOffer, WatchFormat,
};
use super::source::Place;
use guard::{ConfigLine, Danger, DracSenders, RelayPolicy, RelayPolicySpec, policy};
use ipnet::IpNet;
use maps::Kind;
use smtp::address::{Domain, Mailbox};
use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// Everything the server was told.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each section is told in `config::file`, from which the reference is made")]
pub struct Settings {
    /// Name of the configuration file, as it was given.
    pub file: Arc<str>,
    pub hostname: String,
    pub data_dir: PathBuf,
    pub domains: Domains,
    pub listeners: Vec<Listener>,
    /// `None`: no certificate, and so no TLS.
    pub tls: Option<Tls>,
    pub relay: Relay,
    pub access: Vec<Access>,
    pub watch: Vec<Watch>,
    pub limits: Limits,
    pub auth: Auth,
    pub directory: Directory,
    /// Folder of the embedded state engine.
    pub state_dir: PathBuf,
    pub spool: Spool,
    pub delivery: Delivery,
    pub dns: Dns,
    pub log: Log,
    pub admin: Admin,
}

/// `[domains]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domains {
    /// Domain of a bare login.
    pub default: Option<Domain>,
    /// Who takes the mail of every domain's postmaster.
    pub postmaster: Option<Mailbox>,
    /// What begins a detail; `None`: there are no details.
    pub detail_delimiter: Option<char>,
    /// Domains handed to a next hop.
    pub relay: Vec<RelayDomain>,
    /// Files that name more of them.
    pub maps: Vec<MapFile>,
}

/// `[[domains.relay]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayDomain {
    /// The domain itself, not those below it.
    pub domain: Domain,
    /// Who takes its mail; `None`: the mail server that asks us.
    pub next_hop: Option<HostPort>,
    /// The entry.
    pub place: Place,
}

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// Name, or address without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `[[listener]]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Listener {
    pub name: Arc<str>,
    pub protocol: Protocol,
    pub bind: Vec<SocketAddr>,
    /// The `unix:` sockets, and their permissions.
    pub unix: Vec<PathBuf>,
    pub socket_mode: u32,
    /// Empty: everybody.
    pub peers: Vec<IpNet>,
    pub relay: RelayMode,
    pub auth: AuthOffer,
    pub auth_required: bool,
    pub tls: TlsOffer,
    pub proxy_from: Vec<IpNet>,
    pub xclient_from: Vec<IpNet>,
    pub connections_max: usize,
    pub connections_per_client_max: usize,
    pub greet_pause: Duration,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// `[relay]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Relay {
    pub networks: Vec<Network>,
    pub clients: Vec<Client>,
    pub maps: Vec<MapFile>,
    pub pop: Pop,
    pub drac: Drac,
    pub export: Option<Export>,
}

/// A file of another mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapFile {
    /// Its form.
    pub kind: Kind,
    /// Its path; a relative one is meant from the configuration's folder of data.
    pub path: PathBuf,
    /// Where it is named.
    pub place: Place,
}

/// `[[access]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The map.
    pub map: MapFile,
    /// What is looked up; `None`: the map's entries say it.
    pub at: Option<Stage>,
    /// It is only told what it would do.
    pub observe: bool,
}

/// `[[watch]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Whose lines.
    pub format: WatchFormat,
    /// Where they are.
    pub source: WatchSource,
}

/// Where a log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchSource {
    /// A file.
    File(PathBuf),
    /// A unit of the system's journal.
    Unit(String),
}

/// `[relay.drac]`
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Drac {
    pub senders: DracSenders,
    pub allow: Option<PathBuf>,
    pub udp_from_others: bool,
    pub adds_per_second: u32,
    pub rpcbind: Rpcbind,
    pub never: Vec<IpAddr>,
    pub loopback: bool,
}

/// `relay.export`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// A hash, not a btree.
    pub hash: bool,
    /// The file.
    pub path: PathBuf,
}

/// One of `relay.networks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// The network, as written (host bits and all).
    pub net: IpNet,
    /// The entry.
    pub place: Place,
}

/// One of `relay.clients`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// How it is known.
    pub who: ClientWho,
    /// The entry.
    pub place: Place,
}

/// How a relay client is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientWho {
    /// By address.
    Net(IpNet),
    /// By forward-confirmed name; `.example.net` is every host below it.
    Name(String),
}

/// `[relay.pop]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Pop {
    pub enabled: bool,
    pub lifetime: Duration,
    pub messages_per_hour: u32,
    pub recipients_per_hour: u32,
    pub ipv6_prefix: u8,
    /// The line `enabled` stands in, or that of the section, for traces.
    pub place: Place,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Limits {
    pub command_line_octets: usize,
    pub text_line_octets: usize,
    pub message_octets: u64,
    pub recipients: usize,
    pub errors: u32,
    pub unknown_commands: u32,
    pub auth_failures: u32,
    pub messages_per_session: u32,
    pub command_timeout: Duration,
    pub data_timeout: Duration,
    pub session_timeout: Duration,
    pub pop3_timeout: Duration,
    pub hops: usize,
    pub body_chunk_octets: usize,
    pub memory_octets: u64,
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Auth {
    /// Names in upper case, in the order of the file.
    pub mechanisms: Vec<String>,
    pub apop: bool,
    pub argon2_memory_kib: u32,
    pub argon2_passes: u32,
    /// At least 1.
    pub argon2_concurrency: usize,
    pub cache_lifetime: Duration,
    pub failures_per_client: u32,
    pub failures_per_account: u32,
    pub failure_lifetime: Duration,
    pub failure_delay: Duration,
    pub shared_addresses: Vec<IpAddr>,
}

/// `[directory]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Directory {
    pub path: PathBuf,
    pub key: PathBuf,
}

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Spool {
    pub path: PathBuf,
    pub segment_octets: u64,
    pub inline_octets: u64,
    pub free_octets_min: u64,
    pub retry_first: Duration,
    pub retry_max: Duration,
    pub give_up: Duration,
}

/// `[delivery]`
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name in `config::file`")]
pub struct Delivery {
    pub local: Local,
    pub maildir_root: PathBuf,
    /// `None`: no bound.
    pub quota_octets: Option<u64>,
    pub remote: Remote,
    pub concurrency: usize,
    pub concurrency_per_destination: usize,
    pub messages_per_connection: u32,
    pub connect_timeout: Duration,
    pub reply_timeout: Duration,
}

/// Who keeps the mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// We, below `delivery.maildir_root`.
    Maildir,
    /// An LMTP server on TCP.
    LmtpTcp(HostPort),
    /// An LMTP server on a Unix socket.
    LmtpUnix(PathBuf),
}

/// Where mail to other domains goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// To the MX hosts of each domain.
    Mx,
    /// All to one host.
    Smarthost(Smarthost),
    /// All into one Maildir.
    Sink(PathBuf),
}

/// `[delivery.smarthost]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smarthost {
    /// The host.
    pub address: HostPort,
    /// TLS with it.
    pub tls: SmarthostTls,
    /// Login there.
    pub login: Option<SmarthostLogin>,
}

/// Login at the smarthost; the password stays in its file until it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmarthostLogin {
    /// The user.
    pub user: String,
    /// File whose first line is the password.
    pub password_file: PathBuf,
    /// Mechanism in upper case; `None` is the strongest that is offered.
    pub mechanism: Option<String>,
}

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Longest wait for one look-up.
    pub timeout: Duration,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// `None`: standard error.
    pub file: Option<PathBuf>,
    /// What is logged.
    pub level: LogLevel,
    /// Lines of one event at `info` in a second.
    pub lines_per_second_max: u32,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The socket.
    pub socket: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

impl Settings {
    /// Who may relay through our own listeners: what is written here, and what the files of `more` give.
    pub fn relay_policy(&self, more: &MapEntries) -> Result<RelayPolicy, Vec<Danger>> {
        let with_next_hop = |it: &&RelayDomain| it.next_hop.is_some();
        let written = self.domains.relay.iter().filter(with_next_hop).map(|it| entry(&it.domain, &it.place));
        self.policy(more, written.chain(more.domains_with_next_hop()).collect())
    }

    /// The same for the mail servers that ask us: their own domains are no relaying either.
    pub fn beside_policy(&self, more: &MapEntries) -> Result<RelayPolicy, Vec<Danger>> {
        let written = self.domains.relay.iter().map(|it| entry(&it.domain, &it.place));
        self.policy(more, written.chain(more.domains.iter().map(|domain| domain.entry.clone())).collect())
    }

    fn policy(&self, more: &MapEntries, relay_domains: Vec<policy::Entry>) -> Result<RelayPolicy, Vec<Danger>> {
        let networks = self.relay.networks.iter().map(|it| entry(&it.net, &it.place)).collect();
        let clients = self.relay.clients.iter().map(|it| entry(&it.who, &it.place));
        let client_map = clients.chain(more.clients.iter().cloned()).collect();
        let pop = &self.relay.pop;
        let pop = pop.enabled.then(|| policy::PopSpec {
            ipv6_prefix_bits: pop.ipv6_prefix,
            drac_senders: self.relay.drac.senders.clone(),
            line: pop.place.line(),
        });
        let mail = self.listeners.iter().filter(|listener| !listener.protocol.is_beside());
        let bound = mail.flat_map(|listener| &listener.bind).map(SocketAddr::ip);
        let start = Place { file: self.file.clone(), line: 1, column: 1 };
        let own_literals = bound.filter(|addr| !addr.is_unspecified()).map(|addr| entry(&addr, &start)).collect();
        let default_domain = self.domains.default.clone();
        RelayPolicy::new(RelayPolicySpec { networks, client_map, relay_domains, pop, own_literals, default_domain })
    }
}

/// What files of other mail servers add to who may relay.
#[derive(Debug, Clone, Default)]
pub struct MapEntries {
    /// Clients by address, network or name, as `relay.clients` writes them.
    pub clients: Vec<policy::Entry>,
    /// Domains.
    pub domains: Vec<MapDomain>,
}

/// A domain that a file names.
#[derive(Debug, Clone)]
pub struct MapDomain {
    /// As `domains.relay` writes it, and where.
    pub entry: policy::Entry,
    /// Who takes its mail, if a file says so.
    pub next_hop: Option<HostPort>,
}

impl MapEntries {
    fn domains_with_next_hop(&self) -> impl Iterator<Item = policy::Entry> {
        self.domains.iter().filter(|domain| domain.next_hop.is_some()).map(|domain| domain.entry.clone())
    }
}

fn entry(text: &impl ToString, place: &Place) -> policy::Entry {
    policy::Entry { text: text.to_string(), line: place.line() }
}

impl fmt::Display for ClientWho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => net.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Place {
    /// The place as the guard's traces name it.
    pub fn line(&self) -> ConfigLine {
        ConfigLine::new(self.file.clone(), self.line)
    }
}

impl Protocol {
    /// TLS from the first octet.
    pub fn implicit_tls(self) -> bool {
        matches!(self, Self::Submissions | Self::Pop3s)
    }

    /// SMTP of any kind.
    pub fn is_smtp(self) -> bool {
        matches!(self, Self::Smtp | Self::Submission | Self::Submissions)
    }

    /// POP3 of any kind.
    pub fn is_pop3(self) -> bool {
        matches!(self, Self::Pop3 | Self::Pop3s)
    }

    /// An interface for other mail servers: no client of ours, and believed in what it tells.
    pub fn is_beside(self) -> bool {
        !self.is_smtp() && !self.is_pop3()
    }

    /// Mail of our users.
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
            Self::Dracd => "dracd",
            Self::Policy => "policy",
            Self::Socketmap => "socketmap",
            Self::Milter => "milter",
            Self::DovecotAuth => "dovecot-auth",
            Self::AuthPolicy => "auth-policy",
        }
    }
}
