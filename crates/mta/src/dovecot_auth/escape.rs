//! Values between TABs: `\001` and a letter stand for octets that would end a parameter or a line.

/// Reads a value; `\001` before any other octet is that octet, at the end nothing.
pub(super) fn unescape(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut octets = value.iter().copied();
    while let Some(octet) = octets.next() {
        if octet == 1 {
            plain.extend(octets.next().map(|code| match code {
                b'0' => 0,
                b'1' => 1,
                b't' => b'\t',
                b'r' => b'\r',
                b'n' => b'\n',
                other => other,
            }));
        } else {
            plain.push(octet);
        }
    }
    plain
}

/// Appends a value.
pub(super) fn push_escaped(value: &[u8], out: &mut Vec<u8>) {
    for &octet in value {
        let code = match octet {
            0 => b'0',
            1 => b'1',
            b'\t' => b't',
            b'\r' => b'r',
            b'\n' => b'n',
            plain => {
                out.push(plain);
                continue;
            }
        };
        out.extend_from_slice(&[1, code]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let table: [(&[u8], &[u8]); 5] = [
            (b"plain", b"plain"),
            (b"\x010\x011\x01t\x01r\x01n", b"\0\x01\t\r\n"),
            (b"\x01x\x01\xff", b"x\xff"),
            (b"end\x01", b"end"),
            (b"", b""),
        ];
        for (escaped, plain) in table {
            assert_eq!(unescape(escaped), plain, "{}", escaped.escape_ascii());
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_and_stays_in_its_parameter(value: Vec<u8>) {
            let mut escaped = Vec::new();
            push_escaped(&value, &mut escaped);
            proptest::prop_assert!(!escaped.iter().any(|octet| matches!(octet, 0 | b'\t' | b'\r' | b'\n')));
            proptest::prop_assert_eq!(unescape(&escaped), value);
        }
    }
}
