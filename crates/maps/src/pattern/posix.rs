//! POSIX regular expressions, extended and basic, as glibc reads them in the C locale, written for our engine.
//!
//! Whether a key matches is the same in both. Of the parts, POSIX takes the longest where an alternative leaves the
//! choice; a pattern whose parts are asked for is therefore matched for the longest whole.

use std::fmt::{self, Write as _};

use super::class::{Class, literal};
use super::engine::{FENCE, Flags, Translated};
use super::width::{Group, Widths};
use super::{Dialect, PatternError, Wanted};

/// So often something may be repeated: `RE_DUP_MAX`.
const REPEATED_MAX: u32 = 0x7fff;

/// A pattern and its flags, and what is odd about it.
pub(super) fn translate(
    pattern: &str,
    flags: &str,
    wanted: Wanted,
) -> Result<(Translated, Option<&'static str>), PatternError> {
    let parts = wanted == Wanted::Parts;
    let (mut caseless, mut newline, mut extended) = (true, false, true);
    for (at, flag) in flags.char_indices() {
        let flag_of = match flag {
            'i' => &mut caseless,
            'm' => &mut newline,
            'x' => &mut extended,
            _ => return Err(PatternError::new(pattern.len() + 1 + at, format!("no flag {flag:?}"), "flags are i m x")),
        };
        *flag_of = !*flag_of;
    }
    let written = |fenced| Writer::new(pattern, Modes { extended, newline, fenced }).all();
    let plain = written(false)?;
    let longest = parts && plain.choices;
    let back = if longest || plain.refers { Some(written(true)?.out) } else { None };
    let odd = (parts && plain.widths.unsure)
        .then_some("a group that may be empty is repeated: what stands for its $ may be other than in Postfix");
    let flags = Flags { caseless, multi_line: newline, dot_all: !newline, longest };
    Ok((Translated { linear: (!plain.refers).then_some(plain.out), back, flags }, odd))
}

/// What a pattern consists of, in both syntaxes.
#[derive(Clone, Copy)]
enum Token {
    Octet(u8),
    Open,
    Close,
    Or,
    /// At least, at most.
    Repeat(u32, Option<u32>),
    Bracket,
    Dot,
    Reference(u8),
    /// Something with a width that our engine writes so.
    Atom(&'static str),
    /// Something without.
    Anchor(&'static str),
}

/// How a pattern is read and written.
#[derive(Clone, Copy)]
struct Modes {
    /// Extended, not basic.
    extended: bool,
    /// A line end parts lines.
    newline: bool,
    /// With fences, for the engine that goes back.
    fenced: bool,
}

struct Writer<'p> {
    pattern: &'p [u8],
    modes: Modes,
    at: usize,
    out: String,
    /// Where in the output begins what a repetition would repeat.
    atom: Option<usize>,
    repeated: bool,
    /// Where in the output the open groups begin.
    open: Vec<usize>,
    closed: u8,
    choices: bool,
    refers: bool,
    widths: Widths,
}

impl<'p> Writer<'p> {
    fn new(pattern: &'p str, modes: Modes) -> Self {
        Self {
            pattern: pattern.as_bytes(),
            modes,
            at: 0,
            out: String::new(),
            atom: None,
            repeated: false,
            open: Vec::new(),
            closed: 0,
            choices: false,
            refers: false,
            widths: Widths::default(),
        }
    }

    fn all(mut self) -> Result<Self, PatternError> {
        while self.at < self.pattern.len() {
            let begins = self.at;
            let token = self.token()?;
            self.write(begins, token)?;
        }
        match self.open.pop() {
            Some(_) => Err(PatternError::new(0, "a parenthesis ( that is not closed", "close it, or escape it by \\")),
            None => Ok(self),
        }
    }

    fn token(&mut self) -> Result<Token, PatternError> {
        let begins = self.at;
        let octet = self.pattern[begins];
        self.at += 1;
        let at_start =
            begins == 0 || self.pattern[..begins].ends_with(b"\\(") || self.pattern[..begins].ends_with(b"\\|");
        let at_end = self.at == self.pattern.len()
            || self.pattern[self.at..].starts_with(b"\\)")
            || self.pattern[self.at..].starts_with(b"\\|");
        Ok(match octet {
            b'\\' => self.escaped()?,
            b'[' => Token::Bracket,
            b'.' => Token::Dot,
            b'*' if self.modes.extended => Token::Repeat(0, None),
            b'*' if self.atom.is_some() => {
                self.first_repetition(begins)?;
                Token::Repeat(0, None)
            }
            b'^' if self.modes.extended || at_start => Token::Anchor("^"),
            b'$' if self.modes.extended || at_end => Token::Anchor("$"),
            b'(' if self.modes.extended => Token::Open,
            b')' if self.modes.extended && !self.open.is_empty() => Token::Close,
            b'|' if self.modes.extended => Token::Or,
            b'+' if self.modes.extended => Token::Repeat(1, None),
            b'?' if self.modes.extended => Token::Repeat(0, Some(1)),
            b'{' if self.modes.extended => self.interval(b"}")?,
            _ => Token::Octet(octet),
        })
    }

    /// In a basic pattern these do not repeat what is repeated already.
    fn first_repetition(&self, begins: usize) -> Result<(), PatternError> {
        if self.atom.is_some() && self.repeated {
            return Err(PatternError::new(begins, "a repetition of a repetition", "put \\( and \\) around the first"));
        }
        Ok(())
    }

