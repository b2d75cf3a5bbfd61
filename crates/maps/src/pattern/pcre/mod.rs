//! PCRE2's patterns without UTF, as Postfix compiles them, written for our engine.

mod escape;

use std::fmt::{self, Write as _};

use super::class::{self, literal};
use super::engine::{FENCE, Flags, Translated};
use super::width::Widths;
use super::{Dialect, Wrong};

pub(super) use escape::class_escape;

/// A pattern and its flags, and what is odd about it. `parts`: the result takes parts of the key.
pub(super) fn translate(pattern: &str, flags: &str, parts: bool) -> Result<(Translated, Option<&'static str>), Wrong> {
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
                return Err(Wrong::new(
                    pattern.len() + 1 + at,
                    format!("no flag {flag:?}"),
                    "flags are i m s x A E U X",
                ));
            }
        };
        *flag_of = !*flag_of;
    }
    let written = |fenced| Writer::new(pattern, (ungreedy, extended, fenced)).all();
    let anchor = |text: String| if anchored { format!("\\A(?:{text})") } else { text };
    let plain = written(false)?;
    let fenced = plain.back || (parts && plain.widths.unsure);
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

#[expect(clippy::struct_excessive_bools, reason = "three are what it is told, three what it finds")]
struct Writer<'p> {
    pattern: &'p [u8],
    ungreedy: bool,
    extended: bool,
    fenced: bool,
    at: usize,
    out: String,
    /// Opened so far.
    groups: usize,
    /// Whether a repetition may follow.
    repeatable: bool,
    /// Flags are set within it, until the group's end. Our engine ends them only with a group `(?:…)`, so each has one.
    sets_flags: bool,
    /// What closes the groups that are open, and whether they only look.
    closers: Vec<(&'static str, bool)>,
    /// It needs the engine that goes back.
    back: bool,
    widths: Widths,
}

fn unsupported(at: usize, what: &str) -> Wrong {
    Wrong::new(at, format!("{what} is not understood here"), "write it in another way")
}

fn nothing(at: usize) -> Wrong {
    Wrong::new(at, "nothing to repeat", "escape it by \\")
}

impl<'p> Writer<'p> {
    fn new(pattern: &'p str, (ungreedy, extended, fenced): (bool, bool, bool)) -> Self {
        Self {
            pattern: pattern.as_bytes(),
            ungreedy,
            extended,
            fenced,
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

    fn all(mut self) -> Result<Self, Wrong> {
        while let Some(octet) = self.peek() {
            let begins = self.at;
            self.at += 1;
            let repeatable = std::mem::replace(&mut self.repeatable, true);
            match octet {
                b'*' | b'+' | b'?' if !repeatable => return Err(nothing(begins)),
                b'*' | b'+' | b'?' => {
                    self.widths.repeat(u32::from(octet == b'+'), octet == b'?');
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
                b'#' if self.extended => {
                    while self.peek().is_some_and(|b| b != b'\n') {
                        self.at += 1;
                    }
                    self.repeatable = repeatable;
                }
                _ if self.extended && super::is_space(octet) => self.repeatable = repeatable,
                _ => self.thing(octet)?,
            }
        }
        Ok(self)
    }

    /// What matches one octet, and escapes.
    fn thing(&mut self, octet: u8) -> Result<(), Wrong> {
        if octet == b'\\' {
            return self.escape();
        }
        self.widths.thing(true);
        match octet {
            b'[' => self.at = class::class(Dialect::Pcre, self.pattern, self.at, (&mut self.out, false))?,
            b'.' => self.out.push('.'),
            _ => literal(&mut self.out, octet),
        }
        Ok(())
    }

    fn close(&mut self, begins: usize) -> Result<(), Wrong> {
        let (closer, looks) =
            self.closers.pop().ok_or_else(|| Wrong::new(begins, "a parenthesis ) without its other", "remove it"))?;
        self.widths.close(looks);
        self.out.push_str(closer);
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
                if !self.ungreedy {
                    self.out.push('?');
                }
            }
            _ if self.ungreedy => self.out.push('?'),
            _ => {}
        }
        if self.fenced {
            self.out.push_str(FENCE);
        }
    }

    /// `{n}`, `{n,}`, `{n,m}`; any other brace is a character.
    fn brace(&mut self, begins: usize, repeatable: bool) -> Result<(), Wrong> {
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
            self.widths.repeat(low, matches!(text, "0,1" | "1" | "0"));
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
    fn open(&mut self, text: fmt::Arguments<'_>, looks: bool) {
        self.put(text);
        self.widths.open();
        if self.sets_flags {
            self.out.push_str("(?:");
        }
        self.closers.push((if self.sets_flags { "))" } else { ")" }, looks));
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = self.out.write_fmt(text);
    }

    /// Up to a delimiter, which is taken too.
    fn until(&mut self, delimiter: u8) -> Result<String, Wrong> {
        let rest = &self.pattern[self.at..];
        let end = rest.iter().position(|b| *b == delimiter);
        let end = end.ok_or_else(|| Wrong::new(self.at, "something is not closed", "close it"))?;
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        self.at += end + 1;
        Ok(text)
    }

    fn name(&mut self, delimiter: u8) -> Result<String, Wrong> {
        let at = self.at;
        let name = self.until(delimiter)?;
        let fine = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
        if fine { Ok(name) } else { Err(Wrong::new(at, "no name of a group", "use letters, digits and _")) }
    }

    /// Behind an opening parenthesis.
    fn group(&mut self) -> Result<(), Wrong> {
        self.repeatable = false;
        let begins = self.at - 1;
        match self.peek() {
            Some(b'*') => return Err(unsupported(begins, "a verb (*…)")),
            Some(b'?') => {}
            _ => {
                self.groups += 1;
                self.open(format_args!("("), false);
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
                self.open(format_args!("(?{}", c as char), matches!(c, b'=' | b'!'));
            }
            (Some(b'<'), Some(c @ (b'=' | b'!'))) => {
                self.at += 1;
                self.back = true;
                self.open(format_args!("(?<{}", c as char), true);
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
                self.closers.push((")", false));
            }
            (Some(c), _) if c.is_ascii_lowercase() || c == b'-' => {
                self.at -= 1;
                self.inline_flags(begins)?;
            }
            _ => return Err(unsupported(begins, "this kind of group")),
        }
        Ok(())
    }

    fn named_group(&mut self, delimiter: u8) -> Result<(), Wrong> {
        let name = self.name(delimiter)?;
        self.groups += 1;
        self.open(format_args!("(?P<{name}>"), false);
        Ok(())
    }

    /// `(?i)`, `(?s-m:`.
    fn inline_flags(&mut self, begins: usize) -> Result<(), Wrong> {
        let rest = &self.pattern[self.at..];
        let end = rest.iter().position(|b| !matches!(b, b'i' | b'm' | b's' | b'-')).unwrap_or(rest.len());
        let flags = String::from_utf8_lossy(&rest[..end]).into_owned();
        match rest.get(end) {
            Some(c @ (b':' | b')')) if flags.matches('-').count() <= 1 => {
                self.at += end + 1;
                self.put(format_args!("(?{flags}{}", *c as char));
                if *c == b':' {
                    self.widths.open();
                    self.closers.push((")", false));
                }
                Ok(())
            }
            _ => Err(unsupported(begins, "these flags within a pattern")),
        }
    }
}
