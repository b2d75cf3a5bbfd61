//! What is remembered until its end, in memory and bounded: a restart forgets. What ends last outlives a flood of new keys.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use keep::BoundedMap;

use crate::memory::MemoryKey;

/// By a keyed hash of the key: when it ends, and how long it was to last, in microseconds.
type Kind = BoundedMap<u64, Ending>;

/// When something ends.
#[derive(Debug, Clone, Copy, Default)]
struct Ending {
    ends: u64,
    span: u64,
}

/// What is remembered of all keys.
#[derive(Debug)]
pub(crate) struct Memory {
    kinds: [Mutex<Kind>; MemoryKey::KINDS],
    hasher: RandomState,
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

    /// Remembers it for `span` from now on.
    pub(super) fn remember(&self, key: MemoryKey<'_>, span: u64, now: u64) {
        let mut kind = self.kind(key);
        let ending = kind.entry(self.hasher.hash_one(key), |ending| ending.ends.saturating_sub(now));
        *ending = Ending { ends: now.saturating_add(span), span };
    }

    /// Whether it is remembered still. What ends further ahead than it was to last was written by a clock that is set right now.
    pub(super) fn is_remembered(&self, key: MemoryKey<'_>, now: u64) -> bool {
        let mut kind = self.kind(key);
        let ending = kind.get_mut(&self.hasher.hash_one(key)).copied().unwrap_or_default();
        now < ending.ends && ending.ends - now <= ending.span
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: MemoryKey<'static> = MemoryKey::HopRefusals("gone@inside.test");

    #[test]
    fn it_ends_and_never_lies_further_ahead_than_its_span() {
        let memory = Memory::new(10);
        assert!(!memory.is_remembered(PATH, 100));
        memory.remember(PATH, 50, 100);
        assert!(memory.is_remembered(PATH, 100) && memory.is_remembered(PATH, 149));
        assert!(!memory.is_remembered(PATH, 150));
        assert!(!memory.is_remembered(PATH, 10), "the clock was ahead when it was written");
        assert!(!memory.is_remembered(MemoryKey::HopRefusals("other@inside.test"), 100));
    }
}
