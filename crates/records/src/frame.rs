//! The form of a segment: a head that says what it is, then frames, one for each record.
//!
//! ```text
//! head   "SKRECORD" | version u16 | 6 octets 0
//! frame  FF 53 52 FE | octets u32 | CRC-32C u32 | at u64 | the record as JSON
//! ```
//!
//! Numbers are little-endian; the sum is over `octets`, `at` and the record. The mark of a frame is no UTF-8, so no record holds
//! it: behind what is damaged, reading goes on at the next mark whose frame is whole.

use crc::{CRC_32_ISCSI, Crc, Table};

/// CRC-32C (RFC 3720 appendix B.4).
const CRC: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

const MAGIC: &[u8; 8] = b"SKRECORD";
/// The version of the form; another one is not read.
pub(crate) const VERSION: u16 = 1;
/// Octets of the head.
pub(crate) const HEAD_OCTETS: usize = 16;

const MARK: [u8; 4] = [0xff, b'S', b'R', 0xfe];
/// Octets of a frame without its record.
pub(crate) const FRAME_HEAD_OCTETS: usize = 20;
/// Octets of the longest record that is written or read.
pub(crate) const RECORD_OCTETS_MAX: usize = 128 << 10;

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    /// A segment that can be read.
    Good,
    /// One of another version.
    Other(u16),
    /// None, or one that was being made.
    None,
}

/// The head of a new segment.
pub(crate) fn head() -> [u8; HEAD_OCTETS] {
    let mut head = [0; HEAD_OCTETS];
    head[..8].copy_from_slice(MAGIC);
    head[8..10].copy_from_slice(&VERSION.to_le_bytes());
    head
}

/// Reads the head of a file.
pub(crate) fn read_head(octets: &[u8]) -> Head {
    match octets.get(..HEAD_OCTETS) {
        Some(head) if head[..8] == *MAGIC => match u16::from_le_bytes([head[8], head[9]]) {
            VERSION => Head::Good,
            other => Head::Other(other),
        },
        _ => Head::None,
    }
}

/// The sum that stands before some octets.
pub(crate) fn sum(parts: &[&[u8]]) -> u32 {
    let mut digest = CRC.digest();
    for part in parts {
        digest.update(part);
    }
    digest.finalize()
}

/// Appends a frame whose record `write` appends; `false`, and nothing is appended, if it fails or is too long.
pub(crate) fn put(out: &mut Vec<u8>, at_micros: u64, write: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
    let start = out.len();
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&at_micros.to_le_bytes());
    let is_written = write(out);
    let octets = out.len().saturating_sub(start + FRAME_HEAD_OCTETS);
    let Ok(length) = u32::try_from(octets) else {
        out.truncate(start);
        return false;
    };
    if !is_written || octets == 0 || octets > RECORD_OCTETS_MAX {
        out.truncate(start);
        return false;
    }
    let length = length.to_le_bytes();
    let sum = sum(&[&length, &out[start + 12..]]);
    out[start + 4..start + 8].copy_from_slice(&length);
    out[start + 8..start + 12].copy_from_slice(&sum.to_le_bytes());
    true
}

/// One whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'s> {
    /// When its record was judged.
    pub(crate) at_micros: u64,
    /// Where its record begins in the segment.
    pub(crate) from: usize,
    /// The record.
    pub(crate) record: &'s [u8],
}

/// The frames of a segment.
#[derive(Debug)]
pub(crate) struct Frames<'s> {
    octets: &'s [u8],
    at: usize,
    /// Behind the last whole frame.
    whole: usize,
    /// Stretches that could not be read, a torn end not among them.
    damaged: u64,
}

impl<'s> Frames<'s> {
    /// Of a file whose head is good.
    pub(crate) fn new(octets: &'s [u8]) -> Self {
        Self { octets, at: HEAD_OCTETS, whole: HEAD_OCTETS, damaged: 0 }
    }

    /// The octets up to the end of the last whole frame that was given: what is behind the last of all is torn.
    pub(crate) fn whole(&self) -> usize {
        self.whole
    }

    /// Stretches that were skipped so far.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    fn frame(&self, at: usize) -> Option<Frame<'s>> {
        let head = self.octets.get(at..at.checked_add(FRAME_HEAD_OCTETS)?)?;
        if head[..4] != MARK {
            return None;
        }
        let length: [u8; 4] = head[4..8].try_into().ok()?;
        let octets = usize::try_from(u32::from_le_bytes(length)).ok()?;
        if octets > RECORD_OCTETS_MAX {
            return None;
        }
        let body = self.octets.get(at + 12..at + FRAME_HEAD_OCTETS + octets)?;
        let expected = u32::from_le_bytes(head[8..12].try_into().ok()?);
        if sum(&[&length, body]) != expected {
            return None;
        }
        let (time, record) = body.split_at_checked(8)?;
        let at_micros = u64::from_le_bytes(time.try_into().ok()?);
        Some(Frame { at_micros, from: at + FRAME_HEAD_OCTETS, record })
    }
}

