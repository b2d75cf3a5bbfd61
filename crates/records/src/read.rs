//! Reading records: searching, and all since a time in their order. It needs the files only, so it works while a server runs, and
//! without one. At most one segment is in memory.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::frame::Frames;
use crate::kept::{Kept, micros};
use crate::redact;
use crate::search::{Search, Wanted};
use crate::segment::{self, Index, Number, Read};

/// How long a search takes at most.
pub const SEARCH_WAIT: Duration = Duration::from_secs(10);
/// Octets of records that are found at once, at most.
const FOUND_OCTETS_MAX: usize = 8 << 20;

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: cannot be read", path = path.display())]
pub struct ReadError {
    /// What.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Records in a folder.
#[derive(Debug, Clone)]
pub struct Reader {
    dir: PathBuf,
    keep: Duration,
}

/// Records of one id, at most, and as many of its session.
const OF_ID_MAX: usize = 100;

/// What is kept of an id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OfId {
    /// The decisions of this id, the newest first: one, unless chance gave two the same.
    pub records: Vec<Kept>,
    /// The others of its session, or all of it where the id is the session's; the oldest first.
    pub beside: Vec<Kept>,
    /// Stretches of segments that could not be read.
    pub damaged: u64,
}

/// What a search found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// The newest first.
    pub records: Vec<Kept>,
    /// There may be more: the limit, the time or the size of an answer was reached.
    pub more: bool,
    /// Stretches of segments that could not be read.
    pub damaged: u64,
    /// Segments that were opened.
    pub opened: usize,
}

impl Reader {
    /// `dir`: the folder of records. What is older than `keep` is not shown, though it may still lie there for a while.
    pub fn new(dir: impl Into<PathBuf>, keep: Duration) -> Self {
        Self { dir: dir.into(), keep }
    }

    /// How long records are kept.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    /// Finds records. Blocks; takes [`SEARCH_WAIT`] at most.
    pub fn search(&self, search: Search) -> Result<Found, ReadError> {
        let key = redact::Key::load(&self.dir).map_err(at(&self.dir))?;
        let wanted = Wanted::new(search, key.as_ref(), self.oldest());
        let (keys, until) = (wanted.keys(), Instant::now() + SEARCH_WAIT);
        let (mut found, mut octets_left) = (Found::default(), FOUND_OCTETS_MAX);
        for number in self.numbers()?.into_iter().rev() {
            if found.more {
                break;
            }
            if Instant::now() > until {
                found.more = true;
                break;
            }
            let octets = std::fs::metadata(number.segment(&self.dir)).map_or(0, |file| file.len());
            if let Some(index) = Index::read(&self.dir, number, octets) {
                let has_all = keys.iter().all(|some| some.iter().any(|key| index.filter.may_have(*key)));
                if !has_all || !wanted.is_within(index.span.first, index.span.last) {
                    continue;
                }
            }
            match self.segment(number)? {
                Read::Whole(octets) => {
                    found.opened += 1;
                    take(&octets, &wanted, &mut found, &mut octets_left);
                }
                Read::Gone => {}
                Read::Unreadable => found.damaged += 1,
            }
        }
        Ok(found)
    }

    /// What is kept of an id: a decision's, or a session's. Blocks, as [`Reader::search`].
    pub fn of_id(&self, id: &str) -> Result<OfId, ReadError> {
        let id = id.trim().trim_matches(['[', ']']).to_lowercase();
        let by = |search: Search| self.search(Search { limit: OF_ID_MAX, ..search });
        let Found { mut records, damaged, .. } = by(Search { id: Some(id.clone()), ..Search::default() })?;
        let session = records.first().map_or(id, |kept| kept.of.session.clone());
        let session = by(Search { session: Some(session), ..Search::default() })?;
        let (mut beside, damaged) = (session.records, damaged.max(session.damaged));
        if records.is_empty() && beside.len() == 1 {
            records.append(&mut beside);
        }
        beside.retain(|kept| !records.contains(kept));
        beside.reverse();
        Ok(OfId { records, beside, damaged })
    }

