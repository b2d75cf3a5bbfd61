//! Texts that a configuration came from (the file, each `--set`), and the way from an octet back to file, line and column.
//!
//! All texts lie in one space of offsets, one behind the other, so that a span says by itself which text it is in.

use guard::ConfigLine;
use std::{fmt, ops::Range, sync::Arc};

/// A position in a text, as editors count: lines and columns from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// File name as it was given, or `--set`.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

impl Position {
    /// The line as the guard's traces name it.
    pub fn line(&self) -> ConfigLine {
        ConfigLine::new(self.file.clone(), self.line)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One text and where it begins in the common space of offsets.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: String,
    base: usize,
}

impl Source {
    /// The part of `span` that lies in this text, in its own offsets and on character boundaries.
    pub(crate) fn local(&self, span: &Range<usize>) -> Range<usize> {
        let clip = |offset: usize| {
            let offset = offset.saturating_sub(self.base).min(self.text.len());
            (0..=offset).rev().find(|at| self.text.is_char_boundary(*at)).unwrap_or(0)
        };
        let (start, end) = (clip(span.start), clip(span.end));
        start..end.max(start)
    }
}

/// All texts of one configuration.
#[derive(Debug, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text and says how far its offsets must be shifted.
    pub(crate) fn add(&mut self, name: &str, text: &str) -> usize {
        let base = self.0.last().map_or(0, |last| last.base + last.text.len() + 1);
        self.0.push(Source { name: name.into(), text: text.to_owned(), base });
        base
    }

    /// Every text with the beginning of its offsets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Source, usize)> {
        self.0.iter().map(|source| (source, source.base))
    }

    /// The text that an offset lies in; the first one if there is no such offset.
    pub(crate) fn of(&self, offset: usize) -> Option<&Source> {
        self.0.iter().rev().find(|source| source.base <= offset).or(self.0.first())
    }

    /// File, line and column of a span's beginning.
    pub(crate) fn position(&self, span: &Range<usize>) -> Position {
        let Some(source) = self.of(span.start) else { return Position { file: "".into(), line: 1, column: 1 } };
        let before = &source.text[..source.local(span).start];
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count());
        let lines = before.bytes().filter(|octet| *octet == b'\n').count();
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Position { file: source.name.clone(), line: count(lines), column: count(column) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_finds_its_text_line_and_column() {
        let mut sources = Sources::default();
        assert_eq!(sources.add("a.toml", "x = 1\nä = 2\n"), 0);
        let base = sources.add("--set", "limits.hops = 3");
        let table = [
            (0..1, "a.toml:1:1"),
            (4..5, "a.toml:1:5"),
            (6..7, "a.toml:2:1"),
            (8..9, "a.toml:2:2"),
            (13..13, "a.toml:3:1"),
        ];
        for (span, expected) in table {
            assert_eq!(sources.position(&span).to_string(), expected);
        }
        assert_eq!(sources.position(&(base..base + 1)).to_string(), "--set:1:1");
        assert_eq!(sources.position(&(base + 14..base + 15)).to_string(), "--set:1:15");
        assert_eq!(sources.position(&(7..8)).to_string(), "a.toml:2:1", "within a character: its beginning");
    }
}
