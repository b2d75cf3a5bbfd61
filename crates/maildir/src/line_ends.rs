//! CRLF on the wire, LF on the disk: the one place where line ends are turned and counted.

/// Turns CRLF into LF over any split of the input and counts both sizes.
///
/// A CR that no LF follows is kept: the border refuses such mail, and a mailbox must not alter what it was given.
#[derive(Debug, Default)]
pub struct LfWriter {
    cr_held: bool,
    lf_octets: u64,
    crlf_octets: u64,
}

impl LfWriter {
    /// Appends `input` to `out` with LF line ends. A CR at the very end waits for the next piece or [`Self::finish`].
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let before = out.len();
        let mut rest = input;
        while let Some(&first) = rest.first() {
            if self.cr_held && first != b'\n' {
                out.push(b'\r');
                self.crlf_octets += 1;
            }
            let end = rest.iter().position(|&octet| octet == b'\r').unwrap_or(rest.len());
            out.extend_from_slice(&rest[..end]);
            self.crlf_octets += end as u64 + line_feeds(&rest[..end]);
            self.cr_held = end < rest.len();
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        self.lf_octets += (out.len() - before) as u64;
    }

    /// Gives out a CR that was the last octet of all.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr_held) {
            out.push(b'\r');
            self.lf_octets += 1;
            self.crlf_octets += 1;
        }
    }

    /// Octets given out so far: what `,S=` says.
    pub fn lf_octets(&self) -> u64 {
        self.lf_octets
    }

    /// Octets that the same text has with CRLF line ends: what `,W=` says.
    pub fn crlf_octets(&self) -> u64 {
        self.crlf_octets
    }
}

/// Counts the octets that a stored text, LF or CRLF, has with CRLF line ends, over any split of it.
#[derive(Debug, Default)]
pub struct CrlfCount {
    last: Option<u8>,
    octets: u64,
}

impl CrlfCount {
    /// Counts one more piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.octets += piece.len() as u64;
        for &octet in piece {
            self.octets += u64::from(octet == b'\n' && self.last != Some(b'\r'));
            self.last = Some(octet);
        }
    }

    /// Octets with CRLF line ends.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// As [`Self::octets`], with the end of the last line, which a POP3 server adds where it is not there.
    pub fn sent_octets(&self) -> u64 {
        let is_ended = self.last.is_none_or(|octet| octet == b'\n');
        self.octets + if is_ended { 0 } else { 2 }
    }
}

fn line_feeds(text: &[u8]) -> u64 {
    // Chunks of at most 255 let the compiler sum in bytes.
    text.chunks(255).map(|chunk| u64::from(chunk.iter().map(|&octet| u8::from(octet == b'\n')).sum::<u8>())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lf(pieces: &[&[u8]]) -> (Vec<u8>, u64, u64) {
        let (mut writer, mut out) = (LfWriter::default(), Vec::new());
        for piece in pieces {
            writer.push(piece, &mut out);
        }
        writer.finish(&mut out);
        (out, writer.lf_octets(), writer.crlf_octets())
    }

    #[test]
    fn line_ends_table() {
        for (input, stored, crlf_octets) in [
            ("", "", 0),
            ("a\r\nb\r\n", "a\nb\n", 6),
            ("a\nb\n", "a\nb\n", 6),
            ("a\r", "a\r", 2),
            ("\r\r\n", "\r\n", 3),
            ("a\rb", "a\rb", 3),
            ("\r\n\r\n", "\n\n", 4),
        ] {
            let (out, s, w) = lf(&[input.as_bytes()]);
            assert_eq!((out.as_slice(), s, w), (stored.as_bytes(), stored.len() as u64, crlf_octets), "{input:?}");
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(text in "[a\r\n]{0,60}", at in 0usize..60) {
            let at = at.min(text.len());
            let (head, tail) = text.as_bytes().split_at(at);
            prop_assert_eq!(lf(&[head, tail]), lf(&[text.as_bytes()]));
        }

        #[test]
        fn what_was_counted_at_delivery_is_what_a_reader_counts(text in "([a-c]|\r\n|\n){0,60}") {
            let (stored, _, crlf_octets) = lf(&[text.as_bytes()]);
            let mut count = CrlfCount::default();
            count.push(&stored);
            prop_assert_eq!(count.octets(), crlf_octets);
        }
    }
}
