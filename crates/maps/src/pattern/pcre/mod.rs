//! PCRE2's patterns without UTF, as Postfix compiles them, written for our engine.

mod escape;

use std::fmt::{self, Write as _};

use super::class::{Class, literal};
use super::engine::{FENCE, Flags, Translated};
use super::width::{Group, Widths};
use super::{Dialect, PatternError, Wanted};

/// A pattern and its flags, and what is odd about it.
pub(super) fn translate(
    pattern: &str,
    flags: &str,
    wanted: Wanted,
) -> Result<(Translated, Option<&'static str>), PatternError> {
    let (mut caseless, mut multi_line, mut dot_all, mut extended) = (true, false, true, false);
    let (mut anchored, mut ungreedy, mut odd) = (false, false, None);
    for (at, flag) in flags.char_indices() {
        let flag_of = match flag {
            'i' => &mut caseless,
            'm' => &mut multi_line,
            's' => &mut dot_all,
            'x' => &mut extended,
            'A' => &mut anchored,
            'U' => &mut ungreedy,
            // `$` is the end alone anyway: keys have no line end.
            'E' => continue,
            'X' => {
                odd = Some("flag X is overlooked, as PCRE2 does");
                continue;
            }
            _ => {
                return Err(PatternError::new(
                    pattern.len() + 1 + at,
                    format!("no flag {flag:?}"),
                    "flags are i m s x A E U X",
                ));
            }
        };
        *flag_of = !*flag_of;
    }
    let written = |fenced| Writer::new(pattern, Modes { ungreedy, extended, fenced }).all();
    let anchor = |text: String| if anchored { format!("\\A(?:{text})") } else { text };
    let plain = written(false)?;
    let fenced = plain.back || (wanted == Wanted::Parts && plain.widths.unsure);
    let back = if fenced { Some(anchor(written(true)?.out)) } else { None };
    let linear = (!plain.back).then(|| anchor(plain.out));
    Ok((Translated { linear, back, flags: Flags { caseless, multi_line, dot_all, longest: false } }, odd))
}

/// Whether `(?i)` or the like is in it; more often yes than it is true.
fn sets_flags(pattern: &str) -> bool {
    pattern.match_indices("(?").any(|(at, _)| {
        let rest = pattern[at + 2..].trim_start_matches(['i', 'm', 's', '-']);
        rest.starts_with(')')
    })
}

/// How a pattern is read and written.
#[derive(Clone, Copy)]
struct Modes {
    /// Repetitions take as little as they can.
    ungreedy: bool,
    /// White space and comments mean nothing.
    extended: bool,
    /// With fences, for the engine that goes back.
    fenced: bool,
}

/// What ends a group that is open.
struct Closer {
    text: &'static str,
    group: Group,
}

struct Writer<'p> {
    pattern: &'p [u8],
    modes: Modes,
    at: usize,
    out: String,
    /// Opened so far.
    groups: usize,
    /// Whether a repetition may follow.
    repeatable: bool,
    /// Flags are set within it, until the group's end. Our engine ends them only with a group `(?:…)`, so each has one.
    sets_flags: bool,
    /// Of the groups that are open.
    closers: Vec<Closer>,
    /// It needs the engine that goes back.
    back: bool,
    widths: Widths,
}

fn nothing(at: usize) -> PatternError {
    PatternError::new(at, "nothing to repeat", "escape it by \\")
}

