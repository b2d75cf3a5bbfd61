//! Which answers in memory are still true: two generations, moved on by our own changes at once and by those of other
//! processes (the command line, another server) within half a second, seen by SQLite's `data_version`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::store::{self, Result, Store};

const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The generations that cached answers are stamped with.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    routing: AtomicU64,
    login: AtomicU64,
    /// Set while the watch cannot read: another process's change would go unseen.
    blind: AtomicBool,
}

impl Generations {
    pub(crate) fn routing(&self) -> u64 {
        self.routing.load(Ordering::Acquire)
    }

    pub(crate) fn login(&self) -> u64 {
        self.login.load(Ordering::Acquire)
    }

    pub(crate) fn routing_changed(&self) {
        self.routing.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn logins_changed(&self) {
        self.login.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn changed(&self) {
        self.routing_changed();
        self.logins_changed();
    }

    #[cfg(test)]
    pub(crate) fn go_blind(&self) {
        self.blind.store(true, Ordering::Release);
    }

    pub(crate) fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Acquire)
    }
}

/// The polling task; it ends when this is dropped.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) async fn start(store: Arc<Store>, generations: Arc<Generations>) -> Result<Self> {
        let eye = Eye::open(&store).await?;
        Ok(Self(tokio::spawn(run(store, generations, eye))))
    }

    pub(crate) fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn run(store: Arc<Store>, generations: Arc<Generations>, eye: Eye) {
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut eye = Some(eye);
    loop {
        ticks.tick().await;
        let seen = match eye.as_mut() {
            Some(eye) => eye.look(&generations).await,
            None => reopen(&store, &generations, &mut eye).await,
        };
        let was_blind = generations.blind.swap(seen.is_err(), Ordering::AcqRel);
        match seen {
            Err(error) => {
                eye = None;
                if !was_blind {
                    tracing::error!(%error, "directory cannot be watched; logins are refused for now");
                }
            }
            Ok(()) if was_blind => tracing::info!("directory is watched again"),
            Ok(()) => {}
        }
    }
}

/// What happened meanwhile is not known, so everything counts as changed.
async fn reopen(store: &Store, generations: &Generations, eye: &mut Option<Eye>) -> Result<()> {
    *eye = Some(Eye::open(store).await?);
    generations.changed();
    Ok(())
}

struct Eye {
    connection: SqliteConnection,
    version: i64,
    revisions: store::Revisions,
}

impl Eye {
    async fn open(store: &Store) -> Result<Self> {
        let mut connection = store.watch_connection().await?;
        let version = store::data_version(&mut connection).await?;
        let revisions = store::revisions(&mut connection).await?;
        Ok(Self { connection, version, revisions })
    }

    async fn look(&mut self, generations: &Generations) -> Result<()> {
        let version = store::data_version(&mut self.connection).await?;
        if version == self.version {
            return Ok(());
        }
        let revisions = store::revisions(&mut self.connection).await?;
        if revisions.routing != self.revisions.routing {
            generations.routing_changed();
        }
        if revisions.login != self.revisions.login {
            generations.logins_changed();
        }
        (self.version, self.revisions) = (version, revisions);
        Ok(())
    }
}
