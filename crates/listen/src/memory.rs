//! Memory for messages on their way to the disk: bounded over all sessions together.
//!
//! Two kinds of messages never wait for one another. One whose octets are all here goes to the disk now: it waits until
//! there is memory, and only for others of its kind, so never for a client. One that is still coming in holds its memory
//! for as long as its client likes: it gets some at once or not at all, and then goes to a file of its own piece by piece.
//! So a few clients who send slowly, or one with many connections, can use up their part, but stop nobody's mail.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted as one, in octets: with it every bound fits a permit's 32 bits.
const UNIT_OCTETS: u64 = 1_024;
/// Of the memory, what is kept for messages that are all here, and what one client may hold of the rest: a quarter each.
const PART: u32 = 4;
/// IPv6 hosts have a whole network of so many bits.
const IPV6_PREFIX: u8 = 64;

/// The memory there is.
pub struct Memory {
    /// Replaced whole by a reload; what is held of the old one stays held.
    units: ArcSwap<Units>,
    clients: Arc<Clients>,
}

struct Units {
    /// For messages that are all here.
    here: Arc<Semaphore>,
    /// For messages that are coming in.
    coming: Arc<Semaphore>,
    all: u32,
}

/// What each client holds for messages that are coming in, in units.
#[derive(Default)]
struct Clients(Mutex<HashMap<IpAddr, u32>>);

/// A part of the memory for a message that is all here, given back when dropped.
pub struct Held {
    _permit: OwnedSemaphorePermit,
}

/// A part of the memory for a message that is coming in, given back when dropped.
pub struct HeldComing {
    permit: OwnedSemaphorePermit,
    client: IpAddr,
    clients: Arc<Clients>,
}

impl Units {
    fn new(octets: u64) -> Self {
        let all = units(octets).max(PART);
        let here = all / PART;
        let semaphore = |units: u32| Arc::new(Semaphore::new(units as usize));
        Self { here: semaphore(here), coming: semaphore(all - here), all }
    }
}

impl Memory {
    /// So many octets.
    pub fn new(octets: u64) -> Self {
        Self { units: ArcSwap::from_pointee(Units::new(octets)), clients: Arc::default() }
    }

    /// From now on so many.
    pub fn resize(&self, octets: u64) {
        if self.units.load().all != units(octets) {
            self.units.store(Arc::new(Units::new(octets)));
        }
    }

    /// How much of it is held now, in per cent.
    pub fn percent_held(&self) -> u64 {
        let units_now = self.units.load();
        let free = units_now.here.available_permits() + units_now.coming.available_permits();
        let all = u64::from(units_now.all);
        all.saturating_sub(free as u64) * 100 / all.max(1)
    }

    /// Takes so many octets for what goes to the disk now, or all there are if that is less, as soon as they are free; first
    /// come, first served. `None`: not within `wait`. Cancel-safe.
    pub async fn hold(&self, octets: u64, wait: Duration) -> Option<Held> {
        let (here, wanted) = {
            let units_now = self.units.load();
            (Arc::clone(&units_now.here), units(octets).clamp(1, units_now.all / PART))
        };
        if let Ok(permit) = Arc::clone(&here).try_acquire_many_owned(wanted) {
            return Some(Held { _permit: permit });
        }
        let permit = tokio::time::timeout(wait, here.acquire_many_owned(wanted)).await;
        Some(Held { _permit: permit.ok()?.ok()? })
    }

    /// Takes so many octets for what comes in from a client, if they are free, and if the client has not too many already.
    pub fn hold_coming(&self, octets: u64, client: IpAddr) -> Option<HeldComing> {
        let units_now = self.units.load();
        let (client, wanted) = (guard::cut_ipv6(client, IPV6_PREFIX), units(octets).max(1));
        let mut clients = self.clients.lock();
        let has = clients.get(&client).copied().unwrap_or(0);
        let would_have = has.checked_add(wanted).filter(|sum| *sum <= units_now.all / PART)?;
        let permit = Arc::clone(&units_now.coming).try_acquire_many_owned(wanted).ok()?;
        clients.insert(client, would_have);
        Some(HeldComing { permit, client, clients: Arc::clone(&self.clients) })
    }
}

impl Clients {
    /// Whole after a panic too: each change is one insertion or removal.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HeldComing {
    fn drop(&mut self) {
        let held = u32::try_from(self.permit.num_permits()).unwrap_or(u32::MAX);
        let mut clients = self.clients.lock();
        match clients.get_mut(&self.client) {
            Some(has) if *has > held => *has -= held,
            _ => drop(clients.remove(&self.client)),
        }
    }
}

fn units(octets: u64) -> u32 {
    u32::try_from(octets.div_ceil(UNIT_OCTETS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_hours(1);
    const KIB: u64 = 1_024;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[tokio::test]
    async fn what_is_here_waits_until_there_is_room() {
        let memory = Memory::new(40 * KIB);
        let first = memory.hold(6_000, NOW).await.expect("there is room");
        let second = memory.hold(4 * KIB, NOW).await.expect("6 units and 4");
        assert!(memory.hold(1, NOW).await.is_none(), "all of the quarter is held");
        assert_eq!(memory.percent_held(), 25);
        drop(first);
        assert!(memory.hold(6 * KIB, NOW).await.is_some());
        assert!(memory.hold(7 * KIB, NOW).await.is_none());
        let (third, ()) = tokio::join!(memory.hold(9 * KIB, LONG), async { drop(second) });
        assert!(third.is_some(), "it waited for the second");
    }

    #[tokio::test]
    async fn more_than_all_is_all() {
        let memory = Memory::new(16 * KIB);
        let all = memory.hold(u64::MAX, NOW).await.expect("as much as there is");
        assert!(memory.hold(1, NOW).await.is_none());
        memory.resize(32 * KIB);
        assert!(memory.hold(8 * KIB, NOW).await.is_some(), "a reload gave more");
        drop(all);
    }

    /// What is coming in never waits, and never takes what the others need.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_sends_slowly_stops_nobody() {
        let memory = Arc::new(Memory::new(400 * KIB));
        let slow: Vec<_> = (0..9).filter_map(|last| memory.hold_coming(100 * KIB, client(last))).collect();
        assert_eq!(slow.len(), 3, "three quarters");
        assert!(memory.hold_coming(KIB, client(9)).is_none(), "it goes to its file instead");
        let quick = (0..100).map(|_| {
            let memory = Arc::clone(&memory);
            tokio::spawn(async move {
                let held = memory.hold(60 * KIB, LONG).await;
                tokio::task::yield_now().await;
                held.is_some()
            })
        });
        for held in quick.collect::<Vec<_>>() {
            assert!(held.await.expect("no panic"));
        }
        drop(slow);
        assert!(memory.hold_coming(100 * KIB, client(9)).is_some(), "all came back");
    }

    #[test]
    fn one_client_has_a_quarter_at_most() {
        let memory = Memory::new(400 * KIB);
        let greedy: Vec<_> = (0..9).filter_map(|_| memory.hold_coming(50 * KIB, client(1))).collect();
        assert_eq!(greedy.len(), 2);
        assert!(memory.hold_coming(50 * KIB, client(2)).is_some());
        drop(greedy);
        assert!(memory.clients.lock().is_empty());
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let _first = memory.hold_coming(100 * KIB, host(1)).expect("a quarter");
        assert!(memory.hold_coming(KIB, host(2)).is_none(), "the same network");
    }
}
