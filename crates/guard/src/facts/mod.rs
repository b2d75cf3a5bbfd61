//! The facts of a case: what is known of it, since when, and for how long it counts.
//!
//! `row` is the table: a fact is one row there and the code that gathers it.

mod row;

use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;

pub use row::{Absence, FactName, Row, Scope, Source, Value};
pub(crate) use row::{
    CHOICE, CLIENT_NAME, DOMAIN_LISTINGS, ENTRIES, GREYLIST, HOP_ANSWER, HOSTING, Key, LISTINGS, LOGIN, ORIGIN, OWNERS,
    POP_EVIDENCE, PTR_NAMES, SENDER_DOMAIN, SENDER_HOSTED, SPF,
};

use crate::fact::{Fact, Fault};
use crate::serial;

/// A fact without which the judgement cannot go on, or one that it will want as soon as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Which fact.
    pub fact: FactName,
    /// What it is to be known of, where the case alone does not say it.
    pub of: Of,
    /// The stamp of an older answer: if it still is the stamp of who would be asked, the answer still is true, and
    /// [`Gathered::Unchanged`] says so.
    pub older: Option<Stamp>,
}

/// What a fact is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Of {
    /// The case: its client, its reverse-path, the recipient of the command.
    Case,
    /// An address or the prefix of one.
    Address(IpAddr),
}

/// By which an answer can be seen to be still true without asking again: it changes whenever anything does that the answer
/// depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub u64);

/// The answer to a need.
#[derive(Debug, Clone)]
pub enum Gathered {
    /// It was looked up.
    Found(Found),
    /// The stamp of the older answer is still that of who would be asked.
    Unchanged,
}

/// An answer as it comes in.
#[derive(Debug, Clone)]
pub struct Found {
    /// The answer.
    pub value: Fact<Value>,
    /// When, by the clock of who answered.
    pub at: SystemTime,
    stamp: Option<Stamp>,
}

/// A fact with its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Which fact.
    pub fact: FactName,
    #[serde(skip_serializing_if = "Of::is_case")]
    of: Of,
    /// What is known.
    pub value: Fact<Value>,
    /// When it was looked up; kept in microseconds since 1970.
    #[serde(serialize_with = "serial::micros")]
    pub at: SystemTime,
    #[serde(skip)]
    stamp: Option<Stamp>,
}

/// A fact as it is read.
pub(crate) struct Read<'f, T> {
    pub(crate) fact: Fact<&'f T>,
    /// When it was answered, by the clock of who answered.
    pub(crate) at: SystemTime,
}

/// What is known, of one scope.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    known: Vec<Known>,
}

impl Of {
    fn is_case(&self) -> bool {
        *self == Self::Case
    }
}

impl Found {
    /// An answer that must be asked for anew each time.
    pub fn new(value: Fact<Value>, at: SystemTime) -> Self {
        Self { value, at, stamp: None }
    }

    /// One whose truth can be seen by a stamp.
    #[must_use]
    pub fn stamped(mut self, stamp: Stamp) -> Self {
        self.stamp = Some(stamp);
        self
    }
}

impl Facts {
    /// None.
    pub(crate) const EMPTY: Self = Self { known: Vec::new() };

    /// A fact, if it was asked for.
    pub(crate) fn find(&self, fact: FactName, of: Of) -> Option<&Known> {
        self.known.iter().find(|known| known.fact == fact && known.of == of)
    }

    /// Takes an answer in the place of an earlier one.
    pub(crate) fn put(&mut self, new: Known) {
        self.known.retain(|known| known.fact != new.fact || known.of != new.of);
        self.known.push(new);
    }

    /// One fact in its own type, with the time of its answer.
    pub(crate) fn read<T>(&self, key: &Key<T>, of: Of) -> Option<Read<'_, T>> {
        let known = self.find(key.fact, of)?;
        Some(Read { fact: key.read(&known.value), at: known.at })
    }

    /// All of them, to be kept.
    pub(crate) fn into_vec(self) -> Vec<Known> {
        self.known
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Known> {
        self.known.iter()
    }

    /// Those by which an answer can be seen to be still true.
    pub(crate) fn clone_stamped(&self) -> Self {
        let stamped = |known: &&Known| known.stamp.is_some() && matches!(known.value, Fact::Known(_));
        Self { known: self.known.iter().filter(stamped).cloned().collect() }
    }
}

impl Known {
    /// The answer to a need. One about something else than what was asked is no answer.
    pub(crate) fn new(need: &Need, found: Found) -> Self {
        let Found { value, at, stamp } = found;
        let value = match value {
            Fact::Known(value) if value.fact() != need.fact => Fact::Unknown(Fault::Broken(need.fact.code())),
            value => value,
        };
        Self { fact: need.fact, of: need.of, value, at, stamp }
    }

    /// The answer of who says that nothing changed where nothing was known.
    pub(crate) fn broken(need: &Need, at: SystemTime) -> Self {
        Self::new(need, Found::new(Fact::Unknown(Fault::Broken(need.fact.code())), at))
    }

    /// For asking again.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }
}
