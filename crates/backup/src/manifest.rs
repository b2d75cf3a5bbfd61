//! What is in a backup: a JSON file beside the others, or the last one of an archive.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::BackupError;
use crate::name;

/// Its name.
pub const MANIFEST: &str = "manifest.json";
/// The form that this version writes, and the newest that it reads.
pub const FORM: u32 = 1;
/// Octets of one that is read: several million files.
pub(crate) const OCTETS_MAX: u64 = 1 << 30;

/// All that is told of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORM`].
    pub form: u32,
    /// The version of the program that made it.
    pub version: String,
    /// When it was begun, in RFC 3339.
    pub made_at: String,
    /// The server's name.
    pub hostname: String,
    /// Where the configuration was.
    pub config: String,
    /// `--set` of the command, over it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sets: Vec<String>,
    /// Messages in the queue.
    pub messages: u64,
    /// Messages of the queue that could not be read on disk, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
    /// What is in it.
    pub parts: Vec<Part>,
    /// Files that the configuration names, or that belong to the server, and that are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Every file but this one.
    pub files: Vec<Item>,
}

/// A part of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What waits for delivery.
    Queue,
    /// Login records, bans, networks of accounts, clients that came back.
    State,
    /// Domains, accounts, aliases, devices.
    Accounts,
    /// Changes of administrators, relayed messages, last uses of rights, a lock of relaying.
    Lines,
    /// Maildirs.
    Mail,
    /// The configuration's file.
    Configuration,
    /// Keys, sealed with a passphrase.
    Keys,
}

/// A file, or a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its name in the backup.
    pub name: String,
    /// Its length.
    #[serde(default)]
    pub octets: u64,
    /// SHA-256 of it, in hexadecimal; `None`: it is a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Manifest {
    /// Reads one and sees that each name in it is one, once.
    pub(crate) fn parse(octets: &[u8], backup: &Path) -> Result<Self, BackupError> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let damaged = |why: String| BackupError::Damaged { backup: backup.to_owned(), file: MANIFEST.to_owned(), why };
        let unreadable = |error: serde_json::Error| damaged(format!("cannot be read: {error}"));
        let Form { form } = serde_json::from_slice(octets).map_err(unreadable)?;
        if form > FORM {
            return Err(BackupError::Newer { backup: backup.to_owned(), form, known: FORM });
        }
        let manifest: Self = serde_json::from_slice(octets).map_err(unreadable)?;
        let mut known = BTreeSet::new();
        for item in &manifest.files {
            if name::path(&item.name).is_none() || item.name == MANIFEST || !known.insert(item.name.as_str()) {
                return Err(damaged(format!("{:?} is no name of a file, or stands there twice", item.name)));
            }
        }
        Ok(manifest)
    }

    /// As it is written.
    pub(crate) fn octets(&self) -> Vec<u8> {
        // Texts and numbers: nothing in it can fail.
        let mut octets = serde_json::to_vec_pretty(self).unwrap_or_default();
        octets.push(b'\n');
        octets
    }

    /// Octets of all files.
    pub fn total_octets(&self) -> u64 {
        self.files.iter().map(|item| item.octets).sum()
    }

    /// Whether a part is in it.
    pub fn has(&self, part: Part) -> bool {
        self.parts.contains(&part)
    }
}
