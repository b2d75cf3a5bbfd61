//! The one thread that appends to the log. It writes all that came in while it was busy, syncs once, and then tells
//! everybody: the more sessions commit at once, the fewer syncs each of them costs.

mod relocate;
mod staging;
mod taken;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use self::relocate::Relocated;
use self::staging::Staging;
use self::taken::{answer, entry_of, lines_of};
use crate::codec::put_number;
use crate::durable;
use crate::error::SpoolError;
use crate::id::unix_micros_now;
use crate::record::{BodyIn, Content, HEADER_OCTETS, Head, Header, Kind, put_status, small_head};
use crate::relayed::Relayed;
use crate::segment::{Position, Segment, file_name};
use crate::shared::{Accept, Barrier, Done, Inbox, Patience, Shared};
use crate::{AcceptError, QueueId};

/// Status lines are gathered into records of about this length.
const STATUS_RECORD_OCTETS: usize = 64 << 10;
/// Freed segments kept for reuse.
const SPARES_MAX: usize = 2;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Option<Active>,
    /// The segment before the active one and how much of it is durable.
    previous: (u64, u64),
    staging: Staging,
    run: Run,
    /// Came in and is not staged yet.
    waiting: Waiting,
    /// Ends of segments that were written, failed to sync and could not be cut off.
    cuts: Vec<(u64, u64)>,
    spares: Vec<PathBuf>,
    relayed: Relayed,
}

struct Active {
    segment: Arc<Segment>,
    written: u64,
    synced: u64,
}

/// What becomes true once the staged records are on disk.
#[derive(Default)]
struct Run {
    accepts: Vec<(Accept, u32, u32)>,
    relocated: Vec<Relocated>,
    dirty: Vec<QueueId>,
    done: Vec<Done>,
    barriers: Vec<Barrier>,
    needs_sync: bool,
}

/// What a segment takes beforehand that begins with states while the disk is full, in octets.
const STATES_OCTETS: u64 = 64 << 10;