    /// Behind a backslash.
    fn escaped(&mut self) -> Result<Token, PatternError> {
        let begins = self.at - 1;
        let Some(octet) = self.pattern.get(self.at).copied() else {
            return Err(PatternError::new(begins, "a backslash at the end", "write \\\\ for a backslash"));
        };
        self.at += 1;
        Ok(match octet {
            b'(' if !self.modes.extended => Token::Open,
            b')' if !self.modes.extended => Token::Close,
            b'|' if !self.modes.extended => Token::Or,
            b'+' if !self.modes.extended && self.atom.is_some() => Token::Repeat(1, None),
            b'?' if !self.modes.extended && self.atom.is_some() => Token::Repeat(0, Some(1)),
            b'{' if !self.modes.extended => {
                self.first_repetition(begins)?;
                self.interval(b"\\}")?
            }
            b'1'..=b'9' => Token::Reference(octet - b'0'),
            b'w' => Token::Atom("[A-Za-z0-9_]"),
            b'W' => Token::Atom("[^A-Za-z0-9_]"),
            b's' => Token::Atom("[\\x20\\t-\\r]"),
            b'S' => Token::Atom("[^\\x20\\t-\\r]"),
            b'b' => Token::Anchor("\\b"),
            b'B' => Token::Anchor("\\B"),
            b'<' => Token::Anchor("\\<"),
            b'>' => Token::Anchor("\\>"),
            b'`' => Token::Anchor("\\A"),
            b'\'' => Token::Anchor("\\z"),
            _ => Token::Octet(octet),
        })
    }

    /// `{n}`, `{n,}`, `{n,m}`, `{,m}`.
    fn interval(&mut self, close: &[u8]) -> Result<Token, PatternError> {
        let begins = self.at - 1;
        let rest = &self.pattern[self.at..];
        let wrong =
            || PatternError::new(begins, "no numbers in braces", "write as in {2,5}, or escape the brace by \\");
        let end = rest.windows(close.len()).position(|w| w == close).ok_or_else(wrong)?;
        let text = str::from_utf8(&rest[..end]).map_err(|_| wrong())?;
        self.at += end + close.len();
        let number = |t: &str| {
            let digits = !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            t.parse().ok().filter(|n: &u32| digits && *n <= REPEATED_MAX).ok_or_else(wrong)
        };
        match text.split_once(',') {
            None => number(text).map(|n| Token::Repeat(n, Some(n))),
            Some(("", "")) => Err(wrong()),
            Some(("", high)) => Ok(Token::Repeat(0, Some(number(high)?))),
            Some((low, "")) => Ok(Token::Repeat(number(low)?, None)),
            Some((low, high)) => {
                let (low, high) = (number(low)?, number(high)?);
                if low > high { Err(wrong()) } else { Ok(Token::Repeat(low, Some(high))) }
            }
        }
    }

    fn write(&mut self, begins: usize, token: Token) -> Result<(), PatternError> {
        let start = self.out.len();
        match token {
            Token::Repeat(low, high) => return self.repeat(begins, low, high),
            Token::Open => {
                self.open.push(start);
                self.widths.open();
                self.out.push('(');
                self.atom = None;
                return Ok(());
            }
            Token::Or => {
                self.choices = true;
                self.widths.or();
                self.out.push('|');
                self.atom = None;
                return Ok(());
            }
            Token::Anchor(text) => {
                self.out.push_str(text);
                self.atom = None;
                return Ok(());
            }
            Token::Close => {
                let Some(begins) = self.open.pop() else {
                    return Err(PatternError::new(begins, "a parenthesis ) without its other", "remove it"));
                };
                self.closed += u8::from(self.closed < u8::MAX);
                self.out.push(')');
                self.widths.close(Group::Takes);
                self.atom = Some(begins);
                self.repeated = false;
                return Ok(());
            }
            Token::Bracket => {
                let line_ends = !self.modes.newline;
                let class = Class { dialect: Dialect::Posix, pattern: self.pattern, line_ends };
                self.at = class.write(self.at, &mut self.out)?;
            }
            Token::Octet(octet) => literal(&mut self.out, octet),
            Token::Dot => self.out.push('.'),
            Token::Atom(text) => self.out.push_str(text),
            Token::Reference(number) if number > self.closed => {
                return Err(PatternError::new(
                    begins,
                    "a reference to a group that is not there",
                    "count the brackets",
                ));
            }
            Token::Reference(number) => self.put(format_args!("(?:\\{number})")),
        }
        self.refers |= matches!(token, Token::Reference(_));
        self.widths.thing(!matches!(token, Token::Reference(_)));
        self.atom = Some(start);
        self.repeated = false;
        Ok(())
    }

    fn put(&mut self, text: fmt::Arguments<'_>) {
        // A String takes everything.
        let _ = self.out.write_fmt(text);
    }

    fn repeat(&mut self, begins: usize, low: u32, high: Option<u32>) -> Result<(), PatternError> {
        let Some(atom) = self.atom else {
            return Err(PatternError::new(begins, "nothing to repeat", "escape it by \\"));
        };
        // `a*+` would be something else to our engine.
        if self.repeated {
            self.out.insert_str(atom, "(?:");
            self.out.push(')');
        }
        self.repeated = true;
        self.widths.repeat(low, high);
        self.choices |= low == 0 || high != Some(low);
        match (low, high) {
            (0, None) => self.out.push('*'),
            (1, None) => self.out.push('+'),
            (0, Some(1)) => self.out.push('?'),
            (low, None) => self.put(format_args!("{{{low},}}")),
            (low, Some(high)) => self.put(format_args!("{{{low},{high}}}")),
        }
        if self.modes.fenced {
            self.out.push_str(FENCE);
        }
        Ok(())
    }
}
