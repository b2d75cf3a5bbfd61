//! Rates by key, in memory and bounded: a restart forgives. Under a flood of new keys those that are used up most stay, so
//! that nobody washes out what he, or somebody else, has used up.
//!
//! What is reserved lies apart from what is counted, and ends with its holder: giving it back leaves no trace.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keep::BoundedMap;
use tokio::sync::watch;

use crate::charge::{Counted, Failure, Level, RateCharge, RateKey};
use crate::gcra::{Exceeded, Rate, Tat};

/// Guesses remembered per key, to count a repeated one once.
const GUESSES: usize = 8;
/// Those who wait for a place are told by so many bells, each for the keys whose hash falls to it.
const BELLS: usize = 64;

/// The rates of all keys.
#[derive(Debug)]
pub(crate) struct Rates {
    kinds: [Mutex<Kind>; RateKey::KINDS],
    hasher: RandomState,
    /// Rung when a place is counted or given back.
    bells: [watch::Sender<()>; BELLS],
}

/// Keys of one kind, by a keyed hash.
#[derive(Debug)]
struct Kind {
    counts: BoundedMap<u64, Count>,
    /// What is neither committed nor given back. As many as there are holders, so it needs no bound.
    reserved: HashMap<u64, u32>,
}

/// What is counted of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    tat: Tat,
    /// What it was counted by last.
    rate: Option<Rate>,
    guesses: [u64; GUESSES],
    next: u8,
}

/// What is reserved for one holder.
#[derive(Debug, Clone, Copy)]
pub(super) struct RatePlace {
    kind: usize,
    key: u64,
    rate: Rate,
    cost: u32,
}

impl Rates {
    /// At most `keys_max` keys of each kind.
    pub(crate) fn new(keys_max: usize) -> Self {
        let kind = || Mutex::new(Kind { counts: BoundedMap::new(keys_max), reserved: HashMap::new() });
        let bells = std::array::from_fn(|_| watch::Sender::new(()));
        Self { kinds: std::array::from_fn(|_| kind()), hasher: RandomState::new(), bells }
    }

    fn kind(&self, kind: usize) -> MutexGuard<'_, Kind> {
        self.kinds[kind].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hash(&self, key: RateKey<'_>) -> u64 {
        self.hasher.hash_one(key)
    }

    /// What a charge would take, without taking it.
    pub(super) fn place(&self, charge: &RateCharge<'_>) -> RatePlace {
        let RateCharge { key, rate, cost } = *charge;
        RatePlace { kind: key.kind(), key: self.hash(key), rate, cost }
    }

    /// Takes a place, if there is room for it besides what is counted and reserved. To be committed or given back.
    pub(super) fn reserve(&self, charge: &RateCharge<'_>, now: u64) -> Result<RatePlace, Exceeded> {
        let place = self.place(charge);
        let mut kind = self.kind(place.kind);
        kind.room(&place, now)?;
        kind.take(&place);
        Ok(place)
    }

