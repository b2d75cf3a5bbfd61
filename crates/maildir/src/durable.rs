//! The syncs and renames of deliveries, many at once; nothing else in this crate may do either. A single file is replaced
//! by `keep`.
//!
//! | killed here | after the restart |
//! |---|---|
//! | while a message is written to `tmp` | the spool still has it; `tmp` keeps a file that is swept after 36 hours |
//! | after the sync, before the rename | the same |
//! | after the rename, before the directory sync | it may or may not be in `new`; the spool asks again, and the name tells that it was done |
//! | after the directory sync | it is in the mailbox, whole |
//! | while the uidlist is appended to | a torn last line is not read; the same messages get the same order of unique-ids again |
//! | between writing and renaming a new uidlist | the old one is in force |
#![expect(clippy::disallowed_methods, reason = "this is the file that syncs and renames")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// From this many files on one file system, `syncfs` takes the place of a sync for each. Every single sync waits for a
/// cache flush of the disk; `syncfs` waits for two however many files there are, but also for what neighbours wrote.
/// Measured on ext4, virtio, in 4-KiB messages a second: quiet disk, batches of 1: 4,600 singly, 4,200 by `syncfs`;
/// busy disk, batches of 4: 230 and 712, of 32: 301 and 2,667, of 256: 228 and 5,561.
const SYNCFS_FILES_MIN: usize = 3;

/// Makes the contents of many files durable, each with its own result. They must have been opened before they were
/// written to: `syncfs` (Linux 5.8) tells of the errors since then.
pub(crate) fn sync_files(files: &[&File]) -> Vec<io::Result<()>> {
    let mut results: Vec<io::Result<()>> = files.iter().map(|_| Ok(())).collect();
    let mut by_device: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        match file.metadata() {
            Ok(data) => by_device.entry(data.dev()).or_default().push(index),
            Err(error) => results[index] = Err(error),
        }
    }
    for group in by_device.into_values() {
        // When it failed, the single syncs tell whose octets are lost.
        let done = group.len() >= SYNCFS_FILES_MIN && nix::unistd::syncfs(files[group[0]]).is_ok();
        if !done {
            for index in group {
                results[index] = files[index].sync_all();
            }
        }
    }
    results
}

/// Makes the names in many directories durable, each with its own result.
pub(crate) fn sync_dirs(dirs: &[PathBuf]) -> Vec<io::Result<()>> {
    let opened: Vec<io::Result<File>> = dirs.iter().map(File::open).collect();
    let files: Vec<&File> = opened.iter().filter_map(|file| file.as_ref().ok()).collect();
    let mut synced = sync_files(&files).into_iter();
    opened.into_iter().map(|file| file.and_then(|_| synced.next().unwrap_or(Ok(())))).collect()
}

/// Makes one file's contents durable.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Gives another name to what is no regular file, so that one can stand there. False when there was nothing of the kind.
pub(crate) fn put_aside_other(path: &Path) -> io::Result<bool> {
    if fs::symlink_metadata(path).map_or(true, |data| data.is_file()) {
        return Ok(false);
    }
    let micros = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".aside-{micros}"));
    fs::rename(path, aside).map(|()| true)
}

/// Gives a file its final name; durable only after [`sync_dirs`].
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}
