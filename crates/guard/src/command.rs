//! One command while it is judged: what it asks for, what is known for it alone, and how far its judgement has come.

use std::time::SystemTime;

use serde::Serialize;
use smtp::address::ForwardPath;

use crate::attested::Login;
use crate::authority::Pending;
use crate::case::Case;
use crate::circumstances::{Before, Place, PlaceFound};
use crate::effects::Effects;
use crate::fact::{Fact, Fault};
use crate::facts::{Facts, Gathered, Known, LOGIN, Need, Of, Scope};
use crate::hosting::HostedPath;
use crate::rule::Hit;
use crate::trace::{Asked, Found, Trace};

/// Where a judgement stands on the way of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The connection.
    Connect,
    /// The greeting (RFC 5321 §4.1.1.1).
    Helo,
    /// MAIL (RFC 5321 §4.1.1.2).
    Mail,
    /// RCPT (RFC 5321 §4.1.1.3).
    Rcpt,
    /// DATA or the first BDAT (RFC 5321 §4.1.1.4, RFC 3030 §2).
    Data,
    /// The message is there.
    Message,
}

impl Stage {
    /// Every stage, in the order of a mail's way.
    pub const ALL: [Self; 6] = [Self::Connect, Self::Helo, Self::Mail, Self::Rcpt, Self::Data, Self::Message];

    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Helo => "helo",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Message => "message",
        }
    }
}

/// One command. Facts that count for a command alone live in it and end with it.
#[derive(Debug)]
pub struct Command<'a> {
    pub(crate) stage: Stage,
    pub(crate) aim: Aim,
    pub(crate) now: SystemTime,
    pub(crate) forward_path: Option<&'a ForwardPath>,
    pub(crate) arrived: Option<Arrived<'a>>,
    pub(crate) facts: Facts,
    pub(crate) trace: Trace,
    pub(crate) hits: Vec<Hit>,
    pub(crate) score: Score,
    pub(crate) effects: Effects,
    pub(crate) progress: Progress,
    /// What its transaction had come to before it.
    pub(crate) before: Before,
    pub(crate) had_source_route: bool,
    /// What was to be reserved, and what came of it.
    pub(crate) place: Option<Place>,
}

/// What a judgement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Something is to be taken.
    Take,
    /// It was taken, and the question is whether it still would be.
    Confirm,
}

/// What weights add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Of the rules in force.
    pub enforced: i32,
    /// Of those that are only tried.
    pub observed: i32,
}

/// How far a judgement has come: it goes on here, and nothing before is judged again.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) wave: usize,
    pub(crate) step: usize,
    /// An authority that could not be asked: a final no is for now only.
    pub(crate) fault: Option<Fault>,
    pub(crate) end: End,
    pub(crate) reserved: Option<Reserved>,
}

/// What the recipient has so far.
#[derive(Debug, Default)]
pub(crate) enum End {
    #[default]
    Open,
    /// It is ours.
    Hosted(HostedPath),
    /// It will be relayed once a charge is reserved.
    Pending(Box<Pending>),
}

/// The answer to [`crate::Judged::Reserve`]: all or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// All places are taken.
    All,
    /// One had no place.
    Exceeded {
        /// Which, in the order of the charges.
        charge: usize,
    },
    /// One could not be asked.
    Unknown {
        /// Which, in the order of the charges.
        charge: usize,
        /// Why.
        fault: Fault,
    },
}

/// A recipient as it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct AskedRcpt<'a> {
    /// RFC 5321 §4.1.1.3, already without a source route.
    pub forward_path: &'a ForwardPath,
    /// There was a source route (RFC 5321 appendix F.2); it is judged by its final mailbox.
    pub had_source_route: bool,
}

/// A message that is there.
#[derive(Debug, Clone, Copy)]
pub struct Arrived<'a> {
    /// Its size in octets, with the fields that we put above it.
    pub octets: u64,
    /// How many of them may be ours.
    pub ours_octets: u64,
    /// Its only recipient, if that is one of ours. With several the one reply would speak for all: there delivery decides for
    /// each.
    pub only: Option<&'a HostedPath>,
}

