//! What all parts of delivery share: settings, connections, the workers and their end.

use std::future::Future;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spool::Spool;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use crate::clock::unix_micros;
use crate::config::{Config, Lookups};
use crate::destination::Destinations;
use crate::fate::OnFate;
use crate::job::Told;
use crate::link::{LinkError, LinkSettings};
use crate::names::Names;
use crate::tls;
use crate::watched::Watched;

/// How long a host is spoken to in clear whose TLS broke: about as long as somebody needs to see to it.
const CLEAR_SPAN: Duration = Duration::from_hours(1);
/// Such hosts remembered; one that is forgotten breaks once more.
const CLEAR_MAX: usize = 1_000;

/// What all parts of delivery share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) spool: Arc<Spool>,
    pub(crate) lookups: Lookups,
    pub(crate) on_fate: OnFate,
    pub(crate) link: LinkSettings,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) told: Told,
    pub(crate) watched: Watched,
    pub(crate) started_unix_micros: u64,
    pub(crate) destinations: Destinations,
    pub(crate) in_flight: Arc<Semaphore>,
    /// Workers of all destinations, each with a connection or about to have one.
    pub(crate) couriers: AtomicUsize,
    /// Hosts whose TLS broke, by the name of [`Endpoint::relay`](crate::link::Endpoint::relay): spoken to in clear until then.
    clear: Names,
    workers: Mutex<JoinSet<()>>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(crate) fn new(
        config: Config,
        spool: Arc<Spool>,
        lookups: Lookups,
        on_fate: OnFate,
    ) -> Result<Self, rustls::Error> {
        let link = LinkSettings {
            hostname: config.hostname.clone(),
            verified: Arc::clone(&config.verified_tls),
            opportunistic: Arc::new(tls::opportunistic()?),
            connect: config.limits.connect,
            reply: config.limits.reply,
        };
        Ok(Self {
            spool,
            lookups,
            on_fate,
            link,
            connections: Arc::new(Semaphore::new(config.limits.connections.max(1))),
            told: Told::default(),
            watched: Watched::default(),
            started_unix_micros: unix_micros(),
            destinations: Destinations::default(),
            in_flight: Arc::new(Semaphore::new(config.limits.in_flight.max(1))),
            couriers: AtomicUsize::new(0),
            clear: Names::new(CLEAR_MAX),
            workers: Mutex::new(JoinSet::new()),
            stop: watch::Sender::new(false),
            config,
        })
    }

    /// Opportunistic TLS broke at this host: it is spoken to in clear for a while.
    pub(crate) fn give_up_tls(&self, relay: &Arc<str>, error: &LinkError) {
        tracing::info!(relay = %relay, %error, span_secs = CLEAR_SPAN.as_secs(), "tls abandoned");
        self.clear.remember(relay, CLEAR_SPAN);
    }

    /// Whether that is so now.
    pub(crate) fn is_tls_given_up(&self, relay: &str) -> bool {
        self.clear.has(relay)
    }

    /// Whether nothing new is begun.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Resolves when it is. Cancel-safe.
    pub(crate) async fn stopping(&self) {
        // The sender lives in `self`: this cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// For whoever must know of the stop without holding all of this; closed once this is gone.
    pub(crate) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Runs a worker; it is awaited at the end.
    pub(crate) fn spawn(&self, worker: impl Future<Output = ()> + Send + 'static) {
        let mut workers = self.workers();
        while let Some(ended) = workers.try_join_next() {
            report_panic(&ended);
        }
        workers.spawn(worker);
    }

    /// From here on nothing new is begun.
    pub(crate) fn begin_stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the workers there are.
    pub(crate) async fn join_workers(&self) {
        let mut workers = std::mem::take(&mut *self.workers());
        while let Some(ended) = workers.join_next().await {
            report_panic(&ended);
        }
    }

    fn workers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that ended by a panic is said so.
pub(crate) fn report_panic(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, note = "its mail is tried again", "delivery panicked");
    }
}
