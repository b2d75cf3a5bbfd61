//! Which answers in memory are still true: generations, moved on by our own changes at once and by those of other processes
//! (the command line, another server) as soon as the store sees them. Of logins there are many, each for some names: a change
//! of one account makes nobody read another's anew.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::DirectoryError;
use crate::store::{Changed, Changes, Store, Which};

/// Between attempts to watch again.
const RETRY: Duration = Duration::from_millis(500);

/// How many generations of logins there are. Names that share one are read anew together.
const LOGINS: usize = 4_096;

/// The generations that cached answers are stamped with.
#[derive(Debug)]
pub(crate) struct Generations {
    routing: AtomicU64,
    logins: Box<[AtomicU64]>,
    hasher: RandomState,
    /// Moves on with each of the logins'.
    any_login: tokio::sync::watch::Sender<u64>,
    /// Up to which revision of the store the changes of logins were followed.
    followed: AtomicI64,
    /// Set while the watch cannot read: another process's change would go unseen.
    blind: AtomicBool,
}

impl Default for Generations {
    fn default() -> Self {
        Self {
            routing: AtomicU64::new(0),
            logins: (0..LOGINS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
            any_login: tokio::sync::watch::Sender::new(0),
            followed: AtomicI64::new(0),
            blind: AtomicBool::new(false),
        }
    }
}

impl Generations {
    pub(crate) fn routing(&self) -> u64 {
        self.routing.load(Ordering::Acquire)
    }

    /// The generation of what is known under a login.
    pub(crate) fn login(&self, login: &str) -> u64 {
        self.of(login).load(Ordering::Acquire)
    }

    /// Moves on with every change of any login.
    pub(crate) fn any_login(&self) -> u64 {
        *self.any_login.borrow()
    }

    /// Hears of every change of any login.
    pub(crate) fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.any_login.subscribe()
    }

    fn of(&self, login: &str) -> &AtomicU64 {
        let number = usize::try_from(self.hasher.hash_one(login) % LOGINS as u64).unwrap_or_default();
        &self.logins[number]
    }

    pub(crate) fn routing_changed(&self) {
        self.routing.fetch_add(1, Ordering::AcqRel);
    }

    /// What is known under this login is not true any more.
    pub(crate) fn login_changed(&self, login: &str) {
        self.of(login).fetch_add(1, Ordering::AcqRel);
        self.any_login.send_modify(|generation| *generation += 1);
    }

    /// Whatever is known of logins may be wrong.
    pub(crate) fn logins_changed(&self) {
        for generation in &self.logins {
            generation.fetch_add(1, Ordering::AcqRel);
        }
        self.any_login.send_modify(|generation| *generation += 1);
    }

    pub(crate) fn changed(&self) {
        self.routing_changed();
        self.logins_changed();
    }

    /// Takes note of the logins that the store says have changed; if it cannot say, of all.
    pub(crate) async fn follow_logins(&self, store: &Store) {
        let Ok(changes) = store.login_changes(self.followed.load(Ordering::Acquire)).await else {
            return self.logins_changed();
        };
        match changes.logins {
            Which::These(logins) => {
                for login in logins {
                    self.login_changed(&login);
                }
            }
            Which::Many => self.logins_changed(),
        }
        self.followed.fetch_max(changes.revision, Ordering::AcqRel);
    }

    async fn follow(&self, changed: Changed, store: &Store) {
        if changed.routing {
            self.routing_changed();
        }
        if changed.logins {
            self.follow_logins(store).await;
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
        generations.follow_logins(&store).await;
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
            Some(changes) => match changes.next().await {
                Ok(what) => {
                    generations.follow(what, &store).await;
                    Ok(())
                }
                Err(error) => Err(error),
            },
            None => reopen(&store, &generations, &mut changes).await,
        };
        let was_blind = generations.blind.swap(seen.is_err(), Ordering::AcqRel);
        match seen {
            Err(error) => {
                changes = None;
                if !was_blind {
                    tracing::error!(%error, note = "logins are refused for now", "directory unwatched");
                }
                sleep(RETRY).await;
            }
            Ok(()) if was_blind => tracing::info!("directory watched"),
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
