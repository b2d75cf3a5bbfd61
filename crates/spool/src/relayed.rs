//! The chain of those that are relayed: a line for each, in the order in which they were accepted.
//!
//! A line is durable with its message, since it is part of the message's record. The writer adds it to the chain before anybody is
//! told 250, and waits for the disk there only before a segment goes, and where somebody wants to note the chain's end. So it
//! costs no sync of its own:
//!
//! | killed, or the power cut | after the start |
//! |---|---|
//! | record not synced | nobody was told 250; if the record is there all the same, its line is added |
//! | record synced, line not in the chain, or there and not synced | the start finds the record behind the chain's last, and adds its line |
//! | message settled | its segment still is there, and with it the record: as above |
//! | segment gone | the chain was synced before |
//!
//! A line that cannot be added refuses its message. Each has the place of its record as its mark; places only grow.

use std::fmt;
use std::str::FromStr;

use keep::chain::{Chain, Head, Line, Writer};

use crate::QueueId;
use crate::error::SpoolError;
use crate::record::{Record, read_meta};
use crate::segment::Position;

/// Records whose lines are added at once after a start.
const BATCH: usize = 256;

/// Where a record is; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", QueueId(self.segment), self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (segment, offset) = text.split_once('/').ok_or(())?;
        let segment: QueueId = segment.parse().map_err(drop)?;
        Ok(Self { segment: segment.0, offset: offset.parse().map_err(drop)? })
    }
}

/// The chain, if there is one.
#[derive(Default)]
pub(crate) struct Relayed {
    chain: Option<Open>,
    /// Records whose lines are missing there.
    missing: Vec<Position>,
}

struct Open {
    chain: Chain,
    writer: Writer,
}

impl Open {
    fn failed(&self, op: &'static str, error: std::io::Error) -> SpoolError {
        SpoolError::at(self.chain.ledger().path(), op)(error)
    }

    fn add(&mut self, lines: &[(Place, &str)]) -> Result<(), SpoolError> {
        let marks: Vec<String> = lines.iter().map(|(place, _)| place.to_string()).collect();
        let lines: Vec<Line<'_>> =
            lines.iter().zip(&marks).map(|((_, object), mark)| Line { mark: Some(mark.as_str()), object }).collect();
        self.writer.append(&lines).map(drop).map_err(|error| self.failed("append to", error))
    }
}

impl Relayed {
    /// Opens it, and tells where its last line's record is.
    pub(crate) fn open(chain: Option<&Chain>) -> Result<(Self, Option<Place>), SpoolError> {
        let Some(chain) = chain else { return Ok((Self::default(), None)) };
        let mut open = Open { chain: chain.clone(), writer: chain.writer() };
        let mark = open.writer.mark().map_err(|error| open.failed("read", error))?;
        let place = mark.and_then(|mark| mark.parse().ok());
        Ok((Self { chain: Some(open), missing: Vec::new() }, place))
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.chain.is_some()
    }

    /// A record whose line is missing, later than all before it.
    pub(crate) fn misses(&mut self, position: Position) {
        self.missing.push(position);
    }

    /// Records of a segment from an offset on do not count.
    pub(crate) fn cut(&mut self, from: Place) {
        self.missing.retain(|position| place_of(position) < from || position.segment.number != from.segment);
    }

    /// Adds what a start found to be missing; how many.
    pub(crate) fn catch_up(&mut self) -> Result<usize, SpoolError> {
        let Some(open) = &mut self.chain else { return Ok(0) };
        let mut added = 0;
        while !self.missing.is_empty() {
            let batch = &self.missing[..self.missing.len().min(BATCH)];
            let read: Vec<(Place, String)> =
                batch.iter().filter_map(|position| Some((place_of(position), line_of(position)?))).collect();
            let lines: Vec<(Place, &str)> = read.iter().map(|(place, line)| (*place, line.as_str())).collect();
            open.add(&lines)?;
            added += lines.len();
            let done = batch.len();
            self.missing.drain(..done);
        }
        Ok(added)
    }

    /// Adds the lines of records that were just made durable, in their order.
    pub(crate) fn add(&mut self, lines: &[(Place, &str)]) -> Result<(), SpoolError> {
        if lines.is_empty() || self.chain.is_none() {
            return Ok(());
        }
        self.catch_up()?;
        self.chain.as_mut().map_or(Ok(()), |open| open.add(lines))
    }

    /// Whether the records may go.
    pub(crate) fn is_synced(&self) -> bool {
        self.missing.is_empty() && self.chain.as_ref().is_none_or(|open| open.writer.is_synced())
    }

    /// Makes all lines durable.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolError> {
        self.catch_up()?;
        let Some(open) = &mut self.chain else { return Ok(()) };
        open.writer.sync().map_err(|error| open.failed("sync", error))
    }

    /// Where it stands, durable.
    pub(crate) fn head(&mut self) -> Option<Head> {
        if let Err(error) = self.sync() {
            tracing::error!(%error, note = "segments are kept until it works", "record unsynced");
            return None;
        }
        self.chain.as_ref().map(|open| open.writer.head())
    }
}

fn place_of(position: &Position) -> Place {
    Place { segment: position.segment.number, offset: u64::from(position.offset) }
}

/// `None`, and said so: the record was damaged meanwhile.
fn line_of(position: &Position) -> Option<String> {
    let octets = position.read().inspect_err(|error| {
        tracing::error!(%error, note = "the chain lacks its line", "record incomplete");
    });
    let octets = octets.ok()?;
    read_meta(Record::decode(&octets, position.segment.number)?.meta).ok()?.line
}
