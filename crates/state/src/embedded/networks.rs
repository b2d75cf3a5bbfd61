//! The networks from which accounts' owners logged in lately: bounded, and kept in the journal, so that guesses at an account
//! lock its owner out after a restart no more than before it. Whether a login succeeds is not told by them.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use keep::BoundedMap;

use super::record::{LOGIN_OCTETS_MAX, NetworkRecord};
use crate::owners::{NetworkOf, Remembered};

/// Accounts whose networks are kept. Only who logs in gets here, so there are seldom as many.
const LOGINS_MAX: usize = 100_000;
/// Networks of one account; one more pushes out the one that ends first.
const NETWORKS_MAX: usize = 4;
/// A renewal that moves the end by less than this since the last write need not be written.
const RENEWAL_UNWRITTEN_MICROS: u64 = 24 * 3_600_000_000;

/// All of them.
#[derive(Debug)]
pub(crate) struct Networks {
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    of: BoundedMap<Arc<str>, Vec<Network>>,
    /// To be written.
    noted: Vec<Noted>,
}

/// What was changed.
#[derive(Debug)]
struct Noted {
    login: Arc<str>,
    network: IpAddr,
}

#[derive(Debug)]
struct Network {
    /// Its first address.
    addr: IpAddr,
    /// Of the last login.
    seen: u64,
    /// From then on it is nobody's.
    ends: u64,
    /// The end that lies on disk.
    saved_ends: u64,
    /// It stands among what is noted.
    is_noted: bool,
}

impl Network {
    fn is_alive(&self, now: u64) -> bool {
        now < self.ends
    }

    fn record(&self, login: &Arc<str>) -> NetworkRecord {
        NetworkRecord { login: Arc::clone(login), network: self.addr, seen: self.seen, ends: self.ends }
    }
}

