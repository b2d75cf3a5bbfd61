//! One queued message as it is kept in memory: small, since a million may wait.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::record::BodyIn;
use crate::schedule::micros;
use crate::segment::Position;
use crate::state::{MessageState, RecipientNow, Recipients, State};
use crate::{Envelope, Origin, Sender, UnixMicros};

/// Who brought a message, as counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum OriginKey {
    Outside,
    Bounce,
    Account(Arc<str>),
    /// By a right without a login: its name.
    Grant(Arc<str>),
}

impl OriginKey {
    pub(crate) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Outside => Self::Outside,
            Origin::Bounce => Self::Bounce,
            Origin::Account(Sender { login: Some(login), .. }) => Self::Account(login.as_str().into()),
            Origin::Account(sender) => Self::Grant(sender.grant.as_str().into()),
        }
    }
}

/// What need not be read from disk yet; only of a message without a file of its own.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: Bytes,
}

impl Fresh {
    /// What it costs in memory, roughly.
    pub(crate) fn octets(&self) -> usize {
        let recipients = self.envelope.recipients.len() * size_of::<crate::Recipient>() * 2;
        self.body.len() + size_of::<Envelope>() + recipients
    }
}

/// Given out to one holder.
#[derive(Debug)]
pub(crate) struct LeaseNow {
    pub(crate) token: u64,
    /// The holder's time when it was given out, and how long ago that is.
    pub(crate) at: UnixMicros,
    pub(crate) since: Instant,
    /// Whether a deferral now is the last.
    pub(crate) last: bool,
}

impl LeaseNow {
    pub(crate) fn now(&self) -> UnixMicros {
        self.at.saturating_add(micros(self.since.elapsed()))
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) body: BodyIn,
    pub(crate) arrived: UnixMicros,
    /// When it arrived by the clock of [`Index::moment`](crate::index::Index::moment), which never jumps.
    pub(crate) born: i64,
    pub(crate) message_octets: u64,
    pub(crate) origin: OriginKey,
    pub(crate) recipients: Recipients,
    pub(crate) lease: Option<Box<LeaseNow>>,
    pub(crate) fresh: Option<Box<Fresh>>,
    /// Key in the schedule; `None` while leased or held.
    pub(crate) scheduled: Option<UnixMicros>,
    /// Why the whole message is kept until it is released, in a stable word.
    pub(crate) hold: Option<Arc<str>>,
    /// Its state is to be written.
    pub(crate) dirty: bool,
    /// How often in a row a holder gave it back unsettled.
    pub(crate) returned: u8,
}

impl Entry {
    /// When the first waiting recipient is due.
    pub(crate) fn earliest_due(&self) -> Option<UnixMicros> {
        self.recipients.all().iter().filter(|now| now.is_waiting()).map(|now| now.due).min()
    }

    /// Whether nothing is to become of it any more.
    pub(crate) fn is_finished(&self) -> bool {
        !self.recipients.all().iter().any(RecipientNow::is_open)
    }

    /// The recipients that are held by themselves.
    pub(crate) fn held_recipients(&self) -> impl Iterator<Item = usize> {
        let held = |(_, recipient): &(usize, &RecipientNow)| recipient.state == State::Held;
        self.recipients.all().iter().enumerate().filter(held).map(|(n, _)| n)
    }

    /// Whether it, or a recipient of it, is kept for the operator.
    pub(crate) fn is_held(&self) -> bool {
        self.hold.is_some() || self.held_recipients().next().is_some()
    }

    /// The recipients due at `now`.
    pub(crate) fn due(&self, now: UnixMicros) -> Vec<usize> {
        let due = |recipient: &RecipientNow| recipient.is_waiting() && recipient.due <= now;
        self.recipients.all().iter().enumerate().filter(|(_, recipient)| due(recipient)).map(|(n, _)| n).collect()
    }

    /// What is written of it when it changes.
    pub(crate) fn state(&self) -> MessageState<'_> {
        MessageState { hold: self.hold.clone(), recipients: self.recipients.all().into() }
    }

    /// Octets of its own file, if it has one.
    pub(crate) fn file_octets(&self) -> Option<u64> {
        match self.body {
            BodyIn::Record => None,
            BodyIn::File { octets, .. } => Some(octets),
        }
    }

    /// What it takes on the disk, roughly.
    pub(crate) fn disk_octets(&self) -> u64 {
        self.message_octets.max(u64::from(self.position.octets)).max(self.file_octets().unwrap_or(0))
    }

    pub(crate) fn has_file(&self) -> bool {
        matches!(self.body, BodyIn::File { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_waiting_messages_fit_in_memory() {
        let reason_and_heap = 24;
        let tree_and_schedule = 2 * 16 + 2 * 16;
        assert!(size_of::<Entry>() + reason_and_heap + tree_and_schedule + 8 <= 400, "{}", size_of::<Entry>());
    }
}
