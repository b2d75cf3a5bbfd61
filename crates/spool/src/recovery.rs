//! What a start finds on disk: reads every segment in order and rebuilds the index from it. Never panics, never
//! removes what it cannot read.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::codec::Reader;
use crate::durable;
use crate::entry::{Entry, OriginKey};
use crate::error::{OpenError, SpoolError};
use crate::held::HeldRecipient;
use crate::id::unix_micros_now;
use crate::index::Index;
use crate::job::{UNREADABLE, load_blocking};
use crate::record::{BodyIn, Header, HeaderError, Kind, Record, StatusLine, VERSION, read_meta, read_status, word};
use crate::relayed::{Place, Relayed};
use crate::scan::{Gap, scan};
use crate::schedule::micros;
use crate::segment::{Position, Segment, number_of};
use crate::shared::Shared;
use crate::state::Recipients;
use crate::{QueueId, SpoolConfig};

/// Largest segment that the record form can address well.
const SEGMENT_OCTETS_MAX: u64 = 1 << 30;
const INLINE_OCTETS_MAX: usize = 1 << 20;
const DISK_BLOCK_OCTETS: usize = 4096;
/// What is held is not dropped for its age within this after a start.
const HELD_GRACE: Duration = Duration::from_hours(1);

/// What a start found.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Messages in the queue.
    pub messages: usize,
    /// Segments read.
    pub segments: usize,
    /// Octets at torn ends that nobody was told 250 for.
    pub torn_octets: u64,
    /// What was acknowledged once and cannot be read. Its segments will be kept in `damaged/`.
    pub damaged: Vec<Damage>,
    /// Messages whose own file is missing or has another length; they are held.
    pub missing_bodies: Vec<QueueId>,
    /// Files of large mails that no record names: removed, or moved to `damaged/` where anything is damaged.
    pub orphans: usize,
    /// Messages that were relayed, and whose line was added to the chain by this start.
    pub relayed: usize,
    /// How long it took.
    pub elapsed: Duration,
}

/// A stretch of a segment that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub path: PathBuf,
    /// From the file's beginning.
    pub offset: u64,
    /// Its length.
    pub octets: u64,
    /// The message, where that much is readable.
    pub id: Option<QueueId>,
}

struct Recovering {
    index: Index,
    report: Recovery,
    highest_id: u64,
    relayed: Relayed,
    /// Of the last record whose line is in the chain.
    chained: Option<Place>,
    /// The segment read last, what it tells of itself, and its unreadable end.
    last: Option<(Arc<Segment>, u64, Vec<Gap>)>,
}

/// Locks, reads, tidies.
pub(crate) fn recover(config: SpoolConfig) -> Result<(File, Shared, Recovery), OpenError> {
    let began = Instant::now();
    check(&config)?;
    for dir in [config.dir.clone(), config.dir.join("segments"), config.dir.join("large"), config.dir.join("damaged")] {
        make_dir(&dir)?;
    }
    let lock = lock(&config.dir)?;
    let index = Index::new(config.backoff.clone(), config.fresh_octets_max);
    let (relayed, chained) = Relayed::open(config.relayed.as_ref())?;
    let highest_id = chained.map_or(0, |place| place.segment);
    let mut recovering = Recovering { index, report: Recovery::default(), highest_id, relayed, chained, last: None };
    let segments_dir = config.dir.join("segments");
    let paths = segment_paths(&segments_dir)?;
    refuse_newer(&paths)?;
    for (number, path) in paths {
        recovering.read_segment(number, &path)?;
    }
    recovering.end_segment(None);
    let Recovering { index, mut report, highest_id, mut relayed, .. } = recovering;
    match relayed.catch_up() {
        Ok(lines) => report.relayed = lines,
        Err(error) => {
            tracing::error!(%error, note = "what is relayed is deferred until it works", "record behind");
        }
    }
    report.messages = index.entries.len();
    let shared = Shared::new(config, index, highest_id, relayed);
    shared.check_bodies(&mut report)?;
    shared.judge_ages();
    shared.shelve_held();
    report.elapsed = began.elapsed();
    Ok((lock, shared, report))
}