impl Networks {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { kept: Mutex::new(Kept { of: BoundedMap::new(LOGINS_MAX), noted: Vec::new() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a network for a span of microseconds.
    pub(crate) fn remember(&self, of: NetworkOf<'_>, span: u64, now: u64) -> Remembered {
        if of.login.is_empty() || of.login.len() > LOGIN_OCTETS_MAX {
            return Remembered::New;
        }
        let login: Arc<str> = of.login.into();
        let Kept { of: logins, noted } = &mut *self.kept();
        let known = logins.entry(Arc::clone(&login), |known| u64::from(known.iter().any(|one| one.is_alive(now))));
        let place = known.iter().position(|one| one.addr == of.network);
        let remembered =
            if place.is_some_and(|place| known[place].is_alive(now)) { Remembered::Again } else { Remembered::New };
        let place = place.unwrap_or_else(|| push(known, of.network));
        let one = &mut known[place];
        (one.seen, one.ends) = (now, now.saturating_add(span));
        if one.ends.abs_diff(one.saved_ends) >= RENEWAL_UNWRITTEN_MICROS && !one.is_noted {
            one.is_noted = true;
            noted.push(Noted { login, network: of.network });
        }
        remembered
    }

    /// Whether it is remembered.
    pub(crate) fn is_known(&self, of: NetworkOf<'_>, now: u64) -> bool {
        let mut kept = self.kept();
        let known = kept.of.get_mut(of.login).into_iter().flatten();
        known.into_iter().any(|one| one.addr == of.network && one.is_alive(now))
    }

    /// Takes what was read from the journal.
    pub(crate) fn restore(&self, record: NetworkRecord) {
        let NetworkRecord { login, network, seen, ends } = record;
        let mut kept = self.kept();
        let known = kept.of.entry(login, |_| 1);
        let place = known.iter().position(|one| one.addr == network).unwrap_or_else(|| push(known, network));
        known[place] = Network { addr: network, seen, ends, saved_ends: ends, is_noted: false };
    }

    /// What was changed since the last call, to be written.
    pub(crate) fn take_noted(&self) -> Vec<NetworkRecord> {
        let Kept { of, noted } = &mut *self.kept();
        let mut records = Vec::with_capacity(noted.len());
        for Noted { login, network } in std::mem::take(noted) {
            let known = of.get_mut(&login).into_iter().flatten();
            // One that had to make room meanwhile is not missed.
            if let Some(one) = known.into_iter().find(|one| one.addr == network) {
                (one.saved_ends, one.is_noted) = (one.ends, false);
                records.push(one.record(&login));
            }
        }
        records
    }

    /// All that is kept, as it must lie on disk.
    pub(crate) fn records(&self) -> Vec<NetworkRecord> {
        let kept = self.kept();
        kept.of.iter().flat_map(|(login, known)| known.iter().map(|one| one.record(login))).collect()
    }

    /// How long a journal of all of it is.
    pub(crate) fn octets(&self) -> u64 {
        let kept = self.kept();
        let octets = |(login, known): (&Arc<str>, &Vec<Network>)| known.len() * NetworkRecord::octets(login);
        kept.of.iter().map(octets).sum::<usize>() as u64
    }

    /// No end lies further ahead than its own span: what a clock that was wrong has written does not outlast it.
    pub(crate) fn clamp(&self, now: u64) {
        for one in self.kept().of.values_mut().flatten().filter(|one| one.seen > now) {
            one.ends = one.ends.min(now.saturating_add(one.ends.saturating_sub(one.seen)));
            one.seen = now;
        }
    }
}

/// Makes room for a network of an account; its place.
fn push(known: &mut Vec<Network>, network: IpAddr) -> usize {
    if known.len() >= NETWORKS_MAX {
        let first = (0..known.len()).min_by_key(|&n| known[n].ends).unwrap_or(0);
        known.swap_remove(first);
    }
    known.push(Network { addr: network, seen: 0, ends: 0, saved_ends: 0, is_noted: false });
    known.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000_000;
    const START: u64 = 20_000 * DAY;

    fn network(n: u8) -> NetworkOf<'static> {
        NetworkOf { login: "alice", network: IpAddr::from([192, 0, n, 0]) }
    }

    fn known(networks: &Networks, now: u64) -> Vec<u8> {
        (0..10).filter(|n| networks.is_known(network(*n), now)).collect()
    }

    #[test]
    fn a_network_is_remembered_until_its_end() {
        let networks = Networks::new();
        assert!(known(&networks, START).is_empty());
        assert_eq!(networks.remember(network(1), 10 * DAY, START), Remembered::New);
        assert_eq!(networks.remember(network(2), 20 * DAY, START), Remembered::New);
        assert_eq!((known(&networks, START + 10 * DAY - 1), known(&networks, START + 10 * DAY)), (vec![1, 2], vec![2]));
        assert_eq!(networks.remember(network(2), 20 * DAY, START + DAY), Remembered::Again);
        assert_eq!((known(&networks, START + 21 * DAY - 1), known(&networks, START + 21 * DAY)), (vec![2], vec![]));
        assert_eq!(
            networks.remember(network(2), DAY, START + 30 * DAY),
            Remembered::New,
            "what has ended is not known"
        );
        assert!(!networks.is_known(NetworkOf { login: "bob", ..network(2) }, START));
    }

    #[test]
    fn one_too_many_pushes_out_the_one_that_ends_first() {
        let networks = Networks::new();
        for (n, days) in [(1, 40), (2, 20), (3, 30), (4, 50), (5, 10)] {
            networks.remember(network(n), days * DAY, START);
        }
        assert_eq!(known(&networks, START), [1, 3, 4, 5]);
    }

    #[test]
    fn only_a_new_one_and_a_far_renewal_are_written() {
        let networks = Networks::new();
        networks.remember(network(1), 30 * DAY, START);
        assert_eq!(networks.take_noted().len(), 1);
        networks.remember(network(1), 30 * DAY, START + DAY - 1);
        assert!(networks.take_noted().is_empty());
        networks.remember(network(1), 30 * DAY, START + DAY);
        networks.remember(network(1), 30 * DAY, START + 2 * DAY);
        let noted = networks.take_noted();
        assert_eq!(noted, networks.records());
        assert_eq!(noted[0].ends, START + 32 * DAY);
        let again = Networks::new();
        for record in noted {
            again.restore(record);
        }
        assert_eq!(known(&again, START + 32 * DAY - 1), [1]);
    }

    #[test]
    fn t56_a_network_of_the_future_ends_after_its_own_span() {
        let networks = Networks::new();
        networks.remember(network(1), 30 * DAY, START + 365 * DAY);
        networks.remember(network(2), 30 * DAY, START);
        networks.clamp(START);
        assert_eq!(known(&networks, START + 30 * DAY - 1), [1, 2]);
        assert!(known(&networks, START + 30 * DAY).is_empty());
    }
}
