//! Files moved, whole folders too, and made durable. What a kill leaves at each point is told where it is used: [`crate::store`]
//! and [`crate::restore`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::BackupError;

/// A folder of mode 0700, with those above it.
pub(crate) fn make_dir(path: &Path) -> Result<(), BackupError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(BackupError::at(path, "making the folder"))
}

/// A new file of mode 0600.
pub(crate) fn new_file(path: &Path) -> Result<File, BackupError> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(BackupError::at(path, "making"))
}

/// Makes all of a file system durable, which for many files is less work than each of them.
pub(crate) fn sync_all_of(dir: &Path) -> Result<(), BackupError> {
    let synced = File::open(dir).and_then(|dir| nix::unistd::syncfs(&dir).map_err(io::Error::from));
    synced.map_err(BackupError::at(dir, "syncing"))
}

/// Whether anything has this name.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Takes away what is there, a folder with all that is in it; that nothing is there is no failure.
pub(crate) fn remove(path: &Path) -> Result<(), BackupError> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    let removed = if there.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.map_err(BackupError::at(path, "removing"))
}

/// Gives a file or folder another name, also on another file system. Nothing may have the new name. Not durable yet.
pub(crate) fn put(from: &Path, to: &Path) -> Result<(), BackupError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        renamed => return renamed.map_err(BackupError::at(to, "renaming")),
    }
    copy(from, to)?;
    sync_all_of(if to.is_dir() { to } else { to.parent().unwrap_or(Path::new("/")) })?;
    remove(from)
}

fn copy(from: &Path, to: &Path) -> Result<(), BackupError> {
    let there = fs::symlink_metadata(from).map_err(BackupError::at(from, "looking at"))?;
    if !there.is_dir() {
        fs::copy(from, to).map_err(BackupError::at(to, "copying"))?;
        let file = OpenOptions::new().write(true).open(to);
        let set = file.and_then(|file| file.set_modified(there.modified()?));
        set.map_err(BackupError::at(to, "copying"))?;
        return chown(to, Some(there.uid()), Some(there.gid())).or(Ok(()));
    }
    make_dir(to)?;
    for entry in entries(from)? {
        if let Some(name) = entry.file_name() {
            copy(&entry, &to.join(name))?;
        }
    }
    chown(to, Some(there.uid()), Some(there.gid())).or(Ok(()))
}

/// What is in a folder.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let entries = fs::read_dir(dir).map_err(BackupError::at(dir, "listing"))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(BackupError::at(dir, "listing"))).collect()
}

/// Gives all of it to the owner of `like`. Only root can, and only root needs to.
pub(crate) fn give_to_owner_of(like: &Path, path: &Path) -> Result<(), BackupError> {
    let owner = fs::metadata(like).map_err(BackupError::at(like, "looking at"))?;
    if !nix::unistd::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    give(path, keep::Owner { uid: owner.uid(), gid: owner.gid() })
}

fn give(path: &Path, owner: keep::Owner) -> Result<(), BackupError> {
    let there = fs::symlink_metadata(path).map_err(BackupError::at(path, "looking at"))?;
    chown(path, Some(owner.uid), Some(owner.gid)).map_err(BackupError::at(path, "giving to its owner"))?;
    if there.is_dir() {
        for entry in entries(path)? {
            give(&entry, owner)?;
        }
    }
    Ok(())
}
