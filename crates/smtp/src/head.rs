//! The header of a message in transit, as it comes in: what is read of it (loops, missing fields), and what is mended.
//!
//! Octets that the client sent are not changed: raw 8-bit or ISO-2022-JP headers go through as they came. What may be taken out
//! is `Bcc:`, and what may be put in is the empty line that is missing before the body.

use crate::line::find;

/// Octets of a `Message-ID:` that are kept for the log.
const MESSAGE_ID_OCTETS_MAX: usize = 512;

/// Longest name of a field that we look for, in octets.
const NAME_OCTETS_MAX: usize = 16;

/// Most octets that are held back until it is known whether a line is a field; what has no colon so far is none
/// (RFC 5322 §2.1.1 has no longer line).
const HELD_OCTETS_MAX: usize = 998;

/// What the header section of a message holds, as far as we care.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its `Received:` fields: hops so far (RFC 5321 §6.3).
    pub received: usize,
    /// It has a `Message-ID:`.
    pub message_id: bool,
    /// It has a `Date:`.
    pub date: bool,
    /// What its first line is.
    pub begins_with: Beginning,
}

/// What the first line of a message is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A field, or the end of a header without any.
    #[default]
    Header,
    /// Text that is no field: an empty line must part our fields from it.
    Body,
    /// The `From ` line of an mbox, which is no field: a name is to be put before it.
    MboxLine,
}

/// Whether the fields stay that no recipient is to see.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Bcc {
    /// Mail in transit is not ours to change.
    #[default]
    Stays,
    /// `Bcc:` and `Resent-Bcc:` of a submission go (RFC 5322 §3.6.3).
    Goes,
}

/// Reads the header section as it comes in, in pieces cut anywhere, and keeps next to nothing of it. It is read to its end:
/// whoever looks at the first piece only can be shown a harmless one (T57).
#[derive(Debug, Default)]
pub struct HeaderReader {
    bcc: Bcc,
    found: Header,
    at: At,
    /// A line has been read.
    begun: bool,
    /// This field goes.
    dropping: bool,
    name: Name,
    /// The line so far, of which it is not known yet what it is.
    held: Vec<u8>,
    octets: u64,
    /// The first `Message-ID:`, as far as it was read.
    message_id: Vec<u8>,
    in_message_id: bool,
}

/// Where in a line the next octet stands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    LineStart,
    /// In a field's name.
    Name,
    /// In the obsolete blank between a name and its colon.
    Blank,
    /// Behind the colon, or in a folded line.
    Value,
    /// Behind the CR of an empty line.
    Cr,
    /// Behind the header.
    End,
}

/// The name of the field that is being read, as far as it matters.
#[derive(Debug, Default)]
struct Name {
    octets: [u8; NAME_OCTETS_MAX],
    length: usize,
}

impl Name {
    fn push(&mut self, octet: u8) {
        if let Some(place) = self.octets.get_mut(self.length) {
            *place = octet;
        }
        self.length += 1;
    }

    fn octets(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    fn is(&self, name: &[u8]) -> bool {
        self.octets().eq_ignore_ascii_case(name)
    }

    /// Of an mbox; programs that write them put `>` before what looks so already.
    fn is_of_mbox(&self) -> bool {
        matches!(self.octets(), b"From" | b">From")
    }
}

impl HeaderReader {
    /// A reader that has read nothing.
    pub fn new(bcc: Bcc) -> Self {
        Self { bcc, ..Self::default() }
    }