impl<'p> Writer<'p> {
    fn new(pattern: &'p str, modes: Modes) -> Self {
        Self {
            pattern: pattern.as_bytes(),
            modes,
            at: 0,
            out: String::new(),
            groups: 0,
            repeatable: false,
            sets_flags: sets_flags(pattern),
            closers: Vec::new(),
            back: false,
            widths: Widths::default(),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    fn all(mut self) -> Result<Self, PatternError> {
        while let Some(octet) = self.peek() {
            let begins = self.at;
            self.at += 1;
            let repeatable = std::mem::replace(&mut self.repeatable, true);
            match octet {
                b'*' | b'+' | b'?' if !repeatable => return Err(nothing(begins)),
                b'*' | b'+' | b'?' => {
                    self.widths.repeat(u32::from(octet == b'+'), (octet == b'?').then_some(1));
                    self.out.push(octet as char);
                    self.greed();
                }
                b'{' => self.brace(begins, repeatable)?,
                b'(' => self.group()?,
                b')' => self.close(begins)?,
                b'|' => {
                    self.out.push('|');
                    self.widths.or();
                    self.repeatable = false;
                }
                b'^' | b'$' => {
                    self.out.push(octet as char);
                    self.widths.thing(false);
                }
                b'#' if self.modes.extended => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                    self.repeatable = repeatable;
                }
                _ if self.modes.extended && super::is_space(octet) => self.repeatable = repeatable,
                _ => self.thing(octet)?,
            }
        }
        Ok(self)
    }

    /// What matches one octet, and escapes.
    fn thing(&mut self, octet: u8) -> Result<(), PatternError> {
        if octet == b'\\' {
            return self.escape();
        }
        self.widths.thing(true);
        match octet {
            b'[' => {
                let class = Class { dialect: Dialect::Pcre, pattern: self.pattern, line_ends: true };
                self.at = class.write(self.at, &mut self.out)?;
            }
            b'.' => self.out.push('.'),
            _ => literal(&mut self.out, octet),
        }
        Ok(())
    }

    fn close(&mut self, begins: usize) -> Result<(), PatternError> {
        let closer = self.closers.pop();
        let closer =
            closer.ok_or_else(|| PatternError::new(begins, "a parenthesis ) without its other", "remove it"))?;
        self.widths.close(closer.group);
        self.out.push_str(closer.text);
        Ok(())
    }

    /// What follows a quantifier.
    fn greed(&mut self) {
        self.repeatable = false;
        match self.peek() {
            Some(b'+') => {
                self.back = true;
                self.out.push('+');
                self.at += 1;
            }
            Some(b'?') => {
                self.at += 1;
                if !self.modes.ungreedy {
                    self.out.push('?');
                }
            }
            _ if self.modes.ungreedy => self.out.push('?'),
            _ => {}
        }
        if self.modes.fenced {
            self.out.push_str(FENCE);
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`; any other brace is a character.
    fn brace(&mut self, begins: usize, repeatable: bool) -> Result<(), PatternError> {
        let inner = &self.pattern[self.at..];
        let end = inner.iter().position(|b| *b == b'}');
        let text = end.and_then(|end| str::from_utf8(&inner[..end]).ok()).unwrap_or("");
        let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
        let quantifier = match text.split_once(',') {
            Some((low, high)) => !low.is_empty() && digits(low) && digits(high),
            None => !text.is_empty() && digits(text),
        };
        if quantifier && !repeatable {
            return Err(nothing(begins));
        }
        if quantifier {
            let low = text.split(',').next().unwrap_or("").parse().unwrap_or(u32::MAX);
            let high = matches!(text, "0,1" | "1" | "0").then_some(1);
            self.widths.repeat(low, high);
            self.out.push('{');
            self.out.push_str(text);
            self.out.push('}');
            self.at = begins + text.len() + 2;
            self.greed();
        } else {
            self.widths.thing(true);
            literal(&mut self.out, b'{');
        }
        Ok(())
    }

    /// Opens a group that is written so.
    fn open(&mut self, text: fmt::Arguments<'_>, group: Group) {
        self.put(text);
        self.widths.open();
        if self.sets_flags {
            self.out.push_str("(?:");
        }
        self.closers.push(Closer { text: if self.sets_flags { "))" } else { ")" }, group });
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = self.out.write_fmt(text);
    }

    /// Up to a delimiter, which is taken too.
    fn until(&mut self, delimiter: u8) -> Result<String, PatternError> {
        let rest = &self.pattern[self.at..];
        let end = rest.iter().position(|b| *b == delimiter);
        let end = end.ok_or_else(|| PatternError::new(self.at, "something is not closed", "close it"))?;
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 1;
        Ok(text)
    }

    fn name(&mut self, delimiter: u8) -> Result<String, PatternError> {
        let at = self.at;
        let name = self.until(delimiter)?;
        let fine = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if fine { Ok(name) } else { Err(PatternError::new(at, "no name of a group", "use letters, digits and _")) }
    }

    /// Behind an opening parenthesis.
    fn group(&mut self) -> Result<(), PatternError> {
        self.repeatable = false;
        let begins = self.at - 1;
        match self.peek() {
            Some(b'*') => return Err(PatternError::unsupported(begins, "a verb (*…)")),
            Some(b'?') => {}
            _ => {
                self.groups += 1;
                self.open(format_args!("("), Group::Takes);
                return Ok(());
            }
        }
        self.at += 1;
        let kind = self.peek();
        let after = self.pattern.get(self.at + 1).copied();
        self.at += 1;
        match (kind, after) {
            (Some(b'#'), _) => {
                self.until(b')')?;
            }
            (Some(c @ (b':' | b'=' | b'!' | b'>')), _) => {
                self.back |= c != b':';
                let group = if matches!(c, b'=' | b'!') { Group::Looks } else { Group::Takes };
                self.open(format_args!("(?{}", c as char), group);
            }
            (Some(b'<'), Some(c @ (b'=' | b'!'))) => {
                self.at += 1;
                self.back = true;
                self.open(format_args!("(?<{}", c as char), Group::Looks);
            }
            (Some(b'<'), _) => self.named_group(b'>')?,
            (Some(b'\''), _) => self.named_group(b'\'')?,
            (Some(b'P'), Some(b'<')) => {
                self.at += 1;
                self.named_group(b'>')?;
            }
            (Some(b'P'), Some(b'=')) => {
                self.at += 1;
                let name = self.name(b')')?;
                self.refer(format_args!("\\k<{name}>"));
                self.repeatable = true;
            }
            (Some(b'('), Some(c)) if c.is_ascii_digit() => {
                let number = self.until(b')')?;
                // Its alternatives must stay where they are.
                self.put(format_args!("(?({number})"));
                self.back = true;
                self.widths.open();
                self.closers.push(Closer { text: ")", group: Group::Takes });
            }
            (Some(c), _) if c.is_ascii_lowercase() || c == b'-' => {
                self.at -= 1;
                self.inline_flags(begins)?;
            }
            _ => return Err(PatternError::unsupported(begins, "this kind of group")),
        }
        Ok(())
    }

    fn named_group(&mut self, delimiter: u8) -> Result<(), PatternError> {
        let name = self.name(delimiter)?;
        self.groups += 1;
        self.open(format_args!("(?P<{name}>"), Group::Takes);
        Ok(())
    }

    /// `(?i)`, `(?s-m:`.
    fn inline_flags(&mut self, begins: usize) -> Result<(), PatternError> {
        let rest = &self.pattern[self.at..];
        let end = rest.iter().position(|b| !matches!(b, b'i' | b'm' | b's' | b'-')).unwrap_or(rest.len());
        let flags = String::from_utf8_lossy(&rest[..end]).into_owned();
        match rest.get(end) {
            Some(c @ (b':' | b')')) if flags.matches('-').count() <= 1 => {
                self.at += end + 1;
                self.put(format_args!("(?{flags}{}", *c as char));
                if *c == b':' {
                    self.widths.open();
                    self.closers.push(Closer { text: ")", group: Group::Takes });
                }
                Ok(())
            }
            _ => Err(PatternError::unsupported(begins, "these flags within a pattern")),
        }
    }
}