    /// Takes all of these places or none, in one step: nobody is ever in the way of others by half of what he asks for. The
    /// charges are of different kinds, in the order of their numbers (or two would wait for each other's locks). The error
    /// is the first charge without room.
    pub(super) fn reserve_together(&self, charges: &[RateCharge<'_>], now: u64) -> Result<Vec<RatePlace>, usize> {
        debug_assert!(charges.is_sorted_by(|one, next| one.key.kind() < next.key.kind()), "locks have an order");
        let places: Vec<RatePlace> = charges.iter().map(|charge| self.place(charge)).collect();
        let mut kinds: Vec<_> = places.iter().map(|place| self.kind(place.kind)).collect();
        for (number, (place, kind)) in places.iter().zip(&mut kinds).enumerate() {
            kind.room(place, now).map_err(|_| number)?;
        }
        places.iter().zip(&mut kinds).for_each(|(place, kind)| kind.take(place));
        Ok(places)
    }

    /// Hears when a place of the key is counted or given back, from now on.
    pub(super) fn bell(&self, key: RateKey<'_>) -> watch::Receiver<()> {
        self.bell_of(self.hash(key)).subscribe()
    }

    fn bell_of(&self, key: u64) -> &watch::Sender<()> {
        &self.bells[usize::try_from(key % BELLS as u64).unwrap_or(0)]
    }

    /// Frees a place, counts what became of it, and rings for those who wait. Whether anybody does is asked before the lock is
    /// given up: who begins to wait later sees the place free.
    fn free<T>(&self, place: &RatePlace, then: impl FnOnce(&mut Kind) -> T) -> T {
        let bell = self.bell_of(place.key);
        let (done, is_awaited) = {
            let mut kind = self.kind(place.kind);
            kind.free(place);
            (then(&mut kind), bell.receiver_count() > 0)
        };
        if is_awaited {
            bell.send_replace(());
        }
        done
    }

    /// Counts what was reserved.
    pub(super) fn commit(&self, place: &RatePlace, now: u64) {
        let mut kind = self.kind(place.kind);
        kind.free(place);
        let count = kind.counts.entry(place.key, |count| count.tat.ahead(now));
        count.tat = place.rate.add(place.rate.clamp(count.tat, now), now, place.cost);
        count.rate = Some(place.rate);
    }

    /// As if it had never been reserved.
    pub(super) fn give_back(&self, place: &RatePlace) {
        self.free(place, |_| ());
    }

    /// How much is counted. What is reserved is not.
    pub(super) fn peek(&self, key: RateKey<'_>, rate: &Rate, now: u64) -> Level {
        let mut kind = self.kind(key.kind());
        let tat = kind.counts.get_mut(&self.hash(key)).map_or_else(Tat::default, |count| rate.clamp(count.tat, now));
        let retry_after = rate.peek(tat, now, 1).err().map(|exceeded| exceeded.retry_after);
        Level { counted: rate.level(tat, now), retry_after }
    }

    /// Counts a failure, whether there is room for it or not; a guess that is remembered is not counted again.
    pub(super) fn fail(&self, charge: &RateCharge<'_>, failure: Failure, now: u64) -> Counted {
        self.count(&self.place(charge), failure, now)
    }

    /// The same for a place that was never taken.
    pub(super) fn count(&self, place: &RatePlace, failure: Failure, now: u64) -> Counted {
        let failed = Failed { place, guess: self.guess(failure), now };
        self.kind(place.kind).fail(&failed)
    }

    /// Counts as a failure what was reserved: the place goes and the failure comes in one step.
    pub(super) fn lose(&self, place: &RatePlace, failure: Failure, now: u64) -> Counted {
        let failed = Failed { place, guess: self.guess(failure), now };
        self.free(place, |kind| kind.fail(&failed))
    }

    fn guess(&self, failure: Failure) -> Option<u64> {
        match failure {
            Failure::Guess(guess) => Some(self.hasher.hash_one(guess)),
            Failure::Abuse => None,
        }
    }

    /// Forgets all that is counted of a key.
    pub(super) fn forgive(&self, key: RateKey<'_>) {
        self.kind(key.kind()).counts.remove(&self.hash(key));
    }

    /// The clock was set back: what it has counted while it was ahead is over after its own span.
    pub(super) fn clamp(&self, now: u64) {
        for kind in 0..RateKey::KINDS {
            for count in self.kind(kind).counts.values_mut() {
                count.tat = count.rate.map_or(count.tat, |rate| rate.clamp(count.tat, now));
            }
        }
    }

    /// Keys remembered of one kind.
    #[cfg(test)]
    pub(crate) fn len(&self, kind: usize) -> usize {
        self.kind(kind).counts.len()
    }
}

/// A failure to be counted.
struct Failed<'a> {
    place: &'a RatePlace,
    /// By a hash; `None` counts each time.
    guess: Option<u64>,
    now: u64,
}

