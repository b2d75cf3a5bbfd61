//! File names of messages: `<unique>[,S=<octets>][,W=<octets>][:2,<flags>]`, as Dovecot writes and reads them. They are octets:
//! others name files in whatever encoding they like.

use std::fmt::Write as _;

/// Longest host part kept in a file name, in octets, so that a name stays below the 255 of file systems.
const HOST_OCTETS_MAX: usize = 100;

/// A file name taken apart; everything borrows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageName<'a> {
    /// The name without its flags: what a unique-id is bound to, and what stays when a client changes flags.
    pub base: &'a [u8],
    /// Octets as stored (`,S=`).
    pub stored_octets: Option<u64>,
    /// Octets with CRLF line ends (`,W=`).
    pub crlf_octets: Option<u64>,
}

impl<'a> MessageName<'a> {
    /// Takes a file name apart. `None` for what is no message: hidden files and empty names.
    pub fn parse(file_name: &'a [u8]) -> Option<Self> {
        let base = base(file_name);
        if base.is_empty() || base.starts_with(b".") {
            return None;
        }
        Some(Self { base, stored_octets: field(base, b"S="), crlf_octets: field(base, b"W=") })
    }

    /// The part before the first comma: what tells one delivery from all others.
    pub fn unique(&self) -> &'a [u8] {
        before(self.base, b',')
    }
}

/// The name without its flags (`:2,S` and the like).
pub fn base(file_name: &[u8]) -> &[u8] {
    before(file_name, b':')
}

fn before(text: &[u8], end: u8) -> &[u8] {
    text.split(|&octet| octet == end).next().unwrap_or(text)
}

fn field(base: &[u8], key: &[u8]) -> Option<u64> {
    let digits = base.split(|&octet| octet == b',').skip(1).find_map(|part| part.strip_prefix(key))?;
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Appends `text` so that it may stand in a file name's unique part; what may not is written `\ooo`, as Maildir asks.
pub(crate) fn push_escaped(text: &str, out: &mut String) {
    for octet in text.bytes().take(HOST_OCTETS_MAX) {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b'+' | b'=' | b'@') {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "\\{octet:03o}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_table() {
        for (name, expected) in [
            ("1.M2P3.h,S=10,W=12:2,S", Some(("1.M2P3.h,S=10,W=12", "1.M2P3.h", Some(10), Some(12)))),
            ("1.M2P3.h,W=12,S=10", Some(("1.M2P3.h,W=12,S=10", "1.M2P3.h", Some(10), Some(12)))),
            ("1.M2P3.h:2,", Some(("1.M2P3.h", "1.M2P3.h", None, None))),
            ("1.h,S=:2,", Some(("1.h,S=", "1.h", None, None))),
            ("1.h,S=-4", Some(("1.h,S=-4", "1.h", None, None))),
            ("1.h,S=99999999999999999999", Some(("1.h,S=99999999999999999999", "1.h", None, None))),
            (".hidden", None),
            ("", None),
            (":2,S", None),
        ] {
            let parsed = MessageName::parse(name.as_bytes());
            let seen = parsed.map(|n| (n.base, n.unique(), n.stored_octets, n.crlf_octets));
            let expected =
                expected.map(|(base, unique, s, w): (&str, &str, _, _)| (base.as_bytes(), unique.as_bytes(), s, w));
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn nothing_in_a_host_name_can_leave_the_directory() {
        let mut out = String::new();
        push_escaped("../a:b,c\0", &mut out);
        assert_eq!(out, "..\\057a\\072b\\054c\\000");
    }
}