#[derive(Default)]
struct Waiting {
    dirty: Vec<QueueId>,
    done: Vec<Done>,
    barriers: Vec<Barrier>,
}

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            relayed: shared.take_relayed(),
            shared,
            active: None,
            previous: (0, 0),
            staging: Staging::default(),
            run: Run::default(),
            waiting: Waiting::default(),
            cuts: Vec::new(),
            spares: Vec::new(),
        }
    }

    /// Works until the spool is closed; then everything that came in is on disk.
    pub(crate) fn work(mut self) {
        let guard = Guard(Arc::clone(&self.shared));
        let mut patience = Patience::None;
        loop {
            let inbox = self.shared.take_work(patience);
            let closing = inbox.closing;
            patience = match self.round(inbox) {
                Ok(true) => Patience::None,
                Ok(false) => Patience::Sleep,
                Err(error) => {
                    self.fail(&error);
                    // Needs no room, and may be what makes some.
                    self.free_segments();
                    Patience::Later
                }
            };
            if closing {
                break;
            }
        }
        if let Err(error) = self.finish() {
            tracing::error!(%error, note = "the next start recovers it", "spool unclosed");
        }
        drop(guard);
    }

    /// Writes one inbox; whether there is house-keeping left.
    fn round(&mut self, inbox: Inbox) -> Result<bool, SpoolError> {
        let (mut accepts, heads) = (inbox.accepts.into_iter(), inbox.heads);
        self.waiting = Waiting { dirty: inbox.dirty, done: inbox.done, barriers: inbox.barriers };
        while let Some(accept) = accepts.next() {
            if let Err(error) = self.stage_accept(accept) {
                let refusal = self.shared.refusal(&error, 0);
                for accept in accepts {
                    let _ = accept.reply.send(Err(refusal.clone()));
                }
                return Err(error);
            }
        }
        self.stage_status()?;
        self.stage_done()?;
        self.run.needs_sync |= !self.waiting.barriers.is_empty();
        self.run.barriers.append(&mut self.waiting.barriers);
        self.flush()?;
        self.free_segments();
        for head in heads {
            let _ = head.send(self.relayed.head());
        }
        self.clear_oldest()
    }

    fn stage_accept(&mut self, accept: Accept) -> Result<(), SpoolError> {
        let lengths = (u32::try_from(accept.meta.len()).ok(), u32::try_from(accept.body.len()).ok());
        let (Some(meta_octets), Some(body_octets)) = lengths else {
            // Both are bounded far below; never reached.
            drop(accept.reply.send(Err(AcceptError::Envelope("too long"))));
            return Ok(());
        };
        let head = Head {
            kind: Kind::Message,
            meta_octets,
            body_octets,
            id: accept.id.0,
            content_sum: accept.content_sum,
            synced_octets: 0,
        };
        let staged = self.stage(head, Content { meta: &accept.meta, body: &accept.body });
        let (offset, octets) = match staged {
            Ok(position) => position,
            Err(error) => {
                let _ = accept.reply.send(Err(self.shared.refusal(&error, 0)));
                return Err(error);
            }
        };
        self.run.needs_sync = true;
        self.run.accepts.push((accept, offset, octets));
        Ok(())
    }

    fn stage_relocated(&mut self, mut relocated: Relocated) -> Result<(), SpoolError> {
        let (offset, octets) = self.stage(relocated.head, Content { meta: &relocated.meta, body: &relocated.body })?;
        relocated.to = (offset, octets);
        self.run.needs_sync = true;
        self.run.relocated.push(relocated);
        Ok(())
    }

    /// Puts a record behind the staged ones; begins a new segment where it would not fit.
    fn stage(&mut self, mut head: Head, content: Content<'_>) -> Result<(u32, u32), SpoolError> {
        let octets = head.record_octets();
        let room = self.shared.config.segment_octets;
        let full = |active: &Active, staged: usize| active.written + (staged + octets) as u64 > room;
        if self.active.as_ref().is_some_and(|active| full(active, self.staging.octets())) {
            self.flush()?;
            let used = self.active.as_ref().map_or(0, |active| active.written);
            if used > HEADER_OCTETS as u64 {
                self.end_segment();
            }
        }
        let active = self.open_segment(head.kind)?;
        head.synced_octets = active.synced;
        let number = active.segment.number;
        let offset = active.written + self.staging.octets() as u64;
        self.staging.push(number, &head, content);
        // Segments are bounded far below 4 GiB (see `SpoolConfig` and META_OCTETS_MAX).
        Ok((u32::try_from(offset).unwrap_or(u32::MAX), u32::try_from(octets).unwrap_or(u32::MAX)))
    }

    fn end_segment(&mut self) {
        if let Some(active) = self.active.take() {
            self.previous = (active.segment.number, active.synced);
        }
    }

    fn open_segment(&mut self, first: Kind) -> Result<&mut Active, SpoolError> {
        if self.active.is_none() {
            let segment = self.new_segment(first)?;
            self.shared.index().segments.push_back(Arc::clone(&segment));
            let header = HEADER_OCTETS as u64;
            self.active = Some(Active { segment, written: header, synced: header });
            self.stage_cuts();
        }
        self.active.as_mut().ok_or_else(|| SpoolError {
            path: self.shared.segments_dir(),
            op: "open a segment",
            source: std::io::ErrorKind::Other.into(),
        })
    }

    /// A segment for a message takes its whole room beforehand and leaves free what must stay free: of that a segment
    /// for states takes a little, so that mail can be settled and deleted on a full disk, after a restart too.
    fn room_beforehand(&self, first: Kind) -> Result<u64, SpoolError> {
        let whole = self.shared.config.segment_octets;
        self.shared.space.forget();
        match self.shared.space.check(whole) {
            Ok(()) => Ok(whole),
            Err(_) if first != Kind::Message => Ok(whole.min(STATES_OCTETS)),
            Err(_) => Err(SpoolError {
                path: self.shared.segments_dir(),
                op: "begin a segment",
                source: std::io::ErrorKind::StorageFull.into(),
            }),
        }
    }

    fn new_segment(&mut self, first: Kind) -> Result<Arc<Segment>, SpoolError> {
        let number = self.shared.ids.next();
        let path = self.shared.segments_dir().join(file_name(number));
        let header = Header { number, previous: self.previous };
        let file = match self.spares.pop() {
            Some(spare) => match durable::recycle_segment(&spare, &path, header) {
                Ok(file) => file,
                Err(error) => {
                    let _ = durable::remove(&spare);
                    let _ = durable::remove(&path);
                    return Err(error);
                }
            },
            None => durable::create_segment(&path, header, self.room_beforehand(first)?)?,
        };
        Ok(Arc::new(Segment::new(number, path, file)))
    }

    /// The first records of a segment void what an older one should not have.
    fn stage_cuts(&mut self) {
        let Some(active) = &self.active else { return };
        for (segment, offset) in &self.cuts {
            let mut meta = Vec::new();
            put_number(&mut meta, *segment);
            put_number(&mut meta, *offset);
            if let Some(head) = small_head(Kind::Cut, &meta, active.synced) {
                self.staging.push(active.segment.number, &head, Content { meta: &meta, body: &Bytes::new() });
                self.run.needs_sync = true;
            }
        }
    }

    fn stage_small(&mut self, kind: Kind, meta: &[u8]) -> Result<(), SpoolError> {
        match small_head(kind, meta, 0) {
            Some(head) => self.stage(head, Content { meta, body: &Bytes::new() }).map(drop),
            None => Ok(()),
        }
    }

    fn stage_status(&mut self) -> Result<(), SpoolError> {
        while !self.waiting.dirty.is_empty() {
            let (meta, ids) = self.next_status();
            let staged = if meta.is_empty() { Ok(()) } else { self.stage_small(Kind::Status, &meta) };
            self.run.dirty.extend(ids);
            staged?;
        }
        Ok(())
    }

    /// States of the next dirty messages; [`Writer::fail`] makes them dirty again.
    fn next_status(&mut self) -> (Vec<u8>, Vec<QueueId>) {
        let (mut meta, mut ids) = (Vec::new(), Vec::new());
        let mut index = self.shared.index();
        while meta.len() < STATUS_RECORD_OCTETS
            && let Some(id) = self.waiting.dirty.pop()
        {
            let Some(entry) = index.entries.get_mut(&id).filter(|entry| entry.dirty) else { continue };
            entry.dirty = false;
            put_status(&mut meta, id, &entry.state());
            ids.push(id);
        }
        (meta, ids)
    }

    fn stage_done(&mut self) -> Result<(), SpoolError> {
        while !self.waiting.done.is_empty() {
            let count = self.waiting.done.len().min(STATUS_RECORD_OCTETS / 8);
            let meta: Vec<u8> = self.waiting.done[..count].iter().flat_map(|done| done.id.0.to_le_bytes()).collect();
            self.stage_small(Kind::Done, &meta)?;
            let staged = self.waiting.done.drain(..count);
            self.run.done.extend(staged);
            // Power cut between removing its file and writing this would leave a message without body.
            self.run.needs_sync |= self.run.done.iter().any(|done| done.file_octets.is_some());
        }
        Ok(())
    }

    /// Writes what is staged, syncs where somebody waits for it, and makes it true.
    fn flush(&mut self) -> Result<(), SpoolError> {
        if let Some(active) = &mut self.active {
            let path = &active.segment.path;
            if !self.staging.is_empty() {
                self.staging.write_to(&active.segment.file).map_err(SpoolError::at(path, "write"))?;
            }
            let end = active.written + self.staging.octets() as u64;
            if self.run.needs_sync {
                durable::sync(&active.segment.file, path)?;
                self.relayed.add(&lines_of(active.segment.number, &self.run.accepts))?;
                active.synced = end;
                self.cuts.clear();
            }
            active.written = end;
            active.segment.grow_to(end);
            self.staging.clear();
        }
        self.complete();
        Ok(())
    }

    fn complete(&mut self) {
        let run = std::mem::take(&mut self.run);
        let Some(active) = &self.active else {
            answer(run.barriers, &Ok(()));
            return;
        };
        let mut replies = Vec::with_capacity(run.accepts.len());
        {
            let now = unix_micros_now();
            let mut index = self.shared.index();
            for (accept, offset, octets) in run.accepts {
                let position = Position { segment: Arc::clone(&active.segment), offset, octets };
                if let BodyIn::File { octets, .. } = accept.body_in {
                    self.shared.space.large_came(octets);
                }
                let age = now.saturating_sub(accept.envelope.arrived_at_unix_micros);
                let (entry, reply) = entry_of(accept, position, index.moment_before(age));
                index.insert(reply.0, entry);
                replies.push(reply);
            }
            for relocated in run.relocated {
                relocated.complete(&mut index, &active.segment);
            }
        }
        if !replies.is_empty() {
            self.shared.note_accepted();
            self.shared.due_bell.notify_one();
        }
        for (id, reply) in replies {
            let _ = reply.send(Ok(id));
        }
        answer(run.barriers, &Ok(()));
        for (done, octets) in run.done.iter().filter_map(|done| Some((done, done.file_octets?))) {
            match durable::remove(&self.shared.body_path(done.id)) {
                Ok(()) => self.shared.space.large_gone(octets),
                Err(error) => tracing::warn!(%error, "file unremoved"),
            }
        }
    }

    /// Nobody of the failed run is acknowledged; its statuses are kept for the next.
    fn fail(&mut self, error: &SpoolError) {
        keep::tally::COUNTED.spool_stalls.one();
        tracing::error!(%error, note = "mail is refused for now", "spool stalled");
        if error.is_full() {
            self.shared.drop_for_room(self.shared.config.segment_octets);
        }
        let refusal = self.shared.refusal(error, self.staging.octets() as u64);
        let mut run = std::mem::take(&mut self.run);
        self.staging.clear();
        if let Some(active) = self.active.take() {
            // What was written before this run is whole, synced or not.
            if let Err(error) = durable::cut(&active.segment.file, &active.segment.path, active.written) {
                tracing::error!(%error, note = "its end will be voided", "segment uncut");
                self.cuts.push((active.segment.number, active.written));
            }
            self.previous = (active.segment.number, active.synced);
        }
        for (accept, _, _) in run.accepts {
            let _ = accept.reply.send(Err(refusal.clone()));
        }
        for relocated in run.relocated {
            relocated.give_back();
        }
        let waiting = std::mem::take(&mut self.waiting);
        run.barriers.extend(waiting.barriers);
        answer(run.barriers, &Err(refusal));
        self.put_back(run.dirty.into_iter().chain(waiting.dirty).collect(), [run.done, waiting.done].concat());
    }

    fn put_back(&self, dirty: Vec<QueueId>, done: Vec<Done>) {
        {
            let mut index = self.shared.index();
            for id in &dirty {
                if let Some(entry) = index.entries.get_mut(id) {
                    entry.dirty = true;
                }
            }
        }
        self.shared.post(|inbox| {
            inbox.dirty.extend(dirty);
            inbox.done.extend(done);
        });
    }

    fn free_segments(&mut self) {
        // Until then its records are what the chain's lines are made of again.
        if !self.relayed.is_synced() && self.shared.index().has_dead_segments() && self.relayed.head().is_none() {
            return;
        }
        let dead = self.shared.index().take_dead_segments();
        for segment in dead {
            if let Err(error) = self.free(segment) {
                tracing::warn!(%error, "segment unremoved");
            }
        }
    }

    fn free(&mut self, segment: Arc<Segment>) -> Result<(), SpoolError> {
        let path = segment.path.clone();
        if segment.is_damaged() {
            return durable::set_aside(&path, &self.shared.damaged_dir());
        }
        let whole = segment.file.metadata().is_ok_and(|meta| meta.len() == self.shared.config.segment_octets);
        // Whoever still reads in it would read the next mail there.
        let unread = Arc::into_inner(segment).is_some();
        if self.shared.space.check(self.shared.config.segment_octets).is_err() {
            self.spares.drain(..).try_for_each(|spare| durable::remove(&spare))?;
        } else if whole && unread && self.spares.len() < SPARES_MAX {
            let spare = path.with_extension("spare");
            durable::make_spare(&path, &spare)?;
            self.spares.push(spare);
            return Ok(());
        }
        durable::remove(&path)
    }

    /// Ends the log cleanly: everything durable, no unused room.
    fn finish(&mut self) -> Result<(), SpoolError> {
        self.run.needs_sync = true;
        self.flush()?;
        self.relayed.sync()?;
        if self.active.is_some() {
            self.stage_small(Kind::Seal, &[])?;
            self.run.needs_sync = true;
            self.flush()?;
        }
        if let Some(active) = self.active.take() {
            durable::cut(&active.segment.file, &active.segment.path, active.written)?;
        }
        self.spares.drain(..).try_for_each(|spare| durable::remove(&spare))
    }
}

