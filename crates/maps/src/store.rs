//! Keys and values of a big table: one text with all of them, and an index of places. A million entries are three
//! allocations, so that loading is reading, and dropping an old table costs nothing.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::Hasher as _;

/// Where an entry stands: the key, and behind it the value.
#[derive(Clone, Copy)]
struct Entry {
    start: u32,
    key: u32,
    value: u32,
    line: u32,
}

/// A table that is being read.
#[derive(Default)]
pub(super) struct Builder {
    text: String,
    entries: Vec<Entry>,
}

/// All texts together may be so long, in octets: places are 32 bits.
pub(super) const TEXT_OCTETS_MAX: usize = u32::MAX as usize;

impl Builder {
    /// For a file of so many octets and about so many lines.
    pub(super) fn with_capacity(octets: usize, lines: usize) -> Self {
        Self { text: String::with_capacity(octets), entries: Vec::with_capacity(lines) }
    }

    /// Takes an entry whose key is folded already. `false`: the table is full.
    pub(super) fn push(&mut self, key: &str, value: &str, line: u32) -> bool {
        let (Ok(start), Ok(key_octets), Ok(value_octets)) =
            (u32::try_from(self.text.len()), u32::try_from(key.len()), u32::try_from(value.len()))
        else {
            return false;
        };
        self.text.push_str(key);
        self.text.push_str(value);
        self.entries.push(Entry { start, key: key_octets, value: value_octets, line });
        self.text.len() <= TEXT_OCTETS_MAX && self.entries.len() < TEXT_OCTETS_MAX / 4
    }

    /// Makes the index. Of several entries with one key the first counts; `doubled` is told the others, with the first's
    /// line.
    pub(super) fn finish(mut self, mut doubled: impl FnMut(Doubled<'_>)) -> Store {
        self.entries.shrink_to_fit();
        let size = (self.entries.len() * 2).next_power_of_two().max(2);
        let mut store = Store { text: self.text, entries: self.entries, slots: vec![0; size] };
        for number in 0..store.entries.len() {
            let entry = store.entries[number];
            let key = store.key(entry);
            let hash = hash(key);
            match store.seek(key, hash) {
                Ok(first) => {
                    let first_line = store.entries[first].line;
                    doubled(Doubled { key, line: entry.line, first_line });
                }
                Err(slot) => {
                    // 32 bits of the hash beside the place: a slot that is not ours is known without looking further.
                    store.slots[slot] = (hash & FINGERPRINT) | (number as u64 + 1);
                }
            }
        }
        store
    }
}

const FINGERPRINT: u64 = 0xffff_ffff_0000_0000;

/// An entry that does not count, since its key was there before.
pub(super) struct Doubled<'a> {
    pub(super) key: &'a str,
    pub(super) line: u32,
    pub(super) first_line: u32,
}

/// A table that can be asked.
pub(super) struct Store {
    text: String,
    entries: Vec<Entry>,
    /// A hash's upper half, and an entry's number plus one; 0 is free. At most half of them are taken.
    slots: Vec<u64>,
}

/// Not what is in it: passwords may be (`AuthInfo:` in sendmail's access database).
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} entries)", self.entries.len())
    }
}

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key.as_bytes());
    hasher.finish()
}

impl Store {
    fn key(&self, entry: Entry) -> &str {
        &self.text[entry.start as usize..][..entry.key as usize]
    }

    fn value(&self, entry: Entry) -> &str {
        &self.text[entry.start as usize + entry.key as usize..][..entry.value as usize]
    }

    /// The number of the entry with this key, or the slot that is free for it.
    fn seek(&self, key: &str, hash: u64) -> Result<usize, usize> {
        let mask = self.slots.len() - 1;
        #[expect(clippy::cast_possible_truncation, reason = "the mask takes lower bits only")]
        let mut slot = hash as usize & mask;
        loop {
            let taken = self.slots[slot];
            if taken == 0 {
                return Err(slot);
            }
            if taken & FINGERPRINT == hash & FINGERPRINT {
                let number = (taken & !FINGERPRINT) as usize - 1;
                if self.key(self.entries[number]) == key {
                    return Ok(number);
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Value and line of a key that is folded already.
    pub(super) fn get(&self, key: &str) -> Option<(&str, u32)> {
        let number = self.seek(key, hash(key)).ok()?;
        let entry = self.entries[number];
        Some((self.value(entry), entry.line))
    }

    /// All entries in the order of the file, also those that do not count.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.entries.iter().map(|e| (self.key(*e), self.value(*e), e.line))
    }

    /// The entries that count, in the order of the file.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let counts = |(number, entry): &(usize, &Entry)| {
            let key = self.key(**entry);
            self.seek(key, hash(key)) == Ok(*number)
        };
        self.entries.iter().enumerate().filter(counts).map(|(_, e)| (self.key(*e), self.value(*e)))
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_key_counts() {
        let mut builder = Builder::default();
        for (key, value, line) in [("a", "1", 1), ("b", "", 2), ("a", "2", 3), ("", "empty", 4)] {
            assert!(builder.push(key, value, line));
        }
        let mut doubled = Vec::new();
        let store = builder.finish(|d| doubled.push((d.key.to_owned(), d.line, d.first_line)));
        assert_eq!(doubled, [("a".to_owned(), 3, 1)]);
        assert_eq!(store.get("a"), Some(("1", 1)));
        assert_eq!(store.get("b"), Some(("", 2)));
        assert_eq!(store.get(""), Some(("empty", 4)));
        assert_eq!(store.get("c"), None);
        assert_eq!(store.pairs().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("", "empty")]);
        assert_eq!(format!("{store:?}"), "Store(4 entries)");
        assert_eq!(Builder::default().finish(|_| ()).get("a"), None);
    }

    #[test]
    fn every_one_of_many_is_found() {
        let mut builder = Builder::with_capacity(0, 0);
        for n in 0..10_000_u32 {
            builder.push(&format!("key{n}"), &n.to_string(), n);
        }
        let store = builder.finish(|_| ());
        for n in 0..10_000_u32 {
            assert_eq!(store.get(&format!("key{n}")), Some((n.to_string().as_str(), n)));
            assert_eq!(store.get(&format!("no{n}")), None);
        }
    }
}
