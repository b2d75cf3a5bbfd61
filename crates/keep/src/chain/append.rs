//! Adding lines: by several processes in turn, several lines at once, and with or without waiting for the disk.
#![expect(clippy::disallowed_methods, reason = "what is told to be durable must be")]

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};

use super::link::{ANCHOR, Head, Key, Parts, Read, put};
use crate::file::sync_dir;
use crate::ledger::{LINE_OCTETS_MAX, Ledger};

/// The end of a file is looked for a line in steps of this, each four times the one before.
const TAIL_OCTETS: u64 = 128 << 10;

/// What ends torn octets, so that they are no line.
const TORN_END: &str = " \n";

/// A ledger with bound lines.
#[derive(Debug, Clone)]
pub struct Chain {
    pub(super) ledger: Ledger,
    pub(super) name: &'static str,
    pub(super) key: Key,
}

/// A line to add.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// What is found again as [`Writer::mark`] once it is the last; without quotes and controls.
    pub mark: Option<&'a str>,
    /// An object in JSON with at least one field, on one line.
    pub object: &'a str,
}

impl Chain {
    /// Nothing is opened or made yet. `name` stands in the first line of each file.
    pub fn new(ledger: Ledger, name: &'static str, key: Key) -> Self {
        Self { ledger, name, key }
    }

    /// The ledger beneath.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Adds one line, durable when it returns; whichever process wrote the one before. Blocks.
    pub fn append(&self, object: &str) -> io::Result<Head> {
        let mut writer = self.writer();
        let head = writer.append(&[Line { mark: None, object }])?;
        writer.sync()?;
        Ok(head)
    }

    /// For whoever adds many.
    pub fn writer(&self) -> Writer {
        Writer { chain: self.clone(), open: None, last: Head::default() }
    }
}

/// Adds lines without waiting for the disk before [`Writer::sync`].
#[derive(Debug)]
pub struct Writer {
    chain: Chain,
    open: Option<Open>,
    /// The last line that this writer saw or wrote.
    last: Head,
}

/// The file as it was left.
#[derive(Debug)]
struct Open {
    file: File,
    octets: u64,
    synced: u64,
    tail: Tail,
}

/// How a file ends.
#[derive(Debug, Default)]
struct Tail {
    /// Its last line; `None`: it has none of a chain.
    head: Option<Head>,
    mark: Option<String>,
    /// What stands behind that line.
    torn: Vec<u8>,
}

impl Writer {
    /// Adds all lines or none. They are with the system when it returns: a kill harms them no more, a power cut may. A line that is
    /// no object, or too long, is refused.
    pub fn append(&mut self, lines: &[Line<'_>]) -> io::Result<Head> {
        if lines.iter().any(|line| !is_object(line.object)) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no object, or too long"));
        }
        let _turn = self.chain.ledger.turn()?;
        let more: usize = lines.iter().map(|line| line.object.len() + 128).sum();
        self.make_ready(more as u64)?;
        let Some(open) = &mut self.open else { return Err(io::ErrorKind::NotFound.into()) };
        let mut text = String::with_capacity(more + 256);
        let begun = open.tail.head.is_some();
        // A line that is gone again is missed: the chain goes on from what was, not from what is there.
        let mut head = open.tail.head.filter(|head| head.sequence >= self.last.sequence).unwrap_or(self.last);
        let mut torn = std::mem::take(&mut open.tail.torn);
        if torn.last().is_some_and(|last| *last != b'\n') {
            // It may lack its end alone, and must not become a line by that.
            text.push_str(TORN_END);
            torn.extend_from_slice(TORN_END.as_bytes());
        }
        if !begun && head.sequence == 0 {
            // Lines from before there was a chain.
            torn.clear();
        }
        let mut mark = open.tail.mark.clone();
        let (key, before) = (&self.chain.key, head.mac);
        let mut add = |mark: Option<&str>, rest: std::fmt::Arguments<'_>| {
            let parts = Parts { sequence: head.sequence + 1, mark, torn: &std::mem::take(&mut torn), rest };
            head = Head { sequence: parts.sequence, mac: put(&mut text, &parts, &head.mac, key) };
        };
        if !begun {
            add(mark.as_deref(), format_args!("{ANCHOR}{}\",\"before\":\"{before}\"", self.chain.name));
        }
        for line in lines {
            add(line.mark, format_args!("{}", &line.object[1..line.object.len() - 1]));
            mark = line.mark.map(str::to_owned).or(mark);
        }
        let put = open.put(text.as_bytes());
        open.tail = Tail { head: Some(head), mark, torn: Vec::new() };
        if let Err(error) = put {
            // How it ends now is read again.
            self.open = None;
            return Err(error);
        }
        self.last = head;
        Ok(head)
    }

    /// The mark of the last line that has one.
    pub fn mark(&mut self) -> io::Result<Option<String>> {
        let _turn = self.chain.ledger.turn()?;
        self.make_ready(0)?;
        Ok(self.open.as_ref().and_then(|open| open.tail.mark.clone()))
    }

    /// Where the chain stands, as far as this writer saw it.
    pub fn head(&self) -> Head {
        self.last
    }

    /// Whether lines were added that [`Writer::sync`] did not make durable yet.
    pub fn is_synced(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.synced == open.octets)
    }

    /// Makes what was added durable. After an error it may be called again: what the disk did not take is written once more.
    pub fn sync(&mut self) -> io::Result<()> {
        self.open.as_mut().map_or(Ok(()), Open::sync)
    }

    /// The file opened, unless it is as this writer left it; a new one where `more` has no room in it.
    fn make_ready(&mut self, more: u64) -> io::Result<()> {
        let ledger = &self.chain.ledger;
        if let Some(open) = &self.open
            && !open.is_as_left(ledger)?
        {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = Some(Open::new(ledger)?);
            let found = self.open.as_ref().and_then(|open| open.tail.head);
            let before = if found.is_none() { older(ledger)? } else { Tail::default() };
            if let (Some(open), None) = (&mut self.open, found) {
                open.tail.mark = before.mark;
            }
            let head = found.or(before.head).unwrap_or_default();
            if head.sequence > self.last.sequence {
                self.last = head;
            }
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        // Torn octets are answered for by the next line, in the same file.
        if more > 0 && open.tail.torn.is_empty() && open.octets > 0 && open.octets + more > ledger.room().file_octets {
            open.sync()?;
            let mark = open.tail.mark.take();
            ledger.put_aside()?;
            self.open = None;
            let mut open = Open::new(ledger)?;
            open.tail.mark = mark;
            self.open = Some(open);
        }
        Ok(())
    }
}