impl<'s> Iterator for Frames<'s> {
    type Item = Frame<'s>;

    fn next(&mut self) -> Option<Frame<'s>> {
        let mut skipped = false;
        while self.at < self.octets.len() {
            if let Some(frame) = self.frame(self.at) {
                self.at += FRAME_HEAD_OCTETS + frame.record.len();
                self.whole = self.at;
                self.damaged += u64::from(skipped);
                return Some(frame);
            }
            skipped = true;
            let from = self.at + 1;
            let next = memchr::memmem::find(self.octets.get(from..)?, &MARK);
            self.at = next.map_or(self.octets.len(), |next| from + next);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment(records: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut octets = head().to_vec();
        for (at, record) in records {
            assert!(put(&mut octets, *at, |out| {
                out.extend_from_slice(record);
                true
            }));
        }
        octets
    }

    fn read(octets: &[u8]) -> (Vec<(u64, Vec<u8>)>, usize, u64) {
        let mut frames = Frames::new(octets);
        let mut records = Vec::new();
        for frame in frames.by_ref() {
            records.push((frame.at_micros, frame.record.to_vec()));
        }
        (records, frames.whole(), frames.damaged())
    }

    fn records() -> impl Strategy<Value = Vec<(u64, Vec<u8>)>> {
        let record = "[ -~é]{1,60}".prop_map(String::into_bytes);
        prop::collection::vec((any::<u64>(), record), 0..8)
    }

    #[test]
    fn the_sum_is_the_published_one() {
        assert_eq!(sum(&[b"123456789"]), 0xE306_9283);
        assert_eq!(sum(&[b"1234", b"56789"]), 0xE306_9283);
    }

    #[test]
    fn another_version_is_not_read() {
        let mut octets = head();
        assert_eq!(read_head(&octets), Head::Good);
        octets[8] = 9;
        assert_eq!(read_head(&octets), Head::Other(9));
        assert_eq!(read_head(&octets[..15]), Head::None);
        assert_eq!(read_head(b""), Head::None);
    }

    #[test]
    fn what_is_too_long_is_not_put() {
        let mut out = vec![7];
        assert!(!put(&mut out, 1, |out| {
            out.resize(out.len() + RECORD_OCTETS_MAX + 1, b'x');
            true
        }));
        assert!(!put(&mut out, 1, |_| true));
        assert!(!put(&mut out, 1, |out| {
            out.push(b'x');
            false
        }));
        assert_eq!(out, [7]);
    }

    proptest! {
        #[test]
        fn frames_are_written_and_read(records in records()) {
            let octets = segment(&records);
            prop_assert_eq!(read(&octets), (records, octets.len(), 0));
        }

        /// A file that ends anywhere has the whole frames before, and says where they end.
        #[test]
        fn a_torn_end_takes_one_record(records in records()) {
            let octets = segment(&records);
            let ends: Vec<usize> = records.iter().scan(HEAD_OCTETS, |end, (_, record)| {
                *end += FRAME_HEAD_OCTETS + record.len();
                Some(*end)
            }).collect();
            for cut in HEAD_OCTETS..=octets.len() {
                let whole = ends.iter().filter(|end| **end <= cut).count();
                let (found, end, damaged) = read(&octets[..cut]);
                prop_assert_eq!(&found, &records[..whole]);
                prop_assert_eq!(end, whole.checked_sub(1).map_or(HEAD_OCTETS, |last| ends[last]));
                prop_assert_eq!(damaged, 0);
            }
        }

        /// An octet that changed takes the record it stands in, and no other.
        #[test]
        fn damage_takes_one_record(records in records(), at: prop::sample::Index, bit in 0u8..8) {
            prop_assume!(!records.is_empty());
            let mut octets = segment(&records);
            let at = HEAD_OCTETS + at.index(octets.len() - HEAD_OCTETS);
            octets[at] ^= 1 << bit;
            let (found, ..) = read(&octets);
            prop_assert_eq!(found.len(), records.len() - 1);
            prop_assert!(found.iter().all(|record| records.contains(record)));
        }

        #[test]
        fn any_octets_are_read_without_harm(octets: Vec<u8>) {
            let _ = read_head(&octets);
            let _ = read(&octets);
        }
    }
}
