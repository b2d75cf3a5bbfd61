//! Recipients that cannot be delivered and of which nobody may be told: they are held for the operator, counted by
//! destination. What is here may be dropped, the oldest first; what a person or a rule holds is not here.
//!
//! Pure but for its log lines' texts: the caller gives the time and the room, and does what [`Book::excess`] says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::alarm::Told;
use crate::config::HeldLimits;
use crate::schedule::micros;
use crate::{Envelope, QueueId};

/// The share of everything that is held, of all destinations, in percent of the room.
const TOTAL_PERCENT: u64 = 50;
/// An alarm is raised when so much of a bound is used, in percent.
const ALARM_PERCENT: u64 = 80;

/// A recipient that is held by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldRecipient {
    /// Its index in the envelope.
    pub(crate) recipient: usize,
    pub(crate) destination: Arc<str>,
    pub(crate) forward_path: Box<str>,
}

impl HeldRecipient {
    /// `envelope`: none where its record cannot be read.
    pub(crate) fn of(recipient: usize, envelope: Option<&Envelope>) -> Self {
        let known = envelope.and_then(|envelope| envelope.recipients.get(recipient));
        Self {
            recipient,
            destination: known.map_or_else(|| "unknown".into(), |known| known.target.destination().into()),
            forward_path: known.map(|known| known.forward_path.as_str()).unwrap_or_default().into(),
        }
    }
}

/// How large a message is, and since when recipients of it are held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldMail {
    pub(crate) octets: u64,
    pub(crate) since: i64,
}

/// A message with such recipients.
#[derive(Debug)]
struct HeldMessage {
    recipients: Vec<HeldRecipient>,
    octets: u64,
    since: i64,
    /// Somebody holds the whole message: it does not count and is not dropped.
    kept: bool,
}

/// What is held for one destination.
#[derive(Debug, Default)]
struct Shelf {
    ids: BTreeSet<QueueId>,
    octets: u64,
    alarmed: Told,
}

/// All that may be dropped.
#[derive(Debug, Default)]
pub(crate) struct Book {
    messages: BTreeMap<QueueId, HeldMessage>,
    shelves: HashMap<Arc<str>, Shelf>,
    /// Messages on shelves; a message is on several if its recipients have several destinations.
    shelved: BTreeSet<QueueId>,
    octets: u64,
}

/// The bounds of the moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds<'a> {
    pub(crate) limits: &'a HeldLimits,
    /// What the spool has on its disk, used and free, in octets.
    pub(crate) room_octets: u64,
    /// By the clock of [`Index::moment`](crate::index::Index::moment).
    pub(crate) now: i64,
}

/// Why something is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Age,
    Count,
    Share,
    Room,
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "age",
            Self::Count => "count",
            Self::Share => "share",
            Self::Room => "room",
        })
    }
}

/// What is to be dropped next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Drop {
    pub(crate) id: QueueId,
    pub(crate) recipients: Vec<HeldRecipient>,
    pub(crate) excess: Excess,
}

/// A destination that is near a bound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) destination: Arc<str>,
    pub(crate) messages: usize,
    pub(crate) octets: u64,
}

impl Bounds<'_> {
    /// Of one destination.
    pub(crate) fn share_octets(&self) -> u64 {
        self.room_octets / 100 * u64::from(self.limits.percent)
    }

    fn total_octets(&self) -> u64 {
        self.room_octets / 100 * TOTAL_PERCENT
    }
}

impl Book {
    /// Takes recipients of a message in; those of it that are here stay.
    pub(crate) fn add(&mut self, id: QueueId, mail: HeldMail, recipients: Vec<HeldRecipient>) {
        if recipients.is_empty() {
            return;
        }
        let mut message = self.take(id).unwrap_or(HeldMessage {
            recipients: Vec::new(),
            octets: mail.octets,
            since: mail.since,
            kept: false,
        });
        for mut held in recipients {
            if let Some((known, _)) = self.shelves.get_key_value(&held.destination) {
                held.destination = Arc::clone(known);
            }
            if message.recipients.iter().all(|known| known.recipient != held.recipient) {
                message.recipients.push(held);
            }
        }
        self.put(id, message);
    }

    /// A message left the spool, or was released.
    pub(crate) fn forget(&mut self, id: QueueId) {
        drop(self.take(id));
    }

    /// Whether somebody holds the whole message from now on.
    pub(crate) fn set_kept(&mut self, id: QueueId, kept: bool) {
        if let Some(mut message) = self.take(id) {
            message.kept = kept;
            self.put(id, message);
        }
    }

