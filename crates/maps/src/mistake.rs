//! What is wrong with a file, and where.

use std::fmt;
use std::sync::Arc;

/// As many mistakes, and as many warnings, are told of one file; an operator reads no more at once.
pub const TOLD_MAX: usize = 100;

/// Why a file is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// As the caller named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// Characters from the line's start, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}; {}", self.file, self.line, self.column, self.what, self.hint)
    }
}

impl std::error::Error for Mistake {}

/// What is odd about a file that is taken all the same: its own program would complain, or overlook it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// As the caller named it.
    pub file: Arc<str>,
    /// From 1; 0 where there are no lines, as in a database.
    pub line: u32,
    /// What is odd, and what happens.
    pub what: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

/// What is wrong with a part of a line, and what to do about it.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) hint: String,
}

impl Wrong {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1; 0 where there are no lines.
    pub(crate) line: u32,
    /// Characters from the line's start, from 1.
    pub(crate) column: u32,
}

impl Position {
    /// Where a line begins.
    pub(crate) fn start_of(line: u32) -> Self {
        Self { line, column: 1 }
    }

    /// Behind this text at the start of a line.
    pub(crate) fn behind(line: u32, before: &str) -> Self {
        Self::start_of(line).plus(before)
    }

    /// Further on in the same line, behind this text.
    pub(crate) fn plus(self, before: &str) -> Self {
        let characters = u32::try_from(before.chars().count()).unwrap_or(u32::MAX);
        Self { column: self.column.saturating_add(characters), ..self }
    }
}

/// What was found while one file was read.
#[derive(Debug)]
pub(crate) struct Notes {
    pub(crate) file: Arc<str>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Warning>,
    untold: usize,
}

impl Notes {
    pub(crate) fn new(file: &str) -> Self {
        Self { file: file.into(), mistakes: Vec::new(), warnings: Vec::new(), untold: 0 }
    }

    /// The file will not be taken.
    pub(crate) fn mistake(&mut self, at: Position, what: impl Into<String>, hint: impl Into<String>) {
        if self.mistakes.len() < TOLD_MAX {
            let Position { line, column } = at;
            self.mistakes.push(Mistake {
                file: Arc::clone(&self.file),
                line,
                column,
                what: what.into(),
                hint: hint.into(),
            });
        }
    }

    /// The file will be taken, but the operator should know.
    pub(crate) fn warn(&mut self, line: u32, what: impl FnOnce() -> String) {
        if self.warnings.len() < TOLD_MAX {
            self.warnings.push(Warning { file: Arc::clone(&self.file), line, what: what() });
        } else {
            self.untold += 1;
        }
    }

    /// The warnings, if there was no mistake.
    pub(crate) fn end(mut self) -> Result<Vec<Warning>, Vec<Mistake>> {
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        if self.untold > 0 {
            let what = format!("and {} more warnings", self.untold);
            self.warnings.push(Warning { file: self.file, line: 0, what });
        }
        Ok(self.warnings)
    }
}

/// What stands in a message: a line can be long, and a message is one line.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}
