//! One line of a table of patterns: delimiters, flags, negation, the result.

use super::engine::Engine;
use super::template::Template;
use super::{Dialect, Op, Pattern, Wanted, pcre, posix};
use crate::lines::{Logical, is_space, trim_end, trim_start};
use crate::mistake::Notes;

/// A line that is being read.
pub(super) struct Reader<'a> {
    pub(super) dialect: Dialect,
    pub(super) logical: &'a Logical<'a>,
    pub(super) notes: &'a mut Notes,
}

/// A pattern as it is written.
struct Written<'t> {
    /// Where it begins in its line.
    at: usize,
    text: &'t str,
    flags: &'t str,
    wanted: bool,
}

impl Reader<'_> {
    /// A mistake at an octet of the line.
    fn mistake(&mut self, at: usize, what: impl Into<String>, hint: &str) {
        self.notes.mistake(self.logical.position(at), what, hint);
    }

    /// Where a rest of the line begins in it.
    fn offset(&self, rest: &str) -> usize {
        trim_end(&self.logical.text).len() - rest.len()
    }

    /// `[!]/pattern/flags result`, for regexp tables also `/pattern/flags!/pattern/flags result`.
    pub(super) fn match_rule(&mut self, text: &str) -> Option<Op> {
        let (first, rest) = self.written(text)?;
        let (second, rest) = if self.dialect == Dialect::Posix && rest.starts_with('!') {
            let (second, rest) = self.written(rest)?;
            (Some(second), rest)
        } else {
            (None, rest)
        };
        let result = self.result(trim_start(rest))?;
        let wanted = if result.highest() > 0 { Wanted::Parts } else { Wanted::Match };
        if wanted == Wanted::Parts && !first.wanted {
            self.mistake(first.at, "a part of a key that does not match", "leave the $ out, or write $$");
            return None;
        }
        let first_at = first.at;
        let first = self.compile(&first, wanted)?;
        if result.highest() > first.engine.groups() {
            let what = format!("${} where the pattern has {} groups", result.highest(), first.engine.groups());
            self.mistake(first_at, what, "count its brackets");
            return None;
        }
        let second = match second {
            Some(second) => Some(self.compile(&second, Wanted::Match)?),
            None => None,
        };
        Some(Op::Match { first, second, result })
    }

    fn result(&mut self, value: &str) -> Option<Template> {
        if value.is_empty() {
            self.notes.warn(self.logical.line, || "no result: the empty text is".to_owned());
        }
        let at = self.offset(value);
        match Template::parse(value) {
            Ok(result) => Some(result),
            Err((within, what)) => {
                self.mistake(at + within, what, "write $1, ${1}, or $$ for a dollar sign");
                None
            }
        }
    }

    /// The pattern behind an IF.
    pub(super) fn condition(&mut self, rest: &str) -> Option<Pattern> {
        let (pattern, rest) = self.written(rest)?;
        if !trim_start(rest).is_empty() {
            self.notes.warn(self.logical.line, || "what stands behind the pattern of IF is overlooked".to_owned());
        }
        self.compile(&pattern, Wanted::Match)
    }

    /// A pattern with its delimiters and flags, and what follows.
    fn written<'t>(&mut self, from: &'t str) -> Option<(Written<'t>, &'t str)> {
        let start = from.bytes().position(|b| b != b'!' && !is_space(b)).unwrap_or(from.len());
        let wanted = from[..start].bytes().filter(|b| *b == b'!').count() % 2 == 0;
        let Some(delimiter) = from[start..].chars().next() else {
            self.mistake(self.offset(from), "no pattern", "write /pattern/ and a result");
            return None;
        };
        let delimiter_at = self.offset(&from[start..]);
        if !delimiter.is_ascii() {
            self.mistake(delimiter_at, "a delimiter outside of ASCII", "write /pattern/");
            return None;
        }
        let body = &from[start + 1..];
        let Some(end) = closing(body, delimiter as u8) else {
            self.mistake(delimiter_at, format!("no closing {delimiter}"), "close the pattern");
            return None;
        };
        let rest = &body[end + 1..];
        let stops = |b: u8| is_space(b) || (self.dialect == Dialect::Posix && b == b'!');
        let flags_end = rest.bytes().position(stops).unwrap_or(rest.len());
        let (flags, rest) = rest.split_at(flags_end);
        Some((Written { at: self.offset(body), text: &body[..end], flags, wanted }, rest))
    }

    fn compile(&mut self, written: &Written<'_>, wanted: Wanted) -> Option<Pattern> {
        let translated = match self.dialect {
            Dialect::Pcre => pcre::translate(written.text, written.flags, wanted),
            Dialect::Posix => posix::translate(written.text, written.flags, wanted),
        };
        let compiled = translated.and_then(|(pattern, odd)| Engine::new(&pattern).map(|engine| (engine, odd)));
        match compiled {
            Ok((engine, odd)) => {
                if let Some(odd) = odd {
                    self.notes.warn(self.logical.line, || odd.to_owned());
                }
                Some(Pattern { engine, wanted: written.wanted })
            }
            Err(wrong) => {
                self.mistake(written.at + wrong.at, wrong.what, wrong.hint);
                None
            }
        }
    }
}

/// Where the delimiter stands again; a backslash protects what follows it.
fn closing(body: &str, delimiter: u8) -> Option<usize> {
    let mut bytes = body.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' {
            bytes.next();
        } else if byte == delimiter {
            return Some(at);
        }
    }
    None
}
