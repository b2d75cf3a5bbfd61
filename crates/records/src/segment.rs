//! Names of segments, and the index beside one that is sealed: its span of time, how many records, which keys.
//!
//! ```text
//! 0000000000000007.records   the segment (see `frame`)
//! 0000000000000007.index     "SKINDEX\0" | version u16 | 6 octets 0 | octets u64 | records u64 | damaged u64
//!                            | first u64 | last u64 | filter | CRC-32C u32
//! ```
//!
//! An index that is missing, damaged or of another length of its segment is made again from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use keep::{Accepts, NewFile};

use crate::filter::{self, Filter};
use crate::frame::{self, Frames, Head, VERSION};
use crate::kept::Kept;
use crate::keys::Named;

/// Octets of a file that are read at most: a segment is closed long before.
pub(crate) const SEGMENT_OCTETS_MAX: u64 = 16 << 20;

const MAGIC: &[u8; 8] = b"SKINDEX\0";
const HEAD_OCTETS: usize = 56;
/// Octets of an index.
pub(crate) const INDEX_OCTETS: usize = HEAD_OCTETS + filter::OCTETS + 4;

/// A segment by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(pub(crate) u64);

impl Number {
    pub(crate) fn segment(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:016}.records", self.0))
    }

    pub(crate) fn index(self, dir: &Path) -> PathBuf {
        dir.join(format!("{:016}.index", self.0))
    }

    fn parse(name: &str) -> Option<Self> {
        let digits = name.strip_suffix(".records")?;
        (digits.len() == 16 && digits.bytes().all(|it| it.is_ascii_digit())).then(|| digits.parse().ok().map(Self))?
    }
}

/// Every segment of a folder, the oldest first. A folder that is not there has none.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<Number>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        numbers.extend(entry?.file_name().to_str().and_then(Number::parse));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// From when to when the records of a segment are, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Span {
    /// Of no records.
    pub(crate) const NONE: Self = Self { first: u64::MAX, last: 0 };

    pub(crate) fn add(&mut self, at_micros: u64) {
        self.first = self.first.min(at_micros);
        self.last = self.last.max(at_micros);
    }
}

/// What is known of a segment without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Octets of the segment.
    pub(crate) octets: u64,
    pub(crate) records: u64,
    /// Stretches that could not be read.
    pub(crate) damaged: u64,
    pub(crate) span: Span,
    pub(crate) filter: Filter,
}

impl Index {
    /// Of no records.
    pub(crate) fn empty() -> Self {
        Self { octets: frame::HEAD_OCTETS as u64, records: 0, damaged: 0, span: Span::NONE, filter: Filter::default() }
    }

    /// A record was written.
    pub(crate) fn add(&mut self, at_micros: u64, named: &Named<'_>) {
        self.records += 1;
        self.span.add(at_micros);
        named.keys(|key| self.filter.add(key));
    }

    /// Begins with the next segment.
    pub(crate) fn clear(&mut self) {
        self.filter.clear();
        (self.octets, self.records, self.damaged) = (frame::HEAD_OCTETS as u64, 0, 0);
        self.span = Span::NONE;
    }

    /// Made from a segment whose head is good; what is behind its last whole frame is not counted.
    pub(crate) fn of_segment(octets: &[u8]) -> Self {
        let mut index = Self::empty();
        let mut frames = Frames::new(octets);
        for frame in frames.by_ref() {
            match serde_json::from_slice::<Kept>(frame.record) {
                Ok(kept) => index.add(frame.at_micros, &Named::of_kept(&kept)),
                Err(_) => index.damaged += 1,
            }
        }
        index.damaged += frames.damaged();
        index.octets = frames.whole() as u64;
        index
    }

    /// Writes it beside its segment, whole or not at all.
    pub(crate) fn write(&self, dir: &Path, number: Number) -> io::Result<()> {
        let mut octets = Vec::with_capacity(INDEX_OCTETS);
        octets.extend_from_slice(MAGIC);
        octets.extend_from_slice(&VERSION.to_le_bytes());
        octets.extend_from_slice(&[0; 6]);
        for value in [self.octets, self.records, self.damaged, self.span.first, self.span.last] {
            octets.extend_from_slice(&value.to_le_bytes());
        }
        octets.extend_from_slice(self.filter.octets());
        let sum = frame::sum(&[&octets]);
        octets.extend_from_slice(&sum.to_le_bytes());
        let path = number.index(dir);
        NewFile { path: &path, octets: &octets, mode: 0o600, owner: None }.replace().map_err(|error| error.source)
    }

    /// Reads the one beside a segment that has so many octets; `None` if there is no such.
    pub(crate) fn read(dir: &Path, number: Number, segment_octets: u64) -> Option<Self> {
        let octets = keep::read(&number.index(dir), INDEX_OCTETS as u64, Accepts::RegularFile).ok()?;
        let index = Self::parse(&octets)?;
        (index.octets == segment_octets).then_some(index)
    }

    fn parse(octets: &[u8]) -> Option<Self> {
        if octets.len() != INDEX_OCTETS || octets[..8] != *MAGIC || octets[8..10] != VERSION.to_le_bytes() {
            return None;
        }
        let (whole, sum) = octets.split_at_checked(INDEX_OCTETS - 4)?;
        if frame::sum(&[whole]).to_le_bytes() != sum {
            return None;
        }
        let number = |n: usize| {
            let at = 16 + n * 8;
            whole.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
        };
        Some(Self {
            octets: number(0)?,
            records: number(1)?,
            damaged: number(2)?,
            span: Span { first: number(3)?, last: number(4)? },
            filter: Filter::read(&whole[HEAD_OCTETS..])?,
        })
    }
}

/// What reading a segment comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    /// Its octets, bounded; the head is good.
    Whole(Vec<u8>),
    /// It was deleted meanwhile, or has only been begun.
    Gone,
    /// Another version wrote it, or its head is damaged.
    Unreadable,
}

/// Reads a segment.
pub(crate) fn read(dir: &Path, number: Number) -> io::Result<Read> {
    match keep::read(&number.segment(dir), SEGMENT_OCTETS_MAX, Accepts::RegularFile) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Read::Gone),
        octets => octets.map(|octets| match frame::read_head(&octets) {
            Head::Good => Read::Whole(octets),
            Head::None if octets.len() < frame::HEAD_OCTETS => Read::Gone,
            Head::None | Head::Other(_) => Read::Unreadable,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers() {
        let dir = Path::new("/r");
        assert_eq!(Number(7).segment(dir), Path::new("/r/0000000000000007.records"));
        assert_eq!(Number::parse("0000000000000007.records"), Some(Number(7)));
        for name in ["7.records", "0000000000000007.index", "000000000000000x.records", "", "0000000000000007.records~"]
        {
            assert_eq!(Number::parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_index_is_read_only_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut index = Index::empty();
        index.octets = 4_711;
        index.span.add(5);
        index.filter.add(crate::keys::Key::new(crate::keys::Kind::Id, "7kq2m4xd"));
        index.write(dir.path(), Number(1)).unwrap();
        assert_eq!(Index::read(dir.path(), Number(1), 4_711), Some(index));
        assert_eq!(Index::read(dir.path(), Number(1), 4_712), None, "of another segment");
        let path = Number(1).index(dir.path());
        let mut octets = fs::read(&path).unwrap();
        octets[1_000] ^= 1;
        fs::write(&path, &octets).unwrap();
        assert_eq!(Index::read(dir.path(), Number(1), 4_711), None, "damaged");
        assert_eq!(Index::read(dir.path(), Number(2), 4_711), None, "missing");
    }
}
