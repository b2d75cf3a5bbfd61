//! Bracket expressions, read as PCRE or POSIX read them, and written so that our engine reads the same.

use std::fmt::Write as _;

use super::{Dialect, Wrong};

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

/// A member of a bracket expression.
pub(super) enum Item {
    Octet(u8),
    /// More than one octet, written out: it cannot begin or end a range.
    Set(String),
}

/// Reads what stands behind `[` at `start`, writes it, and says where it ends. `no_newline`: a negated one does not
/// match a line end.
pub(super) fn class(
    dialect: Dialect,
    pattern: &[u8],
    start: usize,
    (out, no_newline): (&mut String, bool),
) -> Result<usize, Wrong> {
    let unclosed = || Wrong::new(start - 1, "a bracket [ that is not closed", "close it, or escape it by \\");
    let mut at = start;
    let negated = pattern.get(at) == Some(&b'^');
    at += usize::from(negated);
    out.push_str(if negated { "[^" } else { "[" });
    if negated && no_newline {
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
        let item = item(dialect, pattern, &mut at)?;
        let range = pattern.get(at) == Some(&b'-') && pattern.get(at + 1).is_some_and(|b| *b != b']');
        match item {
            Item::Octet(low) if range => {
                at += 1;
                let high_at = at;
                match self::item(dialect, pattern, &mut at)? {
                    Item::Octet(high) if low <= high => {
                        literal(out, low);
                        out.push('-');
                        literal(out, high);
                    }
                    Item::Octet(_) => return Err(Wrong::new(begins, "a range that goes backwards", "turn it round")),
                    // PCRE takes the hyphen for itself here.
                    Item::Set(set) if dialect == Dialect::Pcre => {
                        literal(out, low);
                        literal(out, b'-');
                        out.push_str(&set);
                    }
                    Item::Set(_) => {
                        return Err(Wrong::new(high_at, "a range that ends with a class", "end it with a character"));
                    }
                }
            }
            Item::Octet(octet) => literal(out, octet),
            Item::Set(_) if range && dialect == Dialect::Posix => {
                return Err(Wrong::new(begins, "a range that begins with a class", "begin it with a character"));
            }
            Item::Set(set) => out.push_str(&set),
        }
    }
    out.push(']');
    Ok(at + 1)
}

fn item(dialect: Dialect, pattern: &[u8], at: &mut usize) -> Result<Item, Wrong> {
    let begins = *at;
    let octet = pattern.get(begins).copied();
    let octet = octet.ok_or_else(|| Wrong::new(begins, "a bracket [ that is not closed", "close it"))?;
    *at += 1;
    match (octet, pattern.get(*at)) {
        (b'[', Some(kind @ (b':' | b'.' | b'='))) => named(dialect, pattern, at, *kind),
        (b'\\', Some(_)) if dialect == Dialect::Pcre => super::pcre::class_escape(pattern, at),
        _ => Ok(Item::Octet(octet)),
    }
}

/// `[:alpha:]`, and for POSIX `[.a.]` and `[=a=]`.
fn named(dialect: Dialect, pattern: &[u8], at: &mut usize, kind: u8) -> Result<Item, Wrong> {
    let begins = *at - 1;
    let inner = &pattern[*at + 1..];
    let end = inner.windows(2).position(|pair| pair == [kind, b']']);
    let closed_before = end.is_none_or(|end| kind == b':' && inner[..end].contains(&b']'));
    if dialect == Dialect::Pcre && (kind != b':' || closed_before) {
        // Not a name: the bracket is a character like others.
        return if kind == b':' || end.is_none() {
            Ok(Item::Octet(b'['))
        } else {
            Err(Wrong::new(begins, "a collating element", "name the characters"))
        };
    }
    let Some(end) = end else {
        return Err(Wrong::new(begins, "a name in brackets that is not closed", "close it, as in [[:alpha:]]"));
    };
    let name = &inner[..end];
    *at += end + 3;
    if kind != b':' {
        return match name {
            [one] => Ok(Item::Octet(*one)),
            _ => Err(Wrong::new(begins, "a collating element", "name the characters")),
        };
    }
    let (negated, bare) = match name.strip_prefix(b"^") {
        Some(bare) if dialect == Dialect::Pcre => (true, bare),
        _ => (false, name),
    };
    let known = NAMES.iter().any(|known| known.as_bytes() == bare) && (dialect == Dialect::Pcre || bare != b"ascii");
    let word = dialect == Dialect::Pcre && bare == b"word";
    if !known && !word {
        return Err(Wrong::new(begins, "no class of this name", "write as in [[:alpha:]]"));
    }
    let name = String::from_utf8_lossy(bare);
    Ok(Item::Set(format!("[:{}{name}:]", if negated { "^" } else { "" })))
}
