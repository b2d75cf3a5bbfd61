//! What can go wrong, a variant per thing that a caller treats differently.

use std::io;
use std::path::{Path, PathBuf};

/// Why a message is not durable. Nothing was acknowledged in any of these cases.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AcceptError {
    /// No room: answer 452 4.3.1; the service returns by itself.
    #[error("spool {}: {free_octets} octets free, {needed_octets} needed", .dir.display())]
    Full {
        /// The spool's folder.
        dir: PathBuf,
        /// Free on its file system when last asked.
        free_octets: u64,
        /// What would have been needed, with what must stay free.
        needed_octets: u64,
    },
    /// The disk failed: answer 451 4.3.0.
    #[error("spool {}: {op} failed: {kind}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        op: &'static str,
        /// The kind of the failure.
        kind: io::ErrorKind,
    },
    /// The envelope, or the head, breaks a limit of the record form (no recipient, too many, too long).
    #[error("envelope: {0}")]
    Envelope(&'static str),
    /// The spool is closed or closing: answer 421.
    #[error("the spool is closed")]
    Closed,
}

/// Why a spool does not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("spool {}: in use by another process", .dir.display())]
    Locked {
        /// The spool's folder.
        dir: PathBuf,
    },
    /// Written by a newer release; this one would not understand it all.
    #[error("spool file {}: form {version} is newer than {newest_known}, the newest that this release reads; nothing was changed", .path.display())]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version octet.
        version: u8,
        /// Ours.
        newest_known: u8,
    },
    /// The settings contradict each other.
    #[error("spool settings: {0}")]
    Settings(&'static str),
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] SpoolError),
}

/// A failed operation on a file of the spool.
#[derive(Debug, thiserror::Error)]
#[error("spool {}: {op} failed", .path.display())]
pub struct SpoolError {
    /// The file or folder.
    pub path: PathBuf,
    /// What was tried.
    pub op: &'static str,
    /// The failure.
    #[source]
    pub source: io::Error,
}

impl From<keep::KeepError> for SpoolError {
    fn from(error: keep::KeepError) -> Self {
        Self { path: error.path, op: error.op, source: error.source }
    }
}

impl SpoolError {
    pub(crate) fn at(path: &Path, op: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { path: path.to_path_buf(), op, source }
    }

    /// The file system has no room (or no quota) left.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}
