//! One queued message as it is kept in memory: small, since a million may wait.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::record::BodyPlace;
use crate::schedule::micros;
use crate::segment::Segment;
use crate::{Envelope, Origin, UnixMicros};

/// Where a recipient stands; the number is the form on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting = 0,
    Delivered = 1,
    Failed = 2,
    Expired = 3,
}

/// A recipient's part of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecipientNow {
    pub(crate) state: State,
    pub(crate) attempts: u16,
    pub(crate) due: UnixMicros,
    pub(crate) reason: Option<Arc<str>>,
}

impl RecipientNow {
    pub(crate) fn arrived(at: UnixMicros) -> Self {
        Self { state: State::Waiting, attempts: 0, due: at, reason: None }
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.state == State::Waiting
    }
}

/// Most messages have one recipient, which then needs no allocation.
#[derive(Debug)]
pub(crate) enum Recipients {
    One(RecipientNow),
    Many(Box<[RecipientNow]>),
}

impl Recipients {
    pub(crate) fn arrived(count: usize, at: UnixMicros) -> Self {
        if count == 1 {
            Self::One(RecipientNow::arrived(at))
        } else {
            Self::Many(vec![RecipientNow::arrived(at); count].into())
        }
    }

    pub(crate) fn all(&self) -> &[RecipientNow] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) fn all_mut(&mut self) -> &mut [RecipientNow] {
        match self {
            Self::One(one) => std::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }

    /// Takes a state read from disk; refuses one of another length.
    pub(crate) fn replace(&mut self, now: Vec<RecipientNow>) -> bool {
        let fits = now.len() == self.all().len();
        if fits {
            self.all_mut().iter_mut().zip(now).for_each(|(old, new)| *old = new);
        }
        fits
    }
}

/// Who brought a message, as counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum OriginKey {
    Outside,
    Bounce,
    /// By login, or by the grant's name where there is none.
    Account(Arc<str>),
}

impl OriginKey {
    pub(crate) fn of(origin: &Origin) -> Self {
        match origin {
            Origin::Outside => Self::Outside,
            Origin::Bounce => Self::Bounce,
            Origin::Account { login, grant } => Self::Account(login.as_deref().unwrap_or(grant).into()),
        }
    }
}

/// A record's place.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u32,
    pub(crate) octets: u32,
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
}

impl LeaseNow {
    pub(crate) fn now(&self) -> UnixMicros {
        self.at.saturating_add(micros(self.since.elapsed()))
    }
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) body: BodyPlace,
    pub(crate) arrived: UnixMicros,
    pub(crate) message_octets: u64,
    pub(crate) origin: OriginKey,
    pub(crate) recipients: Recipients,
    pub(crate) lease: Option<Box<LeaseNow>>,
    pub(crate) fresh: Option<Box<Fresh>>,
    /// Key in the schedule; `None` while leased or held.
    pub(crate) scheduled: Option<UnixMicros>,
    pub(crate) held: bool,
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

    /// The recipients due at `now`.
    pub(crate) fn due(&self, now: UnixMicros) -> Vec<usize> {
        let due = |recipient: &RecipientNow| recipient.is_waiting() && recipient.due <= now;
        self.recipients.all().iter().enumerate().filter(|(_, recipient)| due(recipient)).map(|(n, _)| n).collect()
    }

    pub(crate) fn has_file(&self) -> bool {
        matches!(self.body, BodyPlace::File { .. })
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