impl Kind {
    /// Whether there is room besides what is counted and reserved, as if all that is reserved were committed now.
    fn room(&mut self, place: &RatePlace, now: u64) -> Result<(), Exceeded> {
        let counted = self.counts.get_mut(&place.key).map_or_else(Tat::default, |count| {
            count.tat = place.rate.clamp(count.tat, now);
            count.tat
        });
        let reserved = self.reserved.get(&place.key).copied().unwrap_or_default();
        place.rate.peek(place.rate.add(counted, now, reserved), now, place.cost)
    }

    fn take(&mut self, place: &RatePlace) {
        let reserved = self.reserved.entry(place.key).or_default();
        *reserved = reserved.saturating_add(place.cost);
    }

    fn fail(&mut self, failed: &Failed<'_>) -> Counted {
        let Failed { place: RatePlace { key, rate, cost, .. }, guess, now } = *failed;
        let count = self.counts.entry(*key, |count| u64::from(rate.level(count.tat, now).saturating_sub(1)));
        if let Some(guess) = guess {
            if rate.level(count.tat, now) == 0 {
                *count = Count::default();
            }
            if !count.remember(guess) {
                return Counted::Repeated;
            }
        }
        count.tat = rate.pour(count.tat, now, *cost);
        count.rate = Some(*rate);
        Counted::New
    }

    fn free(&mut self, place: &RatePlace) {
        if let Some(reserved) = self.reserved.get_mut(&place.key) {
            *reserved = reserved.saturating_sub(place.cost);
            if *reserved == 0 {
                self.reserved.remove(&place.key);
            }
        }
    }
}

