//! Every sync and every rename of this crate; nothing else in it may do either.
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

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Makes the contents of many files durable, each with its own result.
///
/// A plain sync per file costs a journal commit each on ext4. So the writing-out of all is started first (that is what
/// `POSIX_FADV_DONTNEED` does with dirty pages on Linux; where it does nothing, only speed is lost): their allocations then share
/// one journal commit, and all syncs but the first find nothing left to do. `syncfs` would be one call, but it waits
/// for whatever else is dirty on the file system: a neighbour's compiler, or the spool's large files.
pub(crate) fn sync_files(files: &[&File]) -> Vec<io::Result<()>> {
    if files.len() > 1 {
        for file in files {
            // Only a hint: whether it worked is told by the sync below.
            let _ = posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
    }
    files.iter().map(|file| file.sync_data()).collect()
}

/// Makes one file's contents durable.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Gives a file its final name; durable only after [`sync_dir`].
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Puts `file`, written whole at `tmp`, in the place of `path`, durably.
pub(crate) fn replace(file: &File, tmp: &Path, path: &Path) -> io::Result<()> {
    file.sync_data()?;
    fs::rename(tmp, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}
