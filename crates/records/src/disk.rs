//! Segments on disk: the one that is written, sealing it, and retention by time and size.
//!
//! | killed while | after the start |
//! |---|---|
//! | a frame is written | its torn end is cut off |
//! | a segment is begun | a file without a whole head is removed |
//! | an index is written | the index is made again from its segment |
//! | a segment is deleted | its index, if it was left, is removed |

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::statvfs;
use tracing::warn;

use crate::frame::{self, Head};
use crate::kept::micros;
use crate::segment::{self, INDEX_OCTETS, Index, Number};

/// Octets of a segment that is full.
const SEGMENT_OCTETS: u64 = 8 << 20;
/// Octets of the smallest bound on all of them.
pub(crate) const OCTETS_MIN: u64 = 16 << 20;
/// A segment is sealed when its first record is older than this part of the time for which records are kept, so that none stays
/// much longer than it should.
const SPANS: u32 = 30;
const SPAN_MIN: Duration = Duration::from_hours(1);

/// What may lie on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) keep: Duration,
    pub(crate) octets_max: u64,
    /// What stays free for others.
    pub(crate) free_octets_min: u64,
}

impl Bounds {
    fn segment_octets(self) -> u64 {
        (self.octets_max / 16).clamp(256 << 10, SEGMENT_OCTETS)
    }
}

/// A segment that is written no more.
#[derive(Debug, Clone, Copy)]
struct Sealed {
    number: Number,
    /// With its index.
    octets: u64,
    records: u64,
    first: u64,
    last: u64,
}

/// The folder.
pub(crate) struct Disk {
    dir: PathBuf,
    bounds: Bounds,
    /// The oldest first.
    sealed: VecDeque<Sealed>,
    number: Number,
    file: File,
    /// Of the segment that is written.
    pub(crate) index: Index,
    /// Something was written since the last sync.
    is_dirty: bool,
    damaged: u64,
}

impl Disk {
    /// Opens the folder, made if it is missing. What a crash tore is cut off, and told.
    pub(crate) fn open(dir: &Path, bounds: Bounds) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let mut numbers = segment::list(dir)?;
        let last = numbers.pop();
        let mut sealed = VecDeque::with_capacity(numbers.len());
        let mut damaged = 0;
        for number in numbers {
            let (found, stretches) = sealed_at(dir, number)?;
            damaged += stretches;
            sealed.push_back(found);
        }
        let opened = match last {
            None => None,
            Some(number) => match reopen(dir, number)? {
                Reopened::Open(file, index) => {
                    damaged += index.damaged;
                    Some((number, file, index))
                }
                Reopened::Sealed(last) => {
                    sealed.push_back(last);
                    None
                }
                Reopened::Gone => None,
            },
        };
        let next = Number(last.map_or(1, |last| last.0.saturating_add(1)));
        let (number, file, index) = match opened {
            Some(opened) => opened,
            None => (next, begin(dir, next)?, Index::empty()),
        };
        remove_orphans(dir)?;
        Ok(Self { dir: dir.to_owned(), bounds, sealed, number, file, index, is_dirty: false, damaged })
    }

    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Records on disk.
    pub(crate) fn records(&self) -> u64 {
        self.sealed.iter().map(|it| it.records).sum::<u64>() + self.index.records
    }

    /// Octets on disk, with those that the index of the open segment will have.
    pub(crate) fn octets(&self) -> u64 {
        self.sealed.iter().map(|it| it.octets).sum::<u64>() + self.index.octets + INDEX_OCTETS as u64
    }

    /// Stretches that could not be read at the start.
    pub(crate) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// When the oldest record was made, in microseconds since 1970.
    pub(crate) fn first(&self) -> Option<u64> {
        let first = self.sealed.iter().map(|it| it.first).chain([self.index.span.first]).min()?;
        (first != u64::MAX).then_some(first)
    }

    /// Before the first of some frames is noted in the index: they will all stand in one segment.
    pub(crate) fn seal_if_full(&mut self) -> io::Result<()> {
        if self.index.octets >= self.bounds.segment_octets() { self.seal() } else { Ok(()) }
    }

    /// Appends frames, after what must go for them. After an error nothing of them is there.
    pub(crate) fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        self.make_room(frames.len() as u64)?;
        // A full disk is the mail's: records stop before.
        let free = statvfs(&self.dir).map(|found| found.blocks_available() * found.fragment_size())?;
        if free < self.bounds.free_octets_min.saturating_add(frames.len() as u64) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, format!("{free} octets free")));
        }
        if let Err(error) = self.file.write_all_at(frames, self.index.octets) {
            // What was written of them is no record, and would stand before the next.
            let _ = self.file.set_len(self.index.octets);
            return Err(error);
        }
        self.index.octets += frames.len() as u64;
        self.is_dirty = true;
        Ok(())
    }

    /// What was appended is durable when it returns.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_dirty) { self.file.sync_data() } else { Ok(()) }
    }

    /// Deletes what is older than it may be.
    pub(crate) fn retain(&mut self, now: SystemTime) -> io::Result<()> {
        let span = (self.bounds.keep / SPANS).max(SPAN_MIN);
        let before = |age: Duration| now.checked_sub(age).map_or(0, micros);
        if self.index.records > 0 && self.index.span.first < before(span) {
            self.seal()?;
        }
        let oldest = before(self.bounds.keep);
        while let Some(first) = self.sealed.front().copied()
            && first.last < oldest
        {
            self.delete(first)?;
        }
        if self.octets() > self.bounds.octets_max && self.index.records > 0 {
            // The bound has become smaller: what is open may have to go, too.
            self.seal()?;
        }
        self.make_room(0)
    }

    fn make_room(&mut self, octets: u64) -> io::Result<()> {
        while self.octets().saturating_add(octets) > self.bounds.octets_max {
            match self.sealed.front().copied() {
                Some(first) => self.delete(first)?,
                None => return Err(io::Error::new(io::ErrorKind::StorageFull, "the bound is reached")),
            }
        }
        Ok(())
    }

    fn delete(&mut self, first: Sealed) -> io::Result<()> {
        remove(&first.number.segment(&self.dir))?;
        self.sealed.pop_front();
        remove(&first.number.index(&self.dir))
    }

    /// Ends the segment that is written and begins the next.
    fn seal(&mut self) -> io::Result<()> {
        let next = Number(self.number.0.saturating_add(1));
        self.sync()?;
        let file = begin(&self.dir, next)?;
        let mut sealed = Sealed {
            number: self.number,
            octets: self.index.octets,
            records: self.index.records,
            first: self.index.span.first,
            last: self.index.span.last,
        };
        match self.index.write(&self.dir, self.number) {
            Ok(()) => sealed.octets += INDEX_OCTETS as u64,
            // Without it the segment is searched whole, until the next start.
            Err(error) => warn!(segment = self.number.0, %error, "records unindexed"),
        }
        self.sealed.push_back(sealed);
        (self.number, self.file) = (next, file);
        self.index.clear();
        Ok(())
    }
}

