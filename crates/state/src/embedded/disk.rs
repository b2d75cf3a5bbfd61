//! The folder: the journal that brings the map back, its lock, and the new journal that is written beside it when the
//! old one has become long. Nothing here is read while serving.
//!
//! | file | |
//! |---|---|
//! | `state.lock` | locked while a process has the folder |
//! | `state.journal` | see `frame` |
//! | `state.journal.new` | is being written; removed at start |
//!
//! | killed here | after restart |
//! |---|---|
//! | group being written | its torn end is cut off; nobody was answered |
//! | group written, not synced | it may be there though nobody was answered |
//! | group synced | it is there |
//! | new journal being written or synced | the old one counts and has everything |
//! | new journal renamed, folder not synced | either counts; both have everything, since nothing is answered before the folder is synced |

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::frame::{GROUP_OCTETS_MAX, HEAD_OCTETS};
use super::journal::Journal;
use super::record::{self, Change, Record};
use super::table::{PARTS, Table};
use crate::error::StateError;

const FILE_NAME: &str = "state.journal";
const NEW_NAME: &str = "state.journal.new";
const LOCK_NAME: &str = "state.lock";
/// What versions before the journal wrote.
const FORMER_NAME: &str = "state.redb";
/// A journal may be so much longer than twice what it must hold.
const SLACK_OCTETS: u64 = 64 << 20;
/// Groups of a new journal are about so long.
const COPY_OCTETS: usize = 1 << 20;

/// The folder as it is open now.
#[derive(Debug)]
pub(crate) struct Disk {
    dir: PathBuf,
    _lock: File,
    /// `None` after a failure, until [`Disk::rewrite`].
    journal: Option<Journal>,
    copy: Option<Copy>,
    /// The group that is being put together, behind room for its head.
    frame: Vec<u8>,
    compact_above: u64,
}

/// A new journal that has the parts before this one, and all groups since it was begun.
#[derive(Debug)]
struct Copy {
    journal: Journal,
    part: usize,
}

