//! The only file that syncs, renames, cuts and removes. One process killed, or one power cut, at each point:
//!
//! | killed here | after restart |
//! |---|---|
//! | before a batch is written whole | its torn end is passed over; nobody was told 250 |
//! | batch written, not synced | the process killed: its mails are there though nobody was told 250 (the client tries again); power cut: as above |
//! | batch synced, 250 not sent yet | its mails are there; the client tries again and is delivered twice (RFC 5321 §4.5.4.1 allows it) |
//! | 250 sent | its mails are there |
//! | large file being written | no record names it: removed at start |
//! | large file synced, record not | the same |
//! | settled, status not written or not synced | tried again: at most delivered twice |
//! | status of a large mail synced, file not removed | no record names it: removed at start |
//! | new segment made, header not synced | the file has no record: removed at start |
//! | record of a relayed mail synced, its line not in the chain | the start adds it: see `relayed` |
//! | segment freed and renamed to be a spare | removed at start |
//! | spare given its new header, not renamed yet | removed at start |
//! | mail copied forward, not synced | the old copy counts, its segment is still there |
//! | mail copied forward and synced, old segment still there | the later copy counts; one entry, since both have the same id |
//! | old segments removed in part | the oldest go first, so no status outlives its message's removal wrongly |
//! | write or sync failed, segment cut | nobody was told 250; the next batch begins a new segment |
//! | write or sync failed and the cut failed too | the next segment begins with a record that voids the end of the old one |
//! | clean end, being cut to length | the records are whole; the unused room is passed over |
#![expect(clippy::disallowed_methods, reason = "durability lives here")]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

use crate::error::SpoolError;
use crate::record::{HEADER_OCTETS, Header};

const PRIVATE: u32 = 0o600;

/// A new segment of `octets`, its header durable.
pub(crate) fn create_segment(path: &Path, header: Header, octets: u64) -> Result<File, SpoolError> {
    let made = create_segment_file(path, header, octets);
    if made.is_err() {
        // Without room for a whole segment nothing of it may stay.
        let _ = fs::remove_file(path);
    }
    let file = made?;
    sync_parent(path)?;
    Ok(file)
}

fn create_segment_file(path: &Path, header: Header, octets: u64) -> Result<File, SpoolError> {
    let mut file = new_file(path)?;
    // Room is taken beforehand: a sync then need not change the file's length, and a status always fits.
    match fallocate(&file, FallocateFlags::empty(), 0, i64::try_from(octets).unwrap_or(i64::MAX)) {
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => (),
        Err(errno) => return Err(SpoolError::at(path, "allocate")(errno.into())),
    }
    file.write_all(&header.encode()).map_err(SpoolError::at(path, "write"))?;
    file.sync_all().map_err(SpoolError::at(path, "sync"))?;
    Ok(file)
}

/// A segment in the file of a freed one: its blocks are written already, so that a sync journals nothing.
pub(crate) fn recycle_segment(spare: &Path, path: &Path, header: Header) -> Result<File, SpoolError> {
    let mut file = OpenOptions::new().read(true).write(true).open(spare).map_err(SpoolError::at(spare, "open"))?;
    file.write_all_at(&header.encode(), 0).map_err(SpoolError::at(spare, "write"))?;
    file.sync_data().map_err(SpoolError::at(spare, "sync"))?;
    keep::rename(spare, path)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(HEADER_OCTETS as u64)).map_err(SpoolError::at(path, "seek"))?;
    Ok(file)
}

/// Takes a freed segment out of the log; needs no sync, since freeing it again does no harm.
pub(crate) fn make_spare(path: &Path, spare: &Path) -> Result<(), SpoolError> {
    fs::rename(path, spare).map_err(SpoolError::at(path, "rename"))
}

/// Makes what was appended durable.
pub(crate) fn sync(file: &File, path: &Path) -> Result<(), SpoolError> {
    file.sync_data().map_err(SpoolError::at(path, "sync"))
}

/// Cuts a segment's end off, durably.
pub(crate) fn cut(file: &File, path: &Path, octets: u64) -> Result<(), SpoolError> {
    file.set_len(octets).map_err(SpoolError::at(path, "cut"))?;
    file.sync_all().map_err(SpoolError::at(path, "sync"))
}

/// A new, empty file.
pub(crate) fn new_file(path: &Path) -> Result<File, SpoolError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)
        .map_err(SpoolError::at(path, "create"))
}

/// Makes a file with its name durable.
pub(crate) fn finish_file(file: &File, path: &Path) -> Result<(), SpoolError> {
    file.sync_all().map_err(SpoolError::at(path, "sync"))?;
    sync_parent(path)
}

/// Removes a file; that it is gone already is no failure.
pub(crate) fn remove(path: &Path) -> Result<(), SpoolError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SpoolError::at(path, "remove")(error)),
        _ => Ok(()),
    }
}

/// Moves a file that cannot be read whole out of the way, for a person to look at.
pub(crate) fn set_aside(path: &Path, folder: &Path) -> Result<(), SpoolError> {
    let Some(name) = path.file_name() else { return Ok(()) };
    let to = folder.join(name);
    keep::rename(path, &to)?;
    // That was the folder it went to.
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), SpoolError> {
    path.parent().map_or(Ok(()), |dir| Ok(keep::sync_dir(dir)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { number: 9, previous: (0, 0) };

    #[test]
    fn a_recycled_segment_has_its_new_header_and_its_old_length() {
        let dir = tempfile::tempdir().unwrap();
        let (first, spare, second) = (dir.path().join("1"), dir.path().join("s"), dir.path().join("2"));
        create_segment(&first, HEADER, 4096).unwrap();
        make_spare(&first, &spare).unwrap();
        let new = Header { number: 10, previous: (9, 48) };
        let file = recycle_segment(&spare, &second, new).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4096);
        let octets = fs::read(&second).unwrap();
        assert_eq!(Header::decode(&octets), Ok(new));
        assert!(!spare.exists());
    }

    #[test]
    fn what_is_gone_already_may_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        assert!(remove(&dir.path().join("none")).is_ok());
    }

    #[test]
    fn a_failure_names_file_and_operation() {
        let error = new_file(Path::new("/nonexistent/spool/file")).unwrap_err();
        assert_eq!((error.op, error.path.to_str()), ("create", Some("/nonexistent/spool/file")));
        assert!(!error.is_full());
    }
}