impl Open {
    fn new(ledger: &Ledger) -> io::Result<Self> {
        // Not to append, but at the place that is known: only so it can be written once more.
        let mut open = OpenOptions::new();
        open.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = open.open(ledger.path())?;
        let octets = file.metadata()?.len();
        if octets == 0 {
            sync_dir(ledger.folder()).map_err(|error| error.source)?;
        }
        let tail = tail_of(&file, octets)?;
        // What is there may not be on the disk yet, whoever wrote it.
        Ok(Self { file, octets, synced: 0, tail })
    }

    fn is_as_left(&self, ledger: &Ledger) -> io::Result<bool> {
        let there = match fs::metadata(ledger.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            there => there?,
        };
        Ok(there.ino() == self.file.metadata()?.ino() && there.len() == self.octets)
    }

    /// All of it or nothing.
    fn put(&mut self, octets: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all_at(octets, self.octets) {
            // A line of a mail that was then refused would do no harm, half of one is torn.
            let _ = self.file.set_len(self.octets);
            return Err(error);
        }
        self.octets += octets.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.synced == self.octets {
            return Ok(());
        }
        if let Err(error) = self.file.sync_data() {
            // The system may now hold what it could not write to be written: it is to be written again.
            let from = if self.synced == 0 { self.octets.saturating_sub(TAIL_OCTETS * 64) } else { self.synced };
            let mut octets = vec![0; usize::try_from(self.octets - from).unwrap_or_default()];
            let _ = self.file.read_exact_at(&mut octets, from).and_then(|()| self.file.write_all_at(&octets, from));
            return Err(error);
        }
        self.synced = self.octets;
        Ok(())
    }
}

/// The end of the newest file that was put aside.
fn older(ledger: &Ledger) -> io::Result<Tail> {
    for number in 1..=ledger.room().aside {
        let file = match File::open(ledger.numbered(number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        let octets = file.metadata()?.len();
        return tail_of(&file, octets);
    }
    Ok(Tail::default())
}

/// The last whole line of a chain in a file, and what stands behind it.
fn tail_of(file: &File, octets: u64) -> io::Result<Tail> {
    let mut window = TAIL_OCTETS;
    loop {
        let from = octets.saturating_sub(window);
        let mut end = vec![0; usize::try_from(octets - from).map_err(io::Error::other)?];
        file.read_exact_at(&mut end, from)?;
        let mut upto = end.iter().rposition(|octet| *octet == b'\n');
        while let Some(line_end) = upto {
            let before = end[..line_end].iter().rposition(|octet| *octet == b'\n');
            let begins = before.map_or(0, |before| before + 1);
            let is_whole = before.is_some() || from == 0;
            if let Some(read) = Read::new(&end[begins..line_end]).filter(|_| is_whole) {
                let (head, mark) = (Some(read.head()), read.mark.map(str::to_owned));
                return Ok(Tail { head, mark, torn: end[line_end + 1..].to_vec() });
            }
            upto = before;
        }
        if from == 0 {
            return Ok(Tail { head: None, mark: None, torn: end });
        }
        window = window.saturating_mul(4);
    }
}

fn is_object(line: &str) -> bool {
    let inner = line.strip_prefix('{').and_then(|line| line.strip_suffix('}'));
    line.len() <= LINE_OCTETS_MAX
        && !line.contains('\n')
        && inner.is_some_and(|inner| !inner.is_empty() && !inner.starts_with(ANCHOR))
}
