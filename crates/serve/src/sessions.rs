//! The sessions that are open: who can list them, and by what they are cut.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use config::Protocol;
use directory::Identity;
use judge::SessionId;
use listen::Cut;

/// All sessions of our own listeners.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Mutex<BTreeMap<u64, Arc<Open>>>,
    /// The server is to stop.
    stopping: AtomicBool,
}

/// One session.
#[derive(Debug)]
pub struct Open {
    /// Its id in the log.
    pub id: SessionId,
    /// The listener's name.
    pub listener: Arc<str>,
    /// What is spoken.
    pub protocol: Protocol,
    /// When it began.
    pub begun: SystemTime,
    /// Ends it.
    pub cut: Cut,
    now: Mutex<Now>,
}

/// What is true of a session now.
#[derive(Debug, Clone)]
pub struct Now {
    /// The client; another one after XCLIENT.
    pub client: IpAddr,
    /// Who logged in.
    pub login: Option<Identity>,
    /// A right that the configuration gives was used: a listed network or client.
    pub relays_by_configuration: bool,
}

/// A session's place in the list; it goes with it.
#[derive(Debug)]
pub struct Listed {
    sessions: Arc<Sessions>,
    open: Arc<Open>,
}

impl Sessions {
    /// A session begins.
    pub fn begin(self: &Arc<Self>, id: SessionId, listener: &config::Listener, client: IpAddr) -> Listed {
        let now = Mutex::new(Now { client, login: None, relays_by_configuration: false });
        let open = Arc::new(Open {
            id,
            listener: Arc::clone(&listener.name),
            protocol: listener.protocol,
            begun: SystemTime::now(),
            cut: Cut::default(),
            now,
        });
        self.lock().insert(id.number(), Arc::clone(&open));
        // One that begins meanwhile is told here or by `stop`, which comes to it after it is in the list.
        if self.stopping.load(Ordering::SeqCst) {
            open.cut.say_stop();
        }
        Listed { sessions: Arc::clone(self), open }
    }

    /// Whether the server is to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// The server is to stop: each ends when what it does is done.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for open in self.all() {
            open.cut.say_stop();
        }
    }

    /// All of them, in the order of their beginning.
    pub fn all(&self) -> Vec<Arc<Open>> {
        self.lock().values().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Open>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// What is true of it now.
    pub fn now(&self) -> Now {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// Ends it.
    pub fn cut(&self) -> &Cut {
        &self.open.cut
    }

    /// Somebody proved who he is.
    pub fn logged_in(&self, identity: &Identity) {
        self.open.lock().login = Some(identity.clone());
    }

    /// Nothing said before counts any more; `client` speaks from now on.
    pub fn begins_anew(&self, client: IpAddr) {
        *self.open.lock() = Now { client, login: None, relays_by_configuration: false };
    }

    /// A right that the configuration gives was used.
    pub fn relays_by_configuration(&self) {
        self.open.lock().relays_by_configuration = true;
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.open.id.number());
    }
}
