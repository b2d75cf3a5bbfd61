//! Puts whole files where others look for them, durably: write a file beside, sync it, rename it, sync the folder.
//!
//! | killed here | after restart |
//! |---|---|
//! | file beside being written or synced | the old one lies there, whole; the one beside is removed by the next attempt |
//! | file beside renamed, folder not synced | the old one or the new one, each whole |
//! | folder synced | the new one |
//! | file made anew ([`NewFile::create`]), not synced | it may be there, empty or in part: whoever reads it checks it |
//! | file made anew and synced, folder not synced | it is there whole, or not there |
#![expect(clippy::disallowed_methods, reason = "this is the file that syncs and renames")]

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// Why a file was not put there, or is not known to be durable.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {op}: {source}")]
pub struct KeepError {
    /// The file or folder at hand.
    pub path: PathBuf,
    /// What was tried, as `writing`.
    pub op: &'static str,
    /// What the system says.
    pub source: io::Error,
}

impl KeepError {
    fn at(path: &Path, op: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, op, source }
    }
}

/// Whose a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's.
    pub gid: u32,
}

/// A file as it shall be.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// Where.
    pub path: &'a Path,
    /// All that is in it.
    pub octets: &'a [u8],
    /// Its permissions, exactly; the umask takes nothing away.
    pub mode: u32,
    /// Whose it shall be, if the process may give it away; only root may. `None`: the process's.
    pub owner: Option<Owner>,
}

impl NewFile<'_> {
    /// Puts it in the place of what is at `path`, or of nothing: who opens that sees the old file whole or the new one.
    /// After an error the old one lies there as it was, save that only syncing the folder failed.
    ///
    /// `path` with `.tmp` behind it is written beside. What lies there is removed first: an earlier process left it; nor
    /// is a link followed that somebody laid there. Two at once for the same `path` are the caller's to prevent.
    pub fn replace(&self) -> Result<(), KeepError> {
        let mut beside = self.path.as_os_str().to_owned();
        beside.push(".tmp");
        let beside = PathBuf::from(beside);
        if let Err(error) = fs::remove_file(&beside)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(KeepError::at(&beside, "removing")(error));
        }
        self.write(&beside)?;
        fs::rename(&beside, self.path).map_err(KeepError::at(self.path, "replacing"))?;
        sync_dir(folder(self.path))
    }

    /// Makes it where nothing is. After an error nothing of it is left, so that the next attempt finds nothing.
    pub fn create(&self) -> Result<(), KeepError> {
        self.write(self.path)?;
        sync_dir(folder(self.path)).inspect_err(|_| drop(fs::remove_file(self.path)))
    }

    /// The whole file at `path`, where none may be; synced.
    fn write(&self, path: &Path) -> Result<(), KeepError> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(KeepError::at(path, "making"))?;
        self.fill(file, path).inspect_err(|_| drop(fs::remove_file(path)))
    }

    fn fill(&self, mut file: File, path: &Path) -> Result<(), KeepError> {
        if let Some(owner) = self.owner {
            // Only root can give a file away, and only root needs to.
            let _ = fchown(&file, Some(owner.uid), Some(owner.gid));
        }
        file.set_permissions(Permissions::from_mode(self.mode)).map_err(KeepError::at(path, "permitting"))?;
        file.write_all(self.octets).and_then(|()| file.sync_all()).map_err(KeepError::at(path, "writing"))
    }
}

/// Gives a file, synced by the caller, its final name, durably. What had that name is gone. Both are in one folder.
pub fn rename(from: &Path, to: &Path) -> Result<(), KeepError> {
    fs::rename(from, to).map_err(KeepError::at(to, "renaming"))?;
    sync_dir(folder(to))
}

/// Makes the names in a folder durable.
pub fn sync_dir(dir: &Path) -> Result<(), KeepError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(KeepError::at(dir, "syncing"))
}

/// Where a file's name stands.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file<'a>(path: &'a Path, octets: &'a [u8]) -> NewFile<'a> {
        NewFile { path, octets, mode: 0o640, owner: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kept.db");
        file(&path, b"one").replace().unwrap();
        let mut open = File::open(&path).unwrap();
        file(&path, b"another").replace().unwrap();
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (b"another".as_slice(), 0o640));
        let mut old = String::new();
        io::Read::read_to_string(&mut open, &mut old).unwrap();
        assert_eq!(old, "one", "who has it open sees the old one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_beside_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, precious) = (dir.path().join("kept.db"), dir.path().join("precious"));
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join("kept.db.tmp")).unwrap();
        file(&path, b"one").replace().unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
    }

    #[test]
    fn after_a_failure_the_old_one_is_there_and_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "").unwrap();
        let error = file(&path, b"one").replace().unwrap_err();
        assert_eq!((error.op, error.path.as_path()), ("replacing", path.as_path()));
        assert!(path.join("inside").exists());
    }

    #[test]
    fn what_is_there_is_not_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        file(&path, b"one").create().unwrap();
        let error = file(&path, b"two").create().unwrap_err();
        assert_eq!((error.op, error.source.kind()), ("making", io::ErrorKind::AlreadyExists));
        assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (b"one".as_slice(), 0o640));
    }

    #[test]
    fn a_failure_names_file_and_operation() {
        let error = file(Path::new("/nonexistent/kept.db"), b"").replace().unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/kept.db.tmp: making: "), "{error}");
        let error = sync_dir(Path::new("/nonexistent")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent: syncing: "), "{error}");
    }

    #[test]
    fn a_file_gets_its_final_name() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("journal.new"), dir.path().join("journal"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        rename(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"new");
        assert!(!from.exists());
        assert_eq!(rename(&from, &to).unwrap_err().op, "renaming");
    }

    #[test]
    fn a_name_without_a_folder_stands_in_this_one() {
        assert_eq!(folder(Path::new("kept.db")), Path::new("."));
        assert_eq!(folder(Path::new("a/kept.db")), Path::new("a"));
    }
}
