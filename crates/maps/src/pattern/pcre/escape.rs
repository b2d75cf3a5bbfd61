//! What a backslash begins, outside of brackets and within.

use std::fmt;

use super::super::Wrong;
use super::super::class::{Item, literal};
use super::{Writer, unsupported};

/// What stands for `\h`, `\v` and their opposites within brackets.
const BLANKS: &str = "\\t\\x20\\xA0";
const NO_BLANKS: &str = "\\x00-\\x08\\x0A-\\x1F\\x21-\\x9F\\xA1-\\xFF";
const LINE_ENDS: &str = "\\n\\x0B\\f\\r\\x85";
const NO_LINE_ENDS: &str = "\\x00-\\x09\\x0E-\\x84\\x86-\\xFF";

impl Writer<'_> {
    /// Behind a backslash.
    pub(super) fn escape(&mut self) -> Result<(), Wrong> {
        let begins = self.at - 1;
        let Some(octet) = self.peek() else {
            return Err(Wrong::new(begins, "a backslash at the end", "write \\\\ for a backslash"));
        };
        self.at += 1;
        match octet {
            b'Q' => {
                while self.at < self.pattern.len() && !self.pattern[self.at..].starts_with(b"\\E") {
                    literal(&mut self.out, self.pattern[self.at]);
                    self.at += 1;
                }
                self.at = (self.at + 2).min(self.pattern.len());
            }
            b'E' => {}
            b'd' | b'D' | b'w' | b'W' | b's' | b'S' => self.put(format_args!("\\{}", octet as char)),
            b'b' | b'B' | b'A' | b'z' | b'G' | b'K' => {
                self.back |= matches!(octet, b'G' | b'K');
                self.put(format_args!("\\{}", octet as char));
            }
            b'Z' => {
                self.back = true;
                self.out.push_str("(?=\\n?\\z)");
            }
            b'N' => self.out.push_str("[^\\n]"),
            b'R' => {
                self.back = true;
                self.out.push_str("(?>\\r\\n|[\\n\\x0B\\f\\r\\x85])");
            }
            b'h' | b'H' | b'v' | b'V' => {
                let set = set(octet);
                self.put(format_args!("[{set}]"));
            }
            b'1'..=b'9' => self.back_reference_or_octal(octet)?,
            b'g' => self.back_reference()?,
            b'k' => {
                let delimiter = match self.peek() {
                    Some(b'<') => b'>',
                    Some(b'{') => b'}',
                    Some(b'\'') => b'\'',
                    _ => return Err(unsupported(begins, "\\k without a name")),
                };
                self.at += 1;
                let name = self.name(delimiter)?;
                self.refer(format_args!("\\k<{name}>"));
            }
            _ => {
                let octet = simple(self.pattern, &mut self.at, octet)
                    .ok_or_else(|| unsupported(begins, &format!("\\{}", octet as char)))?;
                literal(&mut self.out, octet);
            }
        }
        match octet {
            b'b' | b'B' | b'A' | b'z' | b'Z' | b'G' | b'K' => self.widths.thing(false),
            // References say it themselves.
            b'1'..=b'9' | b'g' | b'k' | b'E' => {}
            _ => self.widths.thing(true),
        }
        Ok(())
    }

    pub(super) fn refer(&mut self, text: fmt::Arguments<'_>) {
        self.back = true;
        self.widths.thing(false);
        self.put(text);
    }

    fn reference(&mut self, number: usize) {
        // In a group of its own: a digit may follow.
        self.refer(format_args!("(?:\\{number})"));
    }

    fn back_reference_or_octal(&mut self, first: u8) -> Result<(), Wrong> {
        let begins = self.at - 1;
        let rest = &self.pattern[begins..];
        let end = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let number: usize = str::from_utf8(&rest[..end]).ok().and_then(|t| t.parse().ok()).unwrap_or(usize::MAX);
        if number < 10 || number <= self.groups {
            self.at = begins + end;
            self.reference(number);
            return Ok(());
        }
        if first >= b'8' {
            return Err(Wrong::new(begins, "a reference to a group that is not there", "count the brackets"));
        }
        self.at = begins;
        let octet = octal(self.pattern, &mut self.at, 3);
        let octet = u8::try_from(octet).map_err(|_| Wrong::new(begins, "an octal number above 377", "write \\xHH"))?;
        literal(&mut self.out, octet);
        self.widths.thing(true);
        Ok(())
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn back_reference(&mut self) -> Result<(), Wrong> {
        let begins = self.at - 2;
        let text = if self.peek() == Some(b'{') {
            self.at += 1;
            self.until(b'}')?
        } else {
            let rest = &self.pattern[self.at..];
            let end = rest.iter().position(|b| !b.is_ascii_digit() && *b != b'-').unwrap_or(rest.len());
            self.at += end;
            String::from_utf8_lossy(&rest[..end]).into_owned()
        };
        let number = match text.strip_prefix('-') {
            Some(back) => back.parse().ok().and_then(|back: usize| (self.groups + 1).checked_sub(back)),
            None => text.parse().ok(),
        };
        match number {
            Some(number @ 1..) => self.reference(number),
            _ if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') => {
                self.refer(format_args!("\\k<{text}>"));
            }
            _ => return Err(unsupported(begins, "this reference")),
        }
        Ok(())
    }
}

