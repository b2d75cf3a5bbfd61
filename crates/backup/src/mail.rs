//! Maildirs while mail comes and goes. A message's file never changes, but it moves: from `new` to `cur`, and with each flag. So
//! `new` is listed before `cur`, both are listed again, and what is not found any more under its name is looked for under its others.
//!
//! What came before the copy began is in it, unless it was deleted since. What is written there and is no message (unique-ids,
//! sizes) is copied after the messages, so that it knows them all. `tmp` stays empty, links are not followed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::BackupError;
use crate::name;
use crate::pack::{Packer, Shape};

/// Folders in folders.
const DEPTH_MAX: usize = 16;
/// Octets of a file that is no message.
const OTHER_OCTETS_MAX: u64 = 256 << 20;
/// How often a message is looked for that moves.
const LOOKS: usize = 5;

/// Copies all below the mail's folder.
pub(crate) fn pack(root: &Path, packer: &mut Packer<impl Write>) -> Result<(), BackupError> {
    let mut walk = Walk { root, packer };
    walk.folder(Path::new(""), 0)
}

struct Walk<'a, W: Write> {
    root: &'a Path,
    packer: &'a mut Packer<W>,
}

/// What a folder has, by kind.
#[derive(Default)]
struct Inside {
    folders: Vec<OsString>,
    files: Vec<OsString>,
}

impl<W: Write> Walk<'_, W> {
    fn folder(&mut self, below: &Path, depth: usize) -> Result<(), BackupError> {
        let path = self.root.join(below);
        if depth > DEPTH_MAX {
            let deep = io::Error::other("folders in folders, more than 16 deep");
            return Err(BackupError::at(&path, "copying")(deep));
        }
        let Some(inside) = list(&path)? else { return Ok(()) };
        self.packer.folder(&mail_name(below)).map_err(BackupError::at(&path, "copying"))?;
        let has = |name: &str| inside.folders.iter().any(|folder| folder == name);
        let is_maildir = has("new") && has("cur");
        if is_maildir {
            self.messages(below)?;
        }
        for folder in &inside.folders {
            match folder.to_str() {
                Some("new" | "cur") if is_maildir => {}
                Some("tmp") if is_maildir => {
                    let made = self.packer.folder(&mail_name(&below.join("tmp")));
                    made.map_err(BackupError::at(&path, "copying"))?;
                }
                _ => self.folder(&below.join(folder), depth + 1)?,
            }
        }
        for file in &inside.files {
            self.other(&below.join(file))?;
        }
        Ok(())
    }

    fn messages(&mut self, below: &Path) -> Result<(), BackupError> {
        for sub in ["new", "cur"] {
            let path = self.root.join(below).join(sub);
            self.packer.folder(&mail_name(&below.join(sub))).map_err(BackupError::at(&path, "copying"))?;
        }
        let mut found = self.listed(below)?;
        for (base, at) in self.listed(below)? {
            found.insert(base, at);
        }
        for (base, mut at) in found {
            for _ in 0..LOOKS {
                if self.message(&at)? {
                    break;
                }
                match self.listed(below)?.remove(&base) {
                    Some(now) => at = now,
                    // Deleted.
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// Messages by the part of their names that never changes.
    fn listed(&self, below: &Path) -> Result<BTreeMap<OsString, PathBuf>, BackupError> {
        let mut found = BTreeMap::new();
        for sub in ["new", "cur"] {
            let sub = below.join(sub);
            for file in list(&self.root.join(&sub))?.unwrap_or_default().files {
                let base = file.as_bytes().split(|octet| *octet == b':').next().unwrap_or_default();
                found.insert(OsStr::from_bytes(base).to_owned(), sub.join(&file));
            }
        }
        Ok(found)
    }

    /// `false`: it is not there any more.
    fn message(&mut self, below: &Path) -> Result<bool, BackupError> {
        let path = self.root.join(below);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(BackupError::at(&path, "opening")(error)),
        };
        let packed = file.metadata().and_then(|there| self.packer.file(&mail_name(below), Shape::of(&there), file));
        packed.map_err(BackupError::at(&path, "copying"))?;
        Ok(true)
    }

    /// It may be written anew, or in its place, while it is read: it is read at once.
    fn other(&mut self, below: &Path) -> Result<(), BackupError> {
        let path = self.root.join(below);
        let octets = match keep::read(&path, OTHER_OCTETS_MAX, keep::Accepts::RegularFile) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            octets => octets.map_err(BackupError::at(&path, "reading"))?,
        };
        self.packer.octets(&mail_name(below), &octets).map_err(BackupError::at(&path, "copying"))
    }
}

/// `None`: it is not there.
fn list(path: &Path) -> Result<Option<Inside>, BackupError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(BackupError::at(path, "listing"))?,
    };
    let mut inside = Inside::default();
    for entry in entries {
        let entry = entry.map_err(BackupError::at(path, "listing"))?;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => inside.folders.push(entry.file_name()),
            Ok(kind) if kind.is_file() => inside.files.push(entry.file_name()),
            // A link or a pipe, or it is gone.
            _ => {}
        }
    }
    Ok(Some(inside))
}

/// A name below `mail`.
fn mail_name(below: &Path) -> String {
    if below.as_os_str().is_empty() { "mail".to_owned() } else { format!("mail/{}", name::of(below)) }
}
