//! A place in the configuration.

use std::fmt;
use std::sync::Arc;

/// A line of a file; cheap to copy into traces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConfigLine {
    /// As the operator named it.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

impl ConfigLine {
    /// A line of a file.
    pub fn new(file: impl Into<Arc<str>>, line: u32) -> Self {
        Self { file: file.into(), line }
    }
}

impl fmt::Display for ConfigLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}
