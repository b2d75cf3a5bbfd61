//! Records and segment headers as octets, pure.
//!
//! A segment is a header and then records, each starting at a multiple of eight:
//!
//! ```text
//! header  0 magic[8]  8 version  9 zero[7]  16 number  24 previous number  32 previous synced octets  40 sum of 0..40
//! record  0 magic[4]  4 kind  5 zero[3]  8 meta octets(4)  12 body octets(4)  16 id(8)
//!        24 sum of meta and body(8)  32 synced octets(8)  40 sum of 0..40(8)  48 meta, body, zeros to a multiple of 8
//! ```
//!
//! A record's head is summed with the segment's number as seed: what a recycled file held before is not taken for a
//! record. *Synced octets* tells how much of the segment was durable when the record was written: a hole below it
//! was acknowledged once, a hole above it never was.

use bytes::Bytes;

use crate::checksum::{Checksum, checksum};
use crate::codec::{self, META_OCTETS_MAX, Malformed, Reader, put_envelope, put_number, put_state};
use crate::state::MessageState;
use crate::{Envelope, QueueId};

/// The newest form this release reads and the one it writes. It reads all before it:
///
/// | form | |
/// |---|---|
/// | 1 | a message whose body has a file has all its octets there |
/// | 2 | its head is the body of its record, the rest is in the file |
/// | 3 | a recipient can be held by itself, a held message tells why, and an origin what is known of the sender |
/// | 4 | a message that is relayed has its line of the relay record with it |
pub(crate) const VERSION: u8 = 4;

/// What the octet before the state says is there.
const STATE: u8 = 1;
const LINE: u8 = 1 << 1;
pub(crate) const HEADER_OCTETS: usize = 48;
pub(crate) const HEAD_OCTETS: usize = 48;
const SEGMENT_MAGIC: [u8; 8] = *b"sekisho\x1a";
const RECORD_MAGIC: [u8; 4] = *b"SkR\x1a";
const SUMMED: usize = 40;

/// The first octets of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    /// The segment written before this one and how much of it was durable by then; 0, 0 if there was none.
    pub(crate) previous: (u64, u64),
}

/// Why a header is not ours to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Newer(u8),
    Unreadable,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_OCTETS] {
        let mut out = [0; HEADER_OCTETS];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8] = VERSION;
        put_word(&mut out, 16, self.number);
        put_word(&mut out, 24, self.previous.0);
        put_word(&mut out, 32, self.previous.1);
        let sum = checksum(0, &out[..SUMMED]);
        put_word(&mut out, SUMMED, sum);
        out
    }

    /// The version is judged before the sum: a newer form may sum otherwise.
    pub(crate) fn decode(octets: &[u8]) -> Result<Self, HeaderError> {
        let header = octets.get(..HEADER_OCTETS).ok_or(HeaderError::Unreadable)?;
        if header[..8] != SEGMENT_MAGIC {
            return Err(HeaderError::Unreadable);
        }
        if header[8] > VERSION {
            return Err(HeaderError::Newer(header[8]));
        }
        if checksum(0, &header[..SUMMED]) != word(header, SUMMED) {
            return Err(HeaderError::Unreadable);
        }
        Ok(Self { number: word(header, 16), previous: (word(header, 24), word(header, 32)) })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A message: [`Meta`], and its octets: all of them, or the head where the body has a file.
    Message = 1,
    /// New states of messages: [`put_status`].
    Status = 2,
    /// Messages that left the spool: their ids as words.
    Done = 3,
    /// Records from an offset of a segment on do not count: they were written, but failed to sync.
    Cut = 4,
    /// Nothing; carries the synced octets at a clean end.
    Seal = 5,
}

impl Kind {
    fn from_octet(octet: u8) -> Option<Self> {
        [Self::Message, Self::Status, Self::Done, Self::Cut, Self::Seal].into_iter().find(|kind| *kind as u8 == octet)
    }
}

/// The first octets of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) meta_octets: u32,
    pub(crate) body_octets: u32,
    pub(crate) id: u64,
    pub(crate) content_sum: u64,
    pub(crate) synced_octets: u64,
}

