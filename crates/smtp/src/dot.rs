//! The text of a message as it comes in: its end, its dots, and what must not be in it.
//!
//! Only CR LF `.` CR LF ends it. A CR or LF alone is a fault, since the next server may take it for the end of a line
//! and find commands behind it (SMTP smuggling, T25). Text with a fault is read to its end but no longer kept.

use crate::line::find_line_end_or_nul;

/// What is wrong with a message; the worst that was found counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// More octets than the limit.
    TooBig,
    /// A line longer than the limit.
    LineTooLong,
    /// A NUL octet.
    Nul,
    /// A CR or LF alone.
    BareLineEnd,
}

/// How the end of the text is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// By a line with a dot; other dots at the start of a line are doubled (DATA).
    Dots,
    /// By a number of octets that the caller counts (BDAT).
    Octets,
}

/// Bounds of a text.
#[derive(Debug, Clone, Copy)]
pub struct TextLimits {
    /// Longest line with its CR LF, in octets.
    pub line_octets: usize,
    /// Most octets.
    pub message_octets: u64,
}

/// How far a call to [`TextReader::read`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Octets of the input that belong to the text; all of them unless the end was found.
    pub used: usize,
    /// The end was found (never with [`Framing::Octets`]).
    pub ended: bool,
}

/// Reads one text, in whatever pieces it comes.
#[derive(Debug)]
pub struct TextReader {
    at: At,
    framing: Framing,
    limits: TextLimits,
    line_octets: usize,
    octets: u64,
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    LineStart,
    /// A dot at the start of a line: the end of the text, or a doubled one.
    Dot,
    /// Dot and CR.
    DotCr,
    InLine,
    Cr,
}

impl TextReader {
    /// At the start of a text.
    pub fn new(framing: Framing, limits: TextLimits) -> Self {
        Self { at: At::LineStart, framing, limits, line_octets: 0, octets: 0, fault: None }
    }

    /// What is wrong so far.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// Octets of the text so far, without what dot-stuffing added.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Takes the next octets and appends what is text to `out`.
    pub fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Progress {
        // Everything is kept but the dots at the start of a line and what ends the text, so whole runs are copied.
        let mut kept_to = 0;
        let mut i = 0;
        while let Some(&b) = input.get(i) {
            match (self.at, b) {
                (At::InLine, _) => {
                    i = self.in_line(input, i);
                    continue;
                }
                (At::LineStart, b'.') if self.framing == Framing::Dots => {
                    self.keep(&input[kept_to..i], out);
                    kept_to = i + 1;
                    self.at = At::Dot;
                }
                (At::Dot, b'\r') => {
                    self.at = At::DotCr;
                    kept_to = i + 1;
                }
                (At::DotCr, b'\n') => return Progress { used: i + 1, ended: true },
                (At::LineStart, b'\r') => self.at = At::Cr,
                (At::Cr, b'\n') => self.line_end(),
                (At::LineStart | At::Dot, _) => {
                    self.at = At::InLine;
                    continue;
                }
                (At::DotCr | At::Cr, _) => {
                    self.blame(Fault::BareLineEnd);
                    self.at = At::InLine;
                    continue;
                }
            }
            i += 1;
        }
        self.keep(&input[kept_to..], out);
        Progress { used: input.len(), ended: false }
    }

