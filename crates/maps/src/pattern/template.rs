//! Results with parts of the key in them: `$1`, `${1}`, `$(1)`, and `$$` for a dollar sign.

use std::borrow::Cow;

/// A result.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    highest: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Part(usize),
}

impl Template {
    /// Reads a result; an error says where it is, and what.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut highest = 0;
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            literal.push_str(&rest[..dollar]);
            let at = text.len() - rest.len() + dollar;
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                literal.push('$');
                rest = after;
                continue;
            }
            let (name, after) = name(rest).ok_or_else(|| (at, "a bracket that is not closed".to_owned()))?;
            let number = number(name).map_err(|what| (at, what))?;
            highest = highest.max(number);
            pieces.extend([Piece::Text(std::mem::take(&mut literal)), Piece::Part(number)]);
            rest = after;
        }
        literal.push_str(rest);
        pieces.push(Piece::Text(literal));
        Ok(Self { pieces, highest })
    }

    /// The highest part that is asked for; 0 for none.
    pub(super) fn highest(&self) -> usize {
        self.highest
    }

    /// The whole result, if there is no part in it.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The result with `x` for each part; `None` if it begins with one.
    pub(super) fn shape(&self) -> Option<Cow<'_, str>> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(Cow::Borrowed(text)),
            [Piece::Text(first), ..] if !first.is_empty() => Some(Cow::Owned(self.fill(|_| Some(b"x")))),
            _ => None,
        }
    }

    /// With the parts; one that is not there is empty.
    pub(super) fn fill<'k>(&self, part: impl Fn(usize) -> Option<&'k [u8]>) -> String {
        let mut octets = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => octets.extend_from_slice(text.as_bytes()),
                Piece::Part(number) => octets.extend_from_slice(part(*number).unwrap_or_default()),
            }
        }
        // A part may be half of a character.
        String::from_utf8(octets).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
    }
}

/// What stands behind the dollar sign, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    let (open, close) = match text.as_bytes().first() {
        Some(b'(') => (b'(', b')'),
        Some(b'{') => (b'{', b'}'),
        _ => {
            let end = text.bytes().position(|b| !b.is_ascii_alphanumeric() && b != b'_').unwrap_or(text.len());
            return Some(text.split_at(end));
        }
    };
    let mut level = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        if byte == open {
            level += 1;
        } else if byte == close {
            level -= 1;
        }
        if level == 0 {
            return Some((&text[1..at], &text[at + 1..]));
        }
    }
    None
}

fn number(name: &str) -> Result<usize, String> {
    if name.is_empty() {
        return Err("a dollar sign without a number".to_owned());
    }
    if !name.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("${name} has no number alone"));
    }
    match name.parse() {
        Ok(number @ 1..=9999) => Ok(number),
        _ => Err(format!("${name} is no part")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_filled_in() {
        let key: [&[u8]; 3] = [b"ab", b"a", b"\xc3"];
        let part = |n: usize| key.get(n).copied();
        for (text, filled) in [
            ("plain", "plain"),
            ("", ""),
            ("$$1", "$1"),
            ("x$1y", "!"),
            ("x${1}y$(1)$$", "xaya$"),
            ("$1 $3.", "a ."),
            ("$2", "\u{fffd}"),
            ("$((1))", "!"),
            ("${1", "!"),
            ("$0", "!"),
            ("$", "!"),
            ("a $", "!"),
            ("$99999999999999999999", "!"),
        ] {
            let got = Template::parse(text).map_or_else(|_| "!".to_owned(), |t| t.fill(part));
            assert_eq!(got, filled, "{text}");
        }
        assert_eq!(Template::parse("ab $x").unwrap_err().0, 3);
        assert_eq!(Template::parse("a$$").unwrap().literal(), Some("a$"));
        for (text, shape) in [("REJECT", Some("REJECT")), ("FILTER a:$1", Some("FILTER a:x")), ("$1 x", None)] {
            assert_eq!(Template::parse(text).unwrap().shape().as_deref(), shape, "{text}");
        }
    }
}