impl Disk {
    /// Makes the directory (mode 0700) if it is not there, locks it, and fills the table. `true`: there was none.
    pub(crate) fn open(dir: &Path, table: &Table) -> Result<(Self, bool), StateError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|source| StateError::Io { path: dir.to_owned(), op: "making the directory", source })?;
        let (dir, lock) = (dir.to_owned(), lock(&dir.join(LOCK_NAME))?);
        let frame = vec![0; HEAD_OCTETS];
        let mut disk = Self { dir, _lock: lock, journal: None, copy: None, frame, compact_above: SLACK_OCTETS };
        let _ = fs::remove_file(disk.dir.join(NEW_NAME));
        let path = disk.dir.join(FILE_NAME);
        let fresh = !path.try_exists().map_err(|source| disk.trouble("looking for", source))?;
        if fresh {
            disk.tell_former();
            disk.rewrite(table)?;
        } else {
            let journal = Journal::read(&path, |change| table.restore(change))?;
            if journal.is_current() {
                disk.journal = Some(journal);
                disk.set_bound(table.octets());
            } else {
                disk.rewrite(table)?;
            }
        }
        Ok((disk, fresh))
    }

    fn tell_former(&self) {
        let former = self.dir.join(FORMER_NAME);
        if former.exists() {
            tracing::warn!(path = ?former, note = "the file of an earlier version is left alone", "state outdated");
        }
    }

    /// Adds to the group.
    pub(crate) fn put(&mut self, record: &Record) {
        record::write_put(&mut self.frame, record);
    }

    /// Adds to the group.
    pub(crate) fn change(&mut self, change: &Change) {
        record::write(&mut self.frame, change);
    }

    /// The whole group or nothing of it; durable when it returns. After an error the journal is gone until
    /// [`Disk::rewrite`].
    pub(crate) fn commit(&mut self) -> Result<(), StateError> {
        if self.frame.len() == HEAD_OCTETS {
            return Ok(());
        }
        debug_assert!(self.frame.len() <= GROUP_OCTETS_MAX + HEAD_OCTETS, "the writer bounds its groups");
        let frame = &mut self.frame;
        let done = attempt(&mut self.journal, |journal| journal.append(frame).and_then(|()| journal.sync()));
        if let Some(copy) = &mut self.copy
            && let Err(error) = copy.journal.append(frame)
        {
            self.give_up_copy(&error);
        }
        self.frame.truncate(HEAD_OCTETS);
        self.told("writing", done)
    }

    /// Notes in the journal how much of it is on disk; durable with the next group.
    pub(crate) fn seal(&mut self) -> Result<(), StateError> {
        let done = attempt(&mut self.journal, |journal| journal.seal().map(|_| ()));
        self.told("sealing", done)
    }

    /// The same, durable when it returns.
    pub(crate) fn seal_durably(&mut self) -> Result<(), StateError> {
        let seal = |journal: &mut Journal| if journal.seal()? { journal.sync() } else { Ok(()) };
        let done = attempt(&mut self.journal, seal);
        self.told("sealing", done)
    }

    /// The end: nothing half written stays, and all that was written is sealed.
    pub(crate) fn close(&mut self) -> Result<(), StateError> {
        if self.copy.take().is_some() {
            let _ = fs::remove_file(self.dir.join(NEW_NAME));
        }
        self.seal_durably()
    }

    /// Puts a new journal with exactly what the table has in the place of whatever there is.
    pub(crate) fn rewrite(&mut self, table: &Table) -> Result<(), StateError> {
        (self.journal, self.copy) = (None, None);
        self.frame.truncate(HEAD_OCTETS);
        let mut written = Journal::create(&self.dir.join(NEW_NAME));
        for part in 0..PARTS {
            written = written.and_then(|mut journal| copy_part(&mut journal, table, part).map(|()| journal));
        }
        let journal = written.map_err(|source| self.trouble("writing", source))?;
        self.publish(journal)
    }

    /// One step of replacing a long journal, to be called between groups; each takes about as long as a group.
    /// Whether there is more to do.
    pub(crate) fn compact(&mut self, table: &Table) -> Result<bool, StateError> {
        let Some(copy) = &mut self.copy else { return Ok(self.begin_copy()) };
        if copy.part < PARTS {
            // Synced bit by bit, so that nobody waits for the whole of it at the end.
            match copy_part(&mut copy.journal, table, copy.part).and_then(|()| copy.journal.sync()) {
                Ok(()) => copy.part += 1,
                Err(error) => self.give_up_copy(&error),
            }
            return Ok(self.copy.is_some());
        }
        if let Some(copy) = self.copy.take() {
            let before = self.journal.take().map_or(0, |journal| journal.octets());
            self.publish(copy.journal)?;
            let now = self.journal.as_ref().map_or(0, Journal::octets);
            tracing::debug!(before, now, "journal compacted");
        }
        Ok(false)
    }

    fn begin_copy(&mut self) -> bool {
        if self.journal.as_ref().is_none_or(|journal| journal.octets() <= self.compact_above) {
            return false;
        }
        match Journal::create(&self.dir.join(NEW_NAME)) {
            Ok(journal) => self.copy = Some(Copy { journal, part: 0 }),
            Err(error) => self.give_up_copy(&error),
        }
        self.copy.is_some()
    }

    /// The old journal has everything; the next attempt is when it has grown again.
    fn give_up_copy(&mut self, error: &io::Error) {
        tracing::warn!(path = ?self.dir.join(NEW_NAME), %error, "compaction failed");
        self.copy = None;
        let octets = self.journal.as_ref().map_or(0, Journal::octets);
        self.compact_above = octets.saturating_add(SLACK_OCTETS);
        let _ = fs::remove_file(self.dir.join(NEW_NAME));
    }

    /// Makes a whole new journal the one that counts.
    fn publish(&mut self, mut journal: Journal) -> Result<(), StateError> {
        let (new, path) = (self.dir.join(NEW_NAME), self.dir.join(FILE_NAME));
        journal.sync().map_err(|source| self.trouble("syncing", source))?;
        journal.seal().map_err(|source| self.trouble("sealing", source))?;
        journal.sync().map_err(|source| self.trouble("syncing", source))?;
        keep::rename(&new, &path)?;
        self.set_bound(journal.octets());
        self.journal = Some(journal);
        Ok(())
    }

    fn set_bound(&mut self, live_octets: u64) {
        self.compact_above = live_octets.saturating_mul(2).saturating_add(SLACK_OCTETS);
    }

    fn told(&self, op: &'static str, done: Option<io::Result<()>>) -> Result<(), StateError> {
        done.ok_or(StateError::WriteFailed)?.map_err(|source| self.trouble(op, source))
    }

    fn trouble(&self, op: &'static str, source: io::Error) -> StateError {
        StateError::Io { path: self.dir.join(FILE_NAME), op, source }
    }
}

/// Does it with the journal, which is gone if that fails: what the file holds then is not known. `None` if it was gone.
fn attempt(journal: &mut Option<Journal>, work: impl FnOnce(&mut Journal) -> io::Result<()>) -> Option<io::Result<()>> {
    let done = work(journal.as_mut()?);
    if done.is_err() {
        *journal = None;
    }
    Some(done)
}

/// Appends what a part has. It is only locked while its records are taken, not while they are written.
fn copy_part(journal: &mut Journal, table: &Table, part: usize) -> io::Result<()> {
    let mut frame = vec![0; HEAD_OCTETS];
    for change in table.part(part) {
        record::write(&mut frame, &change);
        if frame.len() >= COPY_OCTETS {
            journal.append(&mut frame)?;
            frame.truncate(HEAD_OCTETS);
        }
    }
    if frame.len() > HEAD_OCTETS { journal.append(&mut frame) } else { Ok(()) }
}

pub(crate) fn journal(dir: &Path) -> PathBuf {
    dir.join(FILE_NAME)
}

/// Whether no process has the folder. Nothing is made.
pub(crate) fn look(dir: &Path) -> Result<(), StateError> {
    let path = dir.join(LOCK_NAME);
    let trouble = |op| move |source| StateError::Io { path: dir.join(LOCK_NAME), op, source };
    match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(trouble("opening")(error)),
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse { path }),
            Err(TryLockError::Error(source)) => Err(trouble("locking")(source)),
        },
    }
}

fn lock(path: &Path) -> Result<File, StateError> {
    let trouble = |op| move |source| StateError::Io { path: path.to_owned(), op, source };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(trouble("opening"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(trouble("locking")(source)),
    }
}

#[cfg(test)]
mod tests;
