//! Launching pads: how much each login, device, POP grant and client sends in an hour, beside what it used to.
//!
//! Counted on a mail's path, so there is neither lock nor allocation for a sender that is known: a fixed table of atomics, found by a
//! keyed hash. Only a new sender waits for a lock, and takes the place of the one that was quiet longest. Who cannot prove anything
//! is not counted here, so strangers cannot fill it. Nothing is kept over a restart: the first hours of a process know no past.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Parts of an hour that are counted apart.
const PARTS: usize = 12;
/// Parts that are turned at once after a long sleep: all are empty by then.
const TURNS_MAX: u32 = 24;
/// How long one is.
pub(crate) const PART: Duration = Duration::from_mins(5);
/// Senders that share a place by their hash.
const WAYS: usize = 8;
/// Such places.
const SETS: usize = 256;
/// What an hour takes from the memory of the greatest hour before: half of it in a week.
const FORGETS: u32 = 256;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pad<'a> {
    /// Somebody who logged in.
    Login(&'a str),
    /// A device, by its name, of an account.
    Device {
        /// The account.
        account: &'a str,
        /// The device's name.
        name: &'a str,
    },
    /// Whoever is at an address from which somebody fetched mail.
    Grant {
        /// The address.
        client: IpAddr,
        /// Whose login it was; `None`: another server told of it by DRAC.
        account: Option<&'a str>,
    },
    /// Whoever is at an address that the configuration lets relay.
    Client(IpAddr),
}

impl<'a> Pad<'a> {
    /// Of a message: the most exact of what is known of who sent it.
    pub fn of(client: IpAddr, login: Option<&'a str>, device: Option<&'a str>, by_grant: ByGrant) -> Self {
        match (by_grant, login, device) {
            (ByGrant::Yes, account, _) => Self::Grant { client, account },
            (ByGrant::No, Some(account), Some(name)) => Self::Device { account, name },
            (ByGrant::No, Some(login), None) => Self::Login(login),
            (ByGrant::No, None, _) => Self::Client(client),
        }
    }
}

/// Whether the right to relay came by a POP login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByGrant {
    /// It did.
    Yes,
    /// It came otherwise.
    No,
}

/// The same, kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sender {
    /// As [`Pad::Login`].
    Login(String),
    /// As [`Pad::Device`].
    Device {
        /// The account.
        account: String,
        /// The device's name.
        name: String,
    },
    /// As [`Pad::Grant`].
    Grant {
        /// The address.
        client: IpAddr,
        /// Whose login it was.
        account: Option<String>,
    },
    /// As [`Pad::Client`].
    Client(IpAddr),
}

impl Sender {
    fn new(pad: Pad<'_>) -> Self {
        match pad {
            Pad::Login(login) => Self::Login(login.to_owned()),
            Pad::Device { account, name } => Self::Device { account: account.to_owned(), name: name.to_owned() },
            Pad::Grant { client, account } => Self::Grant { client, account: account.map(str::to_owned) },
            Pad::Client(client) => Self::Client(client),
        }
    }
}

/// What one of them did within the last hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub sender: Sender,
    /// Recipients.
    pub sent: u64,
    /// Of what it sent at any time: recipients that another server refused for good.
    pub refused: u64,
    /// Recipients in its greatest hour before this one, half forgotten in a week.
    pub usual: u64,
}

#[derive(Default)]
struct Place {
    /// 0: free.
    key: AtomicU64,
    /// The part of time in which it was used last.
    used: AtomicU32,
    sent: [AtomicU32; PARTS],
    refused: [AtomicU32; PARTS],
    usual: AtomicU32,
    /// Taken only by whoever takes the place, and by whoever looks.
    sender: Mutex<Option<Sender>>,
}

/// All senders that are remembered.
pub struct Pads {
    places: Box<[Place]>,
    /// Parts of an hour since the start.
    part: AtomicU32,
    hash: RandomState,
    /// For who takes a place.
    taking: Mutex<()>,
}

impl Default for Pads {
    fn default() -> Self {
        let places = std::iter::repeat_with(Place::default).take(SETS * WAYS).collect();
        Self { places, part: AtomicU32::new(0), hash: RandomState::new(), taking: Mutex::new(()) }
    }
}

impl Pads {
    /// A message for so many recipients was taken from it.
    pub fn sent(&self, pad: Pad<'_>, recipients: usize) {
        let part = self.part.load(Ordering::Relaxed);
        add(&self.place(pad, part).sent, part, recipients);
    }

    /// Another server refused a recipient of what it had sent.
    pub fn refused(&self, pad: Pad<'_>) {
        let part = self.part.load(Ordering::Relaxed);
        add(&self.place(pad, part).refused, part, 1);
    }

    fn place(&self, pad: Pad<'_>, part: u32) -> &Place {
        let key = self.hash.hash_one(pad).max(1);
        let set = self.set(key);
        let known = |place: &&Place| place.key.load(Ordering::Acquire) == key;
        let place = set.iter().find(known).unwrap_or_else(|| self.take(set, key, pad));
        place.used.store(part, Ordering::Relaxed);
        place
    }

    fn set(&self, key: u64) -> &[Place] {
        // Below SETS, and so it fits.
        let at = usize::try_from(key % SETS as u64).unwrap_or(0) * WAYS;
        &self.places[at..at + WAYS]
    }

