//! The operator's view of the queue, and what the operator may do.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::entry::{Entry, OriginKey};
use crate::job::load;
use crate::segment::Position;
use crate::state::State;
use crate::{Body, Envelope, Origin, QueueId, Spool, Target, UnixMicros, Via};

/// Entries looked at before the lock is let go for a moment.
const PAGE: usize = 4096;
const SECOND: u64 = 1_000_000;
const AGES: [(&str, u64); 6] = [
    ("1 minute", 60 * SECOND),
    ("10 minutes", 600 * SECOND),
    ("1 hour", 3600 * SECOND),
    ("4 hours", 4 * 3600 * SECOND),
    ("1 day", 24 * 3600 * SECOND),
    ("5 days", 5 * 24 * 3600 * SECOND),
];

/// Which messages are listed; all conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those behind this id (for the next page).
    pub after: Option<QueueId>,
    /// At most so many; 0 lists none.
    pub limit: usize,
    /// Only held ones, or only those that are not.
    pub held: Option<bool>,
    /// Only those brought by this login, or by this grant where there is no login.
    pub account: Option<String>,
}

/// A message as listed.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its id.
    pub id: QueueId,
    /// Empty is the null reverse-path.
    pub reverse_path: String,
    /// Who brought it.
    pub origin: Origin,
    /// When.
    pub arrived_at_unix_micros: UnixMicros,
    /// Size of the message.
    pub message_octets: u64,
    /// The id of its session in the log.
    pub session: String,
    /// It, or a recipient of it, is kept until it is released.
    pub held: bool,
    /// Why all of it is kept, in a stable word: what [`Spool::hold`] or a rule did, and what has no end by itself.
    pub hold: Option<String>,
    /// An attempt is being made now.
    pub active: bool,
    /// All of them, in the order of the envelope.
    pub recipients: Vec<ListedRecipient>,
}

/// A recipient as listed.
#[derive(Debug, Clone, Serialize)]
pub struct ListedRecipient {
    /// The forward-path.
    pub forward_path: String,
    /// Where it goes.
    pub target: Target,
    /// The alias by which it came here.
    pub via: Option<Box<Via>>,
    /// Where it stands.
    pub state: RecipientState,
    /// Attempts made.
    pub attempts: u16,
    /// When it is tried (again), while it waits.
    pub due_at_unix_micros: UnixMicros,
    /// Why it waits or failed.
    pub reason: Option<String>,
}

/// Where a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecipientState {
    /// To be tried.
    Waiting,
    /// Done.
    Delivered,
    /// Refused for good.
    Failed,
    /// Given up.
    Expired,
    /// Undeliverable and nobody may be told: kept for the operator, within bounds.
    Held,
}

/// The queue in numbers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// Messages in the queue.
    pub messages: u64,
    /// Recipients that wait.
    pub recipients: u64,
    /// Messages held, or with a recipient that is.
    pub held: u64,
    /// Messages in an attempt now.
    pub active: u64,
    /// Messages deferred at least once.
    pub deferred: u64,
    /// Octets of all messages.
    pub message_octets: u64,
    /// Octets of the segments, and of the large messages' own files, on disk.
    pub disk_octets: u64,
    /// When the oldest arrived.
    pub oldest_arrived_at_unix_micros: Option<UnixMicros>,
    /// When the oldest arrived of those that wait for delivery, and are not held.
    pub oldest_waiting_arrived_at_unix_micros: Option<UnixMicros>,
    /// Messages by age, each bucket without those of the one before; the last one is all that is older.
    pub ages: Vec<AgeBucket>,
    /// Messages by who brought them, most first: `outside`, `bounce`, or login (grant where there is none).
    pub origins: Vec<(String, u64)>,
    /// Recipients that wait by the login that brought them, most first, 20 at most.
    pub login_recipients: Vec<(String, u64)>,
    /// Why recipients wait, in the words of the attempt, with how many; most first, 20 at most.
    pub reasons: Vec<(String, u64)>,
}

/// Entries of the lists by login and by reason.
const TOP: usize = 20;
/// Different reasons that are counted in one look; what is beyond is in no list.
const REASONS_MAX: usize = 10_000;