impl Score {
    pub(crate) fn add(&mut self, more: Self) {
        self.enforced = self.enforced.saturating_add(more.enforced);
        self.observed = self.observed.saturating_add(more.observed);
    }
}

impl Place {
    pub(crate) fn new(charge: &'static str, reserved: Reserved) -> Self {
        let found = match reserved {
            Reserved::All => PlaceFound::Within,
            Reserved::Exceeded { .. } => PlaceFound::Exceeded,
            Reserved::Unknown { .. } => PlaceFound::Unknown,
        };
        Self { charge: charge.into(), found }
    }
}

impl<'a> Command<'a> {
    /// A command that is about nothing else than the case: the connection, a greeting, MAIL, DATA.
    pub fn new(stage: Stage, case: &Case, now: SystemTime) -> Self {
        Self {
            stage,
            aim: Aim::Take,
            now,
            forward_path: None,
            arrived: None,
            facts: Facts::default(),
            trace: Trace::of_client(case.client),
            hits: Vec::new(),
            score: Score::default(),
            effects: Effects::default(),
            progress: Progress::default(),
            before: Before::of(case),
            had_source_route: false,
            place: None,
        }
    }

    /// RCPT.
    pub fn rcpt(asked: AskedRcpt<'a>, case: &Case, now: SystemTime) -> Self {
        let mut command = Self::new(Stage::Rcpt, case, now);
        command.forward_path = Some(asked.forward_path);
        if asked.had_source_route {
            command.had_source_route = true;
            command.trace.note(Asked::SourceRoute, Found::Yes);
        }
        command
    }

    /// Once more about a recipient that was taken, when its message is there: whether what it was taken by still holds.
    /// Nothing is charged, and what comes of it is no proof: [`crate::Outcome::Proceed`] at best.
    pub fn confirm(asked: AskedRcpt<'a>, case: &Case, now: SystemTime) -> Self {
        Self { aim: Aim::Confirm, ..Self::rcpt(asked, case, now) }
    }

    /// The message is there.
    pub fn message(arrived: Arrived<'a>, case: &Case, now: SystemTime) -> Self {
        Self { arrived: Some(arrived), ..Self::new(Stage::Message, case, now) }
    }

    /// Which command.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The recipient that is judged.
    pub fn forward_path(&self) -> Option<&'a ForwardPath> {
        self.forward_path
    }

    /// How the judgement came about so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Rules that held.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// What weights add up to.
    pub fn score(&self) -> Score {
        self.score
    }

    /// Takes the answer to a need.
    pub fn learn(&mut self, case: &mut Case, need: &Need, gathered: Gathered) {
        let transaction = case.greeting.transaction.as_mut();
        let known = match gathered {
            Gathered::Found(found) => Known::new(need, found),
            Gathered::Unchanged => {
                let older = transaction.as_ref().and_then(|open| open.older.find(need.fact, need.of));
                older.cloned().unwrap_or_else(|| Known::broken(need, self.now))
            }
        };
        match (need.fact.row().scope, transaction) {
            (Scope::Connection, _) => case.facts.put(known),
            (Scope::Transaction, Some(transaction)) => transaction.facts.put(known),
            (Scope::Command, _) | (Scope::Transaction, None) => self.facts.put(known),
        }
    }

    /// Whether it is asked once more about a recipient that was taken.
    pub fn is_again(&self) -> bool {
        self.aim == Aim::Confirm
    }

    /// Takes the answer to [`crate::Judged::Reserve`].
    pub fn reserved(&mut self, reserved: Reserved) {
        self.progress.reserved = Some(reserved);
    }

    /// Who logged in, as far as this command knows.
    pub fn login(&self) -> Option<&Login> {
        match self.facts.read(&LOGIN, Of::Case)?.fact {
            Fact::Known(login) => login.as_ref(),
            Fact::Unknown(_) => None,
        }
    }
}
