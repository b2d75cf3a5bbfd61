//! Bracket expressions, read as PCRE or POSIX read them, and written so that our engine reads the same.

use std::fmt::Write as _;

use super::escape::{self, Item};
use super::{Dialect, PatternError};

const NAMES: [&str; 13] = [
    "alpha", "lower", "upper", "alnum", "ascii", "blank", "cntrl", "digit", "graph", "print", "punct", "space",
    "xdigit",
];

/// One octet, so that it means itself everywhere.
pub(super) fn literal(out: &mut String, octet: u8) {
    if octet.is_ascii_alphanumeric() || octet == b'_' {
        out.push(octet as char);
    } else {
        // A String takes everything.
        let _ = write!(out, "\\x{octet:02X}");
    }
}

/// How bracket expressions of a pattern are read.
#[derive(Clone, Copy)]
pub(super) struct Class<'p> {
    pub(super) dialect: Dialect,
    pub(super) pattern: &'p [u8],
    /// Whether a negated one matches a line end, too.
    pub(super) line_ends: bool,
}

impl Class<'_> {
    /// Reads what stands behind `[` at `start`, writes it, and says where it ends.
    pub(super) fn write(self, start: usize, out: &mut String) -> Result<usize, PatternError> {
        let Self { dialect, pattern, line_ends } = self;
        let unclosed =
            || PatternError::new(start - 1, "a bracket [ that is not closed", "close it, or escape it by \\");
        let mut at = start;
        let negated = pattern.get(at) == Some(&b'^');
        at += usize::from(negated);
        out.push_str(if negated { "[^" } else { "[" });
        if negated && !line_ends {
            out.push_str("\\n");
        }
        let first = at;
        loop {
            match pattern.get(at) {
                None => return Err(unclosed()),
                Some(b']') if at > first => break,
                Some(_) => {}
            }
            let begins = at;
            let item = self.item(&mut at)?;
            let range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|b| *b != b']');
            match item {
                Item::Octet(low) if range => {
                    at += 1;
                    let high_at = at;
                    match self.item(&mut at)? {
                        Item::Octet(high) if low <= high => {
                            literal(out, low);
                            out.push('-');
                            literal(out, high);
                        }
                        Item::Octet(_) => {
                            return Err(PatternError::new(begins, "a range that goes backwards", "turn it round"));
                        }
                        // PCRE takes the hyphen for itself here.
                        Item::Set(set) if dialect == Dialect::Pcre => {
                            literal(out, low);
                            literal(out, b'-');
                            out.push_str(&set);
                        }
                        Item::Set(_) => {
                            return Err(PatternError::new(
                                high_at,
                                "a range that ends with a class",
                                "end it with a character",
                            ));
                        }
                    }
                }
                Item::Octet(octet) => literal(out, octet),
                Item::Set(_) if range && dialect == Dialect::Posix => {
                    return Err(PatternError::new(
                        begins,
                        "a range that begins with a class",
                        "begin it with a character",
                    ));
                }
                Item::Set(set) => out.push_str(&set),
            }
        }
        out.push(']');
        Ok(at + 1)
    }

    fn item(self, at: &mut usize) -> Result<Item, PatternError> {
        let Self { dialect, pattern, .. } = self;
        let begins = *at;
        let octet = pattern.get(begins).copied();
        let octet = octet.ok_or_else(|| PatternError::new(begins, "a bracket [ that is not closed", "close it"))?;
        *at += 1;
        match (octet, pattern.get(*at)) {
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => self.named(at, *kind),
            (b'\\', Some(_)) if dialect == Dialect::Pcre => escape::in_class(pattern, at),
            _ => Ok(Item::Octet(octet)),
        }
    }

    /// `[:alpha:]`, and for POSIX `[.a.]` and `[=a=]`.
    fn named(self, at: &mut usize, kind: u8) -> Result<Item, PatternError> {
        let Self { dialect, pattern, .. } = self;
        let begins = *at - 1;
        let inner = &pattern[*at + 1..];
        let end = inner.windows(2).position(|pair| pair == [kind, b']']);
        let closed_before = end.is_none_or(|end| kind == b':' && inner[..end].contains(&b']'));
        if dialect == Dialect::Pcre && (kind != b':' || closed_before) {
            // Not a name: the bracket is a character like others.
            return if kind == b':' || end.is_none() {
                Ok(Item::Octet(b'['))
            } else {
                Err(PatternError::new(begins, "a collating element", "name the characters"))
            };
        }
        let Some(end) = end else {
            return Err(PatternError::new(
                begins,
                "a name in brackets that is not closed",
                "close it, as in [[:alpha:]]",
            ));
        };
        let name = &inner[..end];
        *at += end + 3;
        if kind != b':' {
            return match name {
                [one] => Ok(Item::Octet(*one)),
                _ => Err(PatternError::new(begins, "a collating element", "name the characters")),
            };
        }
        let (negated, bare) = match name.strip_prefix(b"^") {
            Some(bare) if dialect == Dialect::Pcre => (true, bare),
            _ => (false, name),
        };
        let known =
            NAMES.iter().any(|known| known.as_bytes() == bare) && (dialect == Dialect::Pcre || bare != b"ascii");
        let word = dialect == Dialect::Pcre && bare == b"word";
        if !known && !word {
            return Err(PatternError::new(begins, "no class of this name", "write as in [[:alpha:]]"));
        }
        let name = String::from_utf8_lossy(bare);
        Ok(Item::Set(format!("[:{}{name}:]", if negated { "^" } else { "" })))
    }
}