impl Head {
    pub(crate) fn encode(&self, segment: u64) -> [u8; HEAD_OCTETS] {
        let mut out = [0; HEAD_OCTETS];
        out[..4].copy_from_slice(&RECORD_MAGIC);
        out[4] = self.kind as u8;
        out[8..12].copy_from_slice(&self.meta_octets.to_le_bytes());
        out[12..16].copy_from_slice(&self.body_octets.to_le_bytes());
        put_word(&mut out, 16, self.id);
        put_word(&mut out, 24, self.content_sum);
        put_word(&mut out, 32, self.synced_octets);
        let sum = checksum(segment, &out[..SUMMED]);
        put_word(&mut out, SUMMED, sum);
        out
    }

    pub(crate) fn decode(octets: &[u8], segment: u64) -> Option<Self> {
        let head = octets.get(..HEAD_OCTETS)?;
        if head[..4] != RECORD_MAGIC || checksum(segment, &head[..SUMMED]) != word(head, SUMMED) {
            return None;
        }
        Some(Self {
            kind: Kind::from_octet(head[4])?,
            meta_octets: half(head, 8),
            body_octets: half(head, 12),
            id: word(head, 16),
            content_sum: word(head, 24),
            synced_octets: word(head, 32),
        })
    }

    /// Length of the whole record with its padding.
    pub(crate) fn record_octets(&self) -> usize {
        padded(HEAD_OCTETS + self.meta_octets as usize + self.body_octets as usize)
    }
}

pub(crate) fn padded(octets: usize) -> usize {
    octets.next_multiple_of(8)
}

/// A whole record read back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) head: Head,
    pub(crate) meta: &'a [u8],
    pub(crate) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the record at the front; `None` if its head or its content does not fit its sum.
    pub(crate) fn decode(octets: &'a [u8], segment: u64) -> Option<Self> {
        let head = Head::decode(octets, segment)?;
        let meta_end = HEAD_OCTETS.checked_add(head.meta_octets as usize)?;
        let body_end = meta_end.checked_add(head.body_octets as usize)?;
        let content = octets.get(HEAD_OCTETS..body_end)?;
        if checksum(0, content) != head.content_sum {
            return None;
        }
        Some(Self { head, meta: &octets[HEAD_OCTETS..meta_end], body: &octets[meta_end..body_end] })
    }
}

/// Where a message's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyIn {
    /// In the record, behind its head.
    Record,
    /// In the file named after the id; only the head is in the record.
    File { octets: u64, sum: u64 },
}

/// The meta of a [`Kind::Message`] record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) body: BodyIn,
    /// The state when the record was written, where that was not the arrival.
    pub(crate) state: Option<MessageState<'static>>,
    pub(crate) envelope: Envelope,
    /// What is to stand in the chain of those that are relayed; only in the record by which it was accepted.
    pub(crate) line: Option<String>,
}

/// What a record of a message begins with.
#[derive(Clone, Copy)]
pub(crate) struct MetaParts<'a> {
    pub(crate) body: BodyIn,
    pub(crate) state: Option<&'a MessageState<'a>>,
    pub(crate) envelope: &'a Envelope,
    pub(crate) line: Option<&'a str>,
}

pub(crate) fn put_meta(out: &mut Vec<u8>, parts: MetaParts<'_>) {
    let MetaParts { body, state, envelope, line } = parts;
    match body {
        BodyIn::Record => out.push(0),
        BodyIn::File { octets, sum } => {
            out.push(1);
            put_number(out, octets);
            out.extend_from_slice(&sum.to_le_bytes());
        }
    }
    out.push(if state.is_some() { STATE } else { 0 } | if line.is_some() { LINE } else { 0 });
    if let Some(state) = state {
        put_state(out, state);
    }
    if let Some(line) = line {
        codec::put_text(out, line);
    }
    put_envelope(out, envelope);
}

pub(crate) fn read_meta(meta: &[u8]) -> Result<Meta, Malformed> {
    let mut reader = Reader::new(meta);
    let body = match reader.octet()? {
        0 => BodyIn::Record,
        1 => BodyIn::File { octets: reader.number()?, sum: reader.word()? },
        _ => return Err(Malformed("unknown body")),
    };
    let there = reader.octet()?;
    if there > STATE | LINE {
        return Err(Malformed("unknown option"));
    }
    let state = if there & STATE != 0 { Some(codec::read_state(&mut reader)?) } else { None };
    let line = if there & LINE != 0 { Some(reader.text()?.to_owned()) } else { None };
    let envelope = codec::read_envelope(&mut reader)?;
    if state.as_ref().is_some_and(|state| state.recipients.len() != envelope.recipients.len()) {
        return Err(Malformed("state is of another envelope"));
    }
    Ok(Meta { body, state, envelope, line })
}

