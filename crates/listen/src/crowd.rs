//! How many connections a client and its networks hold and begin, over all listeners together: an IPv4 address and its /24, an
//! IPv6 /64 and the /56 and /48 around it, as much as one subscriber may be given.
//!
//! A place is taken before anything is done for the connection, in all of its networks or in none, under one lock: the
//! ceilings are exact however many come at once. What is held is as bounded as the connections are; what was begun lately is
//! kept in bounded maps, a map for each size of network, so that a flood of small ones hides no large one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keep::BoundedMap;
use keep::gcra::{Rate, Tat};

/// Networks of one size of which it is known how many connections they began.
const NETWORKS_MAX: usize = 65_536;
/// The window of the rates.
const MINUTE: Duration = Duration::from_mins(1);

/// How many connections there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceilings {
    /// Held at a time by one client.
    pub held_by_client: usize,
    /// Held at a time by one network; an IPv6 /56 may hold half of it.
    pub held_by_network: usize,
    /// Begun in a minute by one client.
    pub begun_by_client: u32,
    /// Begun in a minute by one network; an IPv6 /56 may begin half of it.
    pub begun_by_network: u32,
}

/// Why a connection has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowded {
    /// This network holds as many as it may.
    Held(Network),
    /// This network begins them too fast.
    Begun(Network),
}

/// A client's address or a network around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

/// Counts the connections of all listeners by client and network.
#[derive(Debug)]
pub struct Crowd {
    counted: Mutex<Counted>,
    since: Instant,
}

#[derive(Debug)]
struct Counted {
    held: HashMap<Network, usize>,
    /// By size: how many were begun lately.
    begun: [BoundedMap<Network, Tat>; Size::COUNT],
}

/// Connections of a client with its networks; dropping it gives the places back.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    around: Vec<Around>,
}

/// Which of the sizes a network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Client,
    Site,
    Network,
}

#[derive(Debug, Clone, Copy)]
struct Around {
    network: Network,
    size: Size,
}

impl Size {
    const COUNT: usize = 3;

    fn number(self) -> usize {
        match self {
            Self::Client => 0,
            Self::Site => 1,
            Self::Network => 2,
        }
    }

    fn held_max(self, ceilings: &Ceilings) -> usize {
        match self {
            Self::Client => ceilings.held_by_client,
            Self::Site => (ceilings.held_by_network / 2).max(ceilings.held_by_client),
            Self::Network => ceilings.held_by_network.max(ceilings.held_by_client),
        }
    }

    fn begun_max(self, ceilings: &Ceilings) -> u32 {
        match self {
            Self::Client => ceilings.begun_by_client,
            Self::Site => (ceilings.begun_by_network / 2).max(ceilings.begun_by_client),
            Self::Network => ceilings.begun_by_network.max(ceilings.begun_by_client),
        }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        let begun = std::array::from_fn(|_| BoundedMap::new(NETWORKS_MAX));
        Self { counted: Mutex::new(Counted { held: HashMap::new(), begun }), since: Instant::now() }
    }
}

impl Crowd {
    /// Takes a place for a client in each of its networks, or in none.
    pub fn enter(self: &Arc<Self>, client: IpAddr, ceilings: &Ceilings, now: Instant) -> Result<Place, Crowded> {
        let around = around(client);
        let now = micros(now.saturating_duration_since(self.since));
        let mut counted = self.lock();
        let crowded =
            |one: &&Around| counted.held.get(&one.network).is_some_and(|held| *held >= one.size.held_max(ceilings));
        if let Some(one) = around.iter().find(crowded) {
            return Err(Crowded::Held(one.network));
        }
        let mut next = Vec::with_capacity(around.len());
        for one in &around {
            next.push(counted.begin(*one, ceilings, now).ok_or(Crowded::Begun(one.network))?);
        }
        for (one, at) in around.iter().zip(next) {
            *counted.begun_by(*one, now) = at;
            *counted.held.entry(one.network).or_insert(0) += 1;
        }
        drop(counted);
        Ok(Place { crowd: Arc::clone(self), around })
    }

    // A panic while counting leaves at worst one place too many taken: the counts stay usable.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// What a network comes to with one more; `None`: that is too fast.
    fn begin(&mut self, one: Around, ceilings: &Ceilings, now: u64) -> Option<Tat> {
        let rate = Rate::per(MINUTE, one.size.begun_max(ceilings).max(1));
        // A limit that was larger leaves nothing further ahead than a minute.
        let tat = rate.clamp(*self.begun_by(one, now), now);
        rate.charge(tat, now, 1).ok()
    }

