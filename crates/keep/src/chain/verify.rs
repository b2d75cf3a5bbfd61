//! Walking a whole chain, and what is wrong with it.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::append::Chain;
use super::link::{Head, Key, Read};
use crate::ledger::LINE_OCTETS_MAX;

/// Flaws that are listed; the others are counted.
const LISTED_MAX: usize = 100;
/// A line is longer than what was given by its number, mark and sum.
const MORE_OCTETS: usize = 1 << 10;
/// How long a writer is waited for, so that no half-written line is seen.
const TURN_MAX: Duration = Duration::from_secs(1);

/// What a walk came to.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files that are there.
    pub files: u64,
    /// Lines of the chain.
    pub lines: u64,
    /// Lines from before the chain began; nothing is known of them.
    pub before: u64,
    /// Stretches that a crash tore, which a later line answers for.
    pub torn: u64,
    /// Number of the oldest line that is kept.
    pub first: Option<u64>,
    /// The end.
    pub head: Head,
    /// What is wrong, the first hundred.
    pub broken: Vec<Broken>,
    /// What is wrong besides.
    pub more: u64,
}

/// A place where something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: u64,
    /// What.
    pub flaw: Flaw,
}

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is no line of the chain, and no later line answers for it.
    NoLine,
    /// It was changed, or what came before it.
    Changed,
    /// Lines before it are missing.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        upto: u64,
    },
    /// It is not at its place: it stands there twice, or lines were swapped.
    OutOfPlace {
        /// Its number.
        sequence: u64,
        /// The number that belongs there.
        expected: u64,
    },
    /// The file does not begin as each does.
    NoBeginning,
    /// Older files are missing that would not have been removed for their age.
    OlderGone {
        /// Number of the oldest line that is there.
        first: u64,
    },
    /// The last line has no end: it was cut, or a crash tore it and no server ran since.
    EndTorn,
    /// The chain ends before the head that was noted: its end was cut off.
    CutOff {
        /// What was noted.
        noted: u64,
        /// Where it ends.
        last: u64,
    },
    /// The line of that number is not the one that was noted: the end was cut off and the chain went on.
    NotAsNoted {
        /// What was noted.
        noted: u64,
    },
    /// The noted line is older than what is kept: it proves nothing any more.
    NotedTooOld {
        /// What was noted.
        noted: u64,
        /// The oldest that is kept.
        first: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLine => f.write_str("not a line of this chain: changed or put in"),
            Self::Changed => f.write_str("this line, or the end of the one before, was changed"),
            Self::Missing { from, upto } if from == upto => write!(f, "line {from} of the chain is missing before it"),
            Self::Missing { from, upto } => write!(f, "lines {from} to {upto} of the chain are missing before it"),
            Self::OutOfPlace { sequence, expected } => {
                write!(f, "line {sequence} of the chain stands where {expected} belongs: twice, or swapped")
            }
            Self::NoBeginning => f.write_str("the file does not begin with a line that names what came before"),
            Self::OlderGone { first } => {
                write!(f, "the chain begins at {first}, and older files are gone that are not old enough to be removed")
            }
            Self::EndTorn => {
                f.write_str("the last line is cut (after a crash the server answers for it at its next line)")
            }
            Self::CutOff { noted, last } => {
                write!(f, "the chain ends at {last}, and {noted} was noted: its end was cut off")
            }
            Self::NotAsNoted { noted } => {
                write!(f, "line {noted} of the chain is not the one that was noted: an end was cut off or written anew")
            }
            Self::NotedTooOld { noted, first } => {
                write!(f, "the noted line {noted} is older than what is kept, which begins at {first}")
            }
        }
    }
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.broken.is_empty()
    }
}

impl Chain {
    /// Walks all files, oldest first; `noted`: a head that was kept elsewhere. Blocks. Nothing is made or changed.
    pub fn verify(&self, noted: Option<Head>) -> io::Result<Verified> {
        let mut walk = Walk::new(&self.key, self.ledger.room().aside, noted);
        for there in self.snapshot()? {
            walk.file(there)?;
        }
        Ok(walk.end(self.ledger.path()))
    }

    /// The files as they are at one moment, oldest first.
    fn snapshot(&self) -> io::Result<Vec<There>> {
        let _turn = self.look_in_turn();
        let mut files = Vec::new();
        for number in (0..=self.ledger.room().aside).rev() {
            let path = self.ledger.numbered(number);
            match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => {
                    let file = file?;
                    let octets = file.metadata()?.len();
                    files.push(There { number, path, octets: file.take(octets) });
                }
            }
        }
        Ok(files)
    }

    /// While nobody writes, if somebody ever did: a lock that root made would be in the server's way.
    fn look_in_turn(&self) -> Option<File> {
        let mut path = self.ledger.path().as_os_str().to_owned();
        path.push(".lock");
        let lock = File::open(path).ok()?;
        let until = Instant::now() + TURN_MAX;
        loop {
            match lock.try_lock() {
                Ok(()) => return Some(lock),
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(_) => return None,
            }
        }
    }
}

/// A file that is there.
struct There {
    number: u32,
    path: PathBuf,
    octets: io::Take<File>,
}

