//! So many of each: a count that is bounded, whatever strangers make up.

use std::collections::HashMap;

/// Different ones that are counted; what is new beyond counts as others.
const KEYS_MAX: usize = 20_000;

/// A count of each.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: HashMap<String, u64>,
    others: u64,
}

impl Tally {
    /// One more of it.
    pub(crate) fn add(&mut self, key: &str) {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
        } else if self.counts.len() < KEYS_MAX {
            self.counts.insert(key.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    /// The most frequent, most first; of equals the first by name.
    pub(crate) fn top(&self, count: usize) -> Vec<(String, u64)> {
        let mut all: Vec<(&String, &u64)> = self.counts.iter().collect();
        all.sort_unstable_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        all.into_iter().take(count).map(|(key, count)| (key.clone(), *count)).collect()
    }

    /// How many there were.
    pub(crate) fn total(&self) -> u64 {
        self.counts.values().sum::<u64>() + self.others
    }

    /// Different ones; at least so many.
    pub(crate) fn different(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_sorted() {
        let mut tally = Tally::default();
        for key in ["b", "a", "b", "c"] {
            tally.add(key);
        }
        assert_eq!(tally.top(2), [("b".to_owned(), 2), ("a".to_owned(), 1)]);
        for n in 0..KEYS_MAX {
            tally.add(&n.to_string());
        }
        assert_eq!((tally.different(), tally.total()), (KEYS_MAX, 4 + KEYS_MAX as u64));
    }
}
