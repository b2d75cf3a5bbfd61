//! A machine made ready for a new server: its [configuration](plan), its user and folders ([`machine`]), and what its surroundings
//! say of it ([`surroundings`]).
//!
//! Nothing that is there is overwritten: each step tells whether it made something or found it.

pub mod machine;
pub mod plan;
pub mod surroundings;

use serde::Serialize;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was made.
    Made,
    /// It was there already, and was left as it is.
    There,
    /// It is left to the operator.
    Left,
}

/// A step of the set-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is about.
    pub what: String,
    /// What became of it.
    pub state: State,
    /// More about it, for a person.
    pub note: String,
}

impl Step {
    /// A step without a note.
    pub fn new(what: impl Into<String>, state: State) -> Self {
        Self { what: what.into(), state, note: String::new() }
    }

    /// With a note.
    #[must_use]
    pub fn noting(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

impl State {
    /// Stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::There => "there already",
            Self::Left => "left to you",
        }
    }
}
