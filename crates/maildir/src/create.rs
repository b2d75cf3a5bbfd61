//! Making a Maildir, and sweeping what an interrupted delivery left in it.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The directories of a Maildir.
pub(crate) const PARTS: [&str; 3] = ["tmp", "new", "cur"];

/// Age after which a file in `tmp` is nobody's any more, as the Maildir convention has it.
const TMP_ABANDONED: Duration = Duration::from_hours(36);

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

fn sync_dir(dir: &Path) -> io::Result<()> {
    keep::sync_dir(dir).map_err(|error| error.source)
}

/// Deletes files in `tmp` that no delivery can still be writing (36 hours old at `now`). Returns how many.
pub fn sweep_tmp(maildir: &Path, now: SystemTime) -> io::Result<usize> {
    let mut swept = 0;
    for entry in fs::read_dir(maildir.join("tmp"))? {
        let entry = entry?;
        let Ok(modified) = entry.metadata().and_then(|data| data.modified()) else { continue };
        let abandoned = now.duration_since(modified).is_ok_and(|age| age > TMP_ABANDONED);
        if abandoned && fs::remove_file(entry.path()).is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_with_parents_and_twice() {
        let dir = tempfile::tempdir().unwrap();
        let maildir = dir.path().join("example.test/alice/Maildir");
        create(&maildir).unwrap();
        create(&maildir).unwrap();
        for part in PARTS {
            assert!(maildir.join(part).is_dir());
        }
    }

    #[test]
    fn only_abandoned_files_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path()).unwrap();
        fs::write(dir.path().join("tmp/x"), "x").unwrap();
        assert_eq!(sweep_tmp(dir.path(), SystemTime::now()).unwrap(), 0);
        assert_eq!(sweep_tmp(dir.path(), SystemTime::now() + TMP_ABANDONED * 2).unwrap(), 1);
    }
}
