//! The running server: opens what a mail passes, listens, reloads, stops.
//!
//! `accept` takes connections, `smtp`, `pop3` and (for other mail servers) `beside` serve them, `route` says where a mail goes, `deliver` sets delivery up; `border` is
//! what all of them share, `site` one configuration of it, `legacy` what goes on beside the listeners.

pub mod accept;
pub mod beside;
pub mod border;
pub mod deliver;
mod legacy;
pub mod memory;
pub mod pop3;
pub mod route;
pub mod site;
pub mod smtp;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use directory::{Directory, PasswordTerms, ServerKey};
use sasl::scheme::Argon2Cost;
use spool::{Spool, SpoolConfig};
use state::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use self::accept::{Door, Socket};
use self::beside::dracd::rates::Rates;
use self::border::Border;
use self::legacy::Legacy;
use self::memory::Memory;
use self::site::{Site, SiteError};
use crate::config::{Listener, Protocol, Settings};
use crate::listen::{Address, Gate, socket};
use crate::watch::Watches;
use judge::records::Records;
use judge::{SessionIds, Sources};

/// How long running sessions may take to end after the server was told to stop.
const SESSIONS_GRACE: Duration = Duration::from_secs(10);
/// How long deliveries on their way may take to end.
const DELIVERIES_GRACE: Duration = Duration::from_secs(20);