/// Messages of an age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgeBucket {
    /// At most so old, in words; `None` is older than all others.
    pub up_to: Option<&'static str>,
    /// How many.
    pub messages: u64,
}

impl Spool {
    /// Messages in the queue.
    pub fn len(&self) -> usize {
        self.shared.index().entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Messages in the order of their ids. One whose record cannot be read is listed without its envelope's texts.
    pub async fn list(&self, filter: &Filter) -> Vec<Listed> {
        let mut listed = Vec::new();
        let mut after = filter.after;
        while listed.len() < filter.limit {
            let wanted = filter.limit - listed.len();
            let (rows, last) = self.rows(filter, after, wanted);
            for row in rows {
                listed.push(self.complete(row).await);
            }
            after = last;
            if last.is_none() {
                break;
            }
        }
        listed
    }

    /// One message.
    pub async fn show(&self, id: QueueId) -> Option<Listed> {
        let row = self.shared.index().entries.get(&id).map(|entry| Row::of(id, entry))?;
        Some(self.complete(row).await)
    }

    /// A message's envelope and octets, without leasing it.
    pub async fn read(&self, id: QueueId) -> Option<(Envelope, Body)> {
        let position = self.shared.index().entries.get(&id)?.position.clone();
        load(&self.shared, id, position).await.ok()
    }

    /// Some rows that fit, and the last id looked at unless that was the end.
    fn rows(&self, filter: &Filter, after: Option<QueueId>, wanted: usize) -> (Vec<Row>, Option<QueueId>) {
        let index = self.shared.index();
        let from = after.map_or(QueueId(0), |after| QueueId(after.0.saturating_add(1)));
        let mut rows = Vec::new();
        let mut last = None;
        for (id, entry) in index.entries.range(from..).take(PAGE) {
            last = Some(*id);
            if filter.fits(entry) {
                rows.push(Row::of(*id, entry));
                if rows.len() == wanted.min(PAGE) {
                    break;
                }
            }
        }
        (rows, last)
    }

    async fn complete(&self, row: Row) -> Listed {
        let envelope = match row.envelope {
            Some(envelope) => Some(envelope),
            None => load(&self.shared, row.listed.id, row.position).await.ok().map(|(envelope, _)| Arc::new(envelope)),
        };
        let mut listed = row.listed;
        if let Some(envelope) = envelope {
            listed.reverse_path.clone_from(&envelope.reverse_path);
            listed.session.clone_from(&envelope.session);
            listed.origin = envelope.origin.clone();
            for (listed, recipient) in listed.recipients.iter_mut().zip(&envelope.recipients) {
                listed.forward_path.clone_from(&recipient.forward_path);
                listed.target = recipient.target.clone();
                listed.via.clone_from(&recipient.via);
            }
        }
        listed
    }

    /// The queue in numbers, with ages as of `now`. Looks at every message, a page at a time.
    pub fn stats(&self, now: UnixMicros) -> Stats {
        let mut stats = Stats::default();
        let mut ages = [0u64; AGES.len() + 1];
        let mut tops = Tops::default();
        let mut from = QueueId(0);
        loop {
            let index = self.shared.index();
            let mut looked_at = 0;
            for (id, entry) in index.entries.range(from..).take(PAGE) {
                stats.count(entry);
                tops.count(entry);
                let age = now.saturating_sub(entry.arrived);
                ages[AGES.iter().position(|(_, up_to)| age <= *up_to).unwrap_or(AGES.len())] += 1;
                from = QueueId(id.0.saturating_add(1));
                looked_at += 1;
            }
            if looked_at < PAGE {
                stats.disk_octets = index.segments_octets().saturating_add(self.shared.space.large_octets());
                stats.origins = index.origins.iter().map(|(origin, count)| (origin_name(origin), *count)).collect();
                break;
            }
        }
        stats.origins.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        (stats.login_recipients, stats.reasons) = (top(tops.logins), top(tops.reasons));
        let names = AGES.iter().map(|(name, _)| Some(*name)).chain([None]);
        stats.ages = names.zip(ages).map(|(up_to, messages)| AgeBucket { up_to, messages }).collect();
        stats
    }
}

impl Stats {
    fn count(&mut self, entry: &Entry) {
        let waiting = entry.recipients.all().iter().filter(|recipient| recipient.is_waiting());
        self.messages += 1;
        self.recipients += waiting.clone().count() as u64;
        self.held += u64::from(entry.is_held());
        self.active += u64::from(entry.lease.is_some());
        self.deferred += u64::from(waiting.clone().any(|recipient| recipient.attempts > 0));
        self.message_octets += entry.message_octets;
        let earlier = |oldest: &mut Option<UnixMicros>| *oldest = Some(oldest.unwrap_or(u64::MAX).min(entry.arrived));
        earlier(&mut self.oldest_arrived_at_unix_micros);
        if entry.hold.is_none() && waiting.clone().next().is_some() {
            earlier(&mut self.oldest_waiting_arrived_at_unix_micros);
        }
    }
}

/// Recipients that wait, by who brought them and by why.
#[derive(Default)]
struct Tops {
    logins: HashMap<Arc<str>, u64>,
    reasons: HashMap<Arc<str>, u64>,
}

impl Tops {
    fn count(&mut self, entry: &Entry) {
        let waiting = entry.recipients.all().iter().filter(|recipient| recipient.is_waiting());
        if let OriginKey::Account(login) = &entry.origin {
            *self.logins.entry(Arc::clone(login)).or_default() += waiting.clone().count() as u64;
        }
        for reason in waiting.filter_map(|recipient| recipient.reason.as_ref()) {
            if let Some(count) = self.reasons.get_mut(reason) {
                *count += 1;
            } else if self.reasons.len() < REASONS_MAX {
                self.reasons.insert(Arc::clone(reason), 1);
            }
        }
    }
}

/// The greatest, most first.
fn top(counts: HashMap<Arc<str>, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<(Arc<str>, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    counts.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts.truncate(TOP);
    counts.into_iter().map(|(name, count)| (name.to_string(), count)).collect()
}

impl Filter {
    fn fits(&self, entry: &Entry) -> bool {
        let account = |wanted: &String| matches!(&entry.origin, OriginKey::Account(name) | OriginKey::Grant(name) if **name == **wanted);
        self.held.is_none_or(|held| held == entry.is_held()) && self.account.as_ref().is_none_or(account)
    }
}

fn origin_name(origin: &OriginKey) -> String {
    match origin {
        OriginKey::Outside => "outside".to_owned(),
        OriginKey::Bounce => "bounce".to_owned(),
        OriginKey::Account(name) | OriginKey::Grant(name) => name.to_string(),
    }
}

/// What the index knows of a listed message.
struct Row {
    listed: Listed,
    envelope: Option<Arc<Envelope>>,
    position: Position,
}

impl Row {
    fn of(id: QueueId, entry: &Entry) -> Self {
        let recipients = entry.recipients.all().iter().map(|now| ListedRecipient {
            forward_path: String::new(),
            target: Target::Remote { host: String::new() },
            via: None,
            state: match now.state {
                State::Waiting => RecipientState::Waiting,
                State::Delivered => RecipientState::Delivered,
                State::Failed => RecipientState::Failed,
                State::Expired => RecipientState::Expired,
                State::Held => RecipientState::Held,
            },
            attempts: now.attempts,
            due_at_unix_micros: now.due,
            reason: now.reason.as_deref().map(str::to_owned),
        });
        let listed = Listed {
            id,
            reverse_path: String::new(),
            origin: Origin::Outside,
            arrived_at_unix_micros: entry.arrived,
            message_octets: entry.message_octets,
            session: String::new(),
            held: entry.is_held(),
            hold: entry.hold.as_deref().map(str::to_owned),
            active: entry.lease.is_some(),
            recipients: recipients.collect(),
        };
        let envelope = entry.fresh.as_ref().map(|fresh| Arc::clone(&fresh.envelope));
        Self { listed, envelope, position: entry.position.clone() }
    }
}