    /// Somebody who adds to the place's last owner meanwhile adds one message to the new one: no harm.
    fn take<'p>(&'p self, set: &'p [Place], key: u64, pad: Pad<'_>) -> &'p Place {
        let _taking = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = set.iter().find(|place| place.key.load(Ordering::Acquire) == key) {
            return place;
        }
        let quiet = |place: &&Place| (place.key.load(Ordering::Relaxed) != 0, place.used.load(Ordering::Relaxed));
        let place = set.iter().min_by_key(quiet).unwrap_or(&self.places[0]);
        for counted in place.sent.iter().chain(&place.refused).chain([&place.usual]) {
            counted.store(0, Ordering::Relaxed);
        }
        *place.sender.lock().unwrap_or_else(PoisonError::into_inner) = Some(Sender::new(pad));
        place.key.store(key, Ordering::Release);
        place
    }

    /// The clock says that so much time has passed since the start: what is older than an hour is forgotten.
    pub(crate) fn pass(&self, since_start: Duration) {
        let now = u32::try_from(since_start.as_secs() / PART.as_secs()).unwrap_or(u32::MAX);
        let before = self.part.load(Ordering::Relaxed);
        for part in before..now.min(before.saturating_add(TURNS_MAX)) {
            for place in self.places.iter().filter(|place| place.key.load(Ordering::Relaxed) != 0) {
                place.turn(part + 1);
            }
        }
        self.part.store(now.max(before), Ordering::Relaxed);
    }

    /// Who sent something within the last hour, or had something refused.
    pub fn look(&self) -> Vec<Seen> {
        let seen = self.places.iter().filter(|place| place.key.load(Ordering::Acquire) != 0).filter_map(Place::seen);
        seen.collect()
    }
}

impl Place {
    /// A part of an hour begins.
    fn turn(&self, part: u32) {
        if (part as usize).is_multiple_of(PARTS) {
            let hour = sum(&self.sent);
            let usual = self.usual.load(Ordering::Relaxed);
            self.usual.store(hour.max(usual - usual.div_ceil(FORGETS)), Ordering::Relaxed);
        }
        self.sent[part as usize % PARTS].store(0, Ordering::Relaxed);
        self.refused[part as usize % PARTS].store(0, Ordering::Relaxed);
    }

    fn seen(&self) -> Option<Seen> {
        let (sent, refused) = (sum(&self.sent).into(), sum(&self.refused).into());
        if sent == 0 && refused == 0 {
            return None;
        }
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(Seen { sender, sent, refused, usual: self.usual.load(Ordering::Relaxed).into() })
    }
}

fn add(parts: &[AtomicU32; PARTS], part: u32, more: usize) {
    parts[part as usize % PARTS].fetch_add(u32::try_from(more).unwrap_or(u32::MAX), Ordering::Relaxed);
}

fn sum(parts: &[AtomicU32; PARTS]) -> u32 {
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'s>(seen: &'s [Seen], login: &str) -> &'s Seen {
        seen.iter().find(|it| it.sender == Sender::Login(login.to_owned())).unwrap()
    }

    #[test]
    fn an_hour_passes_and_is_remembered() {
        let pads = Pads::default();
        pads.sent(Pad::Login("a"), 40);
        pads.sent(Pad::Login("b"), 1);
        pads.refused(Pad::Login("b"));
        let seen = pads.look();
        assert_eq!((of(&seen, "a").sent, of(&seen, "a").usual, of(&seen, "b").refused), (40, 0, 1));
        pads.pass(PART * 11);
        assert_eq!(of(&pads.look(), "a").sent, 40, "still within the hour");
        pads.pass(PART * 13);
        assert!(pads.look().is_empty());
        pads.sent(Pad::Login("a"), 7);
        let seen = pads.look();
        assert_eq!((of(&seen, "a").sent, of(&seen, "a").usual), (7, 40));
        pads.pass(Duration::from_hours(7 * 24));
        pads.sent(Pad::Login("a"), 7);
        let seen = pads.look();
        assert!(of(&seen, "a").usual <= 40, "what is long ago counts less");
    }

    #[test]
    fn more_senders_than_there_is_room_for_do_no_harm() {
        let pads = Pads::default();
        for n in 0..20_000 {
            pads.sent(Pad::Login(&n.to_string()), 1);
        }
        assert!(pads.look().len() <= SETS * WAYS);
        pads.sent(Pad::Login("last"), 3);
        assert_eq!(of(&pads.look(), "last").sent, 3);
    }

    #[test]
    fn the_most_exact_is_named() {
        let client: IpAddr = "192.0.2.7".parse().unwrap();
        for (login, device, by_grant, expected) in [
            (Some("a"), None, ByGrant::No, Pad::Login("a")),
            (Some("a"), Some("d"), ByGrant::No, Pad::Device { account: "a", name: "d" }),
            (Some("a"), Some("d"), ByGrant::Yes, Pad::Grant { client, account: Some("a") }),
            (None, None, ByGrant::Yes, Pad::Grant { client, account: None }),
            (None, None, ByGrant::No, Pad::Client(client)),
        ] {
            assert_eq!(Pad::of(client, login, device, by_grant), expected);
        }
    }
}
