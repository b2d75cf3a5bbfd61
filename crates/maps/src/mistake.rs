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

/// What was found while one file was read.
#[derive(Debug)]
pub(super) struct Notes {
    pub(super) file: Arc<str>,
    mistakes: Vec<Mistake>,
    warnings: Vec<Warning>,
    untold: usize,
}

impl Notes {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.into(), mistakes: Vec::new(), warnings: Vec::new(), untold: 0 }
    }

    /// The file will not be taken. `place` is line and column.
    pub(super) fn mistake(&mut self, place: (u32, u32), what: impl Into<String>, hint: impl Into<String>) {
        if self.mistakes.len() < TOLD_MAX {
            let (line, column) = place;
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
    pub(super) fn warn(&mut self, line: u32, what: impl FnOnce() -> String) {
        if self.warnings.len() < TOLD_MAX {
            self.warnings.push(Warning { file: Arc::clone(&self.file), line, what: what() });
        } else {
            self.untold += 1;
        }
    }

    /// The warnings, if there was no mistake.
    pub(super) fn end(mut self) -> Result<Vec<Warning>, Vec<Mistake>> {
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
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short:?}…") } else { format!("{short:?}") }
}
