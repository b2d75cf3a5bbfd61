//! What PCRE's backslash and a letter stand for: an octet, or a set of them.

use super::PatternError;

/// A member of a bracket expression.
pub(super) enum Item {
    Octet(u8),
    /// More than one octet, written out: it cannot begin or end a range.
    Set(String),
}

/// What stands for `\h`, `\v` and their opposites within brackets.
const BLANKS: &str = "\\t\\x20\\xA0";
const NO_BLANKS: &str = "\\x00-\\x08\\x0A-\\x1F\\x21-\\x9F\\xA1-\\xFF";
const LINE_ENDS: &str = "\\n\\x0B\\f\\r\\x85";
const NO_LINE_ENDS: &str = "\\x00-\\x09\\x0E-\\x84\\x86-\\xFF";

/// Blanks and line ends, or all others, for a bracket expression.
pub(super) fn set(letter: u8) -> &'static str {
    match letter {
        b'h' => BLANKS,
        b'H' => NO_BLANKS,
        b'v' => LINE_ENDS,
        _ => NO_LINE_ENDS,
    }
}

/// An escape within brackets; `at` is behind the backslash.
pub(super) fn in_class(pattern: &[u8], at: &mut usize) -> Result<Item, PatternError> {
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
            Item::Octet(octet.map_err(|_| PatternError::new(begins, "an octal number above 377", "write \\xHH"))?)
        }
        _ => Item::Octet(
            simple(pattern, at, octet)
                .ok_or_else(|| PatternError::unsupported(begins, &format!("\\{}", octet as char)))?,
        ),
    })
}

/// An escape that stands for one octet; `at` is behind its letter.
pub(super) fn simple(pattern: &[u8], at: &mut usize, letter: u8) -> Option<u8> {
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

pub(super) fn octal(pattern: &[u8], at: &mut usize, digits_max: usize) -> u16 {
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
