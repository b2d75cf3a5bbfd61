//! How many connections a listener holds, in all and from one client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use guard::Load;
use keep::tally::Row;
use tokio::sync::Notify;

/// Counts the connections of one listener.
#[derive(Debug)]
pub struct Gate {
    by_client: Mutex<Clients>,
    /// Changed with `by_client` locked only; whoever asks how full it is need not wait for those who come and go.
    total: AtomicUsize,
    emptied: Notify,
    load: AtomicU8,
    /// What became of connections.
    ends: Row<3>,
}

/// What became of a connection at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is served.
    Served,
    /// It was turned away: no room, a ban, a list.
    TurnedAway,
    /// It ended before its first word: no handshake, no PROXY header, nothing in time.
    Failed,
}

impl Met {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Served, Self::TurnedAway, Self::Failed];

    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::TurnedAway => "turned-away",
            Self::Failed => "failed",
        }
    }
}

/// How many connections each holds.
#[derive(Debug, Default)]
struct Clients(HashMap<IpAddr, usize>);

/// How full a listener is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shed {
    /// The step.
    pub now: Load,
    /// How much of its room is taken.
    pub percent: u64,
    /// It was another before; who asks is the one to tell of it.
    pub has_changed: bool,
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
        Self {
            by_client: Mutex::default(),
            total: AtomicUsize::new(0),
            emptied: Notify::new(),
            load: AtomicU8::new(0),
            ends: Row::new(),
        }
    }
}

impl Gate {
    /// Takes a place for `client`, of at most `total_max` in all and `client_max` for each client.
    pub fn enter(self: &Arc<Self>, client: IpAddr, total_max: usize, client_max: usize) -> Result<Pass, Refused> {
        let client = one_client(client);
        let mut by_client = self.lock();
        if self.held() >= total_max {
            return Err(Refused::Full);
        }
        by_client.take(client, client_max)?;
        self.total.fetch_add(1, Ordering::AcqRel);
        drop(by_client);
        Ok(Pass { gate: Arc::clone(self), client })
    }

    /// Counts what became of a connection.
    pub fn met(&self, met: Met) {
        self.ends.one(met as usize);
    }

    /// How many connections ended up so, since the start.
    pub fn count(&self, met: Met) -> u64 {
        self.ends.read(met as usize)
    }

    /// How many connections are held now.
    pub fn held(&self) -> usize {
        self.total.load(Ordering::Acquire)
    }

    /// How full it is beside one connection, of at most `total_max`, or as full as `percent` says of another room that all need.
    pub fn load(&self, total_max: usize, percent: u64) -> Shed {
        let others = self.held().saturating_sub(1) as u64;
        let percent = percent.max(others.saturating_mul(100) / (total_max as u64).max(1));
        let before = self.step();
        let now = before.after(percent);
        // Who comes second has nothing to tell. Nearly always nothing changes, and nothing is written.
        let has_changed = before != now && self.load.swap(now.number(), Ordering::AcqRel) != now.number();
        Shed { now, percent, has_changed }
    }

    /// The step that was found last.
    pub fn step(&self) -> Load {
        Load::of_number(self.load.load(Ordering::Acquire))
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
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.by_client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass {
    /// The place is another client's from now on: the one that a proxy named. Refused, it stays as it is.
    pub fn hand_to(&mut self, client: IpAddr, client_max: usize) -> Result<(), Refused> {
        let client = one_client(client);
        let mut by_client = self.gate.lock();
        by_client.take(client, client_max)?;
        by_client.give_back(self.client);
        drop(by_client);
        self.client = client;
        Ok(())
    }
}

impl Clients {
    fn take(&mut self, client: IpAddr, client_max: usize) -> Result<(), Refused> {
        let of_client = self.0.entry(client).or_insert(0);
        if *of_client >= client_max {
            return Err(Refused::ClientFull);
        }
        *of_client += 1;
        Ok(())
    }

    fn give_back(&mut self, client: IpAddr) {
        if let Entry::Occupied(mut of_client) = self.0.entry(client) {
            *of_client.get_mut() -= 1;
            if *of_client.get() == 0 {
                of_client.remove();
            }
        }
    }
}

/// What counts as one client: an IPv4 address, an IPv6 /64, of which a single host has all the addresses it wants.
fn one_client(ip: IpAddr) -> IpAddr {
    guard::cut_ipv6(ip, 64)
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut by_client = self.gate.lock();
        by_client.give_back(self.client);
        if self.gate.total.fetch_sub(1, Ordering::AcqRel) == 1 {
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
        assert!(gate.lock().0.is_empty(), "a client that left is forgotten");
    }

    #[test]
    fn a_step_is_told_once() {
        let gate = Arc::new(Gate::default());
        let passes: Vec<Pass> =
            (0..10).map(|last| gate.enter(IpAddr::from([192, 0, 2, last]), 10, 9).unwrap()).collect();
        let told = |percent| {
            let shed = gate.load(10, percent);
            (shed.now, shed.percent, shed.has_changed)
        };
        assert_eq!((told(0), told(0)), ((Load::Strained, 90, true), (Load::Strained, 90, false)));
        assert_eq!(told(97), (Load::LoginsOnly, 97, true));
        drop(passes);
        assert_eq!((told(3), told(3)), ((Load::Calm, 3, true), (Load::Calm, 3, false)));
    }

    #[test]
    fn an_ipv6_client_is_its_64() {
        let gate = Arc::new(Gate::default());
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let _held = gate.enter(ip("2001:db8:1:2::1"), 9, 1).unwrap();
        assert_eq!(gate.enter(ip("2001:db8:1:2:ffff::9"), 9, 1).unwrap_err(), Refused::ClientFull);
        let _held = gate.enter(ip("2001:db8:1:3::1"), 9, 1).unwrap();
        let _held = gate.enter(ip("::ffff:192.0.2.1"), 9, 1).unwrap();
        assert_eq!(gate.enter(ip("192.0.2.1"), 9, 1).unwrap_err(), Refused::ClientFull);
    }

    #[test]
    fn a_proxy_s_place_is_handed_to_its_client() {
        let gate = Arc::new(Gate::default());
        let (proxy, client) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([192, 0, 2, 2]));
        let mut first = gate.enter(proxy, 2, 2).unwrap();
        let mut second = gate.enter(proxy, 2, 2).unwrap();
        first.hand_to(client, 1).unwrap();
        assert_eq!(second.hand_to(client, 1).unwrap_err(), Refused::ClientFull);
        assert_eq!(gate.held(), 2);
        drop(first);
        second.hand_to(client, 1).unwrap();
        drop(second);
        assert!(gate.lock().0.is_empty());
    }
}