fn set(letter: u8) -> &'static str {
    match letter {
        b'h' => BLANKS,
        b'H' => NO_BLANKS,
        b'v' => LINE_ENDS,
        _ => NO_LINE_ENDS,
    }
}

/// An escape within brackets; `at` is behind the backslash.
pub(in super::super) fn class_escape(pattern: &[u8], at: &mut usize) -> Result<Item, Wrong> {
    let begins = *at - 1;
    let octet = pattern[*at];
    *at += 1;
    Ok(match octet {
        b'd' | b'D' | b'w' | b'W' | b's' | b'S' => Item::Set(format!("\\{}", octet as char)),
        b'h' | b'H' | b'v' | b'V' => Item::Set(set(octet).to_owned()),
        b'b' => Item::Octet(8),
        b'E' => Item::Set(String::new()),
        b'1'..=b'7' => {
            *at -= 1;
            let octet = u8::try_from(octal(pattern, at, 3));
            Item::Octet(octet.map_err(|_| Wrong::new(begins, "an octal number above 377", "write \\xHH"))?)
        }
        _ => {
            Item::Octet(simple(pattern, at, octet).ok_or_else(|| unsupported(begins, &format!("\\{}", octet as char)))?)
        }
    })
}

/// An escape that stands for one octet; `at` is behind its letter.
fn simple(pattern: &[u8], at: &mut usize, letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 7,
        b'e' => 0x1B,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'0' => u8::try_from(octal(pattern, at, 2)).ok()?,
        b'c' => {
            let of = pattern.get(*at).filter(|b| (0x20..0x7F).contains(*b))?;
            *at += 1;
            of.to_ascii_uppercase() ^ 0x40
        }
        b'o' => u8::from_str_radix(&braced(pattern, at)?, 8).ok()?,
        b'x' if pattern.get(*at) == Some(&b'{') => u8::from_str_radix(&braced(pattern, at)?, 16).ok()?,
        b'x' => {
            let digits = pattern[*at..].iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
            let text = str::from_utf8(&pattern[*at..*at + digits]).ok()?;
            *at += digits;
            if text.is_empty() { 0 } else { u8::from_str_radix(text, 16).ok()? }
        }
        _ if !letter.is_ascii_alphanumeric() => letter,
        _ => return None,
    })
}

fn braced(pattern: &[u8], at: &mut usize) -> Option<String> {
    let rest = pattern[*at..].strip_prefix(b"{")?;
    let end = rest.iter().position(|b| *b == b'}')?;
    *at += end + 2;
    str::from_utf8(&rest[..end]).ok().map(str::to_owned)
}

fn octal(pattern: &[u8], at: &mut usize, digits_max: usize) -> u16 {
    let mut number = 0;
    for _ in 0..digits_max {
        match pattern.get(*at) {
            Some(digit @ b'0'..=b'7') => number = number * 8 + u16::from(digit - b'0'),
            _ => break,
        }
        *at += 1;
    }
    number
}
