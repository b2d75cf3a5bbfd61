//! Which answers in memory are still true: two generations, moved on by our own changes at once and by those of other
//! processes (the command line, another server) as soon as the store sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::DirectoryError;
use crate::store::{Changed, Changes, Store};

/// Between attempts to watch again.
const RETRY: Duration = Duration::from_millis(500);

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

    fn follow(&self, changed: Changed) {
        if changed.routing {
            self.routing_changed();
        }
        if changed.logins {
            self.logins_changed();
        }
    }

    #[cfg(test)]
    pub(crate) fn go_blind(&self) {
        self.blind.store(true, Ordering::Release);
    }

    pub(crate) fn is_blind(&self) -> bool {
        self.blind.load(Ordering::Acquire)
    }
}

/// The watching task; it ends when this is dropped.
pub(crate) struct Watch(JoinHandle<()>);

impl Watch {
    pub(crate) async fn start(store: Arc<Store>, generations: Arc<Generations>) -> Result<Self, DirectoryError> {
        let changes = store.changes().await?;
        Ok(Self(tokio::spawn(run(store, generations, changes))))
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

async fn run(store: Arc<Store>, generations: Arc<Generations>, changes: Changes) {
    let mut changes = Some(changes);
    loop {
        let seen = match changes.as_mut() {
            Some(changes) => changes.next().await.map(|changed| generations.follow(changed)),
            None => reopen(&store, &generations, &mut changes).await,
        };
        let was_blind = generations.blind.swap(seen.is_err(), Ordering::AcqRel);
        match seen {
            Err(error) => {
                changes = None;
                if !was_blind {
                    tracing::error!(%error, "directory cannot be watched; logins are refused for now");
                }
                sleep(RETRY).await;
            }
            Ok(()) if was_blind => tracing::info!("directory is watched again"),
            Ok(()) => {}
        }
    }
}

/// What happened meanwhile is not known, so everything counts as changed.
async fn reopen(store: &Store, generations: &Generations, changes: &mut Option<Changes>) -> Result<(), DirectoryError> {
    *changes = Some(store.changes().await?);
    generations.changed();
    Ok(())
}
