//! A running server's part of a backup, in the order in which nothing is lost: first the queue, then what comes after it on a
//! mail's way. What was acknowledged before is in the queue, or in what is read later, or it was sent.
//!
//! Without a running server the same is made by the command, which keeps every server from starting meanwhile.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use spool::{Piece, Spool};

use crate::BackupError;
use crate::mail;
use crate::manifest::{FORM, MANIFEST, Manifest, Part};
use crate::pack::{Packer, Shape};
use crate::pipe::Outlet;
use crate::places::Places;

/// Octets of a state journal's front, which is read before it is known how long the journal is.
const FRONT_OCTETS: u64 = 4_096;
/// Files of one ledger.
const NUMBERED_MAX: u32 = 2_000;
/// Numbers that may be missing among them.
const MISSING_MAX: u32 = 8;

/// Whether Maildirs are copied too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithMail {
    /// They are.
    Yes,
    /// They are not.
    No,
}

/// What is copied, and of whom.
pub struct Picture<'a> {
    /// Where it lies.
    pub places: &'a Places,
    /// The queue.
    pub spool: &'a Spool,
    /// The server's name.
    pub hostname: &'a str,
    /// Maildirs too?
    pub mail: WithMail,
}

impl Picture<'_> {
    /// The same, into a pipe; why it breaks off is told there.
    pub fn send(&self, mut to: Outlet) {
        if let Err(error) = self.write(&mut to) {
            to.fail(error);
        }
    }

    /// Writes it as a tar archive whose last file is its manifest. Blocks; must not be called within a runtime.
    fn write(&self, to: impl Write) -> Result<(), BackupError> {
        let mut manifest = Manifest {
            form: FORM,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            hostname: self.hostname.to_owned(),
            config: String::new(),
            sets: Vec::new(),
            messages: 0,
            unreadable: Vec::new(),
            parts: vec![Part::Queue, Part::State, Part::Accounts, Part::Lines],
            left_out: Vec::new(),
            files: Vec::new(),
        };
        let mut packer = Packer::new(to);
        self.queue(&mut packer, &mut manifest)?;
        self.state(&mut packer)?;
        self.accounts(&mut packer)?;
        self.lines(&mut packer)?;
        if self.mail == WithMail::Yes {
            mail::pack(&self.places.mail, &mut packer)?;
            manifest.parts.push(Part::Mail);
        }
        manifest.files = packer.items();
        let ended = packer.octets(MANIFEST, &manifest.octets()).and_then(|()| packer.end()?.flush());
        ended.map_err(BackupError::at(Path::new(MANIFEST), "writing"))
    }

    fn queue(&self, packer: &mut Packer<impl Write>, manifest: &mut Manifest) -> Result<(), BackupError> {
        let copied = self.spool.copy(|piece| match piece {
            Piece::Segment { name, octets } => packer.octets(&format!("queue/{name}"), octets),
            Piece::Large { name, file, .. } => {
                let shape = Shape::of(&file.metadata()?);
                packer.file(&format!("queue/{name}"), shape, file)
            }
        })?;
        manifest.messages = copied.messages;
        manifest.unreadable = copied.unreadable.iter().map(ToString::to_string).collect();
        Ok(())
    }

    /// A journal grows at its end alone; what its front says is on disk must be read before the length is.
    fn state(&self, packer: &mut Packer<impl Write>) -> Result<(), BackupError> {
        let path = state::State::journal(&self.places.state);
        let Some(mut file) = open(&path)? else { return Ok(()) };
        let mut front = Vec::new();
        let read = (&mut file).take(FRONT_OCTETS).read_to_end(&mut front);
        let done = read.and_then(|_| {
            let shape = Shape::of(&file.metadata()?);
            packer.file("state/state.journal", shape, front.as_slice().chain(file))
        });
        done.map_err(BackupError::at(&path, "copying"))
    }

    fn accounts(&self, packer: &mut Packer<impl Write>) -> Result<(), BackupError> {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let of = &self.places.accounts;
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let mut copy = of.as_os_str().to_owned();
        copy.push(format!(".copy-{}-{number}", std::process::id()));
        let copy = PathBuf::from(copy);
        // What an earlier process left that had this number.
        let _ = fs::remove_file(&copy);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(BackupError::at(of, "copying"))?;
        let copied = runtime.block_on(directory::backup::copy(of, &copy));
        let opened = copied
            .map_err(BackupError::from)
            .and_then(|()| File::open(&copy).map_err(BackupError::at(&copy, "opening")));
        // It stays readable while it is open.
        let _ = fs::remove_file(&copy);
        let file = opened?;
        let done = file.metadata().and_then(|there| packer.file("accounts/directory.sqlite", Shape::of(&there), file));
        done.map_err(BackupError::at(of, "copying"))
    }

    /// What is kept beside: proofs, last uses, a lock of relaying.
    fn lines(&self, packer: &mut Packer<impl Write>) -> Result<(), BackupError> {
        for ledger in ["audit.jsonl", "record/relay.jsonl"] {
            self.ledger(ledger, packer)?;
        }
        for name in ["rights.used", "relay.locked"] {
            let path = self.places.data_dir.join(name);
            let Some(file) = open(&path)? else { continue };
            let done = file.metadata().and_then(|there| packer.file(&format!("data/{name}"), Shape::of(&there), file));
            done.map_err(BackupError::at(&path, "copying"))?;
        }
        Ok(())
    }

    /// The newest first: what is put aside meanwhile is met twice, not missed. A crash may leave a number out.
    fn ledger(&self, name: &str, packer: &mut Packer<impl Write>) -> Result<(), BackupError> {
        let (mut known, mut missing) = (BTreeSet::new(), 0);
        for number in 0..NUMBERED_MAX {
            let name = if number == 0 { name.to_owned() } else { format!("{name}.{number}") };
            let path = self.places.data_dir.join(&name);
            let Some(file) = open(&path)? else {
                missing += 1;
                if missing > MISSING_MAX {
                    break;
                }
                continue;
            };
            let done = file.metadata().and_then(|there| {
                if known.insert((there.dev(), there.ino())) {
                    packer.file(&format!("data/{name}"), Shape::of(&there), file)
                } else {
                    Ok(())
                }
            });
            done.map_err(BackupError::at(&path, "copying"))?;
        }
        Ok(())
    }
}

/// A file, if it is there.
fn open(path: &Path) -> Result<Option<File>, BackupError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BackupError::at(path, "opening")(error)),
    }
}