    /// Takes the next piece of the message, and gives what of it goes on its way.
    pub fn read(&mut self, piece: Vec<u8>) -> Vec<u8> {
        if self.at == At::End {
            return piece;
        }
        let mut out = Vec::with_capacity(self.held.len() + piece.len());
        let mut rest = &*piece;
        while let Some(&octet) = rest.first()
            && self.at != At::End
        {
            let used = if self.at == At::Value { self.value(rest, &mut out) } else { self.octet(octet, &mut out) };
            self.octets += used as u64;
            rest = &rest[used..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// How long the header is, as far as it was read.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The first `Message-ID:` without blanks around it; empty where there is none. Cut where it is very long.
    pub fn take_message_id(&mut self) -> String {
        let text = String::from_utf8(std::mem::take(&mut self.message_id));
        let text = text.unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
        text.trim().to_owned()
    }

    /// The message has ended; what was held back of it comes behind the pieces.
    pub fn finish(mut self) -> (Header, Vec<u8>) {
        let mut out = Vec::new();
        if matches!(self.at, At::Name | At::Blank | At::Cr) {
            self.no_field(&mut out);
        }
        (self.found, out)
    }

    /// To the end of a line of a field.
    fn value(&mut self, rest: &[u8], out: &mut Vec<u8>) -> usize {
        let lf = find(b'\n', rest);
        if lf.is_some() {
            self.at = At::LineStart;
        }
        if self.in_message_id {
            let room = MESSAGE_ID_OCTETS_MAX.saturating_sub(self.message_id.len());
            let value = rest[..lf.unwrap_or(rest.len())].iter();
            self.message_id.extend(value.take(room).filter(|octet| **octet != b'\r'));
        }
        let used = lf.map_or(rest.len(), |lf| lf + 1);
        if !self.dropping {
            out.extend_from_slice(&rest[..used]);
        }
        used
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) -> usize {
        match (self.at, octet) {
            (At::LineStart, b'\r') => self.at = At::Cr,
            (At::LineStart, b' ' | b'\t') if self.begun => {
                self.at = At::Value;
                return 0;
            }
            (At::LineStart, _) => {
                (self.at, self.name, self.dropping) = (At::Name, Name::default(), false);
                return 0;
            }
            (At::Cr, b'\n') => self.at = At::End,
            (At::Name | At::Blank, b':') if self.name.length > 0 => self.field(),
            _ if self.held.len() >= HELD_OCTETS_MAX => return self.no_field(out),
            // RFC 5322 §2.2: printable ASCII but the colon; the obsolete blank before the colon is tolerated.
            (At::Name, b' ' | b'\t') if self.name.length > 0 => self.at = At::Blank,
            (At::Name, octet) if octet.is_ascii_graphic() && octet != b':' => self.name.push(octet),
            (At::Blank, b' ' | b'\t') => {}
            _ => return self.no_field(out),
        }
        self.held.push(octet);
        if matches!(self.at, At::Value | At::End) {
            self.let_go(out);
        }
        1
    }

    fn field(&mut self) {
        (self.at, self.begun) = (At::Value, true);
        self.found.received += usize::from(self.name.is(b"received"));
        self.in_message_id = self.name.is(b"message-id") && !self.found.message_id;
        self.found.message_id |= self.name.is(b"message-id");
        self.found.date |= self.name.is(b"date");
        let is_bcc = self.name.is(b"bcc") || self.name.is(b"resent-bcc");
        self.dropping = is_bcc && self.bcc == Bcc::Goes;
    }

    /// This line is no field: it is the line of an mbox, or the header has ended before it and an empty line is missing.
    /// The octet that showed it is not used.
    fn no_field(&mut self, out: &mut Vec<u8>) -> usize {
        if !self.begun && self.at == At::Blank && self.name.is_of_mbox() {
            self.found.begins_with = Beginning::MboxLine;
            self.in_message_id = false;
            (self.at, self.begun) = (At::Value, true);
        } else {
            self.at = At::End;
            if self.begun {
                out.extend_from_slice(b"\r\n");
            } else {
                self.found.begins_with = Beginning::Body;
            }
        }
        self.let_go(out);
        0
    }

    /// What was held back goes on its way, or goes with its field.
    fn let_go(&mut self, out: &mut Vec<u8>) {
        if !(self.dropping && self.at == At::Value) {
            out.extend_from_slice(&self.held);
        }
        self.held = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_message_id_is_kept_however_it_comes() {
        for (message, id) in [
            ("Message-ID: <a@b>\r\n\r\n", "<a@b>"),
            ("Subject: x\r\nMESSAGE-ID :\r\n <a@b>\r\nMessage-ID: <second@b>\r\n\r\nMessage-ID: <body@b>", "<a@b>"),
            ("Subject: x\r\n\r\n", ""),
        ] {
            for size in [1, 3, 1_000] {
                let mut reader = HeaderReader::new(Bcc::Stays);
                message.as_bytes().chunks(size).for_each(|piece| drop(reader.read(piece.to_vec())));
                assert_eq!(reader.take_message_id(), id, "{message:?} by {size}");
            }
        }
        let mut reader = HeaderReader::new(Bcc::Stays);
        reader.read(format!("Message-ID: {}\r\n\r\n", "x".repeat(100_000)).into_bytes());
        assert!(reader.take_message_id().len() <= MESSAGE_ID_OCTETS_MAX);
    }

    /// What the header holds, how long it is, and what goes on its way.
    fn pass(message: &[u8], piece: usize, bcc: Bcc) -> (Header, u64, Vec<u8>) {
        let mut reader = HeaderReader::new(bcc);
        let mut out: Vec<u8> = message.chunks(piece).flat_map(|piece| reader.read(piece.to_vec())).collect();
        let octets = reader.octets();
        let (header, rest) = reader.finish();
        out.extend(rest);
        (header, octets, out)
    }

    fn read(message: &[u8], piece: usize) -> (Header, u64) {
        let (header, octets, _) = pass(message, piece, Bcc::Stays);
        (header, octets)
    }

    #[test]
    fn a_header_is_read_to_its_end() {
        let header = b"Received: a\r\n\tb\r\nreceived : c\r\nMessage-Id: <x>\r\nX-Received: d\r\nDate: d\r\n\r\n";
        let message = [header, b"Received: body\r\n".as_slice()].concat();
        for piece in 1..message.len() {
            let expected = Header { received: 2, message_id: true, date: true, ..Header::default() };
            assert_eq!(read(&message, piece), (expected, header.len() as u64), "{piece}");
        }
    }

    #[test]
    fn t57_nothing_hides_what_stands_behind() {
        let long = format!("X-Padding: {}\r\n", "x".repeat(990)).repeat(100);
        let folded = format!("X-Padding: x\r\n{}", " x\r\n".repeat(50_000));
        for padding in [long, folded, "A:\r\n".repeat(50_000)] {
            let message = format!("{padding}Received: a\r\nDate: d\r\nMessage-ID: <x>\r\n\r\n");
            let (header, octets) = read(message.as_bytes(), 65_536);
            assert_eq!((header.received, header.message_id, header.date), (1, true, true));
            assert_eq!(octets, message.len() as u64);
        }
    }

    #[test]
    fn odd_headers() {
        let cases: &[(&[u8], bool)] = &[
            (b"", false),
            (b"Subject: cut", false),
            (b"Subject: x\r\n", false),
            (b"\r\nbody\r\n", false),
            (b"no header at all\r\n", true),
            (b"no-header", true),
            (b"blank behind ", true),
            (b" folded first\r\n", true),
            (b"Subject: x\r\nno header\r\n", false),
            (b"\x1b$BKnown: 8-bit\xff\r\n", true),
            (b": nameless\r\n", true),
            (b"two words: x\r\n", true),
        ];
        for (message, starts_with_body) in cases {
            let is_body = read(message, 100).0.begins_with == Beginning::Body;
            assert_eq!(is_body, *starts_with_body, "{message:?}");
            assert_eq!(read(message, 1), read(message, 100), "{message:?}");
        }
        let long_name = [b"Received".repeat(3), b": x\r\n\r\n".to_vec()].concat();
        assert_eq!(read(&long_name, 1).0.received, 0);
    }

    #[test]
    fn the_line_of_an_mbox_ends_no_header() {
        for first in ["From alice@example.test Mon Nov 30 02:00:00 2026", ">From alice Mon: x", "From \t"] {
            let message = format!("{first}\r\nReceived: a\r\nSubject: b\r\n\r\nFrom here\r\n");
            for piece in 1..message.len() {
                let (header, _, out) = pass(message.as_bytes(), piece, Bcc::Goes);
                assert_eq!((header.begins_with, header.received), (Beginning::MboxLine, 1), "{first}");
                assert_eq!(out, message.as_bytes(), "{first}");
            }
        }
        for first in ["From : a@b.example", "from here to there", "From: a@b.example", "Fromage a"] {
            let (header, _) = read(format!("{first}\r\n\r\n").as_bytes(), 100);
            assert_ne!(header.begins_with, Beginning::MboxLine, "{first}");
        }
        // Only the first line is one: a later one ends the header.
        let (header, _, out) = pass(b"Subject: x\r\nFrom a b\r\n", 3, Bcc::Stays);
        assert_eq!(header.begins_with, Beginning::Header);
        assert_eq!(out, b"Subject: x\r\n\r\nFrom a b\r\n");
    }

    #[test]
    fn bcc_of_a_submission_goes_whole() {
        let table = [
            ("To: a\r\nBcc: b\r\n\r\nBcc: text\r\n", "To: a\r\n\r\nBcc: text\r\n"),
            ("bcc : b,\r\n c,\r\n\td\r\nTo: a\r\n\r\n", "To: a\r\n\r\n"),
            ("Resent-BCC:b\r\nTo: a\r\n\r\n", "To: a\r\n\r\n"),
            ("Bcc: b\r\nno field\r\n", "\r\nno field\r\n"),
            ("Bcc: b\r\n\r\nx\r\n", "\r\nx\r\n"),
            ("X-Bcc: b\r\nBccx: c\r\n\r\n", "X-Bcc: b\r\nBccx: c\r\n\r\n"),
        ];
        for (message, expected) in table {
            for piece in 1..=message.len() {
                let (_, _, out) = pass(message.as_bytes(), piece, Bcc::Goes);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{message:?} by {piece}");
                assert!(!pass(message.as_bytes(), piece, Bcc::Stays).2.is_empty());
            }
        }
        assert_eq!(pass(b"Bcc: b\r\n\r\n", 2, Bcc::Stays).2, b"Bcc: b\r\n\r\n");
    }

    #[test]
    fn a_header_gets_its_empty_line() {
        let long = format!("Subject: x\r\n{}\r\n", "a".repeat(5_000));
        let table = [
            ("Subject: x\r\nno header\r\n".to_owned(), "Subject: x\r\n\r\nno header\r\n".to_owned()),
            ("Subject: x\r\n folded\r\n--\r\n".into(), "Subject: x\r\n folded\r\n\r\n--\r\n".into()),
            ("A: b\r\n\u{3042}: c\r\n".into(), "A: b\r\n\r\n\u{3042}: c\r\n".into()),
            (long.clone(), long.replacen("\r\n", "\r\n\r\n", 1)),
            ("Subject: x\r\n".into(), "Subject: x\r\n".into()),
            ("Subject: x\r\n\r\nno header\r\n".into(), "Subject: x\r\n\r\nno header\r\n".into()),
            ("no header\r\n".into(), "no header\r\n".into()),
        ];
        for (message, expected) in table {
            for piece in [1, 2, 7, 10_000] {
                let (_, _, out) = pass(message.as_bytes(), piece, Bcc::Stays);
                assert_eq!(String::from_utf8_lossy(&out), expected, "by {piece}");
            }
        }
    }
}
