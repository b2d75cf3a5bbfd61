//! What changes of a message while it is queued.

use std::borrow::Cow;
use std::sync::Arc;

use crate::UnixMicros;

/// Where a recipient stands; the number is the form on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Waiting = 0,
    Delivered = 1,
    Failed = 2,
    Expired = 3,
    /// Undeliverable, and nobody may be told: kept for the operator, within bounds.
    Held = 4,
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

    /// Whether something is still to become of it: it waits, or is held.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Waiting | State::Held)
    }
}

/// A message's state, as it is written and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MessageState<'a> {
    /// Why no attempt is made for any recipient before the message is released, in a stable word.
    pub(crate) hold: Option<Arc<str>>,
    /// In the order of the envelope.
    pub(crate) recipients: Cow<'a, [RecipientNow]>,
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

    /// Takes a state read from disk; one of another length changes nothing.
    pub(crate) fn replace(&mut self, now: Vec<RecipientNow>) {
        if now.len() == self.all().len() {
            self.all_mut().iter_mut().zip(now).for_each(|(old, new)| *old = new);
        }
    }
}
