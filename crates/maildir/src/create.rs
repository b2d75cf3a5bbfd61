//! Making a Maildir.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The directories of a Maildir.
pub(crate) const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// Makes a Maildir (mode 0700) with all missing parents, durably. One that is there already is left as it is.
pub fn create(maildir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    let was_there = maildir.ancestors().find(|path| path.is_dir()).map(Path::to_path_buf);
    for part in PARTS {
        builder.create(maildir.join(part))?;
    }
    sync_dir(maildir)?;
    for parent in maildir.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()) {
        sync_dir(parent)?;
        if Some(parent) == was_there.as_deref() {
            break;
        }
    }
    Ok(())
}

/// Whether a Maildir is there, with all that belongs to one.
pub fn exists(maildir: &Path) -> bool {
    PARTS.iter().all(|part| maildir.join(part).is_dir())
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    keep::sync_dir(dir).map_err(|error| error.source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_with_parents_and_twice() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path().join("example.test/alice/Maildir");
        assert!(!exists(&maildir));
        create(&maildir).unwrap();
        create(&maildir).unwrap();
        assert!(exists(&maildir));
        for part in PARTS {
            assert!(maildir.join(part).is_dir());
        }
    }
}
