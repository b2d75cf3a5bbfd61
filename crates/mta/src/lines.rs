//! Lines that end in LF, out of pieces cut anywhere. What was read is wiped when it is given up: some of it is passwords.

use smtp::line::find;
use zeroize::Zeroizing;

/// A line is longer than it may be; where the next one begins is not looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Keeps what came in until its line is whole.
#[derive(Debug)]
pub(crate) struct Lines {
    octets: Zeroizing<Vec<u8>>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no LF was found.
    searched: usize,
    line_octets_max: usize,
}

impl Lines {
    /// Lines of up to `line_octets_max` octets, the LF not counted.
    pub(crate) fn new(line_octets_max: usize) -> Self {
        Self { octets: Zeroizing::default(), start: 0, searched: 0, line_octets_max }
    }

    /// Takes what came in. No more is kept than this and one unfinished line, if lines are taken until none is left.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        if self.start == self.octets.len() {
            self.octets.clear();
            (self.start, self.searched) = (0, 0);
        }
        if self.octets.capacity() - self.octets.len() < octets.len() {
            self.grow(octets.len());
        }
        self.octets.extend_from_slice(octets);
    }

    /// By hand, since a `Vec` that grows by itself leaves its old octets behind.
    fn grow(&mut self, more: usize) {
        let kept = &self.octets[self.start..];
        let mut grown = Zeroizing::new(Vec::with_capacity((kept.len() + more).next_power_of_two()));
        grown.extend_from_slice(kept);
        self.octets = grown;
        self.searched -= self.start;
        self.start = 0;
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.octets.len()
    }

    /// Whether what waits begins like a line of text: what does not (a TLS hello) may never have a line end (T50).
    pub(crate) fn begins_like_text(&self) -> bool {
        self.octets.get(self.start).is_none_or(|octet| octet.is_ascii_graphic() || octet.is_ascii_whitespace())
    }

    /// The next line without its LF; `None` until there is one.
    pub(crate) fn next_line(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let Some(lf) = find(b'\n', &self.octets[self.searched..]) else {
            self.searched = self.octets.len();
            let unfinished = self.octets.len() - self.start;
            return if unfinished > self.line_octets_max { Err(TooLong) } else { Ok(None) };
        };
        let (start, end) = (self.start, self.searched + lf);
        (self.start, self.searched) = (end + 1, end + 1);
        if end - start > self.line_octets_max { Err(TooLong) } else { Ok(Some(&self.octets[start..end])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &mut Lines) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut read = Vec::new();
        while let Some(line) = lines.next_line()? {
            read.push(line.to_vec());
        }
        Ok(read)
    }

    #[test]
    fn the_limit_is_exact_and_known_before_the_end() {
        let mut lines = Lines::new(4);
        lines.push(b"1234\n\n12");
        assert_eq!(read(&mut lines), Ok(vec![b"1234".to_vec(), Vec::new()]));
        lines.push(b"34");
        assert_eq!(read(&mut lines), Ok(Vec::new()));
        lines.push(b"5");
        assert_eq!(read(&mut lines), Err(TooLong));
        let mut lines = Lines::new(4);
        lines.push(b"12345\n");
        assert_eq!(read(&mut lines), Err(TooLong));
    }

    #[test]
    fn what_was_taken_is_not_kept() {
        let mut lines = Lines::new(100);
        for _ in 0..10_000 {
            lines.push(b"some line\nand the beginning ");
            assert_eq!(read(&mut lines).unwrap().len(), 1);
            lines.push(b"of another\n");
            assert_eq!(read(&mut lines).unwrap().len(), 1);
        }
        assert!(lines.octets.capacity() <= 128, "{}", lines.octets.capacity());
    }

    proptest::proptest! {
        #[test]
        fn split_anywhere(octets in proptest::collection::vec(b'\n'..b'\x10', 0..200), piece in 1usize..50) {
            let mut expected: Vec<_> = octets.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect();
            expected.pop();
            let (mut lines, mut got) = (Lines::new(200), Vec::new());
            for piece in octets.chunks(piece) {
                lines.push(piece);
                got.extend(read(&mut lines).unwrap());
            }
            proptest::prop_assert_eq!(got, expected);
        }
    }
}
