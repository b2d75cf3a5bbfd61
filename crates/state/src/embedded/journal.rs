//! One journal file: read from its begin, appended to, sealed. An error leaves it in a state that is not known; then
//! only another file helps (see `disk`).
//!
//! At most one frame is not synced at a time. So what does not fit its checksum and is the last is the torn end that
//! nobody was answered for, and is cut off; but with a seal or a later frame behind it, it is damage. A revocation
//! is sealed before it is answered: no damage behind it can look like a torn end and bring the evidence back.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::frame::{self, FRONT_OCTETS, Front, HEAD_OCTETS, Head, MAGIC};
use super::record::{self, Change};
use crate::error::StateError;

const READ_OCTETS: usize = 1 << 20;

/// A file that can be appended to.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    octets: u64,
    /// Of the last frame.
    sequence: u64,
    sealed: u64,
    turn: usize,
    /// Of this version; else nothing may be added.
    is_current: bool,
}

impl Journal {
    /// A new file (mode 0600), or an old one emptied. Not synced.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let octets = FRONT_OCTETS as u64;
        file.write_all_at(&frame::front(octets), 0)?;
        Ok(Self { file, octets, sequence: 0, sealed: octets, turn: 0, is_current: true })
    }

    /// Reads all of a file, cuts a torn end off, and makes sure that what was read lies on disk.
    pub(crate) fn read(path: &Path, each: impl FnMut(Change)) -> Result<Self, StateError> {
        let trouble = |op| move |source| StateError::Io { path: path.to_owned(), op, source };
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(trouble("opening"))?;
        let end = match scan(&file, each).map_err(trouble("reading"))? {
            Ok(end) => end,
            Err(detail) => return Err(StateError::Damaged { path: path.to_owned(), detail }),
        };
        if end.torn > 0 {
            // Nobody was told that this was done.
            tracing::info!(?path, octets = end.torn, note = "a torn end, which nobody was answered for", "journal cut");
            file.set_len(end.octets).map_err(trouble("cutting"))?;
        }
        file.sync_all().map_err(trouble("syncing"))?;
        let End { octets, sequence, front, .. } = end;
        Ok(Self { file, octets, sequence, sealed: front.sealed, turn: 0, is_current: front.is_current })
    }

    /// Whether it is of this version. One of the former must be written anew before anything is added.
    pub(crate) fn is_current(&self) -> bool {
        self.is_current
    }

    /// How long it is.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Appends a frame, whose first 24 octets are left for its head. Not synced.
    pub(crate) fn append(&mut self, frame: &mut [u8]) -> io::Result<()> {
        frame::finish(frame, self.sequence + 1);
        self.file.write_all_at(frame, self.octets)?;
        self.octets += frame.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// Makes what was appended and sealed durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Notes that all of it is on disk; to be called when it is. The note itself is durable with the next sync.
    /// Whether there was need.
    pub(crate) fn seal(&mut self) -> io::Result<bool> {
        if self.sealed == self.octets {
            return Ok(false);
        }
        let (place, seal) = frame::seal(self.turn, self.octets);
        self.file.write_all_at(&seal, place as u64)?;
        self.sealed = self.octets;
        self.turn += 1;
        Ok(true)
    }
}

/// What was found at the end of a file.
struct End {
    octets: u64,
    torn: u64,
    sequence: u64,
    front: Front,
}

/// Reads frame after frame; the inner error says what is damaged.
fn scan(file: &File, mut each: impl FnMut(Change)) -> io::Result<Result<End, String>> {
    let length = file.metadata()?.len();
    let mut input = BufReader::with_capacity(READ_OCTETS, file);
    let mut front = [0; FRONT_OCTETS];
    if length < FRONT_OCTETS as u64 {
        return Ok(Err(format!("it has {length} octets")));
    }
    input.read_exact(&mut front)?;
    let front = match frame::read_front(&front) {
        Ok(front) => front,
        Err(detail) => return Ok(Err(detail)),
    };
    let sealed = front.sealed;
    let mut end = End { octets: FRONT_OCTETS as u64, torn: 0, sequence: 0, front };
    let mut group = Vec::new();
    while read_frame(&mut input, &mut end, length, &mut group)? {
        let mut changes = group.as_slice();
        while !changes.is_empty() {
            let Some(change) = record::take(&mut changes) else {
                return Ok(Err(format!("group {} has a record that this version does not write", end.sequence)));
            };
            each(change);
        }
    }
    if end.octets < sealed {
        return Ok(Err(format!("of {sealed} octets that were on disk, those from {} on are not whole", end.octets)));
    }
    if let Some(later) = later_frame(file, &end, length)? {
        return Ok(Err(format!("the group at octet {} is not whole, but one at {later} is", end.octets)));
    }
    end.torn = length - end.octets;
    Ok(Ok(end))
}

/// Reads the next frame's group; `false` if there is none or it is not whole.
fn read_frame(input: &mut impl Read, end: &mut End, length: u64, group: &mut Vec<u8>) -> io::Result<bool> {
    let left = length - end.octets;
    let mut octets = [0; HEAD_OCTETS];
    if left < HEAD_OCTETS as u64 {
        return Ok(false);
    }
    input.read_exact(&mut octets)?;
    let Some(head) = Head::decode(&octets) else { return Ok(false) };
    let whole = HEAD_OCTETS as u64 + u64::from(head.octets);
    if head.sequence != end.sequence + 1 || whole > left {
        return Ok(false);
    }
    group.resize(head.octets as usize, 0);
    input.read_exact(group)?;
    if !head.fits(group) {
        return Ok(false);
    }
    end.sequence = head.sequence;
    end.octets += whole;
    Ok(true)
}

/// Where behind the last whole frame another whole one of a later number begins.
fn later_frame(file: &File, end: &End, length: u64) -> io::Result<Option<u64>> {
    let mut window = vec![0; READ_OCTETS];
    let mut at = end.octets + 1;
    while at < length {
        let here = usize::try_from(length - at).unwrap_or(READ_OCTETS).min(READ_OCTETS);
        file.read_exact_at(&mut window[..here], at)?;
        let starts = window[..here].windows(MAGIC.len()).enumerate().filter(|(_, octets)| **octets == MAGIC);
        for (start, _) in starts {
            let start = at + start as u64;
            if is_frame(file, start..length, end.sequence)? {
                return Ok(Some(start));
            }
        }
        // A magic may lie across two windows.
        at += (here.saturating_sub(MAGIC.len() - 1)).max(1) as u64;
    }
    Ok(None)
}

/// Whether a frame of a later number than `after` begins there and ends before the range does.
fn is_frame(file: &File, range: Range<u64>, after: u64) -> io::Result<bool> {
    let mut octets = [0; HEAD_OCTETS];
    let length = range.end - range.start;
    if length < HEAD_OCTETS as u64 {
        return Ok(false);
    }
    file.read_exact_at(&mut octets, range.start)?;
    let Some(head) = Head::decode(&octets).filter(|head| head.sequence > after) else { return Ok(false) };
    if u64::from(head.octets) > length - HEAD_OCTETS as u64 {
        return Ok(false);
    }
    let mut group = vec![0; head.octets as usize];
    file.read_exact_at(&mut group, range.start + HEAD_OCTETS as u64)?;
    Ok(head.fits(&group))
}

#[cfg(test)]
mod tests;
