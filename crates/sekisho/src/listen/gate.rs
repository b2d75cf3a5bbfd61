//! How many connections a listener holds, in all and from one client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Counts the connections of one listener.
#[derive(Debug)]
pub struct Gate {
    held: Mutex<Held>,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct Held {
    total: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Why a connection was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The listener holds as many as it may.
    Full,
    /// This client holds as many as one client may.
    ClientFull,
}

/// One counted connection; dropping it gives the place back.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<Gate>,
    client: IpAddr,
}

impl Default for Gate {
    fn default() -> Self {
        Self { held: Mutex::new(Held::default()), emptied: Notify::new() }
    }
}

impl Gate {
    /// Takes a place for `client`, of at most `total_max` in all and `client_max` for each client.
    pub fn enter(self: &Arc<Self>, client: IpAddr, total_max: usize, client_max: usize) -> Result<Pass, Refused> {
        let mut held = self.lock();
        if held.total >= total_max {
            return Err(Refused::Full);
        }
        let of_client = held.by_client.entry(client).or_insert(0);
        if *of_client >= client_max {
            return Err(Refused::ClientFull);
        }
        *of_client += 1;
        held.total += 1;
        drop(held);
        Ok(Pass { gate: Arc::clone(self), client })
    }

    /// How many connections are held now.
    pub fn held(&self) -> usize {
        self.lock().total
    }

    /// Waits until no connection is held.
    pub async fn emptied(&self) {
        loop {
            let bell = self.emptied.notified();
            if self.held() == 0 {
                return;
            }
            bell.await;
        }
    }

    // A panic while counting leaves at worst one place too many taken: the counts stay usable.
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut held = self.gate.lock();
        held.total = held.total.saturating_sub(1);
        if let Entry::Occupied(mut of_client) = held.by_client.entry(self.client) {
            *of_client.get_mut() -= 1;
            if *of_client.get() == 0 {
                of_client.remove();
            }
        }
        if held.total == 0 {
            self.gate.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let gate = Arc::new(Gate::default());
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = gate.enter(a, 3, 2).unwrap();
        let second = gate.enter(a, 3, 2).unwrap();
        assert_eq!(gate.enter(a, 3, 2).unwrap_err(), Refused::ClientFull);
        let third = gate.enter(b, 3, 2).unwrap();
        assert_eq!(gate.enter(b, 3, 2).unwrap_err(), Refused::Full);
        drop((first, second, third));
        assert_eq!(gate.held(), 0);
        assert!(gate.lock().by_client.is_empty(), "a client that left is forgotten");
    }
}