    /// After the last octet of a text whose octets were counted: judges its end, and ends its last line if the client
    /// did not.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self.at {
            At::LineStart => {}
            At::Cr => self.blame(Fault::BareLineEnd),
            At::InLine | At::Dot | At::DotCr => self.keep(b"\r\n", out),
        }
    }

    /// Steps over one run within a line; returns where to go on.
    fn in_line(&mut self, input: &[u8], from: usize) -> usize {
        let rest = &input[from..];
        let Some(run) = find_line_end_or_nul(rest) else {
            self.lengthen(rest.len());
            return input.len();
        };
        self.lengthen(run);
        match rest[run] {
            b'\r' => self.at = At::Cr,
            b'\n' => self.blame(Fault::BareLineEnd),
            _ => self.blame(Fault::Nul),
        }
        from + run + 1
    }

    fn line_end(&mut self) {
        self.lengthen(2);
        self.line_octets = 0;
        self.at = At::LineStart;
    }

    fn lengthen(&mut self, octets: usize) {
        self.line_octets = self.line_octets.saturating_add(octets);
        if self.line_octets > self.limits.line_octets {
            self.blame(Fault::LineTooLong);
        }
    }

    fn blame(&mut self, fault: Fault) {
        self.fault = self.fault.max(Some(fault));
    }

    fn keep(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.octets = self.octets.saturating_add(text.len() as u64);
        if self.octets > self.limits.message_octets {
            self.blame(Fault::TooBig);
        }
        if self.fault.is_none() {
            out.extend_from_slice(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TextLimits = TextLimits { line_octets: 20, message_octets: 60 };

    /// What is kept, the fault, and what is left behind the end (`None`: no end).
    fn read(input: &[u8], piece: usize) -> (Vec<u8>, Option<Fault>, Option<usize>) {
        let mut reader = TextReader::new(Framing::Dots, LIMITS);
        let mut out = Vec::new();
        let mut used = 0;
        for piece in input.chunks(piece) {
            let progress = reader.read(piece, &mut out);
            used += progress.used;
            if progress.ended {
                return (out, reader.fault(), Some(input.len() - used));
            }
        }
        (out, reader.fault(), None)
    }

    type Row = (&'static [u8], &'static [u8], Option<usize>);

    #[test]
    fn texts_and_their_ends() {
        let table: &[Row] = &[
            (b".\r\n", b"", Some(0)),
            (b"a\r\n.\r\n", b"a\r\n", Some(0)),
            (b"a\r\n.\r\nMAIL", b"a\r\n", Some(4)),
            (b"..\r\n.\r\n", b".\r\n", Some(0)),
            (b".a\r\n...\r\n.\r\n", b"a\r\n..\r\n", Some(0)),
            (b"a.\r\n.\r\n", b"a.\r\n", Some(0)),
            (b"\r\n\r\n.\r\n", b"\r\n\r\n", Some(0)),
            (b"a\r\n.", b"a\r\n", None),
            (b"a\r\n.\r", b"a\r\n", None),
            (b"\xff\xfe\r\n.\r\n", b"\xff\xfe\r\n", Some(0)),
            (b"\x1b$B$\"\x1b(B\r\n.\r\n", b"\x1b$B$\"\x1b(B\r\n", Some(0)),
            (b"123456789012345678\r\n.\r\n", b"123456789012345678\r\n", Some(0)),
        ];
        for (input, text, left) in table {
            for piece in 1..=input.len() {
                assert_eq!(read(input, piece), (text.to_vec(), None, *left), "{input:?} by {piece}");
            }
        }
    }

    #[test]
    fn t25_nothing_but_crlf_dot_crlf_ends_the_text() {
        let table: &[(&[u8], Fault)] = &[
            (b"a\n.\n", Fault::BareLineEnd),
            (b"a\n.\r\n", Fault::BareLineEnd),
            (b"a\r\n.\n", Fault::BareLineEnd),
            (b"a\r.\r", Fault::BareLineEnd),
            (b"a\r.\r\n", Fault::BareLineEnd),
            (b"a\r\n.\r.", Fault::BareLineEnd),
            (b"a\r\n.\r\r\n", Fault::BareLineEnd),
            (b"a\r\r\n.\r\r\n", Fault::BareLineEnd),
            (b"a\n\r\n.\r\r\n", Fault::BareLineEnd),
            (b"\n.\r\n", Fault::BareLineEnd),
            (b".\n", Fault::BareLineEnd),
            (b"a\0\r\n.\0\r\n", Fault::Nul),
            (b"\0.\r\n", Fault::Nul),
            (b"\r\n\0.\r\n", Fault::Nul),
            (b"\n\0\r\n", Fault::BareLineEnd),
            (b"1234567890123456789\r\n", Fault::LineTooLong),
            (b"12345678901234567890123456789", Fault::LineTooLong),
        ];
        for (input, fault) in table {
            for piece in 1..=input.len() {
                let (_, found, left) = read(input, piece);
                assert_eq!((found, left), (Some(*fault), None), "{input:?} by {piece}");
            }
        }
    }

    #[test]
    fn what_follows_a_fault_is_read_but_not_kept() {
        let (kept, fault, left) = read(b"good\r\nbad\nMAIL FROM:<a@b>\r\n.\r\nQUIT", 3);
        assert_eq!((fault, left), (Some(Fault::BareLineEnd), Some(4)));
        assert!(kept.len() < 20);
        let big = b"1234567890\r\n".repeat(6);
        assert_eq!(read(&big, 7).1, Some(Fault::TooBig));
    }

    #[test]
    fn counted_text_has_no_dots_and_gets_its_last_line_end() {
        for (input, kept, fault) in [
            (&b".a\r\n.\r\n"[..], &b".a\r\n.\r\n"[..], None),
            (b"a\r\nb", b"a\r\nb\r\n", None),
            (b"a\r", b"a\r", Some(Fault::BareLineEnd)),
            (b"", b"", None),
        ] {
            let mut reader = TextReader::new(Framing::Octets, LIMITS);
            let mut out = Vec::new();
            reader.read(input, &mut out);
            reader.finish(&mut out);
            assert_eq!((&out[..], reader.fault()), (kept, fault));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_split_reads_the_same(
            input in proptest::collection::vec(proptest::sample::select(&b"\r\n.\0ab"[..]), 0..60),
            piece in 1usize..20,
        ) {
            let whole = read(&input, input.len().max(1));
            let split = read(&input, piece);
            proptest::prop_assert_eq!((whole.1, whole.2), (split.1, split.2));
            if whole.1.is_none() {
                proptest::prop_assert_eq!(whole.0, split.0);
            }
        }

        #[test]
        fn what_was_stuffed_comes_back(lines in proptest::collection::vec("[.a-c]{0,5}", 0..8)) {
            let text: String = lines.iter().flat_map(|line| [line, "\r\n"]).collect();
            let stuffed: String =
                lines.iter().flat_map(|line| [if line.starts_with('.') { "." } else { "" }, line, "\r\n"]).collect();
            let (kept, fault, left) = read(format!("{stuffed}.\r\n").as_bytes(), 4);
            proptest::prop_assert_eq!((kept, fault, left), (text.into_bytes(), None, Some(0)));
        }
    }
}
