//! A small map with a bound, for answers that strangers make us look up.
//!
//! What is asked again stays, what was asked once goes ([`BoundedMap`]). Sharded, so that two cores seldom wait for each other;
//! no lock is held over an await.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};

use keep::BoundedMap;

const SHARDS: usize = 16;

/// A bounded map from `K` to `V`; `V` should be cheap to clone.
pub(crate) struct Cache<K, V> {
    shards: Vec<Mutex<BoundedMap<K, V>>>,
    hasher: RandomState,
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// At most `entries_max` entries, rounded up to a multiple of 32.
    pub(crate) fn new(entries_max: usize) -> Self {
        let empty = || Mutex::new(BoundedMap::new(entries_max.div_ceil(SHARDS)));
        Self { shards: std::iter::repeat_with(empty).take(SHARDS).collect(), hasher: RandomState::new() }
    }

    pub(crate) fn find<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).get_mut(key).cloned()
    }

    pub(crate) fn insert(&self, key: K, value: V) {
        self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let count = |shard: &Mutex<BoundedMap<K, V>>| shard.lock().unwrap_or_else(PoisonError::into_inner).len();
        self.shards.iter().map(count).sum()
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<BoundedMap<K, V>> {
        let number = (self.hasher.hash_one(key) >> 32) as usize % SHARDS;
        &self.shards[number]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn what_is_asked_again_outlives_a_flood() {
        let cache: Cache<String, u32> = Cache::new(320);
        cache.insert("kept".to_owned(), 1);
        for number in 0..100_000_u32 {
            cache.insert(number.to_string(), number);
            assert_eq!(cache.find("kept"), Some(1));
        }
        assert!(cache.len() <= 320, "{}", cache.len());
    }

    proptest! {
        #[test]
        fn an_answer_is_the_last_one_put_or_none(asked in proptest::collection::vec((0_u8..40, any::<u16>(), any::<bool>()), 0..400)) {
            let cache: Cache<u8, u16> = Cache::new(32);
            let mut model = HashMap::new();
            for (key, value, put) in asked {
                if put {
                    cache.insert(key, value);
                    model.insert(key, value);
                    prop_assert_eq!(cache.find(&key), Some(value));
                } else if let Some(found) = cache.find(&key) {
                    prop_assert_eq!(Some(&found), model.get(&key));
                }
            }
            prop_assert!(cache.len() <= 32);
        }
    }
}