/// Whether a queue that is there could be opened: no other process has it, and no later version wrote it. Nothing is made.
pub(crate) fn look(dir: &Path) -> Result<(), OpenError> {
    let path = dir.join("lock");
    let locked = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => return Err(SpoolError::at(&path, "open")(error).into()),
        Ok(file) => file.try_lock(),
    };
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::Locked { dir: dir.to_path_buf() }),
        Err(TryLockError::Error(error)) => return Err(SpoolError::at(&path, "lock")(error).into()),
    }
    let segments = dir.join("segments");
    if !segments.is_dir() {
        return Ok(());
    }
    let named = files_in(&segments)?.into_iter().filter_map(|path| Some((number_of(&path)?, path)));
    refuse_newer(&named.collect::<Vec<_>>())
}

/// The lock alone.
pub(crate) fn keep_out(dir: &Path) -> Result<File, OpenError> {
    make_dir(dir)?;
    lock(dir)
}

fn check(config: &SpoolConfig) -> Result<(), OpenError> {
    if config.inline_octets > INLINE_OCTETS_MAX {
        return Err(OpenError::Settings("inline_octets is above 1 MiB"));
    }
    if config.segment_octets > SEGMENT_OCTETS_MAX || config.segment_octets < 4 * config.inline_octets as u64 {
        return Err(OpenError::Settings("segment_octets is below four times inline_octets or above 1 GiB"));
    }
    if config.backoff.steps.is_empty() {
        return Err(OpenError::Settings("the back-off has no step"));
    }
    Ok(())
}

fn make_dir(dir: &Path) -> Result<(), SpoolError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(SpoolError::at(dir, "create"))
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = File::create(&path).map_err(SpoolError::at(&path, "create"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(SpoolError::at(&path, "lock")(error).into()),
    }
}

