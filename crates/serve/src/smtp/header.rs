//! The header of a message in transit: what is read of it (loops, missing fields), and what we write above it.
//!
//! Octets that the client sent are never changed: raw 8-bit or ISO-2022-JP headers go through as they came.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Zoned;
use jiff::fmt::rfc2822;

use listen::TlsFacts;

/// What the header section of a message holds, as far as we care.
#[derive(Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a finding of its own")]
pub struct Header {
    /// Its `Received:` fields: hops so far (RFC 5321 §6.3).
    pub received: usize,
    /// It has a `Message-ID:`.
    pub message_id: bool,
    /// It has a `Date:`.
    pub date: bool,
    /// The empty line that ends it was seen, or text that can be no header field.
    pub complete: bool,
    /// The message begins with text that is no header field: an empty line must part ours from it.
    pub starts_with_body: bool,
}

impl Header {
    /// Reads the header section at the start of `message`, which may be only the first piece of it.
    pub fn scan(message: &[u8]) -> Self {
        let mut header = Self::default();
        for (number, line) in message.split_inclusive(|octet| *octet == b'\n').enumerate() {
            if !line.ends_with(b"\n") {
                return header;
            }
            if line == b"\r\n" {
                header.complete = true;
                return header;
            }
            let folded = matches!(line.first(), Some(b' ' | b'\t'));
            if folded && number > 0 {
                continue;
            }
            let Some(name) = field_name(line) else {
                header.complete = true;
                header.starts_with_body = number == 0;
                return header;
            };
            header.received += usize::from(name.eq_ignore_ascii_case(b"received"));
            header.message_id |= name.eq_ignore_ascii_case(b"message-id");
            header.date |= name.eq_ignore_ascii_case(b"date");
        }
        header
    }
}

/// RFC 5322 §2.2: printable ASCII but the colon; the obsolete blank before the colon is tolerated.
fn field_name(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let name = line[..colon].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
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

    #[test]
    fn a_header_is_read_to_its_end() {
        let header =
            Header::scan(b"Received: a\r\n\tb\r\nreceived : c\r\nMessage-Id: <x>\r\nDate: d\r\n\r\nReceived: body\r\n");
        assert_eq!(
            header,
            Header { received: 2, message_id: true, date: true, complete: true, starts_with_body: false }
        );
    }

    #[test]
    fn odd_headers() {
        let cases: &[(&[u8], bool, bool)] = &[
            (b"", false, false),
            (b"Subject: cut", false, false),
            (b"Subject: x\r\n", false, false),
            (b"\r\nbody\r\n", true, false),
            (b"no header at all\r\n", true, true),
            (b" folded first\r\n", true, true),
            (b"Subject: x\r\nno header\r\n", true, false),
            (b"\x1b$BKnown: 8-bit\xff\r\n", true, true),
            (b": nameless\r\n", true, true),
        ];
        for (message, complete, starts_with_body) in cases {
            let header = Header::scan(message);
            assert_eq!((header.complete, header.starts_with_body), (*complete, *starts_with_body), "{message:?}");
        }
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
    fn the_date_has_a_zone() {
        let date = DateClock::default().now();
        let zone = date.rsplit(' ').next().unwrap();
        assert!(zone.len() == 5 && (zone.starts_with('+') || zone.starts_with('-')), "{date}");
    }
}
