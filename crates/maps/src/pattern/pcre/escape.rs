//! What a backslash begins outside of brackets.

use std::fmt;

use super::Writer;
use crate::pattern::PatternError;
use crate::pattern::class::literal;
use crate::pattern::escape::{octal, set, simple};

impl Writer<'_> {
    /// Behind a backslash.
    pub(super) fn escape(&mut self) -> Result<(), PatternError> {
        let begins = self.at - 1;
        let Some(octet) = self.peek() else {
            return Err(PatternError::new(begins, "a backslash at the end", "write \\\\ for a backslash"));
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
                    _ => return Err(PatternError::unsupported(begins, "\\k without a name")),
                };
                self.at += 1;
                let name = self.name(delimiter)?;
                self.refer(format_args!("\\k<{name}>"));
            }
            _ => {
                let octet = simple(self.pattern, &mut self.at, octet)
                    .ok_or_else(|| PatternError::unsupported(begins, &format!("\\{}", octet as char)))?;
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

    fn back_reference_or_octal(&mut self, first: u8) -> Result<(), PatternError> {
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
            return Err(PatternError::new(begins, "a reference to a group that is not there", "count the brackets"));
        }
        self.at = begins;
        let octet = octal(self.pattern, &mut self.at, 3);
        let octet =
            u8::try_from(octet).map_err(|_| PatternError::new(begins, "an octal number above 377", "write \\xHH"))?;
        literal(&mut self.out, octet);
        self.widths.thing(true);
        Ok(())
    }

    /// `\g1`, `\g{1}`, `\g{-1}`, `\g{name}`.
    fn back_reference(&mut self) -> Result<(), PatternError> {
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
            _ => return Err(PatternError::unsupported(begins, "this reference")),
        }
        Ok(())
    }
}
