//! Copies what still waits in an old, mostly dead segment forward, so that the segment can go.

use std::sync::Arc;

use bytes::Bytes;

use super::Writer;
use crate::QueueId;
use crate::error::SpoolError;
use crate::index::Index;
use crate::record::{Content, Head, Kind, MetaParts, Record, put_meta, read_meta};
use crate::segment::{Position, Segment};

/// Most messages copied in one round, so that new mail does not wait long.
const ROUND_MESSAGES: usize = 64;
/// Dead weight below this many segments is let be.
const SLACK_SEGMENTS: u64 = 4;

/// A message with its state as a new record.
pub(super) struct Relocated {
    id: QueueId,
    from: Position,
    pub(super) head: Head,
    pub(super) meta: Vec<u8>,
    pub(super) body: Bytes,
    /// Offset and length in the new segment.
    pub(super) to: (u32, u32),
}

impl Relocated {
    /// The message now is where the copy is, unless it was settled meanwhile.
    pub(super) fn complete(self, index: &mut Index, segment: &Arc<Segment>) {
        let (offset, octets) = self.to;
        let Some(entry) = index.entries.get_mut(&self.id) else { return };
        entry.position.segment.subtract(entry.position.octets);
        segment.add(self.id, octets);
        entry.position = Position { segment: Arc::clone(segment), offset, octets };
    }

    /// The copy failed: it will be tried again.
    pub(super) fn give_back(self) {
        self.from.segment.give_back_ids(&[self.id]);
    }
}

impl Writer {
    /// Copies some messages out of the oldest segment; whether more is to be done.
    pub(super) fn clear_oldest(&mut self) -> Result<bool, SpoolError> {
        let slack = self.shared.config.segment_octets * SLACK_SEGMENTS;
        let Some(oldest) = self.shared.index().segment_to_clear(slack) else { return Ok(false) };
        let ids = oldest.take_ids(ROUND_MESSAGES);
        if ids.is_empty() {
            return Ok(false);
        }
        let mut rest = ids.into_iter();
        while let Some(id) = rest.next() {
            let staged = match self.copy(id, &oldest) {
                Copy::Gone => Ok(()),
                Copy::Made(relocated) => self.stage_relocated(*relocated),
                Copy::Unreadable => {
                    self.lose(id, &oldest);
                    Ok(())
                }
            };
            if let Err(error) = staged {
                oldest.give_back_ids(&[id]);
                oldest.give_back_ids(rest.as_slice());
                return Err(error);
            }
        }
        self.flush()?;
        Ok(true)
    }

    fn copy(&self, id: QueueId, from: &Arc<Segment>) -> Copy {
        let Some(position) = self.shared.index().entries.get(&id).map(|entry| entry.position.clone()) else {
            return Copy::Gone;
        };
        if position.segment.number != from.number {
            return Copy::Gone;
        }
        let Ok(octets) = position.read() else { return Copy::Unreadable };
        let Some(record) = Record::decode(&octets, from.number) else { return Copy::Unreadable };
        let Ok(old) = read_meta(record.meta) else { return Copy::Unreadable };
        let mut meta = Vec::with_capacity(record.meta.len() + 64);
        {
            let index = self.shared.index();
            let Some(entry) = index.entries.get(&id) else { return Copy::Gone };
            // The old record's line is in the chain before its segment goes.
            let parts = MetaParts { body: old.body, state: Some(&entry.state()), envelope: &old.envelope, line: None };
            put_meta(&mut meta, parts);
        }
        let body = Bytes::copy_from_slice(record.body);
        let lengths = (u32::try_from(meta.len()), u32::try_from(body.len()));
        let (Ok(meta_octets), Ok(body_octets)) = lengths else { return Copy::Unreadable };
        let content_sum = Content { meta: &meta, body: &body }.sum();
        let head = Head { kind: Kind::Message, meta_octets, body_octets, id: id.0, content_sum, synced_octets: 0 };
        Copy::Made(Box::new(Relocated { id, from: position, head, meta, body, to: (0, 0) }))
    }

    /// A message that cannot be read leaves the queue; the segment with what is left of it is kept aside.
    fn lose(&self, id: QueueId, segment: &Segment) {
        tracing::error!(queue_id = %id, segment = %segment.path.display(), note = "it is kept aside", "segment damaged");
        segment.mark_damaged();
        self.shared.index().remove(id);
    }
}

enum Copy {
    /// Settled, or copied already.
    Gone,
    Made(Box<Relocated>),
    Unreadable,
}