/// What is known on the way.
struct Walk<'k> {
    key: &'k Key,
    aside: u32,
    noted: Option<Head>,
    found: Verified,
    last: Option<Head>,
    /// What stands since the last line and is none.
    torn: Vec<u8>,
    /// In how many lines, and the first of them.
    torn_lines: (u64, u64),
    /// Where.
    file: PathBuf,
    number: u32,
    line: u64,
    begun: bool,
}

impl<'k> Walk<'k> {
    fn new(key: &'k Key, aside: u32, noted: Option<Head>) -> Self {
        Self {
            key,
            aside,
            noted,
            found: Verified::default(),
            last: None,
            torn: Vec::new(),
            torn_lines: (0, 0),
            file: PathBuf::new(),
            number: 0,
            line: 0,
            begun: false,
        }
    }

    fn file(&mut self, there: There) -> io::Result<()> {
        let There { number, path, octets } = there;
        (self.file, self.number, self.line, self.begun) = (path, number, 0, false);
        self.found.files += 1;
        let mut reader = BufReader::with_capacity(64 << 10, octets);
        let mut line = Vec::new();
        loop {
            line.clear();
            let most = (LINE_OCTETS_MAX + MORE_OCTETS) as u64;
            if reader.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            self.line += 1;
            match line.strip_suffix(b"\n").and_then(Read::new) {
                Some(read) => self.take(&read),
                None => self.take_torn(&line),
            }
        }
        self.end_file();
        Ok(())
    }

    fn take_torn(&mut self, octets: &[u8]) {
        if self.torn_lines.0 == 0 {
            self.torn_lines.1 = self.line;
        }
        self.torn_lines.0 += 1;
        self.torn.extend_from_slice(octets);
    }

    fn take(&mut self, read: &Read<'_>) {
        let torn = std::mem::take(&mut self.torn);
        let (torn_lines, torn_at) = std::mem::take(&mut self.torn_lines);
        if !self.begun && read.before.is_none() {
            self.wrong(self.line, Flaw::NoBeginning);
        }
        self.begun = true;
        let is_first = self.last.is_none();
        if is_first && read.sequence == 1 && read.torn == 0 {
            self.found.before = torn_lines;
        } else if read.torn != torn.len() {
            self.wrong(if torn_lines > 0 { torn_at } else { self.line }, Flaw::NoLine);
        } else if !torn.is_empty() {
            self.found.torn += 1;
        }
        let torn = if read.torn == 0 { &[][..] } else { &torn };
        match self.last {
            Some(last) => self.follow(read, last, torn),
            None => self.begin(read, torn),
        }
        if let Some(noted) = self.noted.filter(|noted| noted.sequence == read.sequence && noted.mac != read.mac) {
            self.wrong(self.line, Flaw::NotAsNoted { noted: noted.sequence });
        }
        self.found.lines += 1;
        self.last = Some(read.head());
    }

    fn begin(&mut self, read: &Read<'_>, torn: &[u8]) {
        self.found.first = Some(read.sequence);
        // What it says came before is proved by its own sum.
        if read.before.is_some_and(|before| !read.is_of(&before, torn, self.key)) {
            self.wrong(self.line, Flaw::Changed);
        }
        if read.sequence != 1 && self.number != self.aside {
            self.wrong(self.line, Flaw::OlderGone { first: read.sequence });
        }
    }

    fn follow(&mut self, read: &Read<'_>, last: Head, torn: &[u8]) {
        let expected = last.sequence.saturating_add(1);
        if read.sequence > expected {
            self.wrong(self.line, Flaw::Missing { from: expected, upto: read.sequence - 1 });
        } else if read.sequence < expected {
            self.wrong(self.line, Flaw::OutOfPlace { sequence: read.sequence, expected });
        } else if !read.is_of(&last.mac, torn, self.key) {
            self.wrong(self.line, Flaw::Changed);
        }
    }

    /// What is left over at a file's end is answered for by nobody, unless there was no chain yet.
    fn end_file(&mut self) {
        let (lines, at) = std::mem::take(&mut self.torn_lines);
        self.torn.clear();
        if lines == 0 {
            return;
        }
        if self.last.is_none() {
            self.found.before += lines;
        } else {
            self.wrong(at, if self.number == 0 { Flaw::EndTorn } else { Flaw::NoLine });
        }
    }

    fn end(mut self, path: &Path) -> Verified {
        let last = self.last.unwrap_or_default();
        if self.file.as_os_str().is_empty() {
            self.file = path.to_path_buf();
        }
        if let Some(noted) = self.noted.map(|noted| noted.sequence) {
            if noted > last.sequence {
                self.wrong(self.line, Flaw::CutOff { noted, last: last.sequence });
            } else if let Some(first) = self.found.first.filter(|first| noted < *first) {
                self.wrong(1, Flaw::NotedTooOld { noted, first });
            }
        }
        self.found.head = last;
        self.found
    }

    fn wrong(&mut self, line: u64, flaw: Flaw) {
        if self.found.broken.len() < LISTED_MAX {
            self.found.broken.push(Broken { file: self.file.clone(), line, flaw });
        } else {
            self.found.more += 1;
        }
    }
}
