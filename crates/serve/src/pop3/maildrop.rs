//! The open maildrop of a session. The disk is touched on blocking threads only.

use std::collections::VecDeque;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use judge::Files;
use maildir::{Maildrop, MaildropError};
use pop3::{Listing, Reply, replies};
use tracing::warn;

/// What is read of a message at a time, in octets: nearly every message whole.
const PIECE_OCTETS: usize = 128 * 1024;
/// What is read ahead, in octets: clients fetch one message after the other, and going to the blocking thread costs more
/// than reading a small one.
const AHEAD_OCTETS: u64 = 64 * 1024;
/// Messages read ahead at most.
const AHEAD_MESSAGES: usize = 32;

/// How long a client is kept waiting for a disk: to open a maildrop, of which the sizes of many messages may have to be counted, and
/// for all else.
const OPEN_WAIT: Duration = Duration::from_mins(1);
const READ_WAIT: Duration = Duration::from_secs(30);

/// A maildrop that this session alone has.
pub(super) struct OpenMaildrop {
    files: Files,
    maildrop: Arc<Maildrop>,
    /// Whole messages read ahead, with their numbers.
    ahead: VecDeque<(u32, Vec<u8>)>,
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
    pub(super) async fn read(files: &Files, file: File) -> io::Result<Self> {
        files.within(READ_WAIT, move || Self::take(file, PIECE_OCTETS as u64)).await?
    }

    fn take(mut file: File, expected_octets: u64) -> io::Result<Self> {
        let room = usize::try_from(expected_octets).unwrap_or(usize::MAX).saturating_add(1).min(PIECE_OCTETS);
        let mut octets = Vec::with_capacity(room);
        file.by_ref().take(PIECE_OCTETS as u64).read_to_end(&mut octets)?;
        let rest = (octets.len() == PIECE_OCTETS).then_some(file);
        Ok(Self { octets, rest })
    }
}

impl OpenMaildrop {
    /// Locks and lists it.
    pub(super) async fn open(files: Files, maildir: PathBuf) -> Result<(Self, Listing), Reply> {
        let opened = files.within(OPEN_WAIT, move || {
            let maildrop = match Maildrop::open(&maildir) {
                // An account whose mailbox was not made yet has no mail.
                Err(MaildropError::Missing { .. }) if maildir::create(&maildir).is_ok() => Maildrop::open(&maildir)?,
                other => other?,
            };
            let entries = maildrop.entries().iter();
            let listing = entries.map(|entry| (entry.octets, maildrop.unique_id(entry))).collect();
            Ok((maildrop, listing))
        });
        let (maildrop, listing) = opened.await.map_err(|error| stalled(&error))?.map_err(|error| refusal(&error))?;
        Ok((Self { files, maildrop: Arc::new(maildrop), ahead: VecDeque::new() }, listing))
    }

    /// Opens message `number` (from 1) and reads its beginning, and what is likely to be asked for next.
    pub(super) async fn message(&mut self, number: u32) -> Result<Piece, Reply> {
        while let Some((next, octets)) = self.ahead.pop_front() {
            if next == number {
                return Ok(Piece { octets, rest: None });
            }
        }
        let maildrop = Arc::clone(&self.maildrop);
        let read = self.files.within(READ_WAIT, move || {
            let first = read_first(&maildrop, number)?;
            let ahead = if first.rest.is_none() { read_ahead(&maildrop, number + 1) } else { VecDeque::new() };
            Ok((first, ahead))
        });
        let (first, ahead) = read.await.map_err(|error| stalled(&error))?.map_err(|error| refusal(&error))?;
        self.ahead = ahead;
        Ok(first)
    }

    /// Deletes messages and lets the maildrop go.
    pub(super) async fn commit(self, deleted: Vec<u32>) -> Result<(), Reply> {
        let indices: Vec<usize> = deleted.into_iter().map(|number| (number as usize).saturating_sub(1)).collect();
        drop(self.ahead);
        let Ok(maildrop) = Arc::try_unwrap(self.maildrop) else { return Err(replies::not_all_deleted()) };
        let failed = |error: &dyn Display| {
            warn!(%error, "deletion incomplete");
            replies::not_all_deleted()
        };
        let committed = self.files.within(OPEN_WAIT, move || maildrop.commit(&indices)).await;
        committed.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }
}

fn read_first(maildrop: &Maildrop, number: u32) -> Result<Piece, MaildropError> {
    let index = (number as usize).saturating_sub(1);
    let expected_octets = maildrop.entries().get(index).map_or(0, |entry| entry.octets);
    let file = maildrop.message(index)?;
    Piece::take(file, expected_octets).map_err(|source| MaildropError::Io {
        path: format!("message {number}").into(),
        op: "reading",
        source,
    })
}

/// The next messages that are small. What cannot be read now is found out when it is asked for.
fn read_ahead(maildrop: &Maildrop, first: u32) -> VecDeque<(u32, Vec<u8>)> {
    let mut ahead = VecDeque::new();
    let mut room = AHEAD_OCTETS;
    for number in (first..).take(AHEAD_MESSAGES) {
        let Some(entry) = maildrop.entries().get((number as usize).saturating_sub(1)) else { break };
        let Some(left) = room.checked_sub(entry.octets) else { break };
        room = left;
        match read_first(maildrop, number) {
            Ok(Piece { octets, rest: None }) => ahead.push_back((number, octets)),
            _ => break,
        }
    }
    ahead
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

fn stalled(error: &io::Error) -> Reply {
    warn!(%error, "maildrop unavailable");
    replies::maildrop_unavailable()
}
