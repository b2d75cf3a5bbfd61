//! Lines as Postfix reads them: a line that begins with white space continues the one before; empty lines and comments
//! count for nothing, even in between.

use std::borrow::Cow;

use crate::mistake::Position;

/// White space for Postfix: of ASCII only.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Without white space at its end.
pub(crate) fn trim_end(text: &str) -> &str {
    let end = text.bytes().rposition(|b| !is_space(b)).map_or(0, |last| last + 1);
    &text[..end]
}

/// Without white space at its start.
pub(crate) fn trim_start(text: &str) -> &str {
    let start = text.bytes().position(|b| !is_space(b)).unwrap_or(text.len());
    &text[start..]
}

/// One logical line.
#[derive(Debug)]
pub(crate) struct Logical<'a> {
    /// Without line ends; begins with white space only if there was nothing to continue.
    pub(crate) text: Cow<'a, str>,
    /// Where it begins, from 1.
    pub(crate) line: u32,
    /// Where each further line begins in the text, and its number.
    joints: Vec<(usize, u32)>,
}

impl Logical<'_> {
    /// Line and column (in characters, from 1) of an octet of the text.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let joint = self.joints.iter().rev().find(|(start, _)| *start <= offset);
        let (start, line) = joint.copied().unwrap_or((0, self.line));
        let end = self.text.floor_char_boundary(offset);
        Position::behind(line, &self.text[start.min(end)..end])
    }
}

/// The logical lines of a text.
#[derive(Debug)]
pub(crate) struct LogicalLines<'a> {
    rest: &'a str,
    /// Lines taken so far.
    line: u32,
}

impl<'a> LogicalLines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0 }
    }

    /// The next line as it stands.
    fn physical(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        self.line += 1;
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        Some(line)
    }

    /// Whether the next line belongs to the last: it continues, or is a comment in between.
    fn goes_on(&self) -> bool {
        self.rest.as_bytes().first().is_some_and(|b| *b == b'#' || is_space(*b))
    }
}

fn counts(line: &str) -> bool {
    line.bytes().find(|b| !is_space(*b)).is_some_and(|b| b != b'#')
}

impl<'a> Iterator for LogicalLines<'a> {
    type Item = Logical<'a>;

    fn next(&mut self) -> Option<Logical<'a>> {
        let mut line = self.physical()?;
        while !counts(line) {
            line = self.physical()?;
        }
        let mut logical = Logical { text: Cow::Borrowed(line), line: self.line, joints: Vec::new() };
        while self.goes_on() {
            let Some(more) = self.physical() else { break };
            if counts(more) {
                logical.joints.push((logical.text.len(), self.line));
                logical.text.to_mut().push_str(more);
            }
        }
        Some(logical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(u32, String)> {
        LogicalLines::new(text).map(|l| (l.line, l.text.into_owned())).collect()
    }

    #[test]
    fn a_line_goes_on_over_comments_and_blanks() {
        let cases: &[(&str, &[(u32, &str)])] = &[
            ("", &[]),
            ("\n \n# x\n  # y\n", &[]),
            ("a b", &[(1, "a b")]),
            ("a b\nc d\n", &[(1, "a b"), (2, "c d")]),
            ("a\n b\n# no\n\n  c\nd", &[(1, "a b  c"), (6, "d")]),
            ("# x\n  lost\na b", &[(2, "  lost"), (3, "a b")]),
            ("a b\r\n\r\nc d\r\n", &[(1, "a b\r"), (3, "c d\r")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(n, t)| (*n, (*t).to_owned())).collect();
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_place_is_in_the_line_where_it_was_written() {
        let logical = LogicalLines::new("\na é b\n  cd\n").next().unwrap();
        assert_eq!(logical.text, "a é b  cd");
        assert_eq!(logical.position(0), Position { line: 2, column: 1 });
        assert_eq!(logical.position(5), Position { line: 2, column: 5 });
        assert_eq!(logical.position(8), Position { line: 3, column: 3 });
        assert_eq!(logical.position(100), Position { line: 3, column: 5 });
    }
}
