//! The header of a message in transit: what is read of it (loops, missing fields), and what we write above it.
//!
//! Octets that the client sent are never changed: raw 8-bit or ISO-2022-JP headers go through as they came.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Zoned;
use jiff::fmt::rfc2822;

use listen::TlsFacts;
use smtp::line::find;

/// Longest name of a field that we look for, in octets.
const NAME_OCTETS_MAX: usize = 16;

/// What the header section of a message holds, as far as we care.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its `Received:` fields: hops so far (RFC 5321 §6.3).
    pub received: usize,
    /// It has a `Message-ID:`.
    pub message_id: bool,
    /// It has a `Date:`.
    pub date: bool,
    /// The message begins with text that is no header field: an empty line must part ours from it.
    pub starts_with_body: bool,
}

/// Reads the header section as it comes in, in pieces cut anywhere, and keeps none of it. It is read to its end: whoever looks
/// at the first piece only can be shown a harmless one (T57).
#[derive(Debug, Default)]
pub struct HeaderReader {
    found: Header,
    at: At,
    /// A line has been read.
    begun: bool,
    name: Name,
    octets: u64,
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

    fn is(&self, name: &[u8]) -> bool {
        self.octets.get(..self.length).is_some_and(|octets| octets.eq_ignore_ascii_case(name))
    }
}

impl HeaderReader {
    /// Takes the next piece of the message.
    pub fn read(&mut self, piece: &[u8]) {
        let mut rest = piece;
        while let Some(&octet) = rest.first()
            && self.at != At::End
        {
            let used = if self.at == At::Value { self.skip(rest) } else { self.octet(octet) };
            self.octets += used as u64;
            rest = &rest[used..];
        }
    }

    /// How long the header is, as far as it was read.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// The message has ended.
    pub fn finish(mut self) -> Header {
        if matches!(self.at, At::Name | At::Blank | At::Cr) {
            self.body();
        }
        self.found
    }

    /// To the end of a line of a field.
    fn skip(&mut self, rest: &[u8]) -> usize {
        let Some(lf) = find(b'\n', rest) else { return rest.len() };
        self.at = At::LineStart;
        lf + 1
    }

    fn octet(&mut self, octet: u8) -> usize {
        match (self.at, octet) {
            (At::LineStart, b'\r') => self.at = At::Cr,
            (At::LineStart, b' ' | b'\t') if self.begun => self.at = At::Value,
            (At::LineStart, _) => {
                self.name = Name::default();
                self.at = At::Name;
                return 0;
            }
            (At::Cr, b'\n') => self.at = At::End,
            (At::Name | At::Blank, b':') if self.name.length > 0 => self.field(),
            // RFC 5322 §2.2: printable ASCII but the colon; the obsolete blank before the colon is tolerated.
            (At::Name, b' ' | b'\t') if self.name.length > 0 => self.at = At::Blank,
            (At::Name, octet) if octet.is_ascii_graphic() && octet != b':' => self.name.push(octet),
            (At::Blank, b' ' | b'\t') => {}
            _ => self.body(),
        }
        1
    }

    fn field(&mut self) {
        (self.at, self.begun) = (At::Value, true);
        self.found.received += usize::from(self.name.is(b"received"));
        self.found.message_id |= self.name.is(b"message-id");
        self.found.date |= self.name.is(b"date");
    }

    /// This line is no field: the header has ended before it.
    fn body(&mut self) {
        self.at = At::End;
        self.found.starts_with_body = !self.begun;
    }
}

/// What a `Received:` field tells (RFC 5321 §4.4).
#[derive(Debug)]
pub struct Hop<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// TLS with the client.
    pub tls: Option<&'a TlsFacts>,
    /// Our name.
    pub hostname: &'a str,
    /// The word behind `with`.
    pub protocol: &'a str,
    /// The queue id.
    pub queue_id: &'a str,
    /// The recipient, where there is just one: several would tell each other.
    pub recipient: Option<&'a str>,
    /// The time as RFC 5322 writes it, in the server's time zone.
    pub date: &'a str,
}

impl Hop<'_> {
    /// Appends the field to `out`.
    pub fn write_to(&self, out: &mut String) {
        let Self { helo, client, tls, hostname, protocol, queue_id, recipient, date } = self;
        let helo = Greeting(helo);
        // Writing to a String cannot fail.
        let _ = match client {
            IpAddr::V4(v4) => write!(out, "Received: from {helo} ([{v4}])"),
            IpAddr::V6(v6) => write!(out, "Received: from {helo} ([IPv6:{v6}])"),
        };
        if let Some(tls) = tls {
            let _ = write!(out, "\r\n\t(using {} with cipher {})", tls.version, tls.cipher);
        }
        let _ = write!(out, "\r\n\tby {hostname} (Sekisho) with {protocol} id {queue_id}");
        if let Some(recipient) = recipient {
            let _ = write!(out, "\r\n\tfor <{recipient}>");
        }
        let _ = write!(out, "; {date}\r\n");
    }
}

