//! Why a maildrop cannot be had.

use std::io;
use std::path::{Path, PathBuf};

/// Why a maildrop cannot be had, or a message of it.
#[derive(Debug, thiserror::Error)]
pub enum MaildropError {
    /// Another session has it (`[IN-USE]`, RFC 2449 §8.1.2), or its uidlist is locked for too long.
    #[error("{maildir}: in use")]
    InUse {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// There is no such Maildir.
    #[error("{maildir}: no such Maildir")]
    Missing {
        /// The mailbox.
        maildir: PathBuf,
    },
    /// Somebody else deleted the message since the list was made.
    #[error("{maildir}: message {uid} is gone")]
    Gone {
        /// The mailbox.
        maildir: PathBuf,
        /// Its UID.
        uid: u32,
    },
    /// Anything else that the disk refused.
    #[error("{path}: {op} failed")]
    Io {
        /// What was being worked on.
        path: PathBuf,
        /// What was tried.
        op: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl MaildropError {
    pub(crate) fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), op, source }
    }
}
