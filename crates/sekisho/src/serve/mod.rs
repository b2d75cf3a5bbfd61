//! The running server: opens what a mail passes, listens, reloads, stops.
//!
//! `accept` takes connections, `smtp` and `pop3` serve them, `auth` checks logins, `deliver` sets delivery up; `border` is
//! what all of them share, `site` one configuration of it.

pub mod accept;
pub mod auth;
pub mod border;
pub mod deliver;
pub mod memory;
pub mod pop3;
pub mod site;
pub mod smtp;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use directory::{Directory, PasswordTerms, ServerKey};
use sasl::scheme::Argon2Cost;
use spool::{Spool, SpoolConfig};
use state::Embedded;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use self::accept::Door;
use self::border::{Border, SessionId};
use self::memory::Memory;
use self::site::{Site, SiteError};
use crate::config::Settings;
use crate::listen::{Gate, socket};
use crate::lookup::resolver::Resolver;
use crate::tls::Certificate;

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
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
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
    /// An address cannot be listened at.
    #[error("listener {listener}: {address}: {source}")]
    Bind {
        /// The listener.
        listener: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A folder cannot be made, or there are no random octets.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: io::Error,
    },
}

/// A running server.
pub struct Server {
    border: Arc<Border>,
    delivery: delivery::Delivery,
    doors: HashMap<SocketAddr, (Arc<str>, JoinHandle<()>)>,
    gates: HashMap<Arc<str>, Arc<Gate>>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Opens everything and listens. When it returns, every address of the settings takes connections.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let border = Arc::new(open(settings).await?);
        let delivery = deliver::start(&border)?;
        let (stop, _) = watch::channel(false);
        let mut server = Self { border, delivery, doors: HashMap::new(), gates: HashMap::new(), stop };
        if let Err(error) = server.open_doors() {
            server.stop().await;
            return Err(error);
        }
        Ok(server)
    }

    /// What the sessions share.
    pub fn border(&self) -> &Arc<Border> {
        &self.border
    }

    /// Takes a new configuration over, or keeps the old one whole. Sessions that run go on with theirs.
    pub fn reload(&mut self, settings: Settings) -> Result<(), StartError> {
        if let (Some(certificate), Some(tls)) = (&self.border.certificate, &settings.tls) {
            certificate.reload(&tls.certificate, &tls.key)?;
        }
        let site = Site::new(settings, self.border.certificate.as_ref())?;
        let old = self.border.site.swap(Arc::new(site));
        if let Err(error) = self.open_doors() {
            self.border.site.store(old);
            return Err(error);
        }
        let site = self.border.site.load_full();
        if let Err(error) = self.border.directory.set_settings(directory_settings(&site.settings)) {
            warn!(%error, "the directory keeps its old settings");
        }
        self.border.memory.resize(site.settings.limits.memory_octets);
        self.close_doors(&site);
        info!(file = &*site.settings.file, "reloaded");
        Ok(())
    }

    /// Listens at every address of the settings where it does not yet.
    fn open_doors(&mut self) -> Result<(), StartError> {
        let site = self.border.site.load_full();
        let mut opened = Vec::new();
        for listener in site.listeners.iter().map(|listener| &listener.settings) {
            for &address in listener.bind.iter().filter(|address| !self.doors.contains_key(address)) {
                let bound = socket::listen(address);
                let socket = bound.map_err(|source| StartError::Bind {
                    listener: Arc::clone(&listener.name),
                    address,
                    source,
                })?;
                let gate = Arc::clone(self.gates.entry(Arc::clone(&listener.name)).or_default());
                opened.push((address, Door { socket, name: Arc::clone(&listener.name), gate }));
            }
        }
        // Only now that every address is ours does any of them take connections.
        for (address, door) in opened {
            let name = Arc::clone(&door.name);
            let serving = tokio::spawn(door.serve(Arc::clone(&self.border), self.stop.subscribe()));
            info!(listener = &*name, %address, "listening");
            self.doors.insert(address, (name, serving));
        }
        Ok(())
    }

    /// Stops listening where the settings do not want it any more. The sessions that came in there go on.
    fn close_doors(&mut self, site: &Site) {
        self.doors.retain(|address, (name, serving)| {
            let wanted = site
                .listeners
                .iter()
                .any(|listener| listener.settings.name == *name && listener.settings.bind.contains(address));
            if !wanted {
                serving.abort();
                info!(listener = &**name, %address, "listening no more");
            }
            wanted
        });
    }

    /// Ends in order: no new connections, sessions finish their reply, deliveries on their way end, the disk has it all.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for (_, (_, serving)) in self.doors {
            serving.abort();
        }
        let sessions = async {
            for gate in self.gates.values() {
                gate.emptied().await;
            }
        };
        if tokio::time::timeout(SESSIONS_GRACE, sessions).await.is_err() {
            warn!("sessions cut off at the end of the time for shutting down");
        }
        self.delivery.shutdown(DELIVERIES_GRACE).await;
        self.border.spool.close().await;
        self.border.directory.close().await;
        let state = Arc::clone(&self.border.state);
        if tokio::task::spawn_blocking(move || state.close()).await.is_err() {
            error!("the state engine did not close in order");
        }
        info!("stopped");
    }
}

/// Opens accounts, evidence and queue.
async fn open(settings: Settings) -> Result<Border, StartError> {
    make_dir(&settings.data_dir)?;
    let certificate = settings.tls.as_ref().map(|tls| Certificate::load(&tls.certificate, &tls.key)).transpose()?;
    let site = Site::new(settings, certificate.as_ref())?;
    let settings = &site.settings;
    let key = ServerKey::load_or_create(&settings.directory.key)?;
    let directory = Directory::open(&settings.directory.path, &key, directory_settings(settings)).await?;
    let state = Embedded::open_with(&settings.state_dir, state_config(settings))?;
    forget_the_locked(&directory, &state).await;
    let (spool, recovery) = Spool::open(spool_config(settings))?;
    for damage in &recovery.damaged {
        error!(path = %damage.path.display(), offset = damage.offset, octets = damage.octets, "spool: unreadable stretch kept aside");
    }
    info!(messages = recovery.messages, segments = recovery.segments, grants = state.opened().grants, "opened");
    let mut guess_key = [0; 32];
    getrandom::fill(&mut guess_key)
        .map_err(|error| StartError::Io { what: "random octets".to_owned(), source: io::Error::other(error) })?;
    Ok(Border {
        resolver: Resolver::new(&settings.dns),
        directory: Arc::new(directory),
        state: Arc::new(state),
        spool,
        memory: Memory::new(settings.limits.memory_octets),
        certificate,
        dates: smtp::header::DateClock::default(),
        sessions: SessionId::first(),
        decoy_key: *key.derive("sasl-decoy"),
        guess_key,
        site: ArcSwap::from_pointee(site),
    })
}

/// An account that was locked or deleted while no server ran must not relay by an earlier POP login; nor one
/// that cannot be asked about now.
async fn forget_the_locked(directory: &Directory, state: &Embedded) {
    let now = SystemTime::now();
    let mut logins: Vec<String> =
        state.grants(now).await.unwrap_or_default().iter().map(|grant| grant.login().to_owned()).collect();
    logins.sort_unstable();
    logins.dedup();
    for login in logins {
        let may = directory.account(&login).await.is_ok_and(|account| !account.locked);
        if !may && let Err(error) = state.revoke(state::Revoke::Login(login), now).await {
            warn!(%error, "grant of a locked account is revoked in memory only");
        }
    }
}

fn make_dir(dir: &std::path::Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| StartError::Io { what: dir.display().to_string(), source })
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
mod tests;
