//! A map that never has more than so many entries, for what strangers can make us remember.
//!
//! Entries lie in two halves, young and old. What is asked for moves to the young half. When a new entry finds that
//! full, the *turn* comes: what still lies in the old half was not asked for since the turn before and goes, the young
//! half becomes the old one, and a new young half begins. So a look-up is cheap, the bound needs no clock, and what is
//! asked again outlives any flood of what is asked once.
//!
//! Two things bend this rule, both given with the new entry that wants room:
//!
//! * what the caller gives a *weight* (a locked account, say) stays over a turn though nobody asked for it, the heaviest
//!   first, up to a quarter of the map: a flood of new entries that weigh less does not wash it out;
//! * [`BoundedMap::entry_if_room`] makes room only from what the caller says does not count any more, and refuses the new entry when there
//!   is none: for those who would rather turn a newcomer away.
//!
//! What a forgotten entry means is the caller's to answer, and should be the harmless side of his question. What must
//! not be forgotten does not belong here.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// A bounded map from `K` to `V`. It has no lock: whoever shares it puts it behind his own.
#[derive(Debug, Clone)]
pub struct BoundedMap<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half_entries_max: usize,
}

impl<K: Hash + Eq, V> BoundedMap<K, V> {
    /// An empty map for at most `entries_max` entries, which is rounded up to an even number, and at least 2.
    pub fn new(entries_max: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half_entries_max: entries_max.div_ceil(2).max(1) }
    }

    /// What is there under `key`, which is thereby asked for.
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if !self.old.is_empty()
            && let Some((key, value)) = self.old.remove_entry(key)
        {
            return Some(self.young.entry(key).or_insert(value));
        }
        self.young.get_mut(key)
    }

    /// Puts `value` under `key`, in the place of what was there. Nothing counts longer than it is asked for.
    pub fn insert(&mut self, key: K, value: V) {
        self.make_room(&key, |_| 0);
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    /// What is there under `key`, or else a default value that is put there. `weight` says of what was not asked for since
    /// the turn before how much it counts still; 0: it may go.
    pub fn entry(&mut self, key: K, weight: impl Fn(&V) -> u64) -> &mut V
    where
        V: Default,
    {
        self.make_room(&key, weight);
        let known = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| known.unwrap_or_default())
    }

    /// The same, but nothing that counts still goes: `None` if the map is full of it. Then each attempt looks at every
    /// entry: for maps that seldom fill up.
    pub fn entry_if_room(&mut self, key: K, counts: impl Fn(&V) -> bool) -> Option<&mut V>
    where
        V: Default,
    {
        if !self.contains_key(&key) && self.len() >= self.entries_max() {
            self.young.retain(|_, value| counts(value));
            self.old.retain(|_, value| counts(value));
            if self.len() >= self.entries_max() {
                return None;
            }
        }
        // Room in either half will do; a turn would not ask what counts.
        let known = self.old.remove(&key);
        let has_room = self.young.contains_key(&key) || self.young.len() < self.half_entries_max;
        let half = if has_room { &mut self.young } else { &mut self.old };
        Some(half.entry(key).or_insert_with(|| known.unwrap_or_default()))
    }

    /// Takes the entry out.
    pub fn remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.young.remove(key).or_else(|| self.old.remove(key))
    }

    /// Whether there is such an entry, without asking for it.
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    /// The turn before its time: for those who forget by a clock, too. What was not asked for since the one before goes,
    /// unless it has a `weight` still.
    pub fn turn(&mut self, weight: impl Fn(&V) -> u64) {
        let gone = mem::replace(&mut self.old, mem::take(&mut self.young));
        if self.old.len() > self.half_entries_max {
            // More than half of all was asked for; some of it must go.
            self.old = mem::take(&mut self.old).into_iter().take(self.half_entries_max).collect();
        }
        let mut staying: Vec<(u64, K, V)> = gone
            .into_iter()
            .map(|(key, value)| (weight(&value), key, value))
            .filter(|(weight, ..)| *weight > 0)
            .collect();
        let room = self.half_entries_max / 2;
        if staying.len() > room {
            staying.select_nth_unstable_by_key(room, |(weight, ..)| Reverse(*weight));
            staying.truncate(room);
        }
        self.young = staying.into_iter().map(|(_, key, value)| (key, value)).collect();
    }

    /// Whether the next new entry brings the turn.
    pub fn is_full(&self) -> bool {
        self.young.len() >= self.half_entries_max
    }

    /// All entries, in no order, without asking for them.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(&self.old)
    }

    /// All values, in no order, without asking for them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.young.values_mut().chain(self.old.values_mut())
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        (self.young, self.old) = (HashMap::new(), HashMap::new());
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there can be.
    pub fn entries_max(&self) -> usize {
        2 * self.half_entries_max
    }

    /// Before `key` is put into the young half. What is there already only changes its half.
    fn make_room(&mut self, key: &K, weight: impl Fn(&V) -> u64) {
        if self.is_full() && !self.contains_key(key) {
            self.turn(weight);
        }
    }
}

#[cfg(test)]
mod tests;
