//! Strangers' mail that waits, by destination: one server that does not answer must not fill the disk for all others. Nothing of it
//! is dropped: when a destination has its share, more is refused before it is taken.
//!
//! Only in memory, and only what was tried: after a start it is known again with the next attempts.

use std::collections::HashMap;
use std::sync::Arc;

use crate::alarm::Told;
use crate::{Envelope, Origin, QueueId};

/// A message that waits.
#[derive(Debug)]
struct Waiting {
    octets: u64,
    destinations: Vec<Arc<str>>,
}

/// What waits for one destination.
#[derive(Debug, Default)]
struct Line {
    messages: u64,
    octets: u64,
    alarmed: Told,
}

/// How a message waits.
pub(crate) struct Wait<'a> {
    /// Its size on the disk.
    pub(crate) octets: u64,
    /// The recipients that it waits for.
    pub(crate) recipients: &'a [usize],
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    messages: HashMap<QueueId, Waiting>,
    lines: HashMap<Arc<str>, Line>,
}

impl Lines {
    /// The message waits for these of its recipients; none: it does not.
    pub(crate) fn set(&mut self, id: QueueId, envelope: &Envelope, wait: &Wait<'_>) {
        let Wait { octets, recipients: waiting } = *wait;
        self.forget(id);
        if envelope.origin != Origin::Outside {
            return;
        }
        let mut destinations: Vec<Arc<str>> = Vec::new();
        for recipient in waiting.iter().filter_map(|&n| envelope.recipients.get(n)) {
            let name = recipient.target.destination();
            if destinations.iter().any(|known| **known == *name) {
                continue;
            }
            let known = self.lines.get_key_value(name.as_str()).map(|(known, _)| Arc::clone(known));
            let name: Arc<str> = known.unwrap_or_else(|| name.into());
            let line = self.lines.entry(Arc::clone(&name)).or_default();
            line.messages += 1;
            line.octets += octets;
            destinations.push(name);
        }
        if !destinations.is_empty() {
            self.messages.insert(id, Waiting { octets, destinations });
        }
    }

    /// It left the spool.
    pub(crate) fn forget(&mut self, id: QueueId) {
        let Some(message) = self.messages.remove(&id) else { return };
        for destination in &message.destinations {
            if let Some(line) = self.lines.get_mut(destination) {
                line.messages = line.messages.saturating_sub(1);
                line.octets = line.octets.saturating_sub(message.octets);
                if line.messages == 0 {
                    self.lines.remove(destination);
                }
            }
        }
    }

    /// Whether nothing waits for anywhere.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// What waits for a destination, in octets.
    pub(crate) fn octets(&self, destination: &str) -> u64 {
        self.lines.get(destination).map_or(0, |line| line.octets)
    }

    /// Whether the operator is to be told that a destination has its share; hourly.
    pub(crate) fn alarm(&mut self, destination: &str, now: i64) -> bool {
        let Some(line) = self.lines.get_mut(destination) else { return false };
        let is_due = !line.alarmed.is_recent(now);
        if is_due {
            line.alarmed.tell(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Recipient, Target};

    fn envelope(origin: Origin, hosts: &[&str]) -> Envelope {
        let recipient = |host: &&str| Recipient {
            forward_path: format!("a@{host}"),
            target: Target::NextHop { server: (*host).to_owned() },
            via: None,
            notify: 0,
            orcpt: None,
        };
        Envelope {
            reverse_path: String::new(),
            recipients: hosts.iter().map(recipient).collect(),
            origin,
            arrived_at_unix_micros: 0,
            session: String::new(),
            smtputf8: false,
            eight_bit: false,
            envid: None,
            ret: None,
            message_octets: 1,
        }
    }

    #[test]
    fn each_message_counts_once_for_each_destination_it_waits_for() {
        let mut lines = Lines::default();
        let mail = envelope(Origin::Outside, &["a", "a", "b"]);
        lines.set(QueueId(1), &mail, &Wait { octets: 100, recipients: &[0, 1, 2] });
        lines.set(QueueId(2), &mail, &Wait { octets: 10, recipients: &[2] });
        assert_eq!((lines.octets("smtp:a"), lines.octets("smtp:b")), (100, 110));
        lines.set(QueueId(1), &mail, &Wait { octets: 100, recipients: &[1] });
        assert_eq!((lines.octets("smtp:a"), lines.octets("smtp:b")), (100, 10));
        assert!(
            lines.alarm("smtp:a", 0)
                && !lines.alarm("smtp:a", crate::alarm::AGAIN - 1)
                && lines.alarm("smtp:a", crate::alarm::AGAIN)
        );
        lines.set(QueueId(3), &envelope(Origin::Bounce, &["a"]), &Wait { octets: 10, recipients: &[0] });
        assert_eq!(lines.octets("smtp:a"), 100, "not a stranger's");
        lines.forget(QueueId(1));
        lines.set(QueueId(2), &mail, &Wait { octets: 10, recipients: &[] });
        assert!(lines.is_empty() && lines.lines.is_empty() && !lines.alarm("smtp:a", 0));
    }
}
