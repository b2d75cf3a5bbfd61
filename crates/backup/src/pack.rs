//! Files with their sums: into a tar archive, and copied from one place to another.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::manifest::Item;

const COPY_OCTETS: usize = 128 << 10;

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing into a `String` does not fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// Passes on what is read, and sums it up.
pub(crate) struct Summed<R> {
    from: R,
    sum: Sha256,
    octets: u64,
}

impl<R: Read> Summed<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, sum: Sha256::new(), octets: 0 }
    }

    /// What was read in all.
    pub(crate) fn item(self, name: &str) -> Item {
        let sha256 = Some(hex(self.sum.finalize().as_slice()));
        Item { name: name.to_owned(), octets: self.octets, sha256 }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.sum.update(&into[..read]);
        self.octets += read as u64;
        Ok(read)
    }
}

/// Copies all of it; what it is.
pub(crate) fn copy(name: &str, from: impl Read, to: &mut impl Write) -> io::Result<Item> {
    let mut from = Summed::new(from);
    let mut buffer = vec![0; COPY_OCTETS];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(from.item(name)),
            Ok(read) => to.write_all(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// How long a file is, and when it was changed last, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) octets: u64,
    pub(crate) modified: u64,
}

impl Shape {
    /// Of what is made now.
    pub(crate) fn now(octets: u64) -> Self {
        Self { octets, modified: now() }
    }

    pub(crate) fn of(metadata: &std::fs::Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Self { octets: metadata.len(), modified: modified.map_or(0, |since| since.as_secs()) }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An archive that is being written, and what is in it so far.
pub(crate) struct Packer<W: Write> {
    tar: Builder<W>,
    items: Vec<Item>,
}

impl<W: Write> Packer<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { tar: Builder::new(to), items: Vec::new() }
    }

    /// A file of exactly so many octets; a shorter one is an error.
    pub(crate) fn file(&mut self, name: &str, shape: Shape, from: impl Read) -> io::Result<()> {
        let Shape { octets, modified } = shape;
        let mut from = Summed::new(from.take(octets));
        let mut header = header(EntryType::Regular, octets);
        header.set_mtime(modified);
        self.tar.append_data(&mut header, name, &mut from)?;
        let item = from.item(name);
        if item.octets != octets {
            let why = format!("{name}: it has become shorter while it was read");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        self.items.push(item);
        Ok(())
    }

    pub(crate) fn octets(&mut self, name: &str, octets: &[u8]) -> io::Result<()> {
        self.file(name, Shape::now(octets.len() as u64), octets)
    }

    pub(crate) fn folder(&mut self, name: &str) -> io::Result<()> {
        let mut header = header(EntryType::Directory, 0);
        self.tar.append_data(&mut header, format!("{name}/"), io::empty())?;
        self.items.push(Item { name: name.to_owned(), octets: 0, sha256: None });
        Ok(())
    }

    /// What is in it so far.
    pub(crate) fn items(&mut self) -> Vec<Item> {
        std::mem::take(&mut self.items)
    }

    /// The archive's end.
    pub(crate) fn end(self) -> io::Result<W> {
        self.tar.into_inner()
    }
}

fn header(kind: EntryType, octets: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o700 } else { 0o600 });
    header.set_size(octets);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(now());
    header
}