/// The last segment at the start.
enum Reopened {
    /// It is written on.
    Open(File, Index),
    /// It was sealed, or another version wrote it.
    Sealed(Sealed),
    /// It was only begun.
    Gone,
}

fn reopen(dir: &Path, number: Number) -> io::Result<Reopened> {
    let path = number.segment(dir);
    let octets = fs::metadata(&path)?.len();
    if Index::read(dir, number, octets).is_some() || octets > segment::SEGMENT_OCTETS_MAX {
        return Ok(Reopened::Sealed(sealed_at(dir, number)?.0));
    }
    let read = keep::read(&path, segment::SEGMENT_OCTETS_MAX, keep::Accepts::RegularFile)?;
    match frame::read_head(&read) {
        Head::Good => {}
        Head::Other(_) => return Ok(Reopened::Sealed(sealed_at(dir, number)?.0)),
        Head::None => {
            warn!(segment = number.0, octets, "records torn");
            remove(&path)?;
            return Ok(Reopened::Gone);
        }
    }
    let index = Index::of_segment(&read);
    tell_damage(number, index.damaged);
    let file = OpenOptions::new().write(true).open(&path)?;
    if index.octets < octets {
        warn!(segment = number.0, octets = octets - index.octets, "records torn");
        file.set_len(index.octets)?;
    }
    Ok(Reopened::Open(file, index))
}

/// A segment that is written no more, with its index, which is made again if it must be; and how many stretches of it were found
/// unreadable.
fn sealed_at(dir: &Path, number: Number) -> io::Result<(Sealed, u64)> {
    let file = fs::metadata(number.segment(dir))?;
    let octets = file.len();
    let known = match Index::read(dir, number, octets) {
        Some(index) => Some(index),
        None => match segment::read(dir, number) {
            Ok(segment::Read::Whole(read)) => {
                let mut index = Index::of_segment(&read);
                tell_damage(number, index.damaged);
                index.octets = octets;
                index.write(dir, number)?;
                Some(index)
            }
            Ok(segment::Read::Gone | segment::Read::Unreadable) | Err(_) => None,
        },
    };
    let Some(index) = known else {
        warn!(segment = number.0, octets, note = "another version wrote it, or it is damaged", "records unreadable");
        let last = file.modified().map_or(0, micros);
        return Ok((Sealed { number, octets, records: 0, first: u64::MAX, last }, 1));
    };
    let (records, first, last) = (index.records, index.span.first, index.span.last);
    Ok((Sealed { number, octets: octets + INDEX_OCTETS as u64, records, first, last }, index.damaged))
}

fn tell_damage(number: Number, damaged: u64) {
    if damaged > 0 {
        warn!(segment = number.0, stretches = damaged, note = "they are skipped", "records damaged");
    }
}

fn begin(dir: &Path, number: Number) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(number.segment(dir))?;
    file.write_all_at(&frame::head(), 0)?;
    keep::sync_dir(dir).map_err(|error| error.source)?;
    Ok(file)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Indexes whose segment is gone, and files that were being made.
fn remove_orphans(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_orphan = match path.extension().and_then(|it| it.to_str()) {
            Some("index") => !path.with_extension("records").exists(),
            Some("tmp") => true,
            _ => false,
        };
        if is_orphan {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