/// The segments, oldest first. Spares are removed on the way.
fn segment_paths(dir: &Path) -> Result<Vec<(u64, PathBuf)>, SpoolError> {
    let mut paths = Vec::new();
    for path in files_in(dir)? {
        match number_of(&path) {
            Some(number) => paths.push((number, path)),
            None if path.extension().is_some_and(|extension| extension == "spare") => durable::remove(&path)?,
            None => {
                tracing::warn!(path = %path.display(), note = "it is no file of the spool, and left alone", "file foreign");
            }
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn files_in(dir: &Path) -> Result<Vec<PathBuf>, SpoolError> {
    let entries = fs::read_dir(dir).map_err(SpoolError::at(dir, "list"))?;
    entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(SpoolError::at(dir, "list"))
}

/// A whole file; blocks that the disk does not give back are zeros, so that the rest is still found.
fn read_all(mut file: &File) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    if file.read_to_end(&mut octets).is_ok() {
        return Ok(octets);
    }
    octets.clear();
    octets.resize(usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?, 0);
    for (n, block) in octets.chunks_mut(DISK_BLOCK_OCTETS).enumerate() {
        if file.read_exact_at(block, (n * DISK_BLOCK_OCTETS) as u64).is_err() {
            block.fill(0);
        }
    }
    Ok(octets)
}

/// Before anything is changed: a downgrade must leave all as it is.
fn refuse_newer(paths: &[(u64, PathBuf)]) -> Result<(), OpenError> {
    for (_, path) in paths {
        let mut first = Vec::new();
        let file = File::open(path).map_err(SpoolError::at(path, "open"))?;
        file.take(64).read_to_end(&mut first).map_err(SpoolError::at(path, "read"))?;
        if let Err(HeaderError::Newer(version)) = Header::decode(&first) {
            return Err(OpenError::NewerVersion { path: path.clone(), version, newest_known: VERSION });
        }
    }
    Ok(())
}

impl Recovering {
    fn read_segment(&mut self, number: u64, path: &Path) -> Result<(), SpoolError> {
        let file = File::open(path).map_err(SpoolError::at(path, "open"))?;
        let octets = read_all(&file).map_err(SpoolError::at(path, "read"))?;
        self.highest_id = self.highest_id.max(number);
        self.report.segments += 1;
        let header = Header::decode(&octets).ok();
        if header.is_some_and(|header| header.number != number) {
            // It was to become another segment when the process ended; all that was in it is settled.
            return durable::remove(path);
        }
        let segment = Arc::new(Segment::new(number, path.to_path_buf(), file));
        self.end_segment(header);
        let mut records = 0usize;
        let outline = scan(&octets, number, |offset, record| {
            records += 1;
            self.take(&segment, offset, record);
        });
        self.highest_id = self.highest_id.max(outline.highest_id);
        if header.is_none() && records == 0 && outline.tail.iter().all(|gap| gap.id.is_none()) {
            return self.no_header(path, &octets);
        }
        segment.grow_to(octets.len() as u64);
        for gap in &outline.gaps {
            self.gap(&segment, *gap, outline.synced_octets);
        }
        if header.is_none() {
            self.damage(&segment, Gap { offset: 0, octets: crate::record::HEADER_OCTETS, id: None });
        }
        self.index.segments.push_back(Arc::clone(&segment));
        self.last = Some((segment, outline.synced_octets, outline.tail));
        Ok(())
    }

    /// A file that was being made, or one that cannot be read at all.
    fn no_header(&mut self, path: &Path, octets: &[u8]) -> Result<(), SpoolError> {
        if octets.iter().all(|octet| *octet == 0) {
            return durable::remove(path);
        }
        self.report.damaged.push(Damage { path: path.to_path_buf(), offset: 0, octets: octets.len() as u64, id: None });
        let aside = path.parent().and_then(Path::parent).map(|dir| dir.join("damaged"));
        aside.map_or(Ok(()), |aside| durable::set_aside(path, &aside))
    }

    /// Judges the end of the segment read last: the next one's header tells how much of it was durable.
    fn end_segment(&mut self, next: Option<Header>) {
        let Some((segment, synced, tail)) = self.last.take() else { return };
        let told = next.map_or(0, |next| if next.previous.0 == segment.number { next.previous.1 } else { 0 });
        for gap in tail {
            self.gap(&segment, gap, synced.max(told));
        }
    }

    fn gap(&mut self, segment: &Segment, gap: Gap, synced_octets: u64) {
        if (gap.offset as u64) < synced_octets {
            self.damage(segment, gap);
        } else if gap.id.is_some() {
            self.report.torn_octets += gap.octets as u64;
        }
    }

    fn damage(&mut self, segment: &Segment, gap: Gap) {
        segment.mark_damaged();
        let (offset, octets) = (gap.offset as u64, gap.octets as u64);
        self.report.damaged.push(Damage { path: segment.path.clone(), offset, octets, id: gap.id });
    }

    fn take(&mut self, segment: &Arc<Segment>, offset: usize, record: Record<'_>) {
        let read = match record.head.kind {
            Kind::Message => self.take_message(segment, offset, record),
            Kind::Status => self.take_status(record.meta),
            Kind::Done => {
                for id in record.meta.chunks_exact(8) {
                    self.index.remove(QueueId(word(id, 0)));
                }
                Some(())
            }
            Kind::Cut => self.take_cut(record.meta),
            Kind::Seal => Some(()),
        };
        if read.is_none() {
            let id = (record.head.id != 0).then_some(QueueId(record.head.id));
            self.damage(segment, Gap { offset, octets: record.head.record_octets(), id });
        }
    }

    fn take_message(&mut self, segment: &Arc<Segment>, offset: usize, record: Record<'_>) -> Option<()> {
        let meta = read_meta(record.meta).ok()?;
        let envelope = meta.envelope;
        let position = Position {
            segment: Arc::clone(segment),
            offset: u32::try_from(offset).ok()?,
            octets: u32::try_from(record.head.record_octets()).ok()?,
        };
        if meta.line.is_some() && self.relayed.is_kept() {
            let place = Place { segment: segment.number, offset: offset as u64 };
            if self.chained.is_none_or(|chained| chained < place) {
                self.relayed.misses(position.clone());
            }
        }
        let mut recipients = Recipients::arrived(envelope.recipients.len(), envelope.arrived_at_unix_micros);
        let mut hold = None;
        if let Some(state) = meta.state {
            hold = state.hold.map(|hold| self.index.reason(&hold));
            recipients.replace(state.recipients.into_owned());
        }
        let entry = Entry {
            position,
            body: meta.body,
            arrived: envelope.arrived_at_unix_micros,
            born: 0,
            message_octets: envelope.message_octets,
            origin: OriginKey::of(&envelope.origin),
            recipients,
            lease: None,
            fresh: None,
            scheduled: None,
            hold,
            dirty: false,
            returned: 0,
        };
        self.index.insert(QueueId(record.head.id), entry);
        Some(())
    }

    fn take_status(&mut self, meta: &[u8]) -> Option<()> {
        for StatusLine { id, state } in read_status(meta).ok()? {
            let mut recipients = state.recipients.into_owned();
            for recipient in &mut recipients {
                recipient.reason = recipient.reason.take().map(|reason| self.index.reason(&reason));
            }
            let hold = state.hold.map(|hold| self.index.reason(&hold));
            self.index.update(id, |entry| {
                entry.hold = hold;
                entry.recipients.replace(recipients);
            });
        }
        Some(())
    }

    fn take_cut(&mut self, meta: &[u8]) -> Option<()> {
        let mut reader = Reader::new(meta);
        let (segment, from) = (reader.number().ok()?, reader.number().ok()?);
        let in_cut = |position: &Position| position.segment.number == segment && u64::from(position.offset) >= from;
        let cut: Vec<QueueId> =
            self.index.entries.iter().filter(|(_, entry)| in_cut(&entry.position)).map(|(id, _)| *id).collect();
        for id in cut {
            self.index.remove(id);
        }
        self.relayed.cut(Place { segment, offset: from });
        Some(())
    }
}

impl Shared {
    /// Looks whether the large mails' files are there, and what else is.
    fn check_bodies(&self, report: &mut Recovery) -> Result<(), SpoolError> {
        let mut missing = Vec::new();
        for (id, entry) in &self.index().entries {
            if let BodyIn::File { octets, .. } = entry.body {
                self.space.large_came(octets);
                let found = fs::metadata(self.body_path(*id)).map(|meta| meta.len());
                if !matches!(found, Ok(found) if found == octets) {
                    missing.push(*id);
                }
            }
        }
        for id in &missing {
            let mut index = self.index();
            let hold = index.reason(UNREADABLE);
            let reason = index.reason("its file is missing or has another length");
            index.update(*id, |entry| {
                entry.hold = Some(hold);
                entry.recipients.all_mut().iter_mut().for_each(|one| one.reason = Some(Arc::clone(&reason)));
            });
        }
        report.missing_bodies = missing;
        self.tidy_orphans(report)
    }

    /// Takes ages up again, by a wall clock that may be wrong.
    fn judge_ages(&self) {
        let now = unix_micros_now();
        let mut index = self.index();
        let moment = index.moment();
        for entry in index.entries.values_mut() {
            let attempts = entry.recipients.all().iter().map(|recipient| recipient.attempts).max().unwrap_or(0);
            let age = self.config.backoff.credible(now.saturating_sub(entry.arrived), attempts);
            entry.born = moment.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        }
    }

    /// Counts what is held by itself. Its age begins anew but for what a right clock tells, and even then ends no sooner
    /// than an hour after the start: the clock may be wrong.
    fn shelve_held(&self) {
        let with_held = |(id, entry): (&QueueId, &Entry)| {
            let held: Vec<usize> = entry.held_recipients().collect();
            (!held.is_empty()).then(|| (*id, entry.position.clone(), held, entry.arrived))
        };
        let found: Vec<_> =
            self.index().entries.iter().map(|(id, entry)| (id, &**entry)).filter_map(with_held).collect();
        let now = unix_micros_now();
        let age_max = micros(self.config.held.age.saturating_sub(HELD_GRACE.min(self.config.held.age / 2)));
        for (id, position, held, arrived) in found {
            let envelope = load_blocking(self, id, &position).ok().map(|(envelope, _)| envelope);
            let held = held.into_iter().map(|n| HeldRecipient::of(n, envelope.as_ref())).collect();
            let age = now.saturating_sub(arrived).min(age_max);
            self.index().shelve(id, held, age);
        }
    }

    fn tidy_orphans(&self, report: &mut Recovery) -> Result<(), SpoolError> {
        for path in files_in(&self.config.dir.join("large"))? {
            let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<QueueId>().ok());
            let named = id.is_some_and(|id| self.index().entries.get(&id).is_some_and(|entry| entry.has_file()));
            if named {
                continue;
            }
            report.orphans += 1;
            if report.damaged.is_empty() {
                durable::remove(&path)?;
            } else {
                // Its record may be what cannot be read.
                durable::set_aside(&path, &self.damaged_dir())?;
            }
        }
        Ok(())
    }
}
