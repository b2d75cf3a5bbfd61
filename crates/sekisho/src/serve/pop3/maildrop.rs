//! The open maildrop of a session. The disk is touched on blocking threads only.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

use maildir::{Maildrop, MaildropError};
use pop3::{Listing, Reply, replies};
use tracing::warn;

/// What is read of a message at a time, in octets: nearly every message whole.
const PIECE_OCTETS: usize = 128 * 1024;

/// A maildrop that this session alone has.
pub(super) struct OpenMaildrop {
    maildrop: Arc<Maildrop>,
}

/// A part of a message, and where the next one comes from.
pub(super) struct Piece {
    /// As stored.
    pub(super) octets: Vec<u8>,
    /// `None`: that was the last.
    pub(super) rest: Option<File>,
}

impl Piece {
    /// Reads the next part.
    pub(super) async fn read(file: File) -> io::Result<Self> {
        blocking(move || Self::take(file)).await
    }

    fn take(mut file: File) -> io::Result<Self> {
        let mut octets = Vec::new();
        file.by_ref().take(PIECE_OCTETS as u64).read_to_end(&mut octets)?;
        let rest = (octets.len() == PIECE_OCTETS).then_some(file);
        Ok(Self { octets, rest })
    }
}

impl OpenMaildrop {
    /// Locks and lists it.
    pub(super) async fn open(maildir: PathBuf) -> Result<(Self, Listing), Reply> {
        let opened = blocking(move || {
            let maildrop = match Maildrop::open(&maildir) {
                // An account whose mailbox was not made yet has no mail.
                Err(MaildropError::Missing { .. }) if maildir::create(&maildir).is_ok() => Maildrop::open(&maildir)?,
                other => other?,
            };
            let entries = maildrop.entries().iter();
            let listing = entries.map(|entry| (entry.octets, maildrop.unique_id(entry))).collect();
            Ok((maildrop, listing))
        });
        let (maildrop, listing) = opened.await.map_err(|error| refusal(&error))?;
        Ok((Self { maildrop: Arc::new(maildrop) }, listing))
    }

    /// Opens message `number` (from 1) and reads its beginning.
    pub(super) async fn message(&self, number: u32) -> Result<Piece, Reply> {
        let maildrop = Arc::clone(&self.maildrop);
        let index = (number as usize).saturating_sub(1);
        let first = blocking(move || {
            let file = maildrop.message(index)?;
            Ok(Piece::take(file))
        });
        let piece = first.await.map_err(|error| refusal(&error))?;
        piece.map_err(|error| {
            warn!(%error, "message cannot be read");
            replies::maildrop_unavailable()
        })
    }

    /// Deletes messages and lets the maildrop go.
    pub(super) async fn commit(self, deleted: Vec<u32>) -> Result<(), Reply> {
        let indices: Vec<usize> = deleted.into_iter().map(|number| (number as usize).saturating_sub(1)).collect();
        let Ok(maildrop) = Arc::try_unwrap(self.maildrop) else { return Err(replies::not_all_deleted()) };
        blocking(move || maildrop.commit(&indices)).await.map_err(|error| {
            warn!(%error, "not all messages are deleted");
            replies::not_all_deleted()
        })
    }
}

fn refusal(error: &MaildropError) -> Reply {
    match error {
        MaildropError::InUse { .. } => replies::in_use(),
        MaildropError::Gone { .. } => replies::message_gone(),
        MaildropError::Missing { .. } | MaildropError::Io { .. } => {
            warn!(%error, "maildrop unavailable");
            replies::maildrop_unavailable()
        }
    }
}

/// Runs on a blocking thread. A panic there is a fault of ours and goes on here, where it ends the connection.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
