//! What is in a maildrop, as one session sees it.

use std::fmt::Write as _;
use std::sync::Arc;

/// Sizes and unique-ids of a maildrop's messages, numbered from 1. About 30 octets of memory a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    octets: Vec<u64>,
    unique_ids: String,
    unique_id_ends: Vec<u32>,
    total_octets: u64,
}

impl Listing {
    /// Appends a message: its octets with CRLF line ends, and its unique-id (1 to 70 printable characters).
    pub fn push(&mut self, octets: u64, unique_id: &str) {
        self.octets.push(octets);
        self.total_octets = self.total_octets.saturating_add(octets);
        self.unique_ids.push_str(unique_id);
        self.unique_id_ends.push(u32::try_from(self.unique_ids.len()).unwrap_or(u32::MAX));
    }

    /// How many messages there are.
    pub fn messages(&self) -> u32 {
        u32::try_from(self.octets.len()).unwrap_or(u32::MAX)
    }

    /// Octets of all of them.
    pub fn total_octets(&self) -> u64 {
        self.total_octets
    }

    /// Octets of message `number`; `None` if there is none.
    pub fn octets(&self, number: u32) -> Option<u64> {
        self.octets.get(index(number)?).copied()
    }

    /// Unique-id of message `number`; `None` if there is none.
    pub fn unique_id(&self, number: u32) -> Option<&str> {
        let index = index(number)?;
        let end = *self.unique_id_ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.unique_id_ends[before]);
        self.unique_ids.get(start as usize..end as usize)
    }
}

impl<S: AsRef<str>> FromIterator<(u64, S)> for Listing {
    fn from_iter<I: IntoIterator<Item = (u64, S)>>(messages: I) -> Self {
        let mut listing = Self::default();
        for (octets, unique_id) in messages {
            listing.push(octets, unique_id.as_ref());
        }
        listing
    }
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// Which messages are marked as deleted. Costs nothing until the first mark.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    words: Arc<Vec<u64>>,
    messages: u32,
    octets: u64,
}

impl Marks {
    pub(crate) fn has(&self, number: u32) -> bool {
        self.words.get(number as usize / 64).is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// Marks a message that is not marked yet.
    pub(crate) fn add(&mut self, number: u32, octets: u64) {
        let words = Arc::make_mut(&mut self.words);
        let word = number as usize / 64;
        if words.len() <= word {
            words.resize(word + 1, 0);
        }
        words[word] |= 1 << (number % 64);
        self.messages += 1;
        self.octets += octets;
    }

    pub(crate) fn messages(&self) -> u32 {
        self.messages
    }

    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn numbers(&self) -> Vec<u32> {
        let bits = u32::try_from(self.words.len() * 64).unwrap_or(u32::MAX);
        (0..bits).filter(|&number| self.has(number)).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Octets,
    UniqueId,
}

/// The lines of LIST or UIDL, made while they are sent: 100,000 of them never stand in memory together.
#[derive(Debug, Clone)]
pub struct Lines {
    listing: Arc<Listing>,
    marks: Marks,
    column: Column,
    next: u32,
}

impl Lines {
    pub(crate) fn new(listing: Arc<Listing>, marks: Marks, column: Column) -> Self {
        Self { listing, marks, column, next: 1 }
    }

    /// Appends at least one line and about `octets_wanted`, at the end the final `.`; true when there is more.
    pub fn fill(&mut self, out: &mut Vec<u8>, octets_wanted: usize) -> bool {
        let enough = out.len().saturating_add(octets_wanted.max(1));
        let mut line = String::new();
        while self.next <= self.listing.messages() {
            if out.len() >= enough {
                return true;
            }
            let number = self.next;
            self.next += 1;
            if self.marks.has(number) {
                continue;
            }
            line.clear();
            let _ = match self.column {
                Column::Octets => write!(line, "{number} {}\r\n", self.listing.octets(number).unwrap_or(0)),
                Column::UniqueId => write!(line, "{number} {}\r\n", self.listing.unique_id(number).unwrap_or("-")),
            };
            out.extend_from_slice(line.as_bytes());
        }
        out.extend_from_slice(b".\r\n");
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_from_one() {
        let listing: Listing = [(10, "a"), (20, "bb")].into_iter().collect();
        assert_eq!((listing.messages(), listing.total_octets()), (2, 30));
        assert_eq!((listing.octets(0), listing.octets(2), listing.octets(3)), (None, Some(20), None));
        assert_eq!((listing.unique_id(0), listing.unique_id(1), listing.unique_id(2)), (None, Some("a"), Some("bb")));
        assert_eq!(listing.unique_id(3), None);
    }

    #[test]
    fn lines_come_in_pieces_without_the_marked() {
        let listing: Arc<Listing> = Arc::new((1..=200).map(|n| (n, "u")).collect());
        let mut marks = Marks::default();
        marks.add(64, 64);
        marks.add(200, 200);
        let mut lines = Lines::new(listing, marks.clone(), Column::Octets);
        let (mut all, mut pieces) = (Vec::new(), 0);
        loop {
            let mut piece = Vec::new();
            let more = lines.fill(&mut piece, 100);
            assert!(piece.len() < 120);
            all.extend(piece);
            pieces += 1;
            if !more {
                break;
            }
        }
        let text = String::from_utf8(all).unwrap();
        assert!(pieces > 5 && text.starts_with("1 1\r\n") && text.ends_with("199 199\r\n.\r\n"));
        assert_eq!(text.lines().count(), 199);
        assert_eq!(marks.numbers(), [64, 200]);
    }
}