/// Octets of a greeting that are written; a domain has no more.
const GREETING_OCTETS_MAX: usize = 255;

/// What the client called itself, as it may stand in the field: a host's name or an address literal as it is, and of anything
/// else (RFC 5321 has no word for it) nothing that could open or close a comment, a quotation or a field, or look like the
/// end of this word. What came stands in the log.
struct Greeting<'a>(&'a str);

impl Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The equals sign is that of an octet written `=XX`.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']' | '=');
        if self.0.is_empty() {
            return f.write_str("unknown");
        }
        self.0.chars().take(GREETING_OCTETS_MAX).try_for_each(|c| f.write_char(if is_plain(c) { c } else { '?' }))
    }
}

/// The date for header fields, made once a second.
#[derive(Debug, Default)]
pub struct DateClock {
    last: Mutex<(i64, String)>,
}

impl DateClock {
    /// Now, as RFC 5322 §3.3 writes it, in the server's time zone (mission row D3).
    pub fn now(&self) -> String {
        let now = Zoned::now();
        let second = now.timestamp().as_second();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != second || last.1.is_empty() {
            *last = (second, rfc2822::to_string(&now).unwrap_or_default());
        }
        last.1.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &[u8], piece: usize) -> (Header, u64) {
        let mut reader = HeaderReader::default();
        message.chunks(piece).for_each(|piece| reader.read(piece));
        let octets = reader.octets();
        (reader.finish(), octets)
    }

    #[test]
    fn a_header_is_read_to_its_end() {
        let header = b"Received: a\r\n\tb\r\nreceived : c\r\nMessage-Id: <x>\r\nX-Received: d\r\nDate: d\r\n\r\n";
        let message = [header, b"Received: body\r\n".as_slice()].concat();
        for piece in 1..message.len() {
            let expected = Header { received: 2, message_id: true, date: true, starts_with_body: false };
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
            assert_eq!(read(message, 100).0.starts_with_body, *starts_with_body, "{message:?}");
            assert_eq!(read(message, 1), read(message, 100), "{message:?}");
        }
        let long_name = [b"Received".repeat(3), b": x\r\n\r\n".to_vec()].concat();
        assert_eq!(read(&long_name, 1).0.received, 0);
    }

    #[test]
    fn received_as_rfc_5321_wants_it() {
        let hop = Hop {
            helo: "client.example",
            client: IpAddr::from([192, 0, 2, 7]),
            tls: None,
            hostname: "mail.example.test",
            protocol: "ESMTP",
            queue_id: "Q1",
            recipient: Some("alice@example.test"),
            date: "Sat, 21 Nov 2026 09:00:00 +0900",
        };
        let mut out = String::new();
        hop.write_to(&mut out);
        assert_eq!(
            out,
            "Received: from client.example ([192.0.2.7])\r\n\tby mail.example.test (Sekisho) with ESMTP id Q1\r\n\
             \tfor <alice@example.test>; Sat, 21 Nov 2026 09:00:00 +0900\r\n"
        );
    }

    #[test]
    fn a_greeting_forges_nothing() {
        let table = [
            ("client.example", "client.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("My_PC!", "My_PC?"),
            ("MFP 2F OFFICE", "MFP?2F?OFFICE"),
            ("=E7=B7=8F-PC", "=E7=B7=8F-PC"),
            ("x(unclosed", "x?unclosed"),
            ("evil)by.mail.example.test(trusted", "evil?by.mail.example.test?trusted"),
            ("a;b", "a?b"),
            ("\"<>\\", "????"),
            ("", "unknown"),
            ("a\r\nReceived: b", "a??Received:?b"),
        ];
        for (helo, expected) in table {
            assert_eq!(Greeting(helo).to_string(), expected, "{helo:?}");
        }
        assert_eq!(Greeting(&"a".repeat(1_000)).to_string().len(), GREETING_OCTETS_MAX);
    }

    #[test]
    fn the_date_has_a_zone() {
        let date = DateClock::default().now();
        let zone = date.rsplit(' ').next().unwrap();
        assert!(zone.len() == 5 && (zone.starts_with('+') || zone.starts_with('-')), "{date}");
    }
}
