//! What the operator sets, as meant, and what the rest of the program must tell us.

use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use spool::Target;

/// All settings of delivery.
#[derive(Debug, Clone)]
pub struct Config {
    /// Our name in EHLO, in Maildir file names and in notifications.
    pub hostname: String,
    /// How mail for others leaves.
    pub route: RemoteRoute,
    /// What we are called and where we listen, to recognise a loop.
    pub own: Own,
    /// A mailbox at its limit: refuse or wait.
    pub over_quota: OverQuota,
    /// Trust in certificates where a name is to be proved ([`Tls::Required`], [`Tls::Implicit`]).
    pub verified_tls: Arc<rustls::ClientConfig>,
    /// Sizes, times and numbers.
    pub limits: Limits,
}

/// How mail for others leaves.
#[derive(Debug, Clone)]
pub enum RemoteRoute {
    /// By one host that relays for us.
    Smarthost(Smarthost),
    /// By the MX records of the recipient's domain (RFC 5321 §5.1).
    Mx(Mx),
    /// Not at all: everything lies down in this Maildir (`demo`).
    Sink(PathBuf),
}

/// A host that relays for us.
#[derive(Clone)]
pub struct Smarthost {
    /// Domain name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection of the connection.
    pub tls: Tls,
    /// Who we are to it. Plain-text mechanisms are used only where `tls` proves the host's name.
    pub credentials: Option<sasl::client::Credentials>,
}

impl fmt::Debug for Smarthost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.credentials.as_ref().map(sasl::client::Credentials::login);
        write!(f, "Smarthost({}:{}, {:?}, login {login:?})", self.host, self.port, self.tls)
    }
}

/// Delivery to the hosts that DNS names.
#[derive(Debug, Clone)]
pub struct Mx {
    /// TCP port; 25 but in tests.
    pub port: u16,
    /// [`Tls::Opportunistic`], or [`Tls::Never`].
    pub tls: Tls,
    /// Whom to ask. What it does not tell in time is not "no": the mail waits.
    pub resolver: Arc<dns::Resolver>,
}

/// Protection of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// In clear.
    Never,
    /// STARTTLS where offered, any certificate; in clear where it fails (RFC 7435).
    Opportunistic,
    /// STARTTLS with a certificate that proves the host's name, or no delivery.
    Required,
    /// TLS from the first octet (RFC 8314), likewise proved.
    Implicit,
}

/// What we are, to recognise ourselves in an MX list.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// Host names, lower case.
    pub names: Vec<String>,
    /// Addresses; the loopback and unspecified ones always count, unless `loopback_is_foreign`.
    pub addresses: Vec<IpAddr>,
    /// Whether a loopback address may be another host. Never true on a border host: anybody can publish an MX record
    /// of 127.0.0.1.
    pub loopback_is_foreign: bool,
}

impl Own {
    /// Whether a host name is ours.
    pub fn has_name(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether an address is ours.
    pub fn has_address(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let local = address.is_loopback() || address.is_unspecified();
        (local && !self.loopback_is_foreign) || self.addresses.contains(&address)
    }
}

/// What happens to mail for a full mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverQuota {
    /// It fails for good (5.2.2).
    Fail,
    /// It waits (4.2.2).
    Wait,
}

/// Sizes, times and numbers.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Messages taken from the spool and not yet settled. Default 20,000.
    pub in_flight: usize,
    /// Messages of those for one remote destination, and never more than there are places left for all; what exceeds it waits a
    /// minute. Default 15,000.
    pub in_flight_per_destination: usize,
    /// Messages written to Maildirs with one sync. Default 256.
    pub local_batch: usize,
    /// Batches written at the same time. Default 2.
    pub local_batches: usize,
    /// Connections to one destination. Default 10.
    pub connections_per_destination: usize,
    /// Connections in all. Default 200.
    pub connections: usize,
    /// Recipients of one transaction (RFC 5321 §4.5.3.1.8 wants 100 taken). Default 100.
    pub recipients_per_transaction: usize,
    /// Messages over one connection. Default 1,000.
    pub messages_per_connection: usize,
    /// How long a connection without work is kept. Default 5 s.
    pub idle: Duration,
    /// Time for one TCP connection. Default 30 s.
    pub connect: Duration,
    /// Upper bound to the waits of RFC 5321 §4.5.3.2. Default 10 min: all of them as the RFC has them.
    pub reply: Duration,
    /// Hosts of one MX list that are tried in one attempt. Default 5.
    pub hosts_per_attempt: usize,
    /// A host that cannot be reached is left alone so long, doubling up to [`Limits::host_rest_max`]. Default 60 s.
    pub host_rest: Duration,
    /// Longest rest of a host. Default 30 min.
    pub host_rest_max: Duration,
    /// The sender hears of a delay after so long, once. Default 4 h.
    pub delay_notice: Duration,
    /// Most octets of the original that a notification returns. Default 50 KiB.
    pub returned_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            in_flight: 20_000,
            in_flight_per_destination: 15_000,
            local_batch: 256,
            local_batches: 2,
            connections_per_destination: 10,
            connections: 200,
            recipients_per_transaction: 100,
            messages_per_connection: 1000,
            idle: Duration::from_secs(5),
            connect: Duration::from_secs(30),
            reply: Duration::from_mins(10),
            hosts_per_attempt: 5,
            host_rest: Duration::from_mins(1),
            host_rest_max: Duration::from_mins(30),
            delay_notice: Duration::from_hours(4),
            returned_octets: 50 * 1024,
        }
    }
}

/// What only the rest of the program knows.
#[derive(Clone)]
pub struct Lookups {
    /// Where the mailbox of a login is.
    pub mailbox: FindMailbox,
    /// Where all of them are, each as `DOMAIN/NAME`.
    pub maildir_root: FindMaildirRoot,
    /// Where mail for an address (as printed) goes: the notification's way to the sender.
    pub targets: FindTargets,
}

/// The mailbox of a login; `None`: there is no such account.
pub type FindMailbox = Arc<dyn Fn(&str) -> Answer<Option<Mailbox>> + Send + Sync>;
/// The folder of the mailboxes, as the configuration of the moment has it. Must not block.
pub type FindMaildirRoot = Arc<dyn Fn() -> PathBuf + Send + Sync>;
/// The targets of an address; empty: nobody.
pub type FindTargets = Arc<dyn Fn(&str) -> Answer<Vec<Target>> + Send + Sync>;
/// A look-up on its way.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, Unavailable>> + Send>>;

/// It could not be found out; the mail waits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A mailbox on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Its Maildir; made when the account was, not by delivery.
    pub path: PathBuf,
    /// What it may hold.
    pub quota: maildir::Quota,
}
