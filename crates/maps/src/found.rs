//! What a look-up yields.

use std::borrow::Cow;

/// What a table says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The value as it stands, with `$1` and the like replaced.
    pub value: Cow<'a, str>,
    /// From which line it is; 0 if the table was no file of lines.
    pub line: u32,
}

impl<'a> Found<'a> {
    /// A value that stands in the table as it is.
    pub(crate) fn borrowed(value: &'a str, line: u32) -> Self {
        Self { value: Cow::Borrowed(value), line }
    }
}
