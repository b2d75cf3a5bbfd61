//! Keeping a certificate: fetched when there is none of the authority's, renewed in time, tried again after a failure. Meanwhile the one
//! that is there stays in force.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config::Settings;
use listen::Certificate;
use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::AcmeError;
use crate::due::{self, Failed};
use crate::order;
use crate::store::{Issued, Store};

/// How long one try may take, whatever hangs.
const TRY_MAX: Duration = Duration::from_mins(20);
/// The clock is looked at so often: it may be put right, and the machine may have slept.
const LOOK_MAX: Duration = Duration::from_hours(1);
/// Failures in a row from which on somebody must be told; those before may be a short break.
const TOLD_FAILURES: u32 = 3;

/// What is told of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// When it is fetched again, or tried again.
    pub next: Option<SystemTime>,
    /// Failures in a row.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<SystemTime>,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// What it needs of the server.
pub struct Ways {
    /// The configuration in force.
    pub settings: Box<dyn Fn() -> Arc<Settings> + Send + Sync>,
    /// The certificate in force.
    pub certificate: Box<dyn Fn() -> Option<Arc<Certificate>> + Send + Sync>,
    /// Shows the one that lies in its file now.
    pub renewed: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// It keeps failing: an operator must know.
    pub failing: Box<dyn Fn(String) + Send + Sync>,
}

/// Keeps the certificate of one server.
#[derive(Default)]
pub struct Keeper {
    state: Mutex<Option<State>>,
    wake: Notify,
}

/// What is to be kept.
struct Job {
    acme: config::Acme,
    issued: Issued,
    store: Store,
}

impl Job {
    fn of(settings: &Settings) -> Option<Self> {
        let tls = settings.tls.as_ref()?;
        let acme = tls.acme.clone()?;
        let issued = Issued { directory: acme.directory.clone(), name: settings.hostname.clone() };
        Some(Self { acme, issued, store: Store::beside(&tls.certificate) })
    }

    /// When the certificate in force is to be replaced. One that is not of this authority, or not for this name: now.
    async fn due(&self, certificate: Option<Arc<Certificate>>, lot: u8) -> SystemTime {
        let Some(certificate) = certificate else { return SystemTime::UNIX_EPOCH };
        let shown = Arc::clone(&certificate);
        let issued = self.store.on_disk(move |store| store.issued(&shown)).await.ok().flatten();
        if issued.as_ref() == Some(&self.issued) { due::renewal(&certificate, lot) } else { SystemTime::UNIX_EPOCH }
    }

    /// Fetches one, and has it shown. One that would be due again at once is no success: it would be fetched without end.
    async fn renew(&self, ways: &Ways, lot: u8) -> Result<(), AcmeError> {
        self.fetch().await?;
        (ways.renewed)().map_err(AcmeError::Here)?;
        if self.due((ways.certificate)(), lot).await > SystemTime::now() {
            return Ok(());
        }
        Err(AcmeError::Here("the new certificate is due for renewal already: look at the clock".to_owned()))
    }

    async fn fetch(&self) -> Result<(), AcmeError> {
        let fetched = order::fetch(&self.acme, &self.issued.name, &self.store);
        let late = || AcmeError::Here(format!("not done after {} minutes", TRY_MAX.as_secs() / 60));
        tokio::time::timeout(TRY_MAX, fetched).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Keeper {
    /// What is told of it; `None`: the certificate is not fetched.
    pub fn state(&self) -> Option<State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The configuration has changed, or an operator wants it tried again.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Keeps it until it is dropped.
    pub async fn follow(&self, ways: Ways) {
        let (mut lot, mut again) = (due::lot(), Instant::now());
        loop {
            let Some(job) = Job::of(&(ways.settings)()) else {
                self.set(None);
                self.wake.notified().await;
                continue;
            };
            let due = job.due((ways.certificate)(), lot).await;
            let wait = due.duration_since(SystemTime::now()).unwrap_or_default();
            let wait = wait.max(again.saturating_duration_since(Instant::now()));
            if !wait.is_zero() {
                let next = SystemTime::now().checked_add(wait);
                self.set(Some(State { next, ..self.state().unwrap_or_default() }));
                tokio::select! {
                    () = tokio::time::sleep(wait.min(LOOK_MAX)) => {}
                    () = self.wake.notified() => again = Instant::now(),
                }
                continue;
            }
            match job.renew(&ways, lot).await {
                Ok(()) => {
                    info!(name = job.issued.name, directory = job.issued.directory, "certificate renewed");
                    self.set(Some(State::default()));
                    (lot, again) = (due::lot(), Instant::now());
                }
                Err(error) => again = Instant::now() + self.failed(&error, &job, &ways),
            }
        }
    }

    /// Tells of it; gives how long to wait.
    fn failed(&self, error: &AcmeError, job: &Job, ways: &Ways) -> Duration {
        let before = self.state().unwrap_or_default();
        let failures = before.failures.saturating_add(1);
        let failed = if matches!(error, AcmeError::Away { .. }) { Failed::Away } else { Failed::Refused };
        let pause = due::pause(failures, failed, due::lot());
        let why = error.to_string();
        warn!(
            name = job.issued.name,
            why = ?why,
            failures,
            retry_secs = pause.as_secs(),
            note = "the certificate in force stays",
            "certificate unrenewed"
        );
        if failures >= TOLD_FAILURES {
            (ways.failing)(format!("{failures} tries in a row failed: {why}"));
        }
        let failing_since = before.failing_since.or_else(|| Some(SystemTime::now()));
        self.set(Some(State { next: None, failures, failing_since, error: Some(why) }));
        pause
    }

    fn set(&self, state: Option<State>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }
}