impl Count {
    /// Whether the guess is a new one.
    fn remember(&mut self, guess: u64) -> bool {
        // 0 is an empty place.
        let guess = guess | 1;
        if self.guesses.contains(&guess) {
            return false;
        }
        self.guesses[usize::from(self.next) % GUESSES] = guess;
        self.next = self.next.wrapping_add(1);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;
    const MINUTE: u64 = 60 * SECOND;
    const ALICE: RateKey<'static> = RateKey::Device("alice-plc@d.test");

    fn per_hour(key: RateKey<'_>, count: u32) -> RateCharge<'_> {
        RateCharge { key, rate: Rate::per(Duration::from_hours(1), count), cost: 1 }
    }

    fn charge(rates: &Rates, charge: &RateCharge<'_>, now: u64) -> Result<(), Exceeded> {
        rates.reserve(charge, now).map(|place| rates.commit(&place, now))
    }

    #[test]
    fn so_many_an_hour_each_device_for_itself() {
        let rates = Rates::new(100);
        let charge = |key, now| charge(&rates, &per_hour(key, 3), now);
        for _ in 0..3 {
            assert!(charge(ALICE, 600 * MINUTE).is_ok());
        }
        let exceeded = charge(ALICE, 600 * MINUTE).unwrap_err();
        assert_eq!(exceeded.retry_after, Duration::from_mins(20));
        assert!(charge(RateKey::Device("bob-plc@d.test"), 600 * MINUTE).is_ok());
        assert!(charge(ALICE, 619 * MINUTE).is_err());
        assert!(charge(ALICE, 620 * MINUTE).is_ok());
    }

    #[test]
    fn none_an_hour_is_none() {
        assert_eq!(charge(&Rates::new(100), &per_hour(ALICE, 0), MINUTE).unwrap_err().retry_after, Duration::MAX);
    }

    #[test]
    fn a_limit_that_was_changed_counts_at_once() {
        let rates = Rates::new(100);
        assert!(charge(&rates, &per_hour(ALICE, 1), MINUTE).is_ok());
        assert!(charge(&rates, &per_hour(ALICE, 1), MINUTE).is_err());
        assert!(charge(&rates, &per_hour(ALICE, 1_000), 61 * MINUTE).is_ok());
    }

    #[test]
    fn what_is_reserved_is_in_the_way_and_not_counted() {
        let rates = Rates::new(100);
        let place = rates.reserve(&per_hour(ALICE, 2), MINUTE).unwrap();
        assert_eq!(rates.peek(ALICE, &place.rate, MINUTE), Level { counted: 0, retry_after: None });
        let second = rates.reserve(&per_hour(ALICE, 2), MINUTE).unwrap();
        assert!(rates.reserve(&per_hour(ALICE, 2), MINUTE).is_err());
        rates.give_back(&second);
        rates.commit(&place, MINUTE);
        assert_eq!(rates.peek(ALICE, &place.rate, MINUTE), Level { counted: 1, retry_after: None });
        assert!(rates.kind(0).reserved.is_empty());
    }

    #[test]
    fn a_flood_of_devices_leaves_those_that_have_sent() {
        let rates = Rates::new(100);
        charge(&rates, &per_hour(ALICE, 1), MINUTE).unwrap();
        for n in 0..10_000_u32 {
            let login = format!("{n}");
            charge(&rates, &per_hour(RateKey::Device(&login), 1_000_000), u64::from(n) + MINUTE).unwrap();
        }
        assert!(rates.len(0) <= 100);
        assert!(charge(&rates, &per_hour(ALICE, 1), 2 * MINUTE).is_err());
    }

    #[test]
    fn failures_are_counted_whether_there_is_room_or_not_until_they_are_forgiven() {
        let rates = Rates::new(100);
        let key = RateKey::LoginsAt("alice");
        let charge = RateCharge { key, rate: Rate::new(Duration::from_mins(1), 3), cost: 1 };
        let fail = |failure| rates.fail(&charge, failure, MINUTE);
        let level = || rates.peek(key, &charge.rate, MINUTE);
        assert_eq!((fail(Failure::Guess([1; 16])), fail(Failure::Guess([1; 16]))), (Counted::New, Counted::Repeated));
        assert_eq!(level(), Level { counted: 1, retry_after: None });
        assert_eq!((fail(Failure::Abuse), fail(Failure::Abuse)), (Counted::New, Counted::New));
        for guess in 2..10 {
            assert_eq!(fail(Failure::Guess([guess; 16])), Counted::New);
        }
        assert_eq!(level(), Level { counted: 3, retry_after: Some(Duration::from_mins(1)) });
        rates.forgive(key);
        assert_eq!(level(), Level { counted: 0, retry_after: None });
        assert_eq!(fail(Failure::Guess([1; 16])), Counted::New, "the guess is forgotten, too");
    }

    proptest! {
        /// What is given back leaves no trace: what is committed is as if it alone had been asked for.
        #[test]
        fn given_back_is_never_reserved(
            burst in 1u32..10, interval in 1u64..50, steps in prop::collection::vec((0u64..100, 1u32..4, any::<bool>()), 1..100)
        ) {
            let (rates, plain) = (Rates::new(10), Rates::new(10));
            let rate = Rate::new(Duration::from_micros(interval), burst);
            let mut now = 1_000;
            for (pause, cost, is_taken) in steps {
                now += pause;
                let charge = RateCharge { key: ALICE, rate, cost };
                let place = rates.reserve(&charge, now);
                prop_assert_eq!(place.is_ok(), rate.peek(plain_tat(&plain), now, cost).is_ok());
                let Ok(place) = place else { continue };
                if is_taken {
                    rates.commit(&place, now);
                    plain.commit(&plain.reserve(&charge, now).unwrap(), now);
                } else {
                    rates.give_back(&place);
                }
                prop_assert_eq!(plain_tat(&rates), plain_tat(&plain));
            }
        }
    }

    fn plain_tat(rates: &Rates) -> Tat {
        let key = rates.hash(ALICE);
        rates.kind(0).counts.get_mut(&key).map_or_else(Tat::default, |count| count.tat)
    }
}
