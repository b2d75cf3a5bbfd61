//! A copy of the queue while it is in use, for a backup: a spool of its own, with nothing in it but what waits.
//!
//! All that was acknowledged before the call is in it, unless it was settled or deleted since. Each message is held there as
//! [`RESTORED`], or for the reason for which it was held already: whoever opens the copy delivers nothing before a person says so,
//! since nobody can know what the queue that was copied has delivered after that.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::record::{
    BodyIn, Content, HEADER_OCTETS, Head, Header, Kind, MetaParts, Record, padded, put_meta, read_meta, small_head,
};
use crate::segment::file_name;
use crate::shared::Shared;
use crate::state::MessageState;
use crate::{AcceptError, QueueId, Spool};

/// Why a message of a copy is held.
pub const RESTORED: &str = "restored";
/// A segment of a copy ends once it is so long.
const SEGMENT_OCTETS: usize = 4 << 20;
/// Messages whose ids are taken at once.
const PAGE: usize = 4096;
/// How often a message is looked for that was moved while it was read.
const LOOKS: usize = 5;

/// A file of the copy, to be put below a spool's folder.
pub enum Piece<'a> {
    /// Records.
    Segment {
        /// Where, as `segments/…`.
        name: String,
        /// All of it.
        octets: &'a [u8],
    },
    /// A large message without its head.
    Large {
        /// Where, as `large/…`.
        name: String,
        /// At its beginning.
        file: File,
        /// Its length.
        octets: u64,
    },
}

/// What is in a copy.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Messages.
    pub messages: u64,
    /// Messages that could not be read on disk, and are not in it.
    pub unreadable: Vec<QueueId>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// What was accepted before could not be made durable.
    #[error(transparent)]
    Spool(#[from] AcceptError),
    /// The taker refused.
    #[error(transparent)]
    Taker(#[from] io::Error),
}

impl Spool {
    /// Hands out a copy, file by file. Blocks; for a thread of its own.
    pub fn copy(&self, take: impl FnMut(Piece<'_>) -> io::Result<()>) -> Result<Copied, CopyError> {
        let (barrier, written) = oneshot::channel();
        self.shared.post(|inbox| inbox.barrier(barrier));
        written.blocking_recv().unwrap_or(Err(AcceptError::Closed))?;
        let mut copier = Copier { shared: &self.shared, take, open: None, previous: (0, 0), copied: Copied::default() };
        let mut from = QueueId(0);
        loop {
            let page: Vec<QueueId> = self.shared.index().entries.range(from..).take(PAGE).map(|(id, _)| *id).collect();
            for id in &page {
                copier.message(*id)?;
            }
            match page.last() {
                Some(last) => from = QueueId(last.0.saturating_add(1)),
                None => break,
            }
        }
        copier.end_segment()?;
        Ok(copier.copied)
    }
}

struct Copier<'a, F> {
    shared: &'a Arc<Shared>,
    take: F,
    open: Option<Open>,
    previous: (u64, u64),
    copied: Copied,
}

/// The segment that is being made.
struct Open {
    number: u64,
    octets: Vec<u8>,
}

/// A message as it stands on disk, with its state as it is now.
struct Found {
    meta: Vec<u8>,
    body: Bytes,
    file: Option<(File, u64)>,
}

enum Look {
    Found(Box<Found>),
    /// Settled or deleted since.
    Gone,
    Unreadable,
}

impl<F: FnMut(Piece<'_>) -> io::Result<()>> Copier<'_, F> {
    fn message(&mut self, id: QueueId) -> io::Result<()> {
        for _ in 0..LOOKS {
            match self.look(id) {
                Look::Found(found) => return self.put(id, *found),
                Look::Gone => return Ok(()),
                // Copied forward meanwhile, perhaps.
                Look::Unreadable => {}
            }
        }
        tracing::error!(queue_id = %id, note = "the copy is made without it", "message unreadable");
        self.copied.unreadable.push(id);
        Ok(())
    }

    fn look(&self, id: QueueId) -> Look {
        let Some(position) = self.shared.index().entries.get(&id).map(|entry| entry.position.clone()) else {
            return Look::Gone;
        };
        let Ok(octets) = position.read() else { return Look::Unreadable };
        let record = Record::decode(&octets, position.segment.number).filter(|record| record.head.id == id.0);
        let Some(record) = record else { return Look::Unreadable };
        let Ok(old) = read_meta(record.meta) else { return Look::Unreadable };
        let file = match old.body {
            BodyIn::Record => None,
            BodyIn::File { octets, .. } => match File::open(self.shared.body_path(id)) {
                Ok(file) if file.metadata().is_ok_and(|there| there.len() == octets) => Some((file, octets)),
                // The entry goes before its file does.
                _ if !self.shared.index().entries.contains_key(&id) => return Look::Gone,
                _ => return Look::Unreadable,
            },
        };
        let mut meta = Vec::with_capacity(record.meta.len() + 64);
        {
            let index = self.shared.index();
            let Some(entry) = index.entries.get(&id) else { return Look::Gone };
            let MessageState { hold, recipients } = entry.state();
            let state = MessageState { hold: hold.or_else(|| Some(RESTORED.into())), recipients };
            // Its line is in the chain, which is copied after this.
            put_meta(&mut meta, MetaParts { body: old.body, state: Some(&state), envelope: &old.envelope, line: None });
        }
        Look::Found(Box::new(Found { meta, body: Bytes::copy_from_slice(record.body), file }))
    }

    fn put(&mut self, id: QueueId, found: Found) -> io::Result<()> {
        let Found { meta, body, file } = found;
        let content = Content { meta: &meta, body: &body };
        let lengths = (u32::try_from(meta.len()), u32::try_from(body.len()));
        let (Ok(meta_octets), Ok(body_octets)) = lengths else { return Err(io::ErrorKind::InvalidData.into()) };
        let synced_octets = HEADER_OCTETS as u64;
        let content_sum = content.sum();
        let head = Head { kind: Kind::Message, meta_octets, body_octets, id: id.0, content_sum, synced_octets };
        if let Some((file, octets)) = file {
            (self.take)(Piece::Large { name: format!("large/{id}"), file, octets })?;
        }
        self.append(&head, content);
        self.copied.messages += 1;
        if self.open.as_ref().is_some_and(|open| open.octets.len() >= SEGMENT_OCTETS) {
            self.end_segment()?;
        }
        Ok(())
    }

    fn append(&mut self, head: &Head, content: Content<'_>) {
        let (shared, previous) = (self.shared, self.previous);
        let open = self.open.get_or_insert_with(|| {
            // Above every id in the queue, as of any segment that is begun now.
            let number = shared.ids.next();
            Open { number, octets: Header { number, previous }.encode().to_vec() }
        });
        open.octets.extend_from_slice(&head.encode(open.number));
        open.octets.extend_from_slice(content.meta);
        open.octets.extend_from_slice(content.body);
        open.octets.resize(padded(open.octets.len()), 0);
    }

    /// Sealed: a hole in it is damage.
    fn end_segment(&mut self) -> io::Result<()> {
        let Some(octets) = self.open.as_ref().map(|open| open.octets.len() as u64) else { return Ok(()) };
        if let Some(seal) = small_head(Kind::Seal, &[], octets) {
            self.append(&seal, Content { meta: &[], body: &Bytes::new() });
        }
        let Some(open) = self.open.take() else { return Ok(()) };
        self.previous = (open.number, open.octets.len() as u64);
        (self.take)(Piece::Segment { name: format!("segments/{}", file_name(open.number)), octets: &open.octets })
    }
}
