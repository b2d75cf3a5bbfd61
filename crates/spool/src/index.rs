//! What is queued, in memory: messages by id, their order, the segments that hold them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::body::Body;
use crate::entry::{Entry, Fresh, LeaseNow, OriginKey};
use crate::held::{Book, HeldMail, HeldRecipient};
use crate::schedule::{Backoff, Schedule, micros};
use crate::segment::{Position, Segment};
use crate::waiting::{Lines, Wait};
use crate::{Envelope, QueueId, UnixMicros};

/// Most different reasons shared between messages; more are kept one by one.
const SHARED_REASONS_MAX: usize = 1024;
const RETURN_WAIT_MICROS_MAX: u64 = 300_000_000;

/// A message given out, with what is known of it without reading.
pub(crate) struct Taken {
    pub(crate) id: QueueId,
    pub(crate) token: u64,
    pub(crate) due: Vec<usize>,
    pub(crate) attempt: u16,
    pub(crate) last_attempt: bool,
    pub(crate) age: Duration,
    pub(crate) source: Source,
}

/// Where envelope and body come from.
pub(crate) enum Source {
    Memory(Arc<Envelope>, Body),
    Disk(Position),
}

/// Answer to [`Index::take`].
pub(crate) enum Take {
    Taken(Box<Taken>),
    /// Nothing is due before this time, or at all.
    Nothing(Option<UnixMicros>),
}

pub(crate) struct Index {
    pub(crate) entries: BTreeMap<QueueId, Box<Entry>>,
    pub(crate) schedule: Schedule,
    /// Oldest first.
    pub(crate) segments: VecDeque<Arc<Segment>>,
    pub(crate) origins: HashMap<OriginKey, u64>,
    /// What is held by itself.
    pub(crate) held: Book,
    /// Strangers' mail that waits.
    pub(crate) waiting: Lines,
    /// When that was looked at last.
    pub(crate) tended_at: Option<i64>,
    /// Messages whose due times were changed by a clock that was set: their states are to be written.
    pub(crate) clamped: Vec<QueueId>,
    began: Instant,
    backoff: Backoff,
    reasons: HashSet<Arc<str>>,
    leases: u64,
    fresh_octets: usize,
    fresh_octets_max: usize,
}

