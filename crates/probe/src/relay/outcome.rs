//! What a probe comes to, and what all of them together say of a server.

use serde::Serialize;
use smtp::client::Response;

/// What one probe came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The server did not take it.
    Refused,
    /// It took the recipient, but the address can be one of its own: no relaying by itself.
    Local,
    /// It said "later": what it says then is not known.
    Deferred,
    /// It took the recipient; whether it would deliver the mail is not known.
    Accepted,
    /// It took the whole mail; the mail was not seen in the sink.
    Sent,
    /// The mail arrived in the sink.
    Delivered,
    /// There was no connection, or no answer in time.
    Unanswered,
    /// It was not played.
    Skipped,
}

impl Outcome {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Local => "local",
            Self::Deferred => "deferred",
            Self::Accepted => "accepted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Unanswered => "unanswered",
            Self::Skipped => "skipped",
        }
    }
}

/// What all probes say of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It relays for strangers: a mail arrived.
    Open,
    /// It refused every probe.
    Closed,
    /// Neither is proven.
    Uncertain,
}

impl Verdict {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Uncertain => "uncertain",
        }
    }

    /// Open by one mail that arrived; closed only if the plainest try of all was refused, and no other left a doubt: a server
    /// that talks to nobody, or answers nothing, has shown nothing.
    pub fn of(played: &[Played]) -> Self {
        if played.iter().any(|it| it.outcome == Outcome::Delivered) {
            return Self::Open;
        }
        let doubts = [Outcome::Accepted, Outcome::Sent, Outcome::Deferred, Outcome::Unanswered];
        let was_refused = played.iter().any(|it| it.id == "plain-foreign" && it.outcome == Outcome::Refused);
        if was_refused && !played.iter().any(|it| doubts.contains(&it.outcome)) {
            Self::Closed
        } else {
            Self::Uncertain
        }
    }
}

/// How many probes came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// [`Outcome::Refused`].
    pub refused: usize,
    /// [`Outcome::Local`].
    pub local: usize,
    /// [`Outcome::Deferred`].
    pub deferred: usize,
    /// [`Outcome::Accepted`].
    pub accepted: usize,
    /// [`Outcome::Sent`].
    pub sent: usize,
    /// [`Outcome::Delivered`].
    pub delivered: usize,
    /// [`Outcome::Unanswered`].
    pub unanswered: usize,
    /// [`Outcome::Skipped`].
    pub skipped: usize,
}

impl Counts {
    /// Counts them.
    pub fn of(played: &[Played]) -> Self {
        let count = |outcome| played.iter().filter(|it| it.outcome == outcome).count();
        Self {
            refused: count(Outcome::Refused),
            local: count(Outcome::Local),
            deferred: count(Outcome::Deferred),
            accepted: count(Outcome::Accepted),
            sent: count(Outcome::Sent),
            delivered: count(Outcome::Delivered),
            unanswered: count(Outcome::Unanswered),
            skipped: count(Outcome::Skipped),
        }
    }
}

/// What was sent and what came back. Both are printable, and cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// What was sent; empty before the greeting.
    pub sent: String,
    /// Reply code and text; empty if nothing came.
    pub said: String,
}

/// A probe that was played, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Played {
    /// From 1 on; the classic nineteen have 1 to 19.
    pub number: usize,
    /// Stable word.
    pub id: String,
    /// Family of tricks.
    pub class: String,
    /// What was tried: sender and recipient, or the step that decides.
    pub tried: String,
    /// What the server said to the step that decided.
    pub said: String,
    /// What it came to.
    pub outcome: Outcome,
    /// Why, where the reply does not tell.
    pub note: String,
    /// The recipient can be read as an address of the server's own.
    pub may_be_local: bool,
    /// The whole dialogue.
    pub dialogue: Vec<Exchange>,
}

/// Whether a refusal of a plain address says only that its domain is not to be reached from there (RFC 3463 §3.2, RFC 7505 §4.2):
/// nothing of relaying.
pub(super) fn is_of_the_domain(reply: &Response) -> bool {
    matches!(reply.enhanced, Some([5, 1, 2 | 8 | 10] | [5, 7, 27]))
}

/// What a reply to a recipient means. `454 4.7.1` is how Postfix refuses for good what it is configured to defer; every other
/// 4xx may be greylisting, behind which a server can be open.
pub(super) fn of_reply(reply: &Response) -> Outcome {
    match (reply.code, reply.enhanced) {
        (200..=399, _) => Outcome::Accepted,
        (454, Some([4, 7, 1])) => Outcome::Refused,
        (400..=499, _) => Outcome::Deferred,
        _ => Outcome::Refused,
    }
}