/// Should the writer panic, nobody may wait for it for ever.
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.begin_close();
        drop(self.0.take_work(Patience::None));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incoming::{NewMail, Reply, accept};
    use crate::recovery::recover;
    use crate::{Origin, Recipient, SpoolConfig, Target};
    use std::fs::File;

    fn config(dir: &std::path::Path) -> SpoolConfig {
        SpoolConfig { segment_octets: 64 << 10, inline_octets: 8 << 10, free_octets_min: 0, ..SpoolConfig::new(dir) }
    }

    fn mail(shared: &Shared) -> (Inbox, Reply, QueueId) {
        let target = Target::Maildir { account: "x".into() };
        let envelope = crate::Envelope {
            reverse_path: String::new(),
            recipients: vec![Recipient { forward_path: "x@y".into(), target, notify: 0, orcpt: None, via: None }],
            origin: Origin::Bounce,
            arrived_at_unix_micros: 1,
            session: String::new(),
            smtputf8: false,
            eight_bit: false,
            envid: None,
            ret: None,
            message_octets: 4,
        };
        let id = QueueId(shared.ids.next());
        let (accept, reply) = accept(
            id,
            envelope,
            NewMail { octets: Bytes::from_static(b"mail"), body: BodyIn::Record, hold: None, line: None },
        )
        .unwrap();
        let mut inbox = Inbox::default();
        inbox.accept(accept);
        (inbox, reply, id)
    }

    /// The active segment, opened so that neither writing nor cutting works.
    fn break_disk(writer: &mut Writer) {
        let active = writer.active.take().unwrap();
        let broken = File::open(&active.segment.path).unwrap();
        let segment = Arc::new(Segment::new(active.segment.number, active.segment.path.clone(), broken));
        writer.active = Some(Active { segment, ..active });
    }

    #[test]
    fn a_write_error_refuses_the_batch_and_the_next_one_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, shared, _) = recover(config(dir.path())).unwrap();
        let shared = Arc::new(shared);
        let mut writer = Writer::new(Arc::clone(&shared));
        let (inbox, mut reply, first) = mail(&shared);
        writer.round(inbox).unwrap();
        assert_eq!(reply.try_recv().unwrap().unwrap(), first);

        break_disk(&mut writer);
        let (mut inbox, mut reply, second) = mail(&shared);
        shared.settle(first, vec![(0, crate::Outcome::Delivered { note: String::new() })], None);
        inbox.done = shared.take_work(Patience::None).done;
        let error = writer.round(inbox).unwrap_err();
        writer.fail(&error);
        assert!(matches!(reply.try_recv().unwrap(), Err(AcceptError::Io { op: "write", .. })));
        assert_eq!(writer.cuts.len(), 1, "the cut failed as well");

        let (mut inbox, mut reply, third) = mail(&shared);
        let kept = shared.take_work(Patience::None);
        assert_eq!(kept.done.len(), 1, "the status waits for the next batch");
        inbox.done = kept.done;
        writer.round(inbox).unwrap();
        assert_eq!(reply.try_recv().unwrap().unwrap(), third);
        assert!(writer.cuts.is_empty());
        writer.finish().unwrap();
        drop((lock, writer, shared));
        let (_lock, shared, recovery) = recover(config(dir.path())).unwrap();
        assert!(recovery.damaged.is_empty());
        let left: Vec<QueueId> = shared.index().entries.keys().copied().collect();
        assert_eq!(left, [third], "neither {first} (settled) nor {second} (refused)");
    }

    #[test]
    fn what_was_written_but_refused_is_void_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (lock, shared, _) = recover(config(dir.path())).unwrap();
        let shared = Arc::new(shared);
        let mut writer = Writer::new(Arc::clone(&shared));
        let (inbox, _, first) = mail(&shared);
        writer.round(inbox).unwrap();
        let good = writer.active.as_ref().unwrap().written;
        // As if the sync behind this one had failed, and the cut too.
        let (inbox, _, _) = mail(&shared);
        writer.round(inbox).unwrap();
        writer.cuts.push((writer.active.as_ref().unwrap().segment.number, good));
        writer.end_segment();
        let (inbox, _, third) = mail(&shared);
        writer.round(inbox).unwrap();
        writer.finish().unwrap();
        drop((lock, writer, shared));
        let (_lock, shared, _) = recover(config(dir.path())).unwrap();
        let left: Vec<QueueId> = shared.index().entries.keys().copied().collect();
        assert_eq!(left, [first, third]);
    }
}
