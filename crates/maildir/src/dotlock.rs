//! Dovecot's dot-lock: a file `<path>.lock`, made exclusively, that says `pid:host`.

use crate::{durable, plain};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Age after which a lock whose holder cannot be asked is broken, as Dovecot does with its uidlist.
const STALE: Duration = Duration::from_mins(2);
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(5);

/// A lock held; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Dotlock {
    path: PathBuf,
    file: File,
}

impl Dotlock {
    /// Takes the lock of `path`, waiting at most `patience` for its holder: then the error is `WouldBlock`.
    ///
    /// The caller must be the only one in this process who could hold it: a lock that names this process is a
    /// leftover of an earlier one with the same number (in a container it is always the same) and is broken.
    pub(crate) fn take(path: &Path, patience: Duration) -> io::Result<Self> {
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let until = Instant::now() + patience;
        loop {
            match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&lock_path) {
                Ok(mut file) => {
                    let host = hostname();
                    let written = file.write_all(format!("{}:{host}", std::process::id()).as_bytes());
                    let lock = Self { path: lock_path, file };
                    return written.map(|()| lock);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            if is_stale(&lock_path)? {
                match fs::remove_file(&lock_path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => continue,
                }
            }
            if Instant::now() >= until {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if durable::put_aside_other(&lock_path)? {
                continue;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Dotlock {
    fn drop(&mut self) {
        // Whoever thought this lock stale has made one of his own: leave that.
        let ours = self.file.metadata().is_ok_and(|own| {
            fs::symlink_metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == (own.dev(), own.ino()))
        });
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_stale(lock_path: &Path) -> io::Result<bool> {
    let mut text = String::new();
    let modified = match plain::open(lock_path) {
        Ok(file) => {
            let modified = file.metadata()?.modified()?;
            let _ = file.take(512).read_to_string(&mut text);
            modified
        }
        // What is no regular file is nobody's lock, and is put aside.
        Err(error) if error.kind() == io::ErrorKind::NotFound || plain::is_no_file(&error) => return Ok(false),
        Err(error) => return Err(error),
    };
    if let Some((pid, host)) = text.split_once(':')
        && host == hostname()
        && let Ok(pid) = pid.parse::<i32>()
        && pid > 0
    {
        let own = u32::try_from(pid) == Ok(std::process::id());
        return Ok(own || kill(Pid::from_raw(pid), None) == Err(nix::errno::Errno::ESRCH));
    }
    Ok(modified.elapsed().is_ok_and(|age| age > STALE))
}

/// This machine's name as Dovecot writes it into a lock.
fn hostname() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_by_the_living_freed_by_drop_broken_when_the_holder_died() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dovecot-uidlist");
        let lock_path = dir.path().join("dovecot-uidlist.lock");
        drop(Dotlock::take(&path, Duration::ZERO).unwrap());
        assert!(!lock_path.exists());

        fs::write(&lock_path, format!("1:{}", hostname())).unwrap();
        let error = Dotlock::take(&path, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);

        fs::write(&lock_path, format!("{}:{}", i32::MAX, hostname())).unwrap();
        drop(Dotlock::take(&path, Duration::ZERO).unwrap());

        fs::write(&lock_path, format!("{}:{}", std::process::id(), hostname())).unwrap();
        drop(Dotlock::take(&path, Duration::ZERO).unwrap());

        fs::write(&lock_path, "1:elsewhere").unwrap();
        assert!(Dotlock::take(&path, Duration::ZERO).is_err());
    }
}
