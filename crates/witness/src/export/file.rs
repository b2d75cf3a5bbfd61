//! Puts a file in the place of another, whole, while others have that open.

use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use bdb::BdbError;
use keep::{NewFile, Owner};

/// Who may read a file that was not there before: mail servers run as users of their own. There are no secrets in it.
const MODE: u32 = 0o644;

/// Why the file was not written. The one before it lies there as it was.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The entries make no file.
    #[error("{path}: {error}")]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        error: BdbError,
    },
    /// The system says no.
    #[error(transparent)]
    Keep(#[from] keep::KeepError),
    /// A fault in the program.
    #[error("{path}: writing it broke off")]
    Failed {
        /// The file.
        path: PathBuf,
    },
}

/// Writes `image` beside `path` and renames it: who opens the file sees the old whole or the new one, also after a power
/// cut. Owner and permissions are those of what is there, or else of its source, which nobody else may write.
pub fn replace(path: &Path, image: &[u8], source: Option<&Path>) -> Result<(), ExportError> {
    let before = fs::metadata(path).ok();
    let source = source.filter(|_| before.is_none()).and_then(|source| fs::metadata(source).ok());
    let mode_of = |like: &fs::Metadata| like.permissions().mode() & 0o777;
    let of_source = || source.as_ref().map_or(MODE, |source| mode_of(source) & MODE | 0o600);
    let mode = before.as_ref().map_or_else(of_source, mode_of);
    let owner = before.as_ref().or(source.as_ref()).map(|like| Owner { uid: like.uid(), gid: like.gid() });
    Ok(NewFile { path, octets: image, mode, owner }.replace()?)
}

/// A file as it was written, so that it is seen when somebody removes it, writes into it or puts another in its place. Its
/// permissions are the operator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    device: u64,
    inode: u64,
    octets: u64,
    content: u64,
}

impl Mark {
    /// Of what was just written; `None`: it is gone already.
    pub(super) fn written(path: &Path, image: &[u8]) -> Option<Self> {
        Some(Self { content: hash(image), ..Self::place(path)? })
    }

    /// Whether the file is still that one. What cannot be read is not.
    pub(super) fn holds(self, path: &Path) -> bool {
        let is_place = Self::place(path).is_some_and(|now| Self { content: self.content, ..now } == self);
        let read = || keep::read(path, self.octets, keep::Accepts::RegularFile);
        is_place && read().is_ok_and(|octets| hash(&octets) == self.content)
    }

    /// Of the name itself: a link in its place is somebody else's, wherever it leads.
    fn place(path: &Path) -> Option<Self> {
        let at = fs::symlink_metadata(path).ok()?;
        Some(Self { device: at.dev(), inode: at.ino(), octets: at.len(), content: 0 })
    }
}

/// Against accidents, not against those who may write the file: they may make grants in it anyway.
fn hash(octets: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(octets);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("relay.db");
        replace(&path, b"one", None).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let mut open = File::open(&path).unwrap();
        // What a killed process left, or somebody's link.
        let precious = dir.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        std::os::unix::fs::symlink(&precious, dir.path().join("relay.db.tmp")).unwrap();
        replace(&path, b"another", None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"another");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
        let mut old = String::new();
        io::Read::read_to_string(&mut open, &mut old).unwrap();
        assert_eq!(old, "one", "who has it open sees the old one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside it");
    }

    #[test]
    fn a_new_file_is_for_whom_its_source_is() {
        let dir = tempfile::tempdir().unwrap();
        let (source, path) = (dir.path().join("access"), dir.path().join("access.db"));
        fs::write(&source, "secret").unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o660)).unwrap();
        replace(&path, b"one", Some(&source)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        replace(&path, b"two", Some(&source)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o604);
    }

    #[test]
    fn a_folder_that_is_not_there_is_told() {
        let error = replace(Path::new("/nonexistent/relay.db"), b"", None).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent/relay.db.tmp: making: "), "{error}");
    }
}
