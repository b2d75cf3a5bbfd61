//! Rules: conditions over facts with an action or a weight, and a mode. They only take away: no action here can give a right
//! to relay. `OK` ends the rules of its own part of the envelope and nothing more.

mod action;
mod entry;

use std::fmt;
use std::sync::Arc;

pub use action::{Action, Said};
pub use entry::{Entry, MapId};

use serde::Serialize;

use crate::line::ConfigLine;

/// What of a mail a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The client's address and name.
    Client,
    /// Its greeting name.
    Helo,
    /// The reverse-path.
    Sender,
    /// The forward-path.
    Recipient,
}

impl Part {
    /// In the order in which they are judged.
    pub const ALL: [Self; 4] = [Self::Client, Self::Helo, Self::Sender, Self::Recipient];

    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Helo => "helo",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
        }
    }
}

/// When a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// An access map has an entry for the part.
    Entry(MapId),
}

/// What a rule does when it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What the entry of the map says.
    AsWritten,
    /// This.
    Act(Action),
    /// It adds to the score of the mail.
    Weigh(i32),
}

/// Whether a rule is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// It is.
    Enforce,
    /// It is only tried: what it would have done is recorded.
    Observe,
}

impl Mode {
    /// Stable word, as it is written.
    pub fn code(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What it is about; `None`: each part for itself.
    pub part: Option<Part>,
    /// When it holds.
    pub condition: Condition,
    /// What it does then.
    pub effect: Effect,
    /// Whether it is in force.
    pub mode: Mode,
    /// Where it is written.
    pub line: ConfigLine,
}

/// The rules of one configuration, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// In the order in which they are asked.
    pub list: Vec<Rule>,
    /// Some may ask for the client's name.
    pub ask_client_name: bool,
}

/// A rule that held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The rule's name; `None`: it is a map, and the line names the entry.
    pub rule: Option<Arc<str>>,
    /// For which part.
    pub part: Part,
    /// What it did, or would have done.
    pub outcome: HitOutcome,
    /// The line that said so: the map's, or the rule's.
    pub line: ConfigLine,
    /// Whether it did it.
    pub mode: Mode,
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HitOutcome {
    /// It acts.
    Act(Action),
    /// It weighs.
    Weigh(i32),
}

/// For the log: what it does, as a rule of the configuration writes it.
impl fmt::Display for HitOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weigh(weight) => write!(f, "{weight:+}"),
            Self::Act(Action::Ok) => f.write_str("ok"),
            Self::Act(Action::Refuse(said)) if said.code < 500 => write!(f, "defer {}", said.text),
            Self::Act(Action::Refuse(said)) => write!(f, "refuse {}", said.text),
            Self::Act(Action::Deny(reason)) => write!(f, "refuse {}", reason.code()),
            Self::Act(Action::Greylist) => f.write_str("greylist"),
            Self::Act(Action::Slow(secs)) => write!(f, "slow {secs}"),
            Self::Act(Action::Discard) => f.write_str("discard"),
            Self::Act(Action::Hold) => f.write_str("hold"),
            Self::Act(Action::Prepend(field)) => write!(f, "tag {field}"),
            Self::Act(Action::Warn(text)) => write!(f, "warn {text}"),
        }
    }
}

/// Rules, shared by the policies of one configuration.
pub type SharedRules = Arc<Rules>;

impl Rule {
    /// Whether it is asked about this part.
    pub(crate) fn is_about(&self, part: Part) -> bool {
        self.part.is_none_or(|only| only == part)
    }
}

impl Hit {
    /// Whether an access map says `OK` of the client: then nothing is held against it.
    pub(crate) fn lets_the_client_through(&self) -> bool {
        let ok = matches!(self.outcome, HitOutcome::Act(Action::Ok));
        ok && self.part == Part::Client && self.mode == Mode::Enforce
    }
}
