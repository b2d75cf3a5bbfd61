//! Sweeping what an interrupted delivery left behind.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Age after which a file in `tmp` is nobody's any more, as the Maildir convention has it.
const TMP_ABANDONED: Duration = Duration::from_hours(36);

/// Deletes files in `tmp` that no delivery can still be writing: more than 36 hours old at `now`. Returns how many.
///
/// No link is followed, neither one in the place of `tmp` (then it is an error) nor one in it: whoever may write in the
/// mailbox cannot have files deleted elsewhere. Whatever else is no plain file stays, too.
pub fn sweep_tmp(maildir: &Path, now: SystemTime) -> io::Result<usize> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut tmp = Dir::open(&maildir.join("tmp"), flags, Mode::empty())?;
    let names = tmp.iter().map(|entry| entry.map(|entry| entry.file_name().to_owned()));
    let names = names.collect::<Result<Vec<CString>, _>>()?;
    Ok(names.iter().filter(|name| sweep(&tmp, name, now)).count())
}

/// Whether the file was abandoned and is gone. One that went meanwhile, or cannot go, keeps none of the others here.
fn sweep(tmp: &Dir, name: &CStr, now: SystemTime) -> bool {
    fstatat(tmp.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| is_abandoned(&stat, now))
        && unlinkat(tmp.as_fd(), name, UnlinkatFlags::NoRemoveDir).is_ok()
}

fn is_abandoned(stat: &FileStat, now: SystemTime) -> bool {
    let is_file = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG;
    let nanos = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let modified = UNIX_EPOCH + Duration::new(u64::try_from(stat.st_mtime).unwrap_or(0), nanos);
    is_file && now.duration_since(modified).is_ok_and(|age| age > TMP_ABANDONED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    fn maildir() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        crate::create(dir.path()).unwrap();
        let tmp = dir.path().join("tmp");
        (dir, tmp)
    }

    /// A file last written then.
    fn written(path: &Path, at: SystemTime) {
        File::create(path).unwrap().set_modified(at).unwrap();
    }

    #[test]
    fn only_abandoned_files_are_swept() {
        let (dir, tmp) = maildir();
        let now = SystemTime::now();
        let hours = |count| now - Duration::from_hours(count);
        for (name, at) in [("old", hours(37)), ("young", hours(35)), ("now", now), ("later", now + TMP_ABANDONED * 2)] {
            written(&tmp.join(name), at);
        }
        written(&dir.path().join("new/old"), hours(1_000));
        assert_eq!(sweep_tmp(dir.path(), now).unwrap(), 1);
        assert!(!tmp.join("old").exists());
        assert!(["young", "now", "later"].iter().all(|name| tmp.join(name).exists()));
        assert!(dir.path().join("new/old").exists());
        assert_eq!(sweep_tmp(dir.path(), now).unwrap(), 0);
    }

    #[test]
    fn links_are_not_followed_and_folders_stay() {
        let (dir, tmp) = maildir();
        let later = SystemTime::now() + TMP_ABANDONED * 2;
        let precious = dir.path().join("cur/precious");
        fs::write(&precious, "mail").unwrap();
        symlink(&precious, tmp.join("link")).unwrap();
        fs::create_dir(tmp.join("folder")).unwrap();
        assert_eq!(sweep_tmp(dir.path(), later).unwrap(), 0);
        assert!(precious.exists() && tmp.join("folder").exists());

        let (other, other_tmp) = maildir();
        fs::remove_dir(&other_tmp).unwrap();
        symlink(dir.path().join("cur"), &other_tmp).unwrap();
        assert!(sweep_tmp(other.path(), later).is_err());
        assert!(precious.exists());
    }

    #[test]
    fn a_mailbox_that_is_not_there_is_told() {
        assert_eq!(
            sweep_tmp(Path::new("/nonexistent"), SystemTime::now()).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
