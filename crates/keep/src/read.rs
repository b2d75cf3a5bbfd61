//! Reads whole files that others keep (maps, keys, configurations) without waiting for ever: a file system whose server is gone
//! never answers, and opening a pipe that nobody writes to never ends.
//!
//! What may hang is done by a thread of its own, which is left to itself when its time is over: nothing can end a thread that
//! waits for a disk. It blocks the caller for as long, so on an asynchronous runtime it belongs on a thread aside.

use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a file may give nothing. Longer than a sleeping disk takes to wake, shorter than a person waits for `reload`.
pub const STALL: Duration = Duration::from_secs(5);
/// A disk that gives less a second is as good as one that hangs.
const OCTETS_PER_SEC_MIN: u64 = 8 << 20;
/// Threads that wait at once. Those of a dead file system stay, so that each try must not add one for ever.
const WAITING_MAX: usize = 64;

/// Threads are the process's, and so is their count.
static WAITING: AtomicUsize = AtomicUsize::new(0);

/// What may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepts {
    /// A regular file, as whatever is read again and again must be.
    RegularFile,
    /// A pipe or a device as well, as who types a command may name one.
    Anything,
}

/// Reads a whole file of at most `octets_max`. Errors do not name the file; [`is_stalled`] tells that it gave nothing in time.
pub fn read(path: &Path, octets_max: u64, accepts: Accepts) -> io::Result<Vec<u8>> {
    let at = path.to_owned();
    let (file, octets) = in_time(STALL, move || open(&at, accepts))?;
    let too_large =
        |octets: u64| io::Error::new(io::ErrorKind::FileTooLarge, format!("{octets} octets; at most {octets_max}"));
    if octets > octets_max {
        return Err(too_large(octets));
    }
    let limit = STALL + Duration::from_secs(octets / OCTETS_PER_SEC_MIN);
    let read = in_time(limit, move || {
        let mut text = Vec::with_capacity(usize::try_from(octets).unwrap_or_default());
        // It may have grown since.
        file.take(octets_max.saturating_add(1)).read_to_end(&mut text)?;
        Ok(text)
    })?;
    let length = read.len() as u64;
    if length > octets_max { Err(too_large(length)) } else { Ok(read) }
}

/// Whether it is the time that was over, ours or the file system's own.
pub fn is_stalled(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

/// Does what may hang on a thread of its own, and gives it up after `limit`. What it does then, nobody sees.
pub fn in_time<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let place = Place::take()?;
    let (tell, told) = mpsc::sync_channel(1);
    thread::Builder::new().name("read".to_owned()).spawn(move || {
        let done = work();
        drop(place);
        // Nobody waits any more: then it is dropped here.
        let _ = tell.send(done);
    })?;
    told.recv_timeout(limit).unwrap_or_else(|error| {
        Err(match error {
            RecvTimeoutError::Timeout => {
                let text = format!("nothing was read for {} s: does its disk or its server answer?", limit.as_secs());
                io::Error::new(io::ErrorKind::TimedOut, text)
            }
            RecvTimeoutError::Disconnected => io::Error::other("reading ended by a panic"),
        })
    })
}

/// One of the threads.
struct Place;

impl Place {
    fn take() -> io::Result<Self> {
        if WAITING.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            WAITING.fetch_sub(1, Ordering::Relaxed);
            let text = format!("{WAITING_MAX} earlier reads still wait for their files");
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        Ok(Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looked at before it is opened: to open a device may do something, and to open a pipe is to wait for a writer.
fn open(path: &Path, accepts: Accepts) -> io::Result<(File, u64)> {
    allow(fs::metadata(path)?.file_type(), accepts)?;
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    // It may be another by now.
    allow(metadata.file_type(), accepts)?;
    Ok((file, metadata.len()))
}

pub(crate) fn allow(kind: FileType, accepts: Accepts) -> io::Result<()> {
    if kind.is_file() || (accepts == Accepts::Anything && !kind.is_dir()) {
        return Ok(());
    }
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe (FIFO)"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("is {what}, where a regular file is expected")))
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    fn refusal(path: &Path) -> String {
        read(path, 100, Accepts::RegularFile).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_whole_and_within_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read(&path, 10, Accepts::RegularFile).unwrap(), b"0123456789");
        let error = read(&path, 9, Accepts::RegularFile).unwrap_err();
        assert_eq!(error.to_string(), "10 octets; at most 9");
        let missing = read(&dir.path().join("no"), 9, Accepts::Anything).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_file_is_called_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("p");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let began = Instant::now();
        assert!(refusal(&pipe).contains("named pipe (FIFO), where a regular file is expected"), "{}", refusal(&pipe));
        assert!(began.elapsed() < STALL, "it is not even opened");
        assert!(refusal(dir.path()).contains("a folder"));
        assert!(refusal(Path::new("/dev/zero")).contains("a device"));
    }

    #[test]
    fn a_pipe_may_be_read_where_anything_may_but_not_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("p");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = {
            let pipe = pipe.clone();
            thread::spawn(move || fs::write(pipe, "text").unwrap())
        };
        assert_eq!(read(&pipe, 100, Accepts::Anything).unwrap(), b"text");
        writer.join().unwrap();
        let at = pipe.clone();
        let error = in_time(Duration::from_millis(20), move || open(&at, Accepts::Anything)).unwrap_err();
        assert!(is_stalled(&error), "{error}");
        // So that the thread that waits there ends.
        fs::write(&pipe, "").unwrap();
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = in_time::<()>(STALL, || panic!("on purpose")).unwrap_err();
        assert!(!is_stalled(&error), "{error}");
    }
}
