//! What we write above a message in transit.

use std::fmt::{self, Display, Write as _};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Zoned;
use jiff::fmt::rfc2822;

use listen::TlsFacts;

/// What a `Received:` field tells (RFC 5321 §4.4).
#[derive(Debug)]
pub struct Hop<'a> {
    /// What the client called itself.
    pub helo: &'a str,
    /// The client's address; `None`: recipients are not to learn it.
    pub client: Option<IpAddr>,
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
            None => write!(out, "Received: from {helo}"),
            Some(IpAddr::V4(v4)) => write!(out, "Received: from {helo} ([{v4}])"),
            Some(IpAddr::V6(v6)) => write!(out, "Received: from {helo} ([IPv6:{v6}])"),
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

    #[test]
    fn received_as_rfc_5321_wants_it() {
        let hop = Hop {
            helo: "client.example",
            client: Some(IpAddr::from([192, 0, 2, 7])),
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
        out.clear();
        Hop { helo: "", client: None, ..hop }.write_to(&mut out);
        assert!(
            out.starts_with("Received: from unknown\r\n\tby mail.example.test (Sekisho) with ESMTP id Q1\r\n"),
            "{out}"
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