/// One message's part of a [`Kind::Status`] record.
pub(crate) fn put_status(out: &mut Vec<u8>, id: QueueId, state: &MessageState<'_>) {
    out.extend_from_slice(&id.0.to_le_bytes());
    put_state(out, state);
}

/// What [`put_status`] wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StatusLine {
    pub(crate) id: QueueId,
    pub(crate) state: MessageState<'static>,
}

pub(crate) fn read_status(meta: &[u8]) -> Result<Vec<StatusLine>, Malformed> {
    let mut reader = Reader::new(meta);
    let mut lines = Vec::new();
    while !reader.is_empty() {
        let id = QueueId(reader.word()?);
        lines.push(StatusLine { id, state: codec::read_state(&mut reader)? });
    }
    Ok(lines)
}

/// A record of small content made ready for the disk, without its padding.
pub(crate) fn small_head(kind: Kind, meta: &[u8], synced_octets: u64) -> Option<Head> {
    if meta.len() > META_OCTETS_MAX {
        return None;
    }
    let meta_octets = u32::try_from(meta.len()).ok()?;
    Some(Head { kind, meta_octets, body_octets: 0, id: 0, content_sum: checksum(0, meta), synced_octets })
}

/// What follows the head of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    pub(crate) meta: &'a [u8],
    pub(crate) body: &'a Bytes,
}

impl Content<'_> {
    pub(crate) fn sum(&self) -> u64 {
        let mut sum = Checksum::new(0);
        sum.update(self.meta);
        sum.update(self.body);
        sum.finish()
    }
}

fn put_word(out: &mut [u8], at: usize, value: u64) {
    out[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// The word at `at`; zero where the slice is too short, which no caller lets happen.
pub(crate) fn word(octets: &[u8], at: usize) -> u64 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word))
}

fn half(octets: &[u8], at: usize) -> u32 {
    octets.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |half| u32::from_le_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::tests::any_envelope;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_written_then_read_is_the_same(envelope in any_envelope(), body in any::<Vec<u8>>(), segment in any::<u64>()) {
            let mut meta = Vec::new();
            let line = (segment % 2 == 0).then_some("{\"a\":1}");
            put_meta(&mut meta, MetaParts { body: BodyIn::Record, state: None, envelope: &envelope, line });
            let body = Bytes::from(body);
            let head = Head {
                kind: Kind::Message,
                meta_octets: u32::try_from(meta.len()).unwrap(),
                body_octets: u32::try_from(body.len()).unwrap(),
                id: 7,
                content_sum: Content { meta: &meta, body: &body }.sum(),
                synced_octets: 96,
            };
            let mut octets = head.encode(segment).to_vec();
            octets.extend_from_slice(&meta);
            octets.extend_from_slice(&body);
            let record = Record::decode(&octets, segment).unwrap();
            prop_assert_eq!(record.head, head);
            prop_assert_eq!(record.body, &body[..]);
            let read = read_meta(record.meta).unwrap();
            prop_assert_eq!((read.envelope, read.line.as_deref()), (envelope, line));
            prop_assert!(Record::decode(&octets, segment.wrapping_add(1)).is_none(), "a record of another segment");
            let last = octets.len() - 1;
            octets[last] ^= 1;
            prop_assert!(Record::decode(&octets, segment).is_none(), "a flipped bit");
        }

        #[test]
        fn any_octets_are_read_without_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&octets, 1);
            let _ = Header::decode(&octets);
            let _ = read_meta(&octets);
            let _ = read_status(&octets);
        }
    }

    #[test]
    fn a_newer_header_is_told_from_an_unreadable_one() {
        let header = Header { number: 5, previous: (4, 96) };
        let mut octets = header.encode();
        assert_eq!(Header::decode(&octets), Ok(header));
        octets[8] = VERSION + 1;
        assert_eq!(Header::decode(&octets), Err(HeaderError::Newer(VERSION + 1)));
        octets[8] = VERSION;
        octets[16] ^= 1;
        assert_eq!(Header::decode(&octets), Err(HeaderError::Unreadable));
        assert_eq!(Header::decode(&octets[..20]), Err(HeaderError::Unreadable));
    }
}
