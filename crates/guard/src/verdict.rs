//! What a judgement says.

use std::sync::Arc;

use smtp::address::ForwardPath;

use crate::authority::{RelayGrant, Right};
use crate::effects::Effects;
use crate::hosting::HostedPath;
use crate::reason::Reason;
use crate::rule::{Part, Said};

/// Who answers for a recipient; there is no third way into an envelope.
/// ```compile_fail,E0308
/// fn without_grant(path: smtp::address::ForwardPath) -> guard::Recipient {
///     guard::Recipient::Relayed(path, true)
/// }
/// ```
/// ```compile_fail,E0277
/// fn twice<T: Clone>() {}
/// twice::<guard::Recipient>();
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Recipient {
    /// Local or in a relay domain.
    Hosted(HostedPath),
    /// Foreign, with the grant that lets it through.
    Relayed(ForwardPath, RelayGrant),
}

impl Recipient {
    /// The right by which it is relayed; what is hosted needs none.
    pub fn right(&self) -> Option<&Right> {
        match self {
            Self::Hosted(_) => None,
            Self::Relayed(_, grant) => Some(grant.right()),
        }
    }

    /// The forward-path as the client gave it.
    pub fn path(&self) -> &ForwardPath {
        match self {
            Self::Hosted(hosted) => hosted.path(),
            Self::Relayed(path, _) => path,
        }
    }
}

/// What a command comes to.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Yes or no.
    pub outcome: Outcome,
    /// What is to be done besides, if it is yes.
    pub effects: Effects,
}

/// Yes or no.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The command may go on. At RCPT: there is nothing against the recipient, and who may relay was not to be said.
    Proceed,
    /// The recipient with the proof that it may be taken.
    Accept(Recipient),
    /// No: 5xx.
    Refuse(Refusal),
    /// Not now: 4xx.
    Defer(Refusal),
}

/// No, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The cause.
    pub reason: Reason,
    /// What is refused: the reply names it.
    pub of: Part,
    /// The words of the rule that said so, if one did.
    pub said: Option<Said>,
    /// What our own words say besides.
    pub detail: Option<Detail>,
}

/// What a refusal says besides its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// The DNS list that has the client or its domain.
    Zone(Arc<str>),
    /// In how many seconds it is worth trying again.
    WaitSecs(u32),
}

impl Refusal {
    /// A refusal in our own words.
    pub fn new(reason: Reason, of: Part) -> Self {
        Self { reason, of, said: None, detail: None }
    }
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        if refusal.reason.is_temporary() { Self::Defer(refusal) } else { Self::Refuse(refusal) }
    }
}

impl Outcome {
    /// The refusal, if it is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refuse(refusal) | Self::Defer(refusal) => Some(refusal),
            Self::Proceed | Self::Accept(_) => None,
        }
    }

    /// Every stable word, in the order of [`Outcome::number`].
    pub const CODES: [&str; 5] = ["proceed", "hosted", "relayed", "refuse", "defer"];

    /// Stable word.
    pub fn code(&self) -> &'static str {
        Self::CODES[self.number()]
    }

    /// Its place among [`Outcome::CODES`].
    pub fn number(&self) -> usize {
        match self {
            Self::Proceed => 0,
            Self::Accept(Recipient::Hosted(_)) => 1,
            Self::Accept(Recipient::Relayed(..)) => 2,
            Self::Refuse(_) => 3,
            Self::Defer(_) => 4,
        }
    }
}
