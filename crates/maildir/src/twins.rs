//! Two files of one name but for their flags, or in `new` and `cur`: two messages that nothing tells apart, since a unique-id is
//! bound to the name. All but the eldest get names of their own, as Dovecot does it.

use crate::durable;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file whose name, without flags, others have too.
pub(crate) struct Twin {
    pub(crate) path: PathBuf,
    /// Where the file lies on the disk: one file, seen twice as it was moved, is no twin of itself.
    pub(crate) inode: u64,
}

/// What parting came to.
#[derive(Default)]
pub(crate) struct Parted {
    /// Files that have a new name.
    pub(crate) renamed: u64,
    /// One of those that could get none.
    pub(crate) failed: Option<(PathBuf, io::Error)>,
}

/// Parts the files of one name. What cannot be renamed keeps its name, and waits until the other is gone.
pub(crate) fn part(twins: Vec<Twin>, parted: &mut Parted) {
    let mut files: Vec<(SystemTime, Twin)> = Vec::with_capacity(twins.len());
    for twin in twins {
        // What is gone by now was moved by somebody else.
        let Ok(modified) = fs::symlink_metadata(&twin.path).and_then(|meta| meta.modified()) else { continue };
        if files.iter().all(|(_, other)| other.inode != twin.inode) {
            files.push((modified, twin));
        }
    }
    files.sort_by_key(|(modified, twin)| (*modified, twin.inode));
    for (_, twin) in files.into_iter().skip(1) {
        match rename(&twin) {
            Ok(()) => parted.renamed += 1,
            Err(error) => parted.failed = Some((twin.path, error)),
        }
    }
}

fn rename(twin: &Twin) -> io::Result<()> {
    let name = twin.path.file_name().map(OsStr::as_bytes).unwrap_or_default();
    let to = twin.path.with_file_name(of_its_own(name, twin.inode));
    if is_taken(&to) {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    durable::rename(&twin.path, &to)
}

fn is_taken(path: &Path) -> bool {
    !fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Sizes and flags stay behind the unique part.
fn of_its_own(name: &[u8], inode: u64) -> OsString {
    let end = name.iter().position(|octet| matches!(octet, b',' | b':')).unwrap_or(name.len());
    let (unique, rest) = name.split_at(end);
    OsString::from_vec([unique, format!(".I{inode:x}").as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_flags_stay() {
        let name = |name: &str| of_its_own(name.as_bytes(), 0x1f).into_string().unwrap();
        assert_eq!(name("1.M2P3.h,S=10,W=12:2,S"), "1.M2P3.h.I1f,S=10,W=12:2,S");
        assert_eq!(name("1.h:2,"), "1.h.I1f:2,");
        assert_eq!(name("1.h"), "1.h.I1f");
    }
}
