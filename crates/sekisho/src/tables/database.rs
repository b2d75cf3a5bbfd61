//! Puts a compiled map in the place of the old one, whole, while mail servers have that open.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

/// What a new map may permit at most: sendmail refuses one that others than its owner may write.
const MODE_MAX: u32 = 0o644;

/// A map was not written; the one before it lies there as it was.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {op}: {error}", path = path.display())]
pub(crate) struct ReplaceError {
    path: PathBuf,
    op: &'static str,
    error: io::Error,
}

impl ReplaceError {
    fn at(path: &Path, op: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self { path, op, error }
    }
}

/// Writes `image` beside `path` and renames it: who opens the map sees the old whole or the new one, also after a power cut.
/// Owner and permissions are those of the old one, or else of `source`.
pub(crate) fn replace(path: &Path, image: &[u8], source: &Path) -> Result<(), ReplaceError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let written = write(&beside, image, fs::metadata(path).or_else(|_| fs::metadata(source)).ok().as_ref());
    let renamed = written.and_then(|()| fs::rename(&beside, path).map_err(ReplaceError::at(path, "replacing")));
    if renamed.is_err() {
        // It is of no use; and a full disk needs the room.
        let _ = fs::remove_file(&beside);
    }
    renamed?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(ReplaceError::at(folder, "syncing"))
}

fn write(beside: &Path, image: &[u8], like: Option<&fs::Metadata>) -> Result<(), ReplaceError> {
    // One that a killed process left; nor is a link followed that somebody laid there.
    if let Err(error) = fs::remove_file(beside)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(ReplaceError::at(beside, "removing")(error));
    }
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside);
    let mut file = opened.map_err(ReplaceError::at(beside, "making"))?;
    if let Some(like) = like {
        // Only root can give a file away, and only root needs to.
        let _ = fchown(&file, Some(like.uid()), Some(like.gid()));
    }
    let mode = like.map_or(MODE_MAX, |like| like.permissions().mode() & MODE_MAX);
    let permitted = file.set_permissions(fs::Permissions::from_mode(mode | 0o600));
    permitted.map_err(ReplaceError::at(beside, "permitting"))?;
    file.write_all(image).and_then(|()| file.sync_all()).map_err(ReplaceError::at(beside, "writing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (source, path) = (dir.path().join("access"), dir.path().join("access.db"));
        fs::write(&source, "secret").unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o660)).unwrap();
        let mode = || fs::metadata(&path).unwrap().mode() & 0o777;
        replace(&path, b"one", &source).unwrap();
        assert_eq!(mode(), 0o640, "as its source, but nobody else writes it");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let mut open = File::open(&path).unwrap();
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join("access.db.tmp")).unwrap();
        replace(&path, b"another", &source).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode()), (b"another".to_vec(), 0o600));
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        let mut old = String::new();
        io::Read::read_to_string(&mut open, &mut old).unwrap();
        assert_eq!(old, "one", "who has it open sees the old one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left beside it");
    }

    #[test]
    fn what_cannot_be_replaced_is_told_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("access.db");
        fs::create_dir(&taken).unwrap();
        let error = replace(&taken, b"", dir.path()).unwrap_err().to_string();
        assert!(error.contains("access.db: replacing: "), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(Path::new("/nonexistent/access.db"), b"", dir.path()).is_err());
    }
}
