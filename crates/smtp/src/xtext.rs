//! `xtext`: how a parameter's value is made printable (RFC 3461 §4).

use std::fmt::Write as _;

/// The octets that the text stands for; `None` if an octet may not stand in xtext, or a `+` has not its two upper-case
/// hexadecimal digits.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        match b {
            b'+' => out.push(hex(bytes.next()?)? << 4 | hex(bytes.next()?)?),
            b'=' => return None,
            b'!'..=b'~' => out.push(b),
            _ => return None,
        }
    }
    Some(out)
}

/// Makes the octets printable.
pub fn encode(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for &b in octets {
        if matches!(b, b'!'..=b'~') && !matches!(b, b'+' | b'=') {
            out.push(b.into());
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "+{b:02X}");
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_xtext_and_what_is_not() {
        assert_eq!(decode("a+3Db").as_deref(), Some(&b"a=b"[..]));
        for bad in ["a=b", "a+", "a+3", "a+3d", "a b", "é", "a+zz"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn encode_then_decode_is_the_same(octets: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&octets)), Some(octets));
        }
    }
}
