//! What became of each line of the file that was read.

use serde::Serialize;
use std::fmt;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Spot {
    /// The file, as it was named or found.
    pub file: String,
    /// The line; of several, the first.
    pub line: u32,
}

impl Spot {
    /// A place.
    pub fn new(file: &str, line: u32) -> Self {
        Self { file: file.to_owned(), line }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stands in the new configuration, or holds here always.
    Taken,
    /// It is taken, but does not do quite the same.
    Differs,
    /// It is not taken; the note says what to do instead.
    NotTaken,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// What became of it.
    pub outcome: Outcome,
    /// Where it stands.
    pub at: Spot,
    /// What stands there: the setting, sometimes with one of its values.
    pub what: String,
    /// The key it became, how it differs, or what to do.
    pub text: String,
}

impl Note {
    /// A line of the report.
    pub(super) fn new(outcome: Outcome, at: &Spot, what: &str, text: &str) -> Self {
        Self { outcome, at: at.clone(), what: what.to_owned(), text: text.to_owned() }
    }
}

/// `main.cf:12: mynetworks -> relay.networks`. Control signs, which a terminal would obey, are taken out.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, at, what, text } = self;
        let line = match outcome {
            Outcome::Taken => format!("{at}: {what} -> {text}"),
            Outcome::Differs => format!("{at}: {what} differs: {text}"),
            Outcome::NotTaken => format!("{at}: {what} is not taken: {text}"),
        };
        f.write_str(&keep::text::printable(&line))
    }
}
