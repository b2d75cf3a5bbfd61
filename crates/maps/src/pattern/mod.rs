//! pcre_table(5) and regexp_table(5): rules of patterns, tried in their order.
//!
//! Keys are octets to both, as they are to Postfix: `.` is one octet, and only ASCII has upper and lower case. The
//! patterns are written anew for our own engine ([`pcre`], [`posix`]); what it cannot do is a mistake, never a rule that
//! quietly matches something else. Matching is bounded: where Postfix gives a pattern up as too laborious, so do we, and
//! the rule does not match.

mod class;
mod engine;
mod escape;
mod pcre;
mod posix;
mod reader;
mod template;
mod width;

use std::borrow::Cow;

use crate::found::Found;
use crate::lines::{Logical, LogicalLines, is_space, trim_end, trim_start};
use crate::mistake::{Notes, Position};
use engine::Engine;
use reader::Reader;
use template::Template;

/// `if` may stand in `if` so often.
const NESTING_MAX: usize = 100;

/// Which of the two languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// pcre_table(5).
    Pcre,
    /// regexp_table(5), in glibc's reading.
    Posix,
}

/// What is wrong with a pattern: where in it, what, and what to do.
#[derive(Debug)]
struct PatternError {
    at: usize,
    what: String,
    hint: &'static str,
}

impl PatternError {
    fn new(at: usize, what: impl Into<String>, hint: &'static str) -> Self {
        Self { at, what: what.into(), hint }
    }

    fn unsupported(at: usize, what: &str) -> Self {
        Self::new(at, format!("{what} is not understood here"), "write it in another way")
    }
}

/// What a rule wants of its pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Whether a key matches.
    Match,
    /// The parts of the key, too: the result takes them.
    Parts,
}

/// A pattern, and whether the key must match it.
#[derive(Debug)]
struct Pattern {
    engine: Engine,
    wanted: bool,
}

impl Pattern {
    fn matches(&self, key: &[u8]) -> bool {
        // Given up: no match, and no match of the negation either.
        self.engine.matches(key).is_some_and(|matched| matched == self.wanted)
    }
}

#[derive(Debug)]
enum Op {
    Match {
        first: Pattern,
        /// `/a/!/b/`, an old form.
        second: Option<Pattern>,
        result: Template,
    },
    /// What follows, up to the number, is for keys that match.
    If { pattern: Pattern, end: usize },
}

#[derive(Debug)]
struct Rule {
    op: Op,
    line: u32,
}

/// Rules in their order.
#[derive(Debug, Default)]
pub(crate) struct RuleTable {
    rules: Vec<Rule>,
}

impl RuleTable {
    pub(crate) fn parse(dialect: Dialect, text: &str, notes: &mut Notes) -> Self {
        let mut table = Self::default();
        let mut open = Vec::new();
        for logical in LogicalLines::new(text) {
            table.line(&logical, &mut open, &mut Reader { dialect, logical: &logical, notes });
        }
        for number in open {
            let line = table.close(number);
            notes.warn(line, || "IF without ENDIF: it goes on to the end of the file".to_owned());
        }
        table
    }

    /// Ends an `if` here; its line.
    fn close(&mut self, number: usize) -> u32 {
        let here = self.rules.len();
        let rule = &mut self.rules[number];
        if let Op::If { end, .. } = &mut rule.op {
            *end = here;
        }
        rule.line
    }

    fn line(&mut self, logical: &Logical<'_>, open: &mut Vec<usize>, reader: &mut Reader<'_>) {
        let line = logical.line;
        let text = trim_end(&logical.text);
        if text.bytes().next().is_some_and(is_space) {
            reader.notes.mistake(
                Position::start_of(line),
                "a line that continues nothing",
                "begin it without white space",
            );
        } else if !text.as_bytes()[0].is_ascii_alphanumeric() {
            if let Some(op) = reader.match_rule(text) {
                self.rules.push(Rule { op, line });
            }
        } else if let Some(rest) = keyword(text, "if") {
            let Some(pattern) = reader.condition(rest) else { return };
            if open.len() == NESTING_MAX {
                let what = format!("more than {NESTING_MAX} IFs in each other");
                reader.notes.mistake(Position::start_of(line), what, "nest less");
                return;
            }
            open.push(self.rules.len());
            self.rules.push(Rule { op: Op::If { pattern, end: usize::MAX }, line });
        } else if let Some(rest) = keyword(text, "endif") {
            match open.pop() {
                Some(number) => {
                    self.close(number);
                    if !rest.is_empty() {
                        reader.notes.warn(line, || "what stands behind ENDIF is overlooked".to_owned());
                    }
                }
                None => reader.notes.mistake(Position::start_of(line), "ENDIF without IF", "remove it"),
            }
        } else {
            reader.notes.mistake(Position::start_of(line), "no pattern", "begin it with /, IF or ENDIF");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// What the rules say, with `x` for each part of a key; not those that begin with a part.
    pub(crate) fn values(&self) -> impl Iterator<Item = (Cow<'_, str>, u32)> {
        self.rules.iter().filter_map(|rule| match &rule.op {
            Op::Match { result, .. } => Some((result.shape()?, rule.line)),
            Op::If { .. } => None,
        })
    }

    /// The result of the first rule that matches, with the parts of the key that it asks for.
    pub(crate) fn get(&self, key: &str) -> Option<Found<'_>> {
        let key = key.as_bytes();
        let mut number = 0;
        while let Some(rule) = self.rules.get(number) {
            number += 1;
            match &rule.op {
                Op::If { pattern, end } if !pattern.matches(key) => number = *end,
                Op::If { .. } => {}
                Op::Match { first, second, result } => {
                    if let Some(value) = found(first, second.as_ref(), result, key) {
                        return Some(Found { value, line: rule.line });
                    }
                }
            }
        }
        None
    }
}

fn found<'t>(first: &Pattern, second: Option<&Pattern>, result: &'t Template, key: &[u8]) -> Option<Cow<'t, str>> {
    let fine = || second.is_none_or(|second| second.matches(key));
    if let Some(text) = result.literal() {
        return (first.matches(key) && fine()).then_some(Cow::Borrowed(text));
    }
    // Only a pattern without `!` has parts.
    let parts = first.engine.parts(key)?;
    fine().then(|| Cow::Owned(result.fill(|n| parts.get(n).copied().flatten())))
}

/// What follows a word at the start of a line, if it is there and no letter or digit follows.
fn keyword<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    let rest = &text[word.len()..];
    let ends = !rest.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    (ends && head.eq_ignore_ascii_case(word)).then(|| trim_start(rest))
}

#[cfg(test)]
mod tests;
