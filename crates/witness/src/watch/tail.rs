//! A log file that grows, is rotated, is cut off, or is not there yet.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// One read, in octets.
const READ_OCTETS: usize = 256 * 1024;

/// The end of a log file.
#[derive(Debug)]
pub struct Tail {
    path: PathBuf,
    open: Option<Open>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and inode: another file of the same name has others.
    id: (u64, u64),
    /// What lies before was read.
    at: u64,
}

impl Tail {
    /// Begins at the file's end: what was logged before is long past. A file that comes later is read from its beginning.
    pub fn new(path: PathBuf) -> (Self, io::Result<()>) {
        let mut tail = Self { path, open: None, buffer: Vec::new() };
        let opened = open(&tail.path).and_then(|file| {
            let at = file.file.metadata()?.len();
            tail.open = Some(Open { at, ..file });
            Ok(())
        });
        (tail, opened)
    }

    /// Hands out the lines that have become whole, without their LF; one longer than a read is passed over. `true`: there may
    /// be more. An error says that there is nothing to read, for now.
    pub fn poll(&mut self, take: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        // Asked first: what was written to the old file before there was a new one is read below.
        let there = fs::metadata(&self.path);
        if let Some(open) = &mut self.open {
            if open.read(&mut self.buffer, take)? {
                return Ok(true);
            }
            let moved = there.is_ok_and(|there| id(&there) != open.id && there.len() > 0);
            if !moved {
                // Whoever writes still has the old one open, or has not begun the new one.
                return Ok(false);
            }
        }
        self.open = Some(open(&self.path)?);
        Ok(true)
    }
}

fn id(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn open(path: &Path) -> io::Result<Open> {
    // Asked before it is opened: to open a pipe is to wait for somebody who writes.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let id = id(&file.metadata()?);
    Ok(Open { file, id, at: 0 })
}

impl Open {
    /// One read. `true`: it brought the reading further.
    fn read(&mut self, buffer: &mut Vec<u8>, take: &mut impl FnMut(&[u8])) -> io::Result<bool> {
        if self.file.metadata()?.len() < self.at {
            self.at = 0;
        }
        buffer.resize(READ_OCTETS, 0);
        // The octet before tells whether a line begins here: the file may be another than it was, or its last line unfinished
        // when we came.
        let from = self.at.saturating_sub(1);
        let read = self.file.read_at(buffer, from)?;
        let mut rest = &buffer[..read];
        let mut at = from;
        if self.at > 0 {
            let line = rest.iter().position(|&octet| octet == b'\n').map_or(read, |lf| lf + 1);
            (at, rest) = (at + line as u64, &rest[line..]);
        }
        while let Some(lf) = rest.iter().position(|&octet| octet == b'\n') {
            take(&rest[..lf]);
            (at, rest) = (at + lf as u64 + 1, &rest[lf + 1..]);
        }
        if rest.len() + 1 >= READ_OCTETS {
            // No log line is so long. What follows has no LF before it, so it is passed over up to the next.
            at += rest.len() as u64;
        }
        let further = at > self.at;
        self.at = at.max(self.at);
        Ok(further)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn lines(tail: &mut Tail) -> Vec<String> {
        let mut lines = Vec::new();
        while tail.poll(&mut |line| lines.push(String::from_utf8(line.to_vec()).unwrap())).unwrap_or(false) {}
        lines
    }

    fn append(path: &Path, text: &str) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn log() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mail.log");
        (dir, path)
    }

    #[test]
    fn begins_at_the_end_and_gives_whole_lines() {
        let (_dir, path) = log();
        append(&path, "before\nunfini");
        let (mut tail, opened) = Tail::new(path.clone());
        opened.unwrap();
        assert!(lines(&mut tail).is_empty());
        append(&path, "shed\none\n\ntw");
        assert_eq!(lines(&mut tail), ["one", ""], "what began before we came is nobody's");
        append(&path, "o\n");
        assert_eq!(lines(&mut tail), ["two"]);
        assert!(lines(&mut tail).is_empty());
    }

    #[test]
    fn an_empty_file_begins_with_a_line() {
        let (_dir, path) = log();
        append(&path, "");
        let (mut tail, _) = Tail::new(path.clone());
        append(&path, "one\n");
        assert_eq!(lines(&mut tail), ["one"]);
    }

    #[test]
    fn a_file_that_comes_later_is_read_whole() {
        let (_dir, path) = log();
        let (mut tail, opened) = Tail::new(path.clone());
        assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(tail.poll(&mut |_| ()).is_err());
        append(&path, "one\n");
        assert_eq!(lines(&mut tail), ["one"]);
    }

    #[test]
    fn rotation_loses_nothing() {
        let (dir, path) = log();
        append(&path, "old\n");
        let (mut tail, _) = Tail::new(path.clone());
        let moved = dir.path().join("mail.log.1");
        fs::rename(&path, &moved).unwrap();
        append(&moved, "late\n");
        assert_eq!(lines(&mut tail), ["late"], "nothing new yet");
        append(&path, "");
        append(&moved, "later\n");
        assert_eq!(lines(&mut tail), ["later"], "nobody writes to the new one yet");
        append(&moved, "latest\n");
        append(&path, "new\n");
        assert_eq!(lines(&mut tail), ["latest", "new"]);
        fs::remove_file(&path).unwrap();
        assert!(lines(&mut tail).is_empty());
        append(&path, "newer\n");
        assert_eq!(lines(&mut tail), ["newer"]);
    }

    #[test]
    fn a_file_cut_off_is_read_from_its_beginning() {
        let (_dir, path) = log();
        append(&path, "a long line before\n");
        let (mut tail, _) = Tail::new(path.clone());
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        append(&path, "one\n");
        assert_eq!(lines(&mut tail), ["one"]);
        // Cut off and grown beyond where we were, between two looks: what stands there is the midst of a line.
        fs::write(&path, "a line that is longer\ntwo\n").unwrap();
        assert_eq!(lines(&mut tail), ["two"]);
    }

    #[test]
    fn a_line_without_end_is_passed_over_and_not_kept() {
        let (_dir, path) = log();
        append(&path, "");
        let (mut tail, _) = Tail::new(path.clone());
        for _ in 0..5 {
            append(&path, &"x".repeat(READ_OCTETS / 2));
            assert!(lines(&mut tail).is_empty());
        }
        append(&path, "x\none\n");
        assert_eq!(lines(&mut tail), ["one"]);
        assert_eq!(tail.buffer.len(), READ_OCTETS);
        let many = "line\n".repeat(READ_OCTETS / 2);
        append(&path, &many);
        assert_eq!(lines(&mut tail).len(), READ_OCTETS / 2);
    }

    #[test]
    fn only_a_file_is_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let (_, opened) = Tail::new(dir.path().to_owned());
        assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