impl Index {
    pub(crate) fn new(backoff: Backoff, fresh_octets_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            schedule: Schedule::default(),
            segments: VecDeque::new(),
            origins: HashMap::new(),
            held: Book::default(),
            waiting: Lines::default(),
            tended_at: None,
            clamped: Vec::new(),
            began: Instant::now(),
            backoff,
            reasons: HashSet::new(),
            leases: 0,
            fresh_octets: 0,
            fresh_octets_max,
        }
    }

    /// Microseconds since this process has the queue: a clock that is never set, and negative before. Ages are taken by it.
    pub(crate) fn moment(&self) -> i64 {
        i64::try_from(micros(self.began.elapsed())).unwrap_or(i64::MAX)
    }

    /// The moment that was so many microseconds ago.
    pub(crate) fn moment_before(&self, age: u64) -> i64 {
        self.moment().saturating_sub(i64::try_from(age).unwrap_or(i64::MAX))
    }

    /// Octets on disk of all segments.
    pub(crate) fn segments_octets(&self) -> u64 {
        self.segments.iter().map(|segment| segment.used_octets()).sum()
    }

    /// Adds a message, or replaces it where its record came again (it was copied forward).
    pub(crate) fn insert(&mut self, id: QueueId, mut entry: Entry) {
        self.remove(id);
        entry.position.segment.add(id, entry.position.octets);
        if let Some(fresh) = entry.fresh.take() {
            self.keep_fresh(&mut entry, fresh);
        }
        let counted = self.origins.get_key_value(&entry.origin).map(|(origin, _)| origin.clone());
        entry.origin = counted.unwrap_or(entry.origin);
        *self.origins.entry(entry.origin.clone()).or_default() += 1;
        self.schedule(id, &mut entry, 0);
        self.entries.insert(id, Box::new(entry));
    }

    /// The soonest to be delivered are the oldest, so it is the newest that do without when memory is short.
    fn keep_fresh(&mut self, entry: &mut Entry, fresh: Box<Fresh>) {
        let octets = fresh.octets();
        if self.fresh_octets + octets <= self.fresh_octets_max {
            self.fresh_octets += octets;
            entry.fresh = Some(fresh);
        }
    }

    fn drop_fresh(&mut self, entry: &mut Entry) {
        if let Some(fresh) = entry.fresh.take() {
            self.fresh_octets -= fresh.octets();
        }
    }

    fn schedule(&mut self, id: QueueId, entry: &mut Entry, not_before: UnixMicros) {
        self.unschedule(id, entry);
        if entry.hold.is_some() || entry.lease.is_some() {
            return;
        }
        if let Some(due) = entry.earliest_due() {
            let due = due.max(not_before);
            self.schedule.add(due, id);
            entry.scheduled = Some(due);
        }
    }

    fn unschedule(&mut self, id: QueueId, entry: &mut Entry) {
        if let Some(due) = entry.scheduled.take() {
            self.schedule.remove(due, id);
        }
    }

    /// Takes a message out for good; whether it was there.
    pub(crate) fn remove(&mut self, id: QueueId) -> Option<Box<Entry>> {
        let mut entry = self.entries.remove(&id)?;
        self.unschedule(id, &mut entry);
        self.drop_fresh(&mut entry);
        self.held.forget(id);
        self.waiting.forget(id);
        entry.position.segment.subtract(entry.position.octets);
        if let Some(count) = self.origins.get_mut(&entry.origin) {
            *count -= 1;
            if *count == 0 {
                self.origins.remove(&entry.origin);
            }
        }
        Some(entry)
    }

    /// Changes a message and then its place in the order. `change` may end the lease.
    pub(crate) fn update<T>(&mut self, id: QueueId, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut entry = self.entries.remove(&id)?;
        let result = change(&mut entry);
        self.schedule(id, &mut entry, 0);
        self.entries.insert(id, entry);
        Some(result)
    }

    /// Counts recipients that are held by themselves, since `age` microseconds.
    pub(crate) fn shelve(&mut self, id: QueueId, held: Vec<HeldRecipient>, age: u64) {
        let since = self.moment_before(age);
        if let Some(entry) = self.entries.get(&id) {
            let octets = entry.disk_octets();
            let kept = entry.hold.is_some();
            self.held.add(id, HeldMail { octets, since }, held);
            self.held.set_kept(id, kept);
        }
    }

    /// Counts what of a stranger's message waits, once it was tried.
    pub(crate) fn line_up(&mut self, id: QueueId, envelope: &Envelope) {
        let Some(entry) = self.entries.get(&id) else { return };
        let octets = entry.disk_octets();
        let recipients = entry.recipients.all().iter().enumerate();
        let waiting: Vec<usize> =
            recipients.filter(|(_, it)| it.is_waiting() && it.reason.is_some()).map(|(n, _)| n).collect();
        self.waiting.set(id, envelope, &Wait { octets, recipients: &waiting });
    }

    /// What is counted of a message's recipients goes by what it has become.
    pub(crate) fn follow(&mut self, id: QueueId) {
        match self.entries.get(&id) {
            Some(entry) if entry.held_recipients().next().is_some() => {
                let kept = entry.hold.is_some();
                self.held.set_kept(id, kept);
            }
            _ => self.held.forget(id),
        }
    }

    /// Lets a message's envelope and body go from memory: it will wait.
    pub(crate) fn forget_fresh(&mut self, id: QueueId) {
        if let Some(fresh) = self.entries.get_mut(&id).and_then(|entry| entry.fresh.take()) {
            self.fresh_octets -= fresh.octets();
        }
    }

    /// Leases the earliest message that is due.
    pub(crate) fn take(&mut self, now: UnixMicros) -> Take {
        self.clamp(now);
        let moment = self.moment();
        let Some(id) = self.schedule.take_due(now) else {
            return Take::Nothing(self.schedule.earliest());
        };
        self.leases += 1;
        let token = self.leases;
        let Some(entry) = self.entries.get_mut(&id) else {
            return Take::Nothing(Some(now));
        };
        entry.scheduled = None;
        let age = u64::try_from(moment.saturating_sub(entry.born)).unwrap_or(0);
        let last_attempt = self.backoff.is_last(age);
        entry.lease = Some(Box::new(LeaseNow { token, at: now, since: Instant::now(), last: last_attempt }));
        let due = entry.due(now);
        let attempts = due.iter().map(|n| entry.recipients.all()[*n].attempts).max().unwrap_or(0);
        let source = match entry.fresh.as_deref() {
            Some(Fresh { envelope, body }) => Source::Memory(Arc::clone(envelope), Body::in_memory(body.clone())),
            None => Source::Disk(entry.position.clone()),
        };
        let attempt = attempts.saturating_add(1);
        Take::Taken(Box::new(Taken { id, token, due, attempt, last_attempt, age: Duration::from_micros(age), source }))
    }

    /// Nothing lies further ahead than a wait may be: a clock that was ahead when the time was written, and is right now,
    /// keeps no mail for as long as it was wrong. What was not tried yet is due now, the other after its wait.
    fn clamp(&mut self, now: UnixMicros) {
        let latest = now.saturating_add(self.backoff.longest());
        let returned = now.saturating_add(RETURN_WAIT_MICROS_MAX);
        while let Some((due, id)) = self.schedule.latest().filter(|(due, _)| *due > latest) {
            let Some(mut entry) = self.entries.remove(&id) else {
                self.schedule.remove(due, id);
                continue;
            };
            let mut changed = false;
            for recipient in entry.recipients.all_mut().iter_mut().filter(|it| it.is_waiting() && it.due > latest) {
                let wait =
                    if recipient.attempts == 0 { 0 } else { micros(self.backoff.wait(recipient.attempts, None)) };
                recipient.due = now.saturating_add(wait.min(self.backoff.longest()));
                changed = true;
            }
            if changed && !std::mem::replace(&mut entry.dirty, true) {
                self.clamped.push(id);
            }
            // Otherwise whoever took it gave it back, which may take longer than a short back-off.
            let not_before = if changed || due > returned { 0 } else { due };
            self.schedule(id, &mut entry, not_before);
            self.entries.insert(id, entry);
            if not_before != 0 {
                break;
            }
        }
    }

    /// Whether anything is due at `now`.
    pub(crate) fn is_due(&self, now: UnixMicros) -> bool {
        self.schedule.earliest().is_some_and(|due| due <= now)
    }

    /// A holder gave a message back without settling it all. The second time in a row it waits a little, so that a
    /// failing holder does not spin.
    pub(crate) fn give_back(&mut self, id: QueueId, token: u64) -> bool {
        let Some(mut entry) = self.entries.remove(&id) else { return false };
        let lease = entry.lease.take_if(|lease| lease.token == token);
        if let Some(lease) = &lease {
            let wait = match entry.returned {
                0 => 0,
                returned => (1_000_000u64 << u32::from(returned.min(10) - 1)).min(RETURN_WAIT_MICROS_MAX),
            };
            entry.returned = entry.returned.saturating_add(1);
            self.schedule(id, &mut entry, if wait == 0 { 0 } else { lease.now().saturating_add(wait) });
        }
        self.entries.insert(id, entry);
        lease.is_some()
    }

    /// The same text for equal reasons, so that a million messages waiting for one host keep it once.
    pub(crate) fn reason(&mut self, text: &str) -> Arc<str> {
        let text = &text[..text.floor_char_boundary(400)];
        if let Some(reason) = self.reasons.get(text) {
            return Arc::clone(reason);
        }
        let reason: Arc<str> = text.into();
        if self.reasons.len() >= SHARED_REASONS_MAX {
            self.reasons.retain(|reason| Arc::strong_count(reason) > 1);
        }
        if self.reasons.len() < SHARED_REASONS_MAX {
            self.reasons.insert(Arc::clone(&reason));
        }
        reason
    }

    /// Takes the oldest segments off that nothing needs. The newest stays: it tells the highest id.
    pub(crate) fn has_dead_segments(&self) -> bool {
        self.segments.len() > 1 && self.segments.front().is_some_and(|segment| segment.live() == 0)
    }

    pub(crate) fn take_dead_segments(&mut self) -> Vec<Arc<Segment>> {
        let mut dead = Vec::new();
        while self.has_dead_segments() {
            dead.extend(self.segments.pop_front());
        }
        dead
    }

    /// The oldest segment, if so much of the disk is dead weight behind it that copying its rest forward pays.
    pub(crate) fn segment_to_clear(&self, slack_octets: u64) -> Option<Arc<Segment>> {
        let used = self.segments_octets();
        let live: u64 = self.segments.iter().map(|segment| segment.live_octets()).sum();
        let oldest = self.segments.front().filter(|_| self.segments.len() > 1)?;
        (used - live.min(used) > live.max(slack_octets)).then(|| Arc::clone(oldest))
    }
}
