//! Keys and values of a big table: one text with all of them, and an index of places. A million entries are three
//! allocations, so that loading is reading, and dropping an old table costs nothing.

use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::Hasher as _;

use crate::found::Found;
use crate::key::fold;

/// A key and what stands for it.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    /// From 1; 0 where there are no lines.
    pub(crate) line: u32,
}

/// Where an entry is in the text: the key, and behind it the value.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    key: u32,
    value: u32,
    line: u32,
}

/// A table that is being read.
#[derive(Default)]
pub(crate) struct Builder {
    text: String,
    entries: Vec<Span>,
}

/// All texts together may be so long, in octets: places are 32 bits.
pub(crate) const TEXT_OCTETS_MAX: usize = u32::MAX as usize;

impl Builder {
    /// For a file of so many octets and about so many lines.
    pub(crate) fn with_capacity(octets: usize, lines: usize) -> Self {
        Self { text: String::with_capacity(octets), entries: Vec::with_capacity(lines) }
    }

    /// Takes an entry whose key is folded already. `false`: the table is full.
    pub(crate) fn push(&mut self, entry: Entry<'_>) -> bool {
        let Entry { key, value, line } = entry;
        let (Ok(start), Ok(key_octets), Ok(value_octets)) =
            (u32::try_from(self.text.len()), u32::try_from(key.len()), u32::try_from(value.len()))
        else {
            return false;
        };
        self.text.push_str(key);
        self.text.push_str(value);
        self.entries.push(Span { start, key: key_octets, value: value_octets, line });
        self.text.len() <= TEXT_OCTETS_MAX && self.entries.len() < TEXT_OCTETS_MAX / 4
    }

    /// Makes the index. Of several entries with one key the first counts; `doubled` is told the others, with the first's
    /// line.
    pub(crate) fn finish(mut self, mut doubled: impl FnMut(Doubled<'_>)) -> Store {
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
pub(crate) struct Doubled<'a> {
    pub(crate) key: &'a str,
    pub(crate) line: u32,
    pub(crate) first_line: u32,
}

/// A table that can be asked.
pub(crate) struct Store {
    text: String,
    entries: Vec<Span>,
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
    fn key(&self, entry: Span) -> &str {
        &self.text[entry.start as usize..][..entry.key as usize]
    }

    fn value(&self, entry: Span) -> &str {
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

    /// What stands for a key, however it is written. No entry has an empty key.
    pub(crate) fn look_up(&self, key: &str) -> Option<Found<'_>> {
        if key.is_empty() { None } else { self.get(&fold(key)) }
    }

    /// The same for a key that is folded already; it may be empty.
    pub(crate) fn get(&self, key: &str) -> Option<Found<'_>> {
        let number = self.seek(key, hash(key)).ok()?;
        let entry = self.entries[number];
        Some(Found::borrowed(self.value(entry), entry.line))
    }

    /// All entries in the order of the file, also those that do not count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|it| Entry { key: self.key(*it), value: self.value(*it), line: it.line })
    }

    /// The entries that count, in the order of the file.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let counts = |(number, entry): &(usize, &Span)| {
            let key = self.key(**entry);
            self.seek(key, hash(key)) == Ok(*number)
        };
        self.entries.iter().enumerate().filter(counts).map(|(_, e)| (self.key(*e), self.value(*e)))
    }

    pub(crate) fn len(&self) -> usize {
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
            assert!(builder.push(Entry { key, value, line }));
        }
        let mut doubled = Vec::new();
        let store = builder.finish(|d| doubled.push((d.key.to_owned(), d.line, d.first_line)));
        assert_eq!(doubled, [("a".to_owned(), 3, 1)]);
        assert_eq!(store.get("a"), Some(Found::borrowed("1", 1)));
        assert_eq!(store.get("b"), Some(Found::borrowed("", 2)));
        assert_eq!(store.get(""), Some(Found::borrowed("empty", 4)));
        assert_eq!(store.get("c"), None);
        assert_eq!(store.pairs().collect::<Vec<_>>(), [("a", "1"), ("b", ""), ("", "empty")]);
        assert_eq!(format!("{store:?}"), "Store(4 entries)");
        assert_eq!(Builder::default().finish(|_| ()).get("a"), None);
    }

    #[test]
    fn every_one_of_many_is_found() {
        let mut builder = Builder::with_capacity(0, 0);
        for n in 0..10_000_u32 {
            builder.push(Entry { key: &format!("key{n}"), value: &n.to_string(), line: n });
        }
        let store = builder.finish(|_| ());
        for n in 0..10_000_u32 {
            assert_eq!(store.get(&format!("key{n}")), Some(Found::borrowed(&n.to_string(), n)));
            assert_eq!(store.get(&format!("no{n}")), None);
        }
    }
}
