//! What became of a recipient, told once per attempt: the log's line.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use spool::{QueueId, Target};

/// Called for every fate, from the task that learnt it: it must be quick and must not block.
pub type OnFate = Arc<dyn Fn(&Fate<'_>) + Send + Sync>;

/// One recipient, one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Fate<'a> {
    /// The message.
    pub queue_id: QueueId,
    /// The id of the session that brought it.
    pub session: &'a str,
    /// Reverse-path as printed, without brackets.
    pub reverse_path: &'a str,
    /// Forward-path likewise: what the next host is told.
    pub forward_path: &'a str,
    /// The mailbox or address that it became, likewise.
    pub to: &'a str,
    /// What the client gave, likewise.
    pub given: &'a str,
    /// The alias that led there; `None`: none did.
    pub alias: Option<&'a str>,
    /// Who brought the message.
    pub origin: &'a spool::Origin,
    /// What became of it.
    pub kind: FateKind,
    /// The class of the reply: 2, 4 or 5; `None`: no other server said it.
    pub reply_class: Option<u16>,
    /// The next hop of a relay domain that says it has no such recipient.
    pub refuser: Option<&'a str>,
    /// Where: `mail.example[192.0.2.1]:25`, `maildir`, a socket.
    pub relay: &'a str,
    /// The other side's words, or ours in their form. A peer's text: log it escaped.
    pub reply: &'a str,
    /// Since it was accepted.
    pub delay: Duration,
}

/// A path in its angle brackets, as every log line has it; the null reverse-path is `<>`. A peer's text: it is escaped where the
/// line is written.
pub struct Bracketed<'a>(pub &'a str);

impl fmt::Debug for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// What became of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FateKind {
    /// It is in the mailbox, or another host took responsibility.
    Delivered,
    /// It will be tried again.
    Deferred,
    /// It failed for good; the sender is told if the reverse-path is proved to be theirs, and they want to know.
    Bounced,
    /// It failed for good, and nobody proved the reverse-path: it lies in the spool for the operator, since a bounce would go
    /// to whoever the sender pretended to be.
    Held,
    /// A notification that failed: nobody is told (RFC 5321 §6.1).
    Dropped,
}

impl FateKind {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Delivered, Self::Deferred, Self::Bounced, Self::Held, Self::Dropped];

    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Deferred => "deferred",
            Self::Bounced => "bounced",
            Self::Held => "held",
            Self::Dropped => "dropped",
        }
    }
}

/// The ways by which recipients are counted, in the order of [`way_number`].
pub const WAYS: [&str; 4] = ["maildir", "remote", "next-hop", "lmtp"];

/// Its place among [`WAYS`].
pub(crate) fn way_number(target: &Target) -> usize {
    match target {
        Target::Maildir { .. } => 0,
        Target::Remote { .. } => 1,
        Target::NextHop { .. } => 2,
        Target::Lmtp { .. } => 3,
    }
}

impl fmt::Display for FateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
