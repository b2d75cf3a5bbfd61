//! The configuration file as it is written: one struct a section, one field a key.
//!
//! The doc comment of a field is its entry in `sekisho config reference` and in `sekisho.toml(5)`; the attributes beside it
//! are what `sekisho config schema` and the checker go by. Nothing here is interpreted: that is `config::mean`'s work, and
//! the program itself sees only `config::Settings`.

mod access;
mod border;
mod mail;
mod relay;

pub use access::{Access, Mode, Stage, Watch, WatchFormat};
pub use border::{Auth, AuthOffer, Limits, Listener, Protocol, RelayMode, TlsOffer};
pub use mail::{Delivery, RemoteKind, Smarthost, SmarthostTls, Spool};
pub use relay::{Client, Drac, Pop, Relay, Rpcbind, Senders, SendersWord};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of a Sekisho server.
///
/// A relative path is meant from `data_dir`. Sizes are in octets, times in the unit that ends the key's name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Name of this server in its greeting, in `Received:` and in reports: a fully qualified domain name that resolves to
    /// this host. Required.
    pub hostname: String,
    /// Folder of everything the server keeps; a relative one is meant from the folder of the configuration file.
    /// Default `"/var/lib/sekisho"`.
    #[serde(default = "data_dir")]
    pub data_dir: String,
    /// Domains for which mail is taken. Those with accounts live in the directory
    /// (`sekisho domain add`).
    #[serde(default)]
    pub domains: Domains,
    /// Where the server listens. A service without a `[[listener]]` is not listening at all.
    #[serde(default)]
    pub listener: Vec<Listener>,
    /// Certificate for STARTTLS, submissions and POP3S. Without it no listener offers TLS.
    #[serde(default)]
    pub tls: Tls,
    /// Who may relay, that is: have mail taken for domains that are not ours. Nobody, unless it is said here.
    #[serde(default)]
    pub relay: Relay,
    /// Maps whose entries refuse, in the order in which they are asked. Asked at RCPT, when everything is known.
    #[serde(default)]
    pub access: Vec<Access>,
    /// Logs of other POP and IMAP servers that tell of logins, for those who can change nothing at all there.
    #[serde(default)]
    pub watch: Vec<Watch>,
    /// Bounds on what a peer may cost. Each has its own reply.
    #[serde(default)]
    pub limits: Limits,
    /// Logins: mechanisms, password hashing, the throttle of failed attempts.
    #[serde(default)]
    pub auth: Auth,
    /// The accounts.
    #[serde(default)]
    pub directory: Directory,
    /// Evidence of logins, rates: what relay decisions are founded on.
    #[serde(default)]
    pub state: State,
    /// The durable queue: a mail is answered with 250 when it lies here.
    #[serde(default)]
    pub spool: Spool,
    /// Where mail goes from the queue.
    #[serde(default)]
    pub delivery: Delivery,
    /// Name servers.
    #[serde(default)]
    pub dns: Dns,
    /// The log: one line per event.
    #[serde(default)]
    pub log: Log,
    /// The admin API, by which `sekisho user`, `grant`, `queue` and `reload` talk to the running server.
    #[serde(default)]
    pub admin: Admin,
}

fn data_dir() -> String {
    "/var/lib/sekisho".to_owned()
}

/// `[domains]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Domains {
    /// Domain of a login that is given without one (`alice` for `alice@example.net`). Default none: logins are full addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Address that takes the mail of `postmaster` in every domain of ours that has no account or alias of that name
    /// (RFC 5321 §4.5.1 wants somebody to read it). Default none: it is refused there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postmaster: Option<String>,
    /// Sign that begins the detail in `user+detail@example.net`, which is delivered to `user`; one of ASCII's signs, or
    /// `""` for no details. Default `"+"`.
    pub detail_delimiter: String,
    /// Domains whose mail is taken and handed to a next hop. Default `[]`.
    pub relay: Vec<RelayDomain>,
    /// Files of other mail servers that name domains, as `TYPE:FILE`: `local-host-names` and `relay-domains` (like `domains.relay`
    /// without a next hop), `mailertable` (next hops for them). Default `[]`.
    pub maps: Vec<String>,
}

impl Default for Domains {
    fn default() -> Self {
        Self { default: None, postmaster: None, detail_delimiter: "+".to_owned(), relay: Vec::new(), maps: Vec::new() }
    }
}

/// `[[domains.relay]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelayDomain {
    /// The domain. Its subdomains are not meant; give each. Required.
    pub domain: String,
    /// Host that takes its mail, `HOST` or `HOST:PORT` (port 25 if not given); `[ADDRESS]:PORT` for IPv6. Default none: the mail
    /// server that asks us by `policy`, `milter` or `socketmap` delivers it, and our own SMTP listeners do not take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_hop: Option<String>,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file: the certificate, then its intermediates. Read again at a reload. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// PEM file of the private key, not readable by others. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// `[directory]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Directory {
    /// SQLite file of the accounts. Default `"directory.sqlite"`.
    pub path: String,
    /// File of the key that encrypts device secrets at rest; made at the first start, 32 octets, mode 0600.
    /// Default `"server.key"`.
    pub key: String,
}

impl Default for Directory {
    fn default() -> Self {
        Self { path: "directory.sqlite".to_owned(), key: "server.key".to_owned() }
    }
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Folder of the embedded engine. Default `"state"`.
    pub path: String,
}

impl Default for State {
    fn default() -> Self {
        Self { path: "state".to_owned() }
    }
}

/// `[dns]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dns {
    /// Name servers, `ADDRESS` or `ADDRESS:PORT`. Default `[]`: those of `/etc/resolv.conf`.
    pub servers: Vec<String>,
    /// How long one look-up may take before its answer is "unknown", in milliseconds. 100 to 60,000. Default 5,000.
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

impl Default for Dns {
    fn default() -> Self {
        Self { servers: Vec::new(), timeout_ms: 5_000 }
    }
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Form of a line: `text` is `TIME LEVEL EVENT KEY=VALUE …`, `json` an object a line. Default `"text"`.
    pub format: LogFormat,
    /// File to append to, opened again at SIGHUP. Default none: standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What is logged: this level and those above it. Default `"info"`.
    pub level: LogLevel,
    /// Lines a second of one event at `info`; what is beyond is counted in a line `lines_suppressed`, once a second. Lines
    /// about mail that was taken are never left out. 100 to 1,000,000. Default 5,000.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub lines_per_second_max: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, file: None, level: LogLevel::Info, lines_per_second_max: 5_000 }
    }
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `TIME LEVEL EVENT KEY=VALUE …`
    Text,
    /// One JSON object a line.
    Json,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// The operator must act.
    Error,
    /// Service is degraded.
    Warn,
    /// One line per fate: connection, recipient, message, login.
    Info,
    /// Decisions.
    Debug,
    /// The wire.
    Trace,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Unix socket of the admin API. Who may write to it rules the server. Default `"admin.sock"`.
    pub socket: String,
    /// Permissions of the socket, octal. Default `"0600"`.
    pub mode: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self { socket: "admin.sock".to_owned(), mode: "0600".to_owned() }
    }
}