    fn begun_by(&mut self, one: Around, now: u64) -> &mut Tat {
        self.begun[one.size.number()].entry(one.network, |tat| tat.ahead(now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counted = self.crowd.lock();
        for Around { network, .. } in &self.around {
            if let Entry::Occupied(mut held) = counted.held.entry(*network) {
                *held.get_mut() = held.get().saturating_sub(1);
                if *held.get() == 0 {
                    held.remove();
                }
            }
        }
    }
}

/// A client and the networks around it, the smallest first.
fn around(client: IpAddr) -> Vec<Around> {
    let sizes: &[Bits] = match guard::canonical_ip(client) {
        IpAddr::V4(_) => &[Bits(32, Size::Client), Bits(24, Size::Network)],
        IpAddr::V6(_) => &[Bits(64, Size::Client), Bits(56, Size::Site), Bits(48, Size::Network)],
    };
    let of = |Bits(bits, size): &Bits| Around {
        network: Network { first: guard::network_around(client, *bits), bits: *bits },
        size: *size,
    };
    sizes.iter().map(of).collect()
}

#[derive(Clone, Copy)]
struct Bits(u8, Size);

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Ceilings =
        Ceilings { held_by_client: 900, held_by_network: 900, begun_by_client: 900, begun_by_network: 900 };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn name(crowded: Crowded) -> String {
        match crowded {
            Crowded::Held(network) => format!("held {network}"),
            Crowded::Begun(network) => format!("begun {network}"),
        }
    }

    /// How many of these come in, and why the next one does not.
    fn come_in(ceilings: &Ceilings, clients: impl Iterator<Item = IpAddr>) -> (Vec<Place>, String) {
        let (crowd, now) = (Arc::new(Crowd::default()), Instant::now());
        let mut places = Vec::new();
        for client in clients {
            match crowd.enter(client, ceilings, now) {
                Ok(place) => places.push(place),
                Err(crowded) => return (places, name(crowded)),
            }
        }
        (places, String::new())
    }

    #[test]
    fn a_client_and_its_networks_hold_so_many() {
        let held = Ceilings { held_by_client: 2, held_by_network: 8, ..WIDE };
        let v4 = |host: u8| IpAddr::from([192, 0, 2, host]);
        let v6 = |net: u16| IpAddr::from([0x2001, 0xdb8, 1, net, 0, 0, 0, 9]);
        let table: [(Vec<IpAddr>, usize, &str); 4] = [
            (vec![v4(1); 9], 2, "held 192.0.2.1/32"),
            ((0..9).map(v4).collect(), 8, "held 192.0.2.0/24"),
            ((0..9).map(v6).collect(), 4, "held 2001:db8:1::/56"),
            ((0..9).map(|net| v6(net * 256)).collect(), 8, "held 2001:db8:1::/48"),
        ];
        for (clients, count, why) in table {
            let (places, said) = come_in(&held, clients.into_iter());
            assert_eq!((places.len(), said.as_str()), (count, why));
            let crowd = Arc::clone(&places[0].crowd);
            drop(places);
            assert!(crowd.lock().held.is_empty(), "who left is forgotten");
        }
    }

    #[test]
    fn a_client_and_its_networks_begin_so_many_in_a_minute() {
        let begun = Ceilings { begun_by_client: 3, begun_by_network: 6, ..WIDE };
        let (crowd, now) = (Arc::new(Crowd::default()), Instant::now());
        let enter = |host: u8, secs: u64| {
            let entered = crowd.enter(IpAddr::from([192, 0, 2, host]), &begun, now + Duration::from_secs(secs));
            entered.map_or_else(name, |_left| "in".to_owned())
        };
        let at_once: Vec<String> = [1, 1, 1, 1, 2, 2, 2, 3].map(|host| enter(host, 0)).to_vec();
        let full = ["in", "in", "in", "begun 192.0.2.1/32", "in", "in", "in", "begun 192.0.2.0/24"];
        assert_eq!(at_once, full);
        assert_eq!(
            (enter(4, 9), enter(4, 10), enter(4, 11)),
            ("begun 192.0.2.0/24".into(), "in".into(), "begun 192.0.2.0/24".into())
        );
        assert_eq!((enter(1, 70), enter(1, 70)), ("in".into(), "in".into()));
    }

    #[test]
    fn what_is_refused_takes_no_place() {
        let narrow = Ceilings { held_by_client: 1, held_by_network: 2, ..WIDE };
        let (crowd, now) = (Arc::new(Crowd::default()), Instant::now());
        let _first = crowd.enter(ip("192.0.2.1"), &narrow, now).unwrap();
        for _ in 0..5 {
            assert!(crowd.enter(ip("192.0.2.1"), &narrow, now).is_err());
        }
        let _second = crowd.enter(ip("192.0.2.2"), &narrow, now).unwrap();
        assert!(crowd.enter(ip("192.0.2.3"), &narrow, now).is_err());
    }

    /// However many come at once, over however many listeners.
    #[test]
    fn t48_a_burst_gets_as_many_places_as_there_are() {
        let crowd = Arc::new(Crowd::default());
        let held = Ceilings { held_by_client: 50, ..WIDE };
        let now = Instant::now();
        let places: Vec<Place> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let crowd = &crowd;
                    scope.spawn(move || {
                        (0..40).filter_map(|_| crowd.enter(ip("192.0.2.1"), &held, now).ok()).collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(places.len(), 50);
    }

    #[test]
    fn a_flood_of_networks_is_bounded_and_hides_nobody() {
        let begun = Ceilings { begun_by_client: 2, begun_by_network: 900, ..WIDE };
        let (crowd, now) = (Arc::new(Crowd::default()), Instant::now());
        for _ in 0..2 {
            drop(crowd.enter(ip("192.0.2.1"), &begun, now).unwrap());
        }
        for number in 0..100_000_u32 {
            drop(crowd.enter(IpAddr::V4((0x0a00_0000 + number * 256).into()), &begun, now).unwrap());
        }
        assert!(crowd.enter(ip("192.0.2.1"), &begun, now).is_err());
        assert!(crowd.lock().begun.iter().all(|size| size.len() <= NETWORKS_MAX));
    }
}
