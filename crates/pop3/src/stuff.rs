//! A message on its way to the client: CRLF line ends, dots stuffed, TOP cut off (RFC 1939 §3 and §7).

/// Turns a stored message, LF or CRLF, into the lines of RETR or TOP, over any split of the input, in one pass.
///
/// A CR without LF is passed on as it is: it ends no line, neither for the sizes told by LIST nor for the dots.
#[derive(Debug)]
pub struct DotWriter {
    /// Lines of the body still wanted; `None` for all.
    lines_left: Option<u32>,
    in_head: bool,
    line: Line,
    cut: bool,
}

/// How far the line being read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing of it was seen.
    Start,
    /// Only a CR was seen.
    StartCr,
    Inside,
    /// Something, and then a CR.
    InsideCr,
}

impl DotWriter {
    /// `lines`: how many lines of the body TOP wants; `None` for RETR.
    pub fn new(lines: Option<u32>) -> Self {
        Self { lines_left: lines, in_head: true, line: Line::Start, cut: false }
    }

    /// Appends what is to be sent of the next piece. False when nothing more is wanted.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> bool {
        let mut rest = piece;
        while !self.cut && !rest.is_empty() {
            let end = rest.iter().position(|&octet| octet == b'\n');
            let (text, after) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
            rest = after;
            if end.is_some() { self.push_line(text, out) } else { self.push_part(text, out) }
        }
        !self.cut
    }

    /// Ends the last line if it was not ended, and the reply.
    pub fn finish(self, out: &mut Vec<u8>) {
        if self.line != Line::Start {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b".\r\n");
    }

    /// The rest of a line with its LF.
    fn push_line(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let text = &text[..text.len() - 1];
        let is_empty = match self.line {
            Line::Start => text.is_empty() || text == b"\r",
            Line::StartCr => text.is_empty(),
            Line::Inside | Line::InsideCr => false,
        };
        let ends_in_cr = text.last().map_or(matches!(self.line, Line::StartCr | Line::InsideCr), |&last| last == b'\r');
        self.stuff(text, out);
        out.extend_from_slice(text);
        out.extend_from_slice(if ends_in_cr { b"\n" } else { b"\r\n" });
        self.line = Line::Start;
        if self.in_head {
            self.in_head = !is_empty;
        } else {
            self.lines_left = self.lines_left.map(|left| left.saturating_sub(1));
        }
        self.cut = !self.in_head && self.lines_left == Some(0);
    }

    /// A part of a line, without its end.
    fn push_part(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.stuff(text, out);
        out.extend_from_slice(text);
        let cr = text.ends_with(b"\r");
        self.line = match (self.line, cr) {
            (Line::Start, true) if text.len() == 1 => Line::StartCr,
            (_, true) => Line::InsideCr,
            (_, false) => Line::Inside,
        };
    }

    fn stuff(&self, text: &[u8], out: &mut Vec<u8>) {
        if self.line == Line::Start && text.first() == Some(&b'.') {
            out.push(b'.');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sent(lines: Option<u32>, pieces: &[&[u8]]) -> String {
        let (mut writer, mut out) = (DotWriter::new(lines), Vec::new());
        for piece in pieces {
            if !writer.push(piece, &mut out) {
                break;
            }
        }
        writer.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn retr_table() {
        for (stored, wire) in [
            ("", ".\r\n"),
            ("a\n", "a\r\n.\r\n"),
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\n", "..\r\n.\r\n"),
            ("..\r\n.", "...\r\n..\r\n.\r\n"),
            ("a\r.\n", "a\r.\r\n.\r\n"),
            ("\r\r\n", "\r\r\n.\r\n"),
            ("a\r", "a\r\r\n.\r\n"),
            ("\n\n", "\r\n\r\n.\r\n"),
        ] {
            assert_eq!(sent(None, &[stored.as_bytes()]), wire, "{stored:?}");
        }
    }

    #[test]
    fn top_table() {
        let message = b"A: b\nC: d\n\n.1\n2\n3\n";
        for (lines, wire) in [
            (0, "A: b\r\nC: d\r\n\r\n.\r\n"),
            (1, "A: b\r\nC: d\r\n\r\n..1\r\n.\r\n"),
            (3, "A: b\r\nC: d\r\n\r\n..1\r\n2\r\n3\r\n.\r\n"),
            (99, "A: b\r\nC: d\r\n\r\n..1\r\n2\r\n3\r\n.\r\n"),
        ] {
            assert_eq!(sent(Some(lines), &[message]), wire, "{lines}");
        }
        assert_eq!(sent(Some(1), &[b"\nbody\nmore\n"]), "\r\nbody\r\n.\r\n");
        assert_eq!(sent(Some(0), &[b"only: head"]), "only: head\r\n.\r\n");
        assert_eq!(sent(Some(1), &[b"H: i\r\n\r\n1\r\n2\r\n"]), "H: i\r\n\r\n1\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(text in "[a.\r\n]{0,60}", lines in proptest::option::of(0u32..4), cuts in proptest::collection::vec(0usize..60, 0..5)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for at in cuts {
                pieces.push(&text.as_bytes()[from..at]);
                from = at;
            }
            pieces.push(&text.as_bytes()[from..]);
            prop_assert_eq!(sent(lines, &pieces), sent(lines, &[text.as_bytes()]));
        }

        #[test]
        fn only_the_end_ends(text in "[a.\n]{0,60}") {
            let wire = sent(None, &[text.as_bytes()]);
            prop_assert_eq!(wire.find("\r\n.\r\n").map_or(wire.len(), |at| at + 5), wire.len());
            let unstuffed: Vec<&str> = wire.strip_suffix(".\r\n").unwrap().split_terminator("\r\n").map(|l| l.strip_prefix('.').unwrap_or(l)).collect();
            prop_assert_eq!(unstuffed, text.split_terminator('\n').collect::<Vec<_>>());
        }
    }
}
