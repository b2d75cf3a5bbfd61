//! Record marks (RFC 5531 §11): how messages follow one another over TCP.
//!
//! A record is one message, in fragments; before each stands a word with its length, whose highest bit marks the last one.

/// Longest record, in octets. A DRAC call has 104 and may carry 800 of credentials; the original takes datagrams of that size.
pub const RECORD_OCTETS_MAX: usize = 9_000;

const LAST_FRAGMENT: u32 = 1 << 31;
const MARK_OCTETS: usize = 4;

/// Why the connection must be closed: after this nobody knows where the next record begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A fragment without octets that does not just end a record: it moves nothing on, however many come.
    #[error("a fragment of a record is empty")]
    Empty,
    /// The record would be longer than [`RECORD_OCTETS_MAX`].
    #[error("a record is longer than {RECORD_OCTETS_MAX} octets")]
    TooLong,
}

/// Joins octets, however they were cut on the way, to records. It holds at most one record.
#[derive(Debug, Default)]
pub struct Records {
    record: Vec<u8>,
    mark: [u8; MARK_OCTETS],
    mark_octets: usize,
    fragment_left: usize,
    last: bool,
    /// The record was given out; the next octets begin another.
    given: bool,
}

impl Records {
    /// Takes octets from the start of `input` until a record is complete, and gives it; `None` when the input is used up.
    /// Call it again with what is left of `input`, until there is nothing left.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, RecordError> {
        if std::mem::take(&mut self.given) {
            self.record.clear();
        }
        loop {
            if self.mark_octets < MARK_OCTETS && !self.take_mark(input)? {
                return Ok(None);
            }
            let here = self.fragment_left.min(input.len());
            let (octets, rest) = input.split_at(here);
            self.record.extend_from_slice(octets);
            *input = rest;
            self.fragment_left -= here;
            if self.fragment_left > 0 {
                return Ok(None);
            }
            self.mark_octets = 0;
            if self.last {
                self.given = true;
                return Ok(Some(&self.record));
            }
        }
    }

    fn take_mark(&mut self, input: &mut &[u8]) -> Result<bool, RecordError> {
        let here = (MARK_OCTETS - self.mark_octets).min(input.len());
        let (octets, rest) = input.split_at(here);
        self.mark[self.mark_octets..self.mark_octets + here].copy_from_slice(octets);
        *input = rest;
        self.mark_octets += here;
        if self.mark_octets < MARK_OCTETS {
            return Ok(false);
        }
        let mark = u32::from_be_bytes(self.mark);
        self.last = mark & LAST_FRAGMENT != 0;
        self.fragment_left = usize::try_from(mark & !LAST_FRAGMENT).unwrap_or(usize::MAX);
        if self.fragment_left == 0 && (self.record.is_empty() || !self.last) {
            return Err(RecordError::Empty);
        }
        if self.fragment_left > RECORD_OCTETS_MAX - self.record.len() {
            return Err(RecordError::TooLong);
        }
        Ok(true)
    }
}

/// Appends `message` as a record of one fragment. Nothing that we send comes near the 2³¹ octets where a mark ends.
pub fn put_record(out: &mut Vec<u8>, message: &[u8]) {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX) | LAST_FRAGMENT;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Joined<'a> = Result<Vec<&'a [u8]>, RecordError>;

    fn all(pieces: &[&[u8]]) -> Result<Vec<Vec<u8>>, RecordError> {
        let (mut records, mut found) = (Records::default(), Vec::new());
        for piece in pieces {
            let mut input = *piece;
            while let Some(record) = records.take(&mut input)? {
                found.push(record.to_vec());
            }
            assert!(input.is_empty(), "what is not a record yet is kept");
        }
        Ok(found)
    }

    #[test]
    fn fragments_become_records() {
        let cases: Vec<(&[u8], Joined)> = vec![
            (b"", Ok(Vec::new())),
            (b"\x80\0\0\x03abc", Ok(vec![b"abc"])),
            (b"\0\0\0\x01a\x80\0\0\x02bc", Ok(vec![b"abc"])),
            (b"\0\0\0\x03abc\x80\0\0\0", Ok(vec![b"abc"])),
            (b"\x80\0\0\x01a\x80\0\0\x01b", Ok(vec![b"a", b"b"])),
            (b"\x80\0\0\x03ab", Ok(Vec::new())),
            (b"\0\0\0\x03abc", Ok(Vec::new())),
            (b"\0\0\0\0\x80\0\0\x01a", Err(RecordError::Empty)),
            (b"\x80\0\0\0", Err(RecordError::Empty)),
            (b"\0\0\0\x01a\0\0\0\0", Err(RecordError::Empty)),
            (b"\x80\0\0\x01a\x80\0\0\0", Err(RecordError::Empty)),
            (b"\x80\0\x23\x29", Err(RecordError::TooLong)),
            (b"\xff\xff\xff\xff", Err(RecordError::TooLong)),
            (b"\x7f\xff\xff\xff", Err(RecordError::TooLong)),
            (b"\0\0\0\x01a\x80\0\x23\x28", Err(RecordError::TooLong)),
        ];
        for (input, expected) in cases {
            let expected = expected.map(|records| records.into_iter().map(<[u8]>::to_vec).collect());
            assert_eq!(all(&[input]), expected, "{input:?}");
        }
    }

    #[test]
    fn the_longest_record_passes() {
        let mut wire = Vec::new();
        put_record(&mut wire, &[7; RECORD_OCTETS_MAX]);
        assert_eq!(all(&[&wire]).unwrap(), [vec![7; RECORD_OCTETS_MAX]]);
    }

    proptest! {
        /// Wherever the network cuts, the records are the same.
        #[test]
        fn cutting_changes_nothing(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..5),
            fragment in 1_usize..30,
            cut in 1_usize..20,
        ) {
            let mut wire = Vec::new();
            for message in &messages {
                let pieces: Vec<&[u8]> = message.chunks(fragment).collect();
                for (at, piece) in pieces.iter().enumerate() {
                    let last = if at + 1 == pieces.len() { LAST_FRAGMENT } else { 0 };
                    wire.extend_from_slice(&(u32::try_from(piece.len()).unwrap() | last).to_be_bytes());
                    wire.extend_from_slice(piece);
                }
            }
            prop_assert_eq!(all(&wire.chunks(cut).collect::<Vec<_>>()).unwrap(), messages);
        }

        /// Whatever comes, no more than one record is held.
        #[test]
        fn memory_is_bounded(wire in prop::collection::vec(any::<u8>(), 0..20_000)) {
            let mut records = Records::default();
            let mut input = wire.as_slice();
            while let Ok(Some(record)) = records.take(&mut input) {
                prop_assert!(record.len() <= RECORD_OCTETS_MAX);
            }
            prop_assert!(records.record.len() <= RECORD_OCTETS_MAX);
        }
    }
}
