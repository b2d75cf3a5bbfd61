//! A file of lines that only grows: each line whole and on disk when [`Ledger::append`] returns, whichever process wrote it.
//!
//! Processes take turns by a lock beside the file. A line that was torn by a crash stays, and the next begins on a line of its
//! own. A full file is put aside under a number; of those the oldest goes once there are more than there shall be.
#![expect(clippy::disallowed_methods, reason = "a line must be durable before its change is answered")]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::file::sync_dir;
use crate::read::{Accepts, read};

/// Octets of one line, its end not counted.
pub(crate) const LINE_OCTETS_MAX: usize = 64 << 10;
/// A file may be longer than it should by what is written at once.
const FILE_OCTETS_MORE: u64 = 64 << 20;
/// How long another process's turn is waited for.
const TURN_MAX: Duration = Duration::from_secs(3);
const TURN_POLL: Duration = Duration::from_millis(5);

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Octets of a file after which a new one is begun.
    pub file_octets: u64,
    /// Full files that are kept besides the one in use.
    pub aside: u32,
}

impl Default for Room {
    /// 8 MiB, eight times.
    fn default() -> Self {
        Self { file_octets: 8 << 20, aside: 8 }
    }
}

/// The file.
#[derive(Debug, Clone)]
pub struct Ledger {
    path: PathBuf,
    room: Room,
}

impl Ledger {
    /// Nothing is opened or made yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), room: Room::default() }
    }

    /// The same, where more or less is kept.
    #[must_use]
    pub fn with_room(self, room: Room) -> Self {
        Self { room, ..self }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn room(&self) -> Room {
        self.room
    }

    /// Adds a line, without its end. Blocks; durable when it returns. A line with an end inside, or one that is too long, is
    /// refused.
    pub fn append(&self, line: &str) -> io::Result<()> {
        if line.len() > LINE_OCTETS_MAX || line.contains('\n') {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no line, or too long"));
        }
        let _turn = self.turn()?;
        let mut file = self.open()?;
        let mut octets = file.seek(SeekFrom::End(0))?;
        if octets > 0 && octets + line.len() as u64 + 1 > self.room.file_octets {
            self.put_aside()?;
            file = self.open()?;
            octets = 0;
        }
        let mut text = Vec::with_capacity(line.len() + 2);
        if octets > 0 && !ends_a_line(&file, octets)? {
            text.push(b'\n');
        }
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_data()?;
        if octets == 0 { sync_dir(self.folder()).map_err(|error| error.source) } else { Ok(()) }
    }

    /// What is there, newest file first, each with its lines in their order and without ends. `wanted` is asked before each
    /// older file. A file that is not there has none.
    pub fn read(&self, mut wanted: impl FnMut() -> bool, mut take: impl FnMut(&str)) -> io::Result<()> {
        for number in 0..=self.room.aside {
            if number > 0 && !wanted() {
                break;
            }
            let octets =
                match read(&self.numbered(number), self.room.file_octets + FILE_OCTETS_MORE, Accepts::RegularFile) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    octets => octets?,
                };
            for line in octets.split(|octet| *octet == b'\n').filter(|line| !line.is_empty()).rev() {
                take(&String::from_utf8_lossy(line));
            }
        }
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&self.path)
    }

    /// Held while the lock's file is open.
    pub(crate) fn turn(&self) -> io::Result<File> {
        let mut path = self.path.as_os_str().to_owned();
        path.push(".lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let until = Instant::now() + TURN_MAX;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(TURN_POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "another process writes"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The oldest is overwritten by the one after it. A crash on the way leaves a number out, and no file.
    pub(crate) fn put_aside(&self) -> io::Result<()> {
        for number in (0..self.room.aside).rev() {
            let from = self.numbered(number);
            if fs::exists(&from)? {
                fs::rename(&from, self.numbered(number + 1))?;
            }
        }
        sync_dir(self.folder()).map_err(|error| error.source)
    }

    pub(crate) fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut path = self.path.as_os_str().to_owned();
        path.push(format!(".{number}"));
        path.into()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }
}

fn ends_a_line(file: &File, octets: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, octets - 1)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn lines(ledger: &Ledger) -> Vec<String> {
        let mut lines = Vec::new();
        ledger.read(|| true, |line| lines.push(line.to_owned())).unwrap();
        lines
    }

    #[test]
    fn lines_stay_and_a_torn_one_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.jsonl");
        let ledger = Ledger::new(&path);
        assert!(lines(&ledger).is_empty());
        ledger.append("one").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        ledger.open().unwrap().write_all(b"tor").unwrap();
        Ledger::new(&path).append("two").unwrap();
        assert_eq!(lines(&ledger), ["two", "tor", "one"]);
        assert!(ledger.append("a\nb").is_err());
        assert!(ledger.append(&"x".repeat(LINE_OCTETS_MAX + 1)).is_err());
    }

    #[test]
    fn what_is_full_is_put_aside_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::new(dir.path().join("l"));
        for number in 0..=Room::default().aside + 1 {
            ledger.append(&format!("first of {number}")).unwrap();
            ledger.open().unwrap().set_len(Room::default().file_octets).unwrap();
        }
        ledger.append("newest").unwrap();
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            Room::default().aside as usize + 2,
            "the lock's file too"
        );
        assert!(fs::read_to_string(dir.path().join("l")).unwrap().starts_with("newest"));
        assert!(fs::read_to_string(ledger.numbered(Room::default().aside)).unwrap().starts_with("first of 2"));
    }

    #[test]
    fn writers_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("l");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let ledger = Ledger::new(&path);
                scope.spawn(move || (0..10).for_each(|number| ledger.append(&format!("{writer}-{number}")).unwrap()));
            }
        });
        let mut all = lines(&Ledger::new(&path));
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 40);
    }
}
