//! Lines of commands, and the one rule for line ends: CR LF, nothing else.

/// What stands at the start of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// No end of line yet. That many octets need not be shown again: they belong to a line that is too long.
    More(usize),
    /// A line without its CR LF, and its length with it.
    Line(&'a [u8], usize),
    /// A line longer than the limit ended after that many octets.
    TooLong(usize),
    /// A CR or LF stood alone. There is no telling where the peer thinks that a line ends.
    BareLineEnd,
}

/// Finds lines in what came in, without keeping any of it.
#[derive(Debug, Default, Clone, Copy)]
pub struct LineReader {
    skipping: Option<LastOctet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastOctet {
    Cr,
    Other,
}

impl LastOctet {
    fn of(octets: &[u8]) -> Self {
        if octets.last() == Some(&b'\r') { Self::Cr } else { Self::Other }
    }
}

impl LineReader {
    /// Whether the next octet begins a line.
    pub fn is_at_start(self) -> bool {
        self.skipping.is_none()
    }

    /// Looks at the start of `input`, which begins where the last step ended; `line_octets` counts the CR LF.
    pub fn step<'a>(&mut self, input: &'a [u8], line_octets: usize) -> Step<'a> {
        let Some(lf) = find(b'\n', input) else {
            return self.unfinished(input, line_octets);
        };
        let before = if lf == 0 { self.skipping } else { Some(LastOctet::of(&input[..lf])) };
        let skipped = self.skipping.take().is_some();
        if before != Some(LastOctet::Cr) {
            return Step::BareLineEnd;
        }
        if skipped || lf + 1 > line_octets {
            return Step::TooLong(lf + 1);
        }
        let line = &input[..lf - 1];
        if find(b'\r', line).is_some() { Step::BareLineEnd } else { Step::Line(line, lf + 1) }
    }

    fn unfinished(&mut self, input: &[u8], line_octets: usize) -> Step<'static> {
        if input.is_empty() || (self.skipping.is_none() && input.len() < line_octets) {
            return Step::More(0);
        }
        self.skipping = Some(LastOctet::of(input));
        Step::More(input.len())
    }
}

/// Where `wanted` first stands.
pub fn find(wanted: u8, octets: &[u8]) -> Option<usize> {
    memchr::memchr(wanted, octets)
}

/// Where CR, LF or NUL first stands: all that matters in a message.
pub fn find_line_end_or_nul(octets: &[u8]) -> Option<usize> {
    memchr::memchr3(b'\r', b'\n', 0, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_what_is_none() {
        let table: &[(&[u8], Step<'_>)] = &[
            (b"", Step::More(0)),
            (b"NOOP", Step::More(0)),
            (b"NOOP\r", Step::More(0)),
            (b"NOOP\r\n", Step::Line(b"NOOP", 6)),
            (b"\r\nX", Step::Line(b"", 2)),
            (b"A\r\nB\r\n", Step::Line(b"A", 3)),
            (b"NOOP\n", Step::BareLineEnd),
            (b"\n", Step::BareLineEnd),
            (b"A\rB\r\n", Step::BareLineEnd),
            (b"A\r\r\n", Step::BareLineEnd),
            (b"12345678\r\n", Step::Line(b"12345678", 10)),
            (b"123456789\r\n", Step::TooLong(11)),
            (b"1234567890\n", Step::BareLineEnd),
            (b"1234567890", Step::More(10)),
        ];
        for (input, expected) in table {
            assert_eq!(&LineReader::default().step(input, 10), expected, "{input:?}");
        }
    }

    #[test]
    fn a_line_too_long_is_skipped_to_its_end() {
        let mut reader = LineReader::default();
        assert_eq!(reader.step(b"1234567890ab\r", 10), Step::More(13));
        assert_eq!(reader.step(b"\nNOOP\r\n", 10), Step::TooLong(1));
        assert_eq!(reader.step(b"NOOP\r\n", 10), Step::Line(b"NOOP", 6));
        assert_eq!(reader.step(b"1234567890ab", 10), Step::More(12));
        assert_eq!(reader.step(b"\n", 10), Step::BareLineEnd);
    }

    proptest::proptest! {
        #[test]
        fn finds_what_a_plain_search_finds(octets in proptest::collection::vec(0u8..16, 0..200)) {
            proptest::prop_assert_eq!(find(b'\n', &octets), octets.iter().position(|&b| b == b'\n'));
            let plain = octets.iter().position(|&b| matches!(b, 0 | b'\n' | b'\r'));
            proptest::prop_assert_eq!(find_line_end_or_nul(&octets), plain);
        }
    }
}