    /// Every record since a time, the oldest first; within a segment by time, and a segment was written after the one before, so
    /// that records of about the same time may be a second out of order where one ends.
    pub fn since(&self, since: SystemTime) -> Result<Since, ReadError> {
        let numbers = self.numbers()?.into();
        let since = micros(since).max(micros(self.oldest()));
        Ok(Since { reader: self.clone(), numbers, since, octets: Vec::new(), frames: VecDeque::new(), damaged: 0 })
    }

    /// When the oldest record was made that is still there.
    pub fn first(&self) -> Result<Option<SystemTime>, ReadError> {
        let first = self.since(UNIX_EPOCH)?.next().transpose()?;
        Ok(first.map(|kept| kept.time()))
    }

    fn oldest(&self) -> SystemTime {
        SystemTime::now().checked_sub(self.keep).unwrap_or(UNIX_EPOCH)
    }

    fn numbers(&self) -> Result<Vec<Number>, ReadError> {
        segment::list(&self.dir).map_err(at(&self.dir))
    }

    fn segment(&self, number: Number) -> Result<Read, ReadError> {
        segment::read(&self.dir, number).map_err(at(&number.segment(&self.dir)))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ReadError {
    move |source| ReadError { path: path.to_owned(), source }
}

/// Takes what is looked for out of a segment, the newest first.
fn take(octets: &[u8], wanted: &Wanted, found: &mut Found, octets_left: &mut usize) {
    let mut frames = Frames::new(octets);
    let all: Vec<_> = frames.by_ref().filter(|frame| wanted.is_then(frame.at_micros)).collect();
    found.damaged += frames.damaged();
    let needle = wanted.needle().map(memchr::memmem::Finder::new);
    for frame in all.iter().rev() {
        if needle.as_ref().is_some_and(|needle| needle.find(frame.record).is_none()) {
            continue;
        }
        match serde_json::from_slice::<Kept>(frame.record) {
            Ok(kept) if wanted.is(&kept) => {
                if found.records.len() >= wanted.limit() || frame.record.len() > *octets_left {
                    found.more = true;
                    return;
                }
                *octets_left -= frame.record.len();
                found.records.push(kept);
            }
            Ok(_) => {}
            Err(_) => found.damaged += 1,
        }
    }
}

/// Every record since a time: see [`Reader::since`].
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the operator names it so too")]
pub struct Since {
    reader: Reader,
    numbers: VecDeque<Number>,
    since: u64,
    /// The segment that is read.
    octets: Vec<u8>,
    /// Where its records are, by time.
    frames: VecDeque<Place>,
    damaged: u64,
}

/// Where a record is in the octets of its segment.
#[derive(Debug, Clone, Copy)]
struct Place {
    at_micros: u64,
    from: usize,
    to: usize,
}

impl Since {
    /// Stretches that could not be read so far.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Reads the next segment; `false`: there is none.
    fn next_segment(&mut self) -> Result<bool, ReadError> {
        let Some(number) = self.numbers.pop_front() else { return Ok(false) };
        let dir = &self.reader.dir;
        let octets = std::fs::metadata(number.segment(dir)).map_or(0, |file| file.len());
        if Index::read(dir, number, octets).is_some_and(|index| index.span.last < self.since) {
            return Ok(true);
        }
        self.octets = match self.reader.segment(number)? {
            Read::Whole(octets) => octets,
            Read::Gone => return Ok(true),
            Read::Unreadable => {
                self.damaged += 1;
                return Ok(true);
            }
        };
        let mut frames = Frames::new(&self.octets);
        let mut places: Vec<Place> = Vec::new();
        for frame in frames.by_ref().filter(|frame| frame.at_micros >= self.since) {
            let (from, to) = (frame.from, frame.from + frame.record.len());
            places.push(Place { at_micros: frame.at_micros, from, to });
        }
        self.damaged += frames.damaged();
        places.sort_by_key(|place| place.at_micros);
        self.frames = places.into();
        Ok(true)
    }
}

impl Iterator for Since {
    type Item = Result<Kept, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(place) = self.frames.pop_front() {
                let record = self.octets.get(place.from..place.to).unwrap_or_default();
                match serde_json::from_slice(record) {
                    Ok(kept) => return Some(Ok(kept)),
                    Err(_) => self.damaged += 1,
                }
            }
            match self.next_segment() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