    /// What goes next, if there is too much for this destination or in all; no destination: for any.
    pub(crate) fn excess(&self, destination: Option<&str>, bounds: &Bounds<'_>) -> Option<Drop> {
        let crowded = |(name, shelf): (&Arc<str>, &Shelf)| {
            let excess = if shelf.ids.len() > bounds.limits.messages_max {
                Excess::Count
            } else if shelf.octets > bounds.share_octets() {
                Excess::Share
            } else {
                return None;
            };
            self.drop_of(*shelf.ids.first()?, Some(name), excess)
        };
        let of_one = match destination {
            Some(one) => self.shelves.get_key_value(one).and_then(crowded),
            None => self.shelves.iter().find_map(crowded),
        };
        of_one.or_else(|| if self.octets > bounds.total_octets() { self.oldest(Excess::Share) } else { None })
    }

    /// All that has been held for too long.
    pub(crate) fn aged(&self, bounds: &Bounds<'_>) -> Vec<Drop> {
        let age = i64::try_from(micros(bounds.limits.age)).unwrap_or(i64::MAX);
        let old = |id: &&QueueId| {
            self.messages.get(id).is_some_and(|message| bounds.now.saturating_sub(message.since) >= age)
        };
        self.shelved.iter().filter(old).filter_map(|id| self.drop_of(*id, None, Excess::Age)).collect()
    }

    /// The oldest of all.
    pub(crate) fn oldest(&self, excess: Excess) -> Option<Drop> {
        self.drop_of(*self.shelved.first()?, None, excess)
    }

    /// The size of a message that is here, in octets.
    pub(crate) fn octets_of(&self, id: QueueId) -> u64 {
        self.messages.get(&id).map_or(0, |message| message.octets)
    }

    /// Takes out what was dropped.
    pub(crate) fn dropped(&mut self, dropped: &Drop) {
        if let Some(mut message) = self.take(dropped.id) {
            message.recipients.retain(|held| !dropped.recipients.contains(held));
            self.put(dropped.id, message);
        }
    }

    /// Destinations that have come near a bound, each told at most hourly.
    pub(crate) fn alarms(&mut self, bounds: &Bounds<'_>) -> Vec<Alarm> {
        let count = (bounds.limits.messages_max as u64).saturating_mul(ALARM_PERCENT) / 100;
        let share = bounds.share_octets() / 100 * ALARM_PERCENT;
        let mut alarms = Vec::new();
        for (destination, shelf) in &mut self.shelves {
            let quiet = shelf.alarmed.is_recent(bounds.now);
            if !quiet && !shelf.ids.is_empty() && (shelf.ids.len() as u64 > count || shelf.octets > share) {
                shelf.alarmed.tell(bounds.now);
                let destination = Arc::clone(destination);
                alarms.push(Alarm { destination, messages: shelf.ids.len(), octets: shelf.octets });
            }
        }
        alarms
    }

    /// Lets go of destinations that have nothing.
    pub(crate) fn tidy(&mut self, now: i64) {
        self.shelves.retain(|_, shelf| !shelf.ids.is_empty() || shelf.alarmed.is_recent(now));
    }

    fn drop_of(&self, id: QueueId, destination: Option<&Arc<str>>, excess: Excess) -> Option<Drop> {
        let held = &self.messages.get(&id)?.recipients;
        let there = |held: &&HeldRecipient| destination.is_none_or(|destination| held.destination == *destination);
        Some(Drop { id, recipients: held.iter().filter(there).cloned().collect(), excess })
    }

    /// Takes a message off its shelves and out.
    fn take(&mut self, id: QueueId) -> Option<HeldMessage> {
        let message = self.messages.remove(&id)?;
        if self.shelved.remove(&id) {
            self.octets = self.octets.saturating_sub(message.octets);
        }
        for held in &message.recipients {
            if let Some(shelf) = self.shelves.get_mut(&held.destination)
                && shelf.ids.remove(&id)
            {
                shelf.octets = shelf.octets.saturating_sub(message.octets);
            }
        }
        Some(message)
    }

