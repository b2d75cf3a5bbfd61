//! What is remembered until its end, in memory and bounded: a restart forgets. What is alive still outlives a flood of
//! new keys.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keep::BoundedMap;

use crate::memory::{MemoryKey, Remembered};

/// What is remembered of all keys.
#[derive(Debug)]
pub(crate) struct Memory {
    /// By a keyed hash of the key.
    kinds: [Mutex<Kind>; MemoryKey::KINDS],
    hasher: RandomState,
}

type Kind = BoundedMap<u64, Vec<Ending>>;

/// An answer, and when it ends.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) answer: Box<[u8]>,
    /// From then on it is none; microseconds since 1970.
    pub(super) ends: u64,
}

impl Memory {
    /// At most `keys_max` keys of each kind.
    pub(crate) fn new(keys_max: usize) -> Self {
        let kind = || Mutex::new(BoundedMap::new(keys_max));
        Self { kinds: std::array::from_fn(|_| kind()), hasher: RandomState::new() }
    }

    fn kind(&self, key: MemoryKey<'_>) -> MutexGuard<'_, Kind> {
        self.kinds[key.kind()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers an answer until it ends; what is remembered already ends then, too.
    pub(super) fn remember(&self, key: MemoryKey<'_>, ending: Ending, now: u64) -> Remembered {
        let mut kind = self.kind(key);
        let known = kind.entry(self.hasher.hash_one(key), |known| u64::from(known.iter().any(|one| one.is_alive(now))));
        known.retain(|one| one.is_alive(now));
        if let Some(one) = known.iter_mut().find(|one| one.answer == ending.answer) {
            one.ends = ending.ends;
            return Remembered::Again;
        }
        if known.len() >= key.answers_max() {
            let first = (0..known.len()).min_by_key(|&n| known[n].ends).unwrap_or(0);
            known.swap_remove(first);
        }
        known.push(ending);
        Remembered::New
    }

    /// The answers that have not ended.
    pub(super) fn recall(&self, key: MemoryKey<'_>, now: u64) -> Vec<Box<[u8]>> {
        let mut kind = self.kind(key);
        let known = kind.get_mut(&self.hasher.hash_one(key)).into_iter().flatten();
        known.filter(|one| one.is_alive(now)).map(|one| one.answer.clone()).collect()
    }
}

impl Ending {
    fn is_alive(&self, now: u64) -> bool {
        now < self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: MemoryKey<'static> = MemoryKey::OwnersNetworks("alice");

    fn ending(answer: u8, ends: u64) -> Ending {
        Ending { answer: [answer].into(), ends }
    }

    fn recall(memory: &Memory, now: u64) -> Vec<u8> {
        let mut answers: Vec<u8> = memory.recall(ALICE, now).iter().map(|answer| answer[0]).collect();
        answers.sort_unstable();
        answers
    }

    #[test]
    fn an_answer_is_remembered_until_its_end() {
        let memory = Memory::new(100);
        assert!(recall(&memory, 0).is_empty());
        assert_eq!(memory.remember(ALICE, ending(1, 10), 0), Remembered::New);
        assert_eq!(memory.remember(ALICE, ending(2, 20), 0), Remembered::New);
        assert_eq!((recall(&memory, 9), recall(&memory, 10)), (vec![1, 2], vec![2]));
        assert_eq!(memory.remember(ALICE, ending(2, 30), 15), Remembered::Again);
        assert_eq!((recall(&memory, 29), recall(&memory, 30)), (vec![2], vec![]));
        assert_eq!(memory.remember(ALICE, ending(2, 50), 40), Remembered::New, "what has ended is not remembered");
        assert!(memory.recall(MemoryKey::OwnersNetworks("bob"), 40).is_empty());
    }

    #[test]
    fn one_too_many_pushes_out_the_one_that_ends_first() {
        let memory = Memory::new(100);
        for (answer, ends) in [(1, 40), (2, 20), (3, 30), (4, 50), (5, 10)] {
            memory.remember(ALICE, ending(answer, ends), 0);
        }
        assert_eq!(recall(&memory, 0), [1, 3, 4, 5]);
    }

    #[test]
    fn a_flood_leaves_what_is_alive() {
        let memory = Memory::new(100);
        memory.remember(ALICE, ending(1, 1_000_000), 0);
        for n in 0..10_000_u64 {
            memory.remember(MemoryKey::OwnersNetworks(&n.to_string()), ending(1, n + 1), n);
        }
        assert_eq!(recall(&memory, 10_000), [1]);
        assert!(memory.kind(ALICE).len() <= 100);
    }
}
