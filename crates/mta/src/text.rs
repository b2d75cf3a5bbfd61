//! Texts of ours inside other programs' lines: nothing in them may end the line or begin another.

/// Appends printable US-ASCII of `text`, at most `octets_max` octets; what is not printable becomes `?`.
///
/// Control characters would start a line of their own at the peer; other octets would reach SMTP clients that have
/// not asked for SMTPUTF8 (RFC 6531 §3.1).
pub(crate) fn push_printable(text: &str, octets_max: usize, out: &mut Vec<u8>) {
    let printable = |c: char| u8::try_from(c).ok().filter(|octet| matches!(octet, b' '..=b'~')).unwrap_or(b'?');
    out.extend(text.chars().map(printable).take(octets_max));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_its_line() {
        let table = [
            ("plain text", "plain text"),
            ("a\r\nb", "a??b"),
            ("a\0b\tc\x7fd", "a?b?c?d"),
            ("受信 é", "?? ?"),
            ("12345678901234567890", "1234567890123456"),
            ("", ""),
        ];
        for (text, expected) in table {
            let mut out = Vec::new();
            push_printable(text, 16, &mut out);
            assert_eq!(out, expected.as_bytes(), "{text:?}");
        }
    }
}