/// Why the server does not start. Nothing was acknowledged to anybody.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be served.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The accounts cannot be opened.
    #[error(transparent)]
    Directory(#[from] directory::OpenError),
    /// The evidence cannot be opened.
    #[error(transparent)]
    State(#[from] state::StateError),
    /// The queue cannot be opened.
    #[error(transparent)]
    Spool(#[from] spool::OpenError),
    /// Delivery does not start.
    #[error(transparent)]
    Deliver(#[from] deliver::DeliverError),
    /// The directory cannot go by the configuration.
    #[error(transparent)]
    Settings(#[from] directory::DirectoryError),
    /// A reload would change what is only read at the start.
    #[error("{}: a change needs a restart; nothing was changed", .0.join(", "))]
    NeedsRestart(Vec<&'static str>),
    /// An address cannot be listened at.
    #[error("listener {listener}: {address}: {error}")]
    Bind {
        /// The listener.
        listener: Arc<str>,
        /// The address.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The file of grants cannot be written.
    #[error("relay.export: {0}")]
    Export(#[from] crate::export::ExportError),
    /// A folder cannot be made, or there are no random octets.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: io::Error,
    },
}

impl StartError {
    /// Whether it is the configuration that is to be changed: trying again later would not help.
    pub fn is_of_configuration(&self) -> bool {
        matches!(
            self,
            Self::Site(_)
                | Self::Settings(_)
                | Self::NeedsRestart(_)
                | Self::Spool(spool::OpenError::Settings(_))
                | Self::Deliver(deliver::DeliverError::Password { .. })
        )
    }
}

/// A running server.
pub struct Server {
    border: Arc<Border>,
    delivery: delivery::Delivery,
    doors: HashMap<Address, JoinHandle<()>>,
    /// Of all listeners that have connections, those of earlier configurations too.
    gates: Vec<Arc<Gate>>,
    legacy: Legacy,
    stop: watch::Sender<bool>,
    watches: Watches,
}

impl Server {
    /// Opens everything and listens. When it returns, every address of the settings takes connections.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let border = Arc::new(open(settings).await?);
        let delivery = deliver::start(&border)?;
        let (stop, _) = watch::channel(false);
        let legacy = Legacy::default();
        let watches = Watches::new(Arc::clone(&border.sources), Arc::clone(&border.site.load().terms));
        let mut server = Self { border, delivery, doors: HashMap::new(), gates: Vec::new(), legacy, watches, stop };
        match server.open().await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.stop().await;
                Err(error)
            }
        }
    }

    async fn open(&mut self) -> Result<(), StartError> {
        let site = self.border.site.load_full();
        let opened = self.bind(&site)?;
        self.legacy.start(&self.border, &site).await?;
        self.open_doors(&site, opened);
        self.watches.follow(&site.terms);
        Ok(())
    }

    /// What the sessions share.
    pub fn border(&self) -> &Arc<Border> {
        &self.border
    }

    /// Takes a new configuration over whole, or keeps the old one whole. Sessions that run go on with theirs.
    pub fn reload(&mut self, settings: Settings) -> Result<(), StartError> {
        let old = self.border.site.load_full();
        let fixed = old.settings.needing_a_restart(&settings);
        if !fixed.is_empty() {
            return Err(StartError::NeedsRestart(fixed));
        }
        let site = Arc::new(Site::new(settings, Some(&old))?);
        let opened = self.bind(&site)?;
        self.border.sources.directory.set_settings(directory_settings(&site.settings))?;
        // From here on nothing can fail.
        self.border.site.store(Arc::clone(&site));
        self.border.sources.state.share_addresses(site.settings.auth.shared_addresses.iter().copied());
        self.border.memory.resize(site.settings.limits.memory_octets);
        self.open_doors(&site, opened);
        self.close_doors(&site);
        self.legacy.follow(&site);
        self.watches.follow(&site.terms);
        info!(file = &*site.settings.file, "reloaded");
        Ok(())
    }

    /// Takes every address of a site that we do not have yet. No connection is taken there before the door opens.
    fn bind(&self, site: &Site) -> Result<Vec<Door>, StartError> {
        let mut opened: Vec<Door> = Vec::new();
        for listener in site.listeners.iter().map(|listener| &listener.settings) {
            for address in addresses(listener).filter(|address| !self.doors.contains_key(address)) {
                match open_socket(&address, listener.socket_mode) {
                    Ok(socket) => opened.push(Door { socket, address }),
                    Err(error) => {
                        for door in &opened {
                            remove_socket(&door.address);
                        }
                        return Err(StartError::Bind { listener: Arc::clone(&listener.name), address, error });
                    }
                }
            }
        }
        Ok(opened)
    }

    fn open_doors(&mut self, site: &Site, opened: Vec<Door>) {
        self.gates.retain(|gate| gate.held() > 0);
        for gate in site.listeners.iter().map(|listener| &listener.gate) {
            if !self.gates.iter().any(|known| Arc::ptr_eq(known, gate)) {
                self.gates.push(Arc::clone(gate));
            }
        }
        for door in opened {
            let address = door.address.clone();
            let serving = tokio::spawn(door.serve(Arc::clone(&self.border), self.stop.subscribe()));
            let listener = site.at(&address).map_or("", |listener| &*listener.settings.name);
            info!(listener, %address, "listening");
            self.doors.insert(address, serving);
        }
    }

    /// Stops listening where no listener of the site is. The sessions that came in there go on.
    fn close_doors(&mut self, site: &Site) {
        self.doors.retain(|address, serving| {
            let wanted = site.at(address).is_some();
            if !wanted {
                serving.abort();
                remove_socket(address);
                info!(%address, "listening no more");
            }
            wanted
        });
    }

    /// Ends in order: no new connections, sessions finish their reply, deliveries on their way end, the disk has it all.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.watches.stop().await;
        for (address, serving) in self.doors {
            serving.abort();
            remove_socket(&address);
        }
        let sessions = async {
            for gate in &self.gates {
                gate.emptied().await;
            }
        };
        if tokio::time::timeout(SESSIONS_GRACE, sessions).await.is_err() {
            warn!("sessions cut off at the end of the time for shutting down");
        }
        self.legacy.stop().await;
        self.delivery.shutdown(DELIVERIES_GRACE).await;
        self.border.spool.close().await;
        self.border.sources.directory.close().await;
        let state = Arc::clone(&self.border.sources.state);
        if tokio::task::spawn_blocking(move || state.close()).await.is_err() {
            error!("the state engine did not close in order");
        }
        info!("stopped");
    }
}

/// Where a listener listens. DRAC's clients come by UDP nearly always.
fn addresses(listener: &Listener) -> impl Iterator<Item = Address> {
    let datagrams = listener.bind.iter().filter(|_| listener.protocol == Protocol::Dracd);
    let unix = listener.unix.iter().cloned().map(Address::Unix);
    listener.bind.iter().copied().map(Address::Inet).chain(datagrams.copied().map(Address::Udp)).chain(unix)
}

fn open_socket(address: &Address, mode: u32) -> io::Result<Socket> {
    match address {
        Address::Inet(address) => socket::listen(*address).map(Socket::Tcp),
        Address::Udp(address) => socket::datagrams(*address).map(Socket::Udp),
        Address::Unix(path) => socket::listen_unix(path, mode).map(Socket::Unix),
    }
}

fn remove_socket(address: &Address) {
    if let Address::Unix(path) = address {
        // The next start takes it away, too.
        let _ = std::fs::remove_file(path);
    }
}

/// Opens accounts, evidence and queue.
async fn open(settings: Settings) -> Result<Border, StartError> {
    make_dir(&settings.data_dir)?;
    let site = Site::new(settings, None)?;
    let settings = &site.settings;
    let key = ServerKey::load_or_create(&settings.directory.key)?;
    let directory = Directory::open(&settings.directory.path, &key, directory_settings(settings)).await?;
    let state = State::open_with(&settings.state.path, state_config(settings))?;
    state.share_addresses(settings.auth.shared_addresses.iter().copied());
    forget_the_locked(&directory, &state).await;
    let (spool, recovery) = Spool::open(spool_config(settings))?;
    for damage in &recovery.damaged {
        error!(path = %damage.path.display(), offset = damage.offset, octets = damage.octets, "spool: unreadable stretch kept aside");
    }
    info!(messages = recovery.messages, segments = recovery.segments, grants = state.opened().grants, "opened");
    let mut guess_key = [0; 32];
    getrandom::fill(&mut guess_key)
        .map_err(|error| StartError::Io { what: "random octets".to_owned(), error: io::Error::other(error) })?;
    let sources = Sources {
        records: Records::default(),
        dns: resolver(&settings.dns),
        directory: Arc::new(directory),
        state: Arc::new(state),
        sessions: SessionIds::default(),
        decoy_key: *key.derive("sasl-decoy"),
        guess_key,
    };
    Ok(Border {
        sources: Arc::new(sources),
        spool,
        messages: beside::policy::Messages::default(),
        memory: Memory::new(settings.limits.memory_octets),
        dates: smtp::header::DateClock::default(),
        drac_rates: Rates::default(),
        site: ArcSwap::from_pointee(site),
    })
}

/// An account that was locked or deleted while no server ran must not relay by an earlier POP login; nor one
/// that cannot be asked about now.
async fn forget_the_locked(directory: &Directory, state: &State) {
    let grants = state.evidence().await.map(|answer| answer.value).unwrap_or_default();
    // Those of another server's accounts are not ours to know.
    let ours = grants.iter().filter(|grant| !grant.source().is_foreign());
    let mut logins: Vec<String> = ours.filter_map(|grant| grant.login().map(str::to_owned)).collect();
    logins.sort_unstable();
    logins.dedup();
    for login in logins {
        let may = directory.account(&login).await.is_ok_and(|account| !account.locked);
        if !may && let Err(error) = state.revoke(state::Revoke::Login(login)).await {
            warn!(%error, "grant of a locked account is revoked in memory only");
        }
    }
}

/// Whom all of the server asks for names; `None`, and said so, where the system names no name servers.
fn resolver(dns: &crate::config::Dns) -> Option<Arc<dns::Resolver>> {
    let made = dns::Resolver::new(&dns::Settings { servers: dns.servers.clone(), timeout: dns.timeout });
    made.inspect_err(|error| warn!(%error, "no DNS resolver: client names stay unknown")).ok().map(Arc::new)
}

fn make_dir(dir: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|error| StartError::Io { what: dir.display().to_string(), error })
}

/// What the configuration says of the directory: the same for the server and for the commands that open it themselves.
pub fn directory_settings(settings: &Settings) -> directory::Settings {
    let (auth, domains) = (&settings.auth, &settings.domains);
    let argon2 = Argon2Cost { memory_kib: auth.argon2_memory_kib, passes: auth.argon2_passes, ..Argon2Cost::default() };
    directory::Settings {
        default_domain: domains.default.as_ref().map(ToString::to_string).unwrap_or_default(),
        detail_delimiter: domains.detail_delimiter,
        postmaster: domains.postmaster.as_ref().map(ToString::to_string),
        passwords: PasswordTerms { argon2, checks_at_once: auth.argon2_concurrency, remembered: auth.cache_lifetime },
    }
}

fn state_config(settings: &Settings) -> state::StateConfig {
    use state::gcra::Rate;
    let auth = &settings.auth;
    let every = |count: u32| auth.failure_lifetime / count.max(1);
    let defaults = state::AuthLimits::default();
    let limits = state::AuthLimits {
        address: Rate::new(every(auth.failures_per_client), auth.failures_per_client),
        account: Rate::new(every(auth.failures_per_account), auth.failures_per_account),
        delay: auth.failure_delay,
        delay_max: auth.failure_delay * 16,
        ..defaults
    };
    state::StateConfig { auth: limits, ..state::StateConfig::default() }
}

fn spool_config(settings: &Settings) -> SpoolConfig {
    let spool = &settings.spool;
    SpoolConfig {
        segment_octets: spool.segment_octets,
        inline_octets: usize::try_from(spool.inline_octets).unwrap_or(usize::MAX),
        free_octets_min: spool.free_octets_min,
        backoff: spool::Backoff { steps: steps(spool.retry_first, spool.retry_max), give_up_after: spool.give_up },
        ..SpoolConfig::new(&spool.path)
    }
}

/// Waits between attempts: doubling from the first to the longest.
fn steps(first: Duration, max: Duration) -> Vec<Duration> {
    let doubling = std::iter::successors(Some(first), |step| Some(*step * 2));
    let mut steps: Vec<Duration> = doubling.take_while(|step| *step < max).take(32).collect();
    steps.push(max);
    steps
}

#[cfg(test)]
mod reload;
#[cfg(test)]
mod tests;
