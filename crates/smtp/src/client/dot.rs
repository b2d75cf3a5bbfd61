//! The message on its way out: dot-stuffed (RFC 5321 §4.5.2), its line ends made CRLF.
//!
//! A bare CR or LF never leaves as such. Where one receiver takes LF for a line end and the next does
//! not, a message can hide a second one behind `<LF>.<LF>` (SMTP smuggling); such an end is made CRLF
//! here, so every receiver sees the same lines, each with its dot stuffed.

/// Streams one message from slices.
///
/// ```
/// let (mut dots, mut out) = (smtp::client::DotWriter::default(), Vec::new());
/// dots.write(b"Subject: x\r\n\r\n.\nend", &mut out);
/// dots.finish(&mut out);
/// assert_eq!(out, b"Subject: x\r\n\r\n..\r\nend\r\n.\r\n");
/// ```
#[derive(Debug, Default)]
pub struct DotWriter {
    position: Position,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Position {
    #[default]
    LineStart,
    InLine,
    /// A CR was seen and is not yet written: it may be half of a CRLF.
    AfterCr,
}

impl DotWriter {
    /// Appends the octets of the wire for the next piece of the message.
    pub fn write(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        out.reserve(piece.len() + piece.len() / 32 + 8);
        if self.position == Position::AfterCr && !piece.is_empty() {
            piece = piece.strip_prefix(b"\n").unwrap_or(piece);
            self.end_line(out);
        }
        while !piece.is_empty() {
            if self.position == Position::LineStart && piece[0] == b'.' {
                out.push(b'.');
            }
            let end = piece.iter().position(|&octet| octet == b'\n' || octet == b'\r');
            let Some(end) = end else {
                out.extend_from_slice(piece);
                self.position = Position::InLine;
                return;
            };
            out.extend_from_slice(&piece[..end]);
            piece = self.take_line_end(&piece[end..], out);
        }
    }

    /// Ends the message: the last line, if open, and the dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.position != Position::LineStart {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    /// `rest` begins with CR or LF; what is behind that line end.
    fn take_line_end<'a>(&mut self, rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let after = match rest {
            [b'\r'] => {
                self.position = Position::AfterCr;
                return &[];
            }
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => return rest,
        };
        self.end_line(out);
        after
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.position = Position::LineStart;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stuffed(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut dots, mut out) = (DotWriter::default(), Vec::new());
        for piece in pieces {
            dots.write(piece, &mut out);
        }
        dots.finish(&mut out);
        out
    }

    #[test]
    fn lines_are_stuffed_and_ended() {
        let table: &[(&[u8], &[u8])] = &[
            (b"", b".\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n.\r\n", b"..\r\n..\r\n.\r\n"),
            (b"a.b\r\n", b"a.b\r\n.\r\n"),
            (b"..\r\n", b"...\r\n.\r\n"),
        ];
        for (message, wire) in table {
            assert_eq!(stuffed(&[message]), *wire, "{message:?}");
        }
    }

    #[test]
    fn t25_smuggling_ends_never_leave() {
        let ends: [&[u8]; 7] = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r\n.\r\r\n", b"\r.\r\n"];
        for end in ends {
            let message = [b"a" as &[u8], end, b"MAIL FROM:<x@y>\r\n"].concat();
            let wire = stuffed(&[&message]);
            assert_only_crlf(&wire);
            let inner = &wire[..wire.len() - 3];
            assert!(!inner.windows(5).any(|five| five == b"\r\n.\r\n"), "{end:?} {wire:?}");
        }
    }

    fn assert_only_crlf(wire: &[u8]) {
        for (at, octet) in wire.iter().enumerate() {
            match octet {
                b'\r' => assert_eq!(wire.get(at + 1), Some(&b'\n'), "{wire:?}"),
                b'\n' => assert_eq!(wire[at - 1], b'\r', "{wire:?}"),
                _ => {}
            }
        }
    }

    fn unstuffed(wire: &[u8]) -> Vec<u8> {
        let text = wire.strip_suffix(b".\r\n").unwrap();
        let mut message = Vec::new();
        for line in text.split_inclusive(|&octet| octet == b'\n') {
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        message
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_wire(message in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60), cut in 0usize..60, cut2 in 0usize..60) {
            let (first, second) = (cut.min(cut2).min(message.len()), cut.max(cut2).min(message.len()));
            let whole = stuffed(&[&message]);
            assert_only_crlf(&whole);
            prop_assert!(whole == b".\r\n" || whole.ends_with(b"\r\n.\r\n"));
            prop_assert_eq!(&whole, &stuffed(&[&message[..first], &message[first..second], &message[second..]]));
            // The end is found once: at the end.
            prop_assert!(!whole[..whole.len() - 3].windows(5).any(|five| five == b"\r\n.\r\n"));
        }

        #[test]
        fn a_message_of_whole_lines_comes_back(lines in proptest::collection::vec("[.a-z]{0,6}", 0..8)) {
            let message: String = lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect();
            prop_assert_eq!(unstuffed(&stuffed(&[message.as_bytes()])), message.into_bytes());
        }
    }
}