    /// Puts it back, on shelves where it may be dropped.
    fn put(&mut self, id: QueueId, message: HeldMessage) {
        if message.recipients.is_empty() {
            return;
        }
        if !message.kept {
            self.octets += message.octets;
            self.shelved.insert(id);
            for one in &message.recipients {
                let of_destination = self.shelves.entry(Arc::clone(&one.destination)).or_default();
                if of_destination.ids.insert(id) {
                    of_destination.octets += message.octets;
                }
            }
        }
        self.messages.insert(id, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: i64 = 1_000_000;

    fn held(recipient: usize, destination: &str) -> HeldRecipient {
        HeldRecipient { recipient, destination: destination.into(), forward_path: format!("{recipient}@x").into() }
    }

    /// Messages 1, 2, … of 100 octets, each for the destinations given.
    fn book(messages: &[&[&str]]) -> Book {
        let mut book = Book::default();
        for (n, destinations) in messages.iter().enumerate() {
            let recipients = destinations.iter().enumerate().map(|(n, destination)| held(n, destination)).collect();
            book.add(
                QueueId(n as u64 + 1),
                HeldMail { octets: 100, since: i64::try_from(n).unwrap() * SECOND },
                recipients,
            );
        }
        book
    }

    fn limits(messages_max: usize, percent: u8) -> HeldLimits {
        HeldLimits { age: Duration::from_secs(10), messages_max, percent }
    }

    fn told(dropped: Option<Drop>) -> Option<(u64, Vec<usize>, Excess)> {
        dropped.map(|it| (it.id.0, it.recipients.iter().map(|held| held.recipient).collect(), it.excess))
    }

    #[test]
    fn the_oldest_of_a_crowded_destination_goes_and_only_there() {
        let limits = limits(2, 100);
        let bounds = Bounds { limits: &limits, room_octets: 1 << 20, now: 0 };
        let mut book = book(&[&["calm"], &["crowded", "calm"], &["crowded"], &["crowded"]]);
        assert_eq!(told(book.excess(Some("calm"), &bounds)), None);
        let dropped = book.excess(None, &bounds);
        assert_eq!(told(dropped), Some((2, vec![0], Excess::Count)));
        book.dropped(&book.excess(Some("crowded"), &bounds).unwrap());
        assert_eq!(told(book.excess(None, &bounds)), None);
        book.forget(QueueId(3));
        book.forget(QueueId(4));
        assert_eq!(told(book.oldest(Excess::Room)), Some((1, vec![0], Excess::Room)));
        book.forget(QueueId(1));
        assert_eq!(told(book.oldest(Excess::Room)), Some((2, vec![1], Excess::Room)), "its other recipient stayed");
        book.forget(QueueId(2));
        assert_eq!((told(book.oldest(Excess::Room)), book.octets), (None, 0));
        book.tidy(0);
        assert!(book.shelves.is_empty());
    }

    #[test]
    fn one_destination_has_its_share_and_all_have_half() {
        let limits = limits(99, 10);
        let bounds = |room_octets| Bounds { limits: &limits, room_octets, now: 0 };
        let book = book(&[&["a"], &["b"], &["c"], &["d"], &["e"], &["e"]]);
        assert_eq!(told(book.excess(None, &bounds(2_000))), None);
        assert_eq!(told(book.excess(None, &bounds(1_900))), Some((5, vec![0], Excess::Share)), "e has 200 of 190");
        assert_eq!(
            told(book.excess(Some("a"), &bounds(1_100))),
            Some((1, vec![0], Excess::Share)),
            "600 of 550 in all"
        );
        assert!(book.excess(Some("a"), &bounds(0)).is_some(), "where there is no room nothing is held");
    }

    #[test]
    fn what_somebody_holds_neither_counts_nor_goes() {
        let limits = limits(1, 100);
        let bounds = Bounds { limits: &limits, room_octets: 1 << 20, now: 60 * SECOND };
        let mut book = book(&[&["a"], &["a"]]);
        book.set_kept(QueueId(1), true);
        assert_eq!(told(book.excess(None, &bounds)), None);
        assert_eq!(book.aged(&bounds).len(), 1);
        assert_eq!(told(book.oldest(Excess::Room)), Some((2, vec![0], Excess::Room)));
        book.set_kept(QueueId(1), false);
        assert_eq!(told(book.excess(None, &bounds)), Some((1, vec![0], Excess::Count)));
    }

    #[test]
    fn age_counts_from_being_held() {
        let limits = limits(9, 100);
        let book = book(&[&["a"], &["b"], &["c"]]);
        let aged = |now| book.aged(&Bounds { limits: &limits, room_octets: 1 << 20, now }).len();
        assert_eq!((aged(9 * SECOND), aged(10 * SECOND), aged(11 * SECOND), aged(60 * SECOND)), (0, 1, 2, 3));
    }

    #[test]
    fn an_alarm_comes_before_the_bound_and_not_again_within_the_hour() {
        let limits = limits(5, 100);
        let mut book = book(&[&["a"], &["a"], &["a"], &["a"]]);
        let bounds = |now| Bounds { limits: &limits, room_octets: 1 << 20, now };
        assert!(book.alarms(&bounds(0)).is_empty());
        book.add(QueueId(9), HeldMail { octets: 100, since: 0 }, vec![held(0, "a")]);
        let alarms = book.alarms(&bounds(SECOND));
        assert_eq!(alarms, [Alarm { destination: "a".into(), messages: 5, octets: 500 }]);
        assert!(book.alarms(&bounds(3_600 * SECOND)).is_empty());
        assert_eq!(book.alarms(&bounds(3_601 * SECOND)).len(), 1);
    }
}
