//! XDR (RFC 4506): words, opaque data and strings, read strictly within the octets given and written into a buffer.

/// Octets of an XDR unit; everything is padded to a multiple of it (RFC 4506 §3).
const UNIT: usize = 4;

/// The octets ended before the item did, or a length is above its bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the XDR item ends outside of the message or is longer than it may be")]
pub struct Malformed;

/// Reads items one after another.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the start of `octets`.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// An unsigned integer (RFC 4506 §4.2).
    pub fn word(&mut self) -> Result<u32, Malformed> {
        let (word, rest) = self.rest.split_first_chunk::<UNIT>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*word))
    }

    /// Variable-length opaque data of at most `octets_max` octets (RFC 4506 §4.10). The padding must be there; what it is made
    /// of is not looked at.
    pub fn opaque(&mut self, octets_max: usize) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.word()?).map_err(|_| Malformed)?;
        if length > octets_max {
            return Err(Malformed);
        }
        let padded = length.next_multiple_of(UNIT);
        let (item, rest) = self.rest.split_at_checked(padded).ok_or(Malformed)?;
        self.rest = rest;
        item.get(..length).ok_or(Malformed)
    }
}

/// Appends a word.
pub fn put_word(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_be_bytes());
}

/// Appends a string with its length and padding. Longer than 4,294,967,295 octets it would be cut, which no caller has.
pub fn put_string(out: &mut Vec<u8>, text: &str) {
    put_word(out, u32::try_from(text.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(text.as_bytes());
    out.resize(out.len().next_multiple_of(UNIT), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn items_end_within_the_octets() {
        let cases = [
            (b"\0\0\0\x03abc\0".as_slice(), 3, Some(b"abc".as_slice())),
            (b"\0\0\0\x03abcX", 3, Some(b"abc")),
            (b"\0\0\0\x04abcd", 4, Some(b"abcd")),
            (b"\0\0\0\0", 0, Some(b"")),
            (b"\0\0\0\x03abc", 3, None),
            (b"\0\0\0\x04abcd", 3, None),
            (b"\0\0\0\x04abc", 9, None),
            (b"\xff\xff\xff\xffabcd", usize::MAX, None),
            (b"\xff\xff\xff\xfdabcd", usize::MAX, None),
            (b"\0\0\0", 9, None),
        ];
        for (octets, octets_max, expected) in cases {
            assert_eq!(Reader::new(octets).opaque(octets_max).ok(), expected, "{octets:?}");
        }
        assert_eq!(Reader::new(b"\x01\x02\x03").word(), Err(Malformed));
        assert_eq!(Reader::new(b"\x01\x02\x03\x04").word(), Ok(0x0102_0304));
    }

    proptest! {
        /// What was written is read again, and nothing more.
        #[test]
        fn strings_come_back(text in ".{0,40}", word: u32) {
            let mut out = vec![7; 8];
            put_string(&mut out, &text);
            put_word(&mut out, word);
            let mut reader = Reader::new(&out[8..]);
            prop_assert_eq!(reader.opaque(200).unwrap(), text.as_bytes());
            prop_assert_eq!(reader.word().unwrap(), word);
            prop_assert!(reader.rest().is_empty());
        }
    }
}
