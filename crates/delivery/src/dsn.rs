//! Delivery status notifications: who is told what, and the message that says it (RFC 3461, 3464, 6522, 6533).
//!
//! Pure: the caller gives the time and the part of the original that goes back, and sends the result from `<>`.
//! A notification goes only to senders that are proved ([`may_tell`]): who sends a mail names its sender as he likes.
//!
//! Written by hand, without `mail-builder`: that chooses each part's transfer encoding itself, and puts all but text into
//! base64. Of a returned message RFC 2046 §5.2.1 forbids just that, and the octets that go back shall be those that came.
//! What is left then, the fields of RFC 3464, no library writes.

use std::fmt::Write as _;

use jiff::Zoned;
use smtp::client::Response;
use spool::Envelope;

/// NOTIFY as the spool keeps it ([`spool::Recipient::notify`]); 0: nothing was asked for, which means failure and delay.
pub mod notify {
    /// NEVER
    pub const NEVER: u8 = 1;
    /// SUCCESS
    pub const SUCCESS: u8 = 2;
    /// FAILURE
    pub const FAILURE: u8 = 4;
    /// DELAY
    pub const DELAY: u8 = 8;
}

/// What is told of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It failed for good.
    Failed,
    /// It is still tried.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It went on to a host that does not report.
    Relayed,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
        }
    }

    /// Whether the sender wants to hear of it.
    pub fn is_wanted(self, asked: u8) -> bool {
        let bit = match self {
            Self::Failed => notify::FAILURE,
            Self::Delayed => notify::DELAY,
            Self::Delivered | Self::Relayed => notify::SUCCESS,
        };
        let default = notify::FAILURE | notify::DELAY;
        (if asked == 0 { default } else { asked }) & bit != 0 && asked & notify::NEVER == 0
    }
}

/// Whether anybody may be told anything about a message: it came from somebody with a right to send, who proved that the
/// reverse-path is theirs. A right alone does not: whoever may relay can name anybody.
pub fn may_tell(envelope: &Envelope) -> bool {
    envelope.may_tell()
}

/// One recipient of a notification.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Forward-path as printed.
    pub forward_path: &'a str,
    /// ORCPT as given.
    pub orcpt: Option<&'a str>,
    /// What happened.
    pub action: Action,
    /// Status code of RFC 3463.
    pub status: [u16; 3],
    /// The words of the host that said so.
    pub reply: &'a Response,
    /// That host.
    pub relay: &'a str,
}

/// What a notification is made of.
#[derive(Debug)]
pub struct Notice<'a> {
    /// Our name.
    pub hostname: &'a str,
    /// Unique within our names: of the message and this notice.
    pub id: &'a str,
    /// The message it is about.
    pub envelope: &'a Envelope,
    /// When that was accepted.
    pub arrived: &'a Zoned,
    /// Now.
    pub now: &'a Zoned,
    /// Whom it is about; at least one, all with the same action.
    pub entries: &'a [Entry<'a>],
    /// Header, or header and body, of that message.
    pub original: Original<'a>,
}

/// What of the original goes back.
#[derive(Debug, Clone, Copy)]
pub enum Original<'a> {
    /// The whole message.
    Message(&'a [u8]),
    /// Its header.
    Header(&'a [u8]),
}

impl Notice<'_> {
    /// The message, with CRLF.
    pub fn build(&self) -> Vec<u8> {
        let (international, original) = (self.is_international(), self.original_octets());
        let boundary = boundary(self.id, original);
        let status = if international { "global-delivery-status" } else { "delivery-status" };
        let mut out = String::with_capacity(4096);
        self.write_header(&boundary, &mut out);
        part(&boundary, "text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit", &mut out);
        self.write_text(&mut out);
        part(&boundary, &format!("message/{status}"), &mut out);
        self.write_status(&mut out);
        part(&boundary, self.original_type(), &mut out);
        let mut message = out.into_bytes();
        message.extend_from_slice(original);
        message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        message
    }

    fn action(&self) -> Action {
        self.entries.first().map_or(Action::Failed, |entry| entry.action)
    }

    fn is_international(&self) -> bool {
        !self.envelope.reverse_path.is_ascii() || self.entries.iter().any(|entry| !entry.forward_path.is_ascii())
    }

    fn original_octets(&self) -> &[u8] {
        match self.original {
            Original::Message(octets) | Original::Header(octets) => octets,
        }
    }

    fn original_type(&self) -> &'static str {
        match (self.original, self.is_international()) {
            (Original::Message(_), false) => "message/rfc822\r\nContent-Transfer-Encoding: 8bit",
            (Original::Header(_), false) => "text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit",
            (Original::Message(_), true) => "message/global\r\nContent-Transfer-Encoding: 8bit",
            (Original::Header(_), true) => "message/global-headers\r\nContent-Transfer-Encoding: 8bit",
        }
    }

    fn write_header(&self, boundary: &str, out: &mut String) {
        let subject = match self.action() {
            Action::Failed => "Your message could not be delivered",
            Action::Delayed => "Your message is delayed",
            Action::Delivered | Action::Relayed => "Your message was delivered",
        };
        let (hostname, date) = (self.hostname, rfc5322(self.now));
        let _ = write!(
            out,
            "From: Mail Delivery System <MAILER-DAEMON@{hostname}>\r\nTo: <{}>\r\nSubject: {subject}\r\nDate: {date}\r\n\
             Message-ID: <{}@{hostname}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n\
             This is a MIME-encapsulated message.\r\n",
            self.envelope.reverse_path, self.id
        );
    }

    fn write_text(&self, out: &mut String) {
        let hostname = self.hostname;
        let (english, japanese) = match self.action() {
            Action::Failed => (
                "could not be delivered to the recipients below. It will not be tried again.",
                "次の宛先に配送できませんでした。再送は行いません。",
            ),
            Action::Delayed => (
                "could not yet be delivered to the recipients below. You need not do anything: it will be tried again.",
                "次の宛先にまだ配送できていません。自動的に再送を続けますので、操作は不要です。",
            ),
            Action::Delivered => (
                "was delivered to the mailboxes of the recipients below.",
                "次の宛先のメールボックスに配送されました。",
            ),
            Action::Relayed => (
                "was handed to the next mail host for the recipients below. That host may not report any further.",
                "次の宛先について、次のメールサーバーに引き渡されました。それ以降の通知は届かないことがあります。",
            ),
        };
        let _ = write!(
            out,
            "This is the mail system at {hostname}.\r\n\r\nYour message {english}\r\n\r\n\
             メールサーバー {hostname} からのお知らせです。あなたのメールは、{japanese}\r\n\r\n"
        );
        for entry in self.entries {
            let _ = write!(out, "<{}>\r\n    {}: {}\r\n", entry.forward_path, entry.relay, quoted(entry.reply));
        }
    }

    fn write_status(&self, out: &mut String) {
        if let Some(envid) = &self.envelope.envid {
            field("Original-Envelope-Id", &printable(envid), out);
        }
        field("Reporting-MTA", &format!("dns; {}", self.hostname), out);
        field("Arrival-Date", &rfc5322(self.arrived), out);
        for entry in self.entries {
            out.push_str("\r\n");
            if let Some((kind, address)) = entry.orcpt.and_then(|orcpt| orcpt.split_once(';')) {
                field("Original-Recipient", &format!("{}; {}", printable(kind), printable(&decoded(address))), out);
            }
            let kind = if entry.forward_path.is_ascii() { "rfc822" } else { "utf-8" };
            field("Final-Recipient", &format!("{kind}; {}", entry.forward_path), out);
            field("Action", entry.action.word(), out);
            let [class, subject, detail] = entry.status;
            field("Status", &format!("{class}.{subject}.{detail}"), out);
            if let Some(host) = remote_mta(entry.relay) {
                field("Remote-MTA", &format!("dns; {}", printable(host)), out);
            }
            field("Diagnostic-Code", &format!("smtp; {}", escaped(&quoted(entry.reply))), out);
            field("Last-Attempt-Date", &rfc5322(self.now), out);
        }
    }
}

/// The name of the host that was asked, out of `name[address]:port`; none where there was none, as RFC 3464 §2.3.5 wants it.
fn remote_mta(relay: &str) -> Option<&str> {
    let (name, address) = relay.rsplit_once("]:").and_then(|(host, _)| host.rsplit_once('['))?;
    Some(if name.is_empty() { address } else { name })
}

fn part(boundary: &str, kind: &str, out: &mut String) {
    let _ = write!(out, "\r\n--{boundary}\r\nContent-Type: {kind}\r\n\r\n");
}

fn field(name: &str, value: &str, out: &mut String) {
    let _ = write!(out, "{name}: {value}\r\n");
}

/// The date of RFC 5322 §3.3, in the zone given.
pub fn rfc5322(at: &Zoned) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
}

/// ORCPT without its xtext, which a notification has not (RFC 3464 §2.3.1).
fn decoded(xtext: &str) -> String {
    let octets = smtp::xtext::decode(xtext).unwrap_or_else(|| xtext.as_bytes().to_vec());
    String::from_utf8_lossy(&octets).into_owned()
}

/// Most octets of a peer's words that are quoted; the line stays below 998.
const DIAGNOSTIC_MAX: usize = 600;

/// In a part of UTF-8: nothing in it ends the line, or turns the direction of what follows.
fn quoted(reply: &Response) -> String {
    let mut text = String::new();
    for character in reply.to_string().chars() {
        if text.len() + character.len_utf8() > DIAGNOSTIC_MAX {
            break;
        }
        text.push(if is_harmless(character) { character } else { '?' });
    }
    text
}

/// Control and format characters are not.
fn is_harmless(character: char) -> bool {
    let hidden = matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !character.is_control() && !hidden
}

/// In a part of ASCII: what is beyond stands as `\x{5B9B}`, the way RFC 6533 §3 writes addresses there.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        let length = plain.len();
        if character.is_ascii() {
            plain.push(character);
        } else {
            let _ = write!(plain, "\\x{{{:X}}}", u32::from(character));
        }
        if plain.len() > DIAGNOSTIC_MAX {
            plain.truncate(length);
            break;
        }
    }
    plain
}

/// Nothing in it ends the line or leaves ASCII.
fn printable(text: &str) -> String {
    let plain = |character: char| if character == ' ' || character.is_ascii_graphic() { character } else { '?' };
    text.chars().take(DIAGNOSTIC_MAX).map(plain).collect()
}

/// A boundary that the original does not contain.
fn boundary(id: &str, original: &[u8]) -> String {
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let mut number = 0_u32;
    loop {
        let boundary = format!("=_{id}.{number}");
        let delimiter = format!("--{boundary}");
        if !original.windows(delimiter.len()).any(|window| window == delimiter.as_bytes()) {
            return boundary;
        }
        number += 1;
    }
}

/// The header of a message with the line end of its last line, and whether the body starts within `octets`.
pub fn header_of(octets: &[u8]) -> &[u8] {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |at| at + 2);
    &octets[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use spool::{Origin, Ownership, Recipient, Sender, Target};

    fn envelope(origin: Origin) -> Envelope {
        Envelope {
            reverse_path: "alice@example.test".into(),
            recipients: vec![Recipient {
                forward_path: "b@elsewhere.example".into(),
                target: Target::Remote { host: "elsewhere.example".into() },
                notify: 0,
                orcpt: None,
                via: None,
            }],
            origin,
            arrived_at_unix_micros: 0,
            session: "s".into(),
            smtputf8: false,
            eight_bit: false,
            envid: Some("QQ=1".into()),
            ret: None,
            message_octets: 10,
        }
    }

    fn sender(reverse_path: Ownership) -> Sender {
        Sender { login: Some("alice".into()), account_id: None, grant: "auth".into(), client: None, reverse_path }
    }

    fn account() -> Origin {
        Origin::Account(sender(Ownership::Proved))
    }

    #[test]
    fn strangers_are_told_nothing() {
        assert!(may_tell(&envelope(account())));
        assert!(!may_tell(&envelope(Origin::Outside)));
        assert!(!may_tell(&envelope(Origin::Bounce)));
        assert!(!may_tell(&envelope(Origin::Account(sender(Ownership::Unproved)))), "a right proves no reverse-path");
        assert!(!may_tell(&Envelope { reverse_path: String::new(), ..envelope(account()) }));
    }

    #[test]
    fn notify_decides() {
        use notify::{DELAY, FAILURE, NEVER, SUCCESS};
        let table = [
            (0, [true, true, false]),
            (NEVER, [false, false, false]),
            (SUCCESS, [false, false, true]),
            (FAILURE, [true, false, false]),
            (SUCCESS | FAILURE | DELAY, [true, true, true]),
            (NEVER | FAILURE, [false, false, false]),
        ];
        for (asked, expected) in table {
            let got = [Action::Failed, Action::Delayed, Action::Relayed].map(|action| action.is_wanted(asked));
            assert_eq!(got, expected, "{asked}");
        }
    }

    fn build(entries: &[Entry<'_>], original: Original<'_>) -> String {
        let at: Zoned = "2026-11-21T09:00:00+09:00[Asia/Tokyo]".parse().unwrap();
        let notice = Notice {
            hostname: "mx.example.test",
            id: "0abc.1",
            envelope: &envelope(account()),
            arrived: &at,
            now: &at,
            entries,
            original,
        };
        String::from_utf8(notice.build()).unwrap()
    }

    #[test]
    fn a_failure_is_told_in_full() {
        let reply = Response::local(550, [5, 1, 1], "no\u{1b}[2J such\r\nuser");
        let entry = Entry {
            forward_path: "b@elsewhere.example",
            orcpt: Some("rfc822;B+2Bx@elsewhere.example"),
            action: Action::Failed,
            status: [5, 1, 1],
            reply: &reply,
            relay: "mx.elsewhere.example[192.0.2.1]:25",
        };
        let text = build(&[entry], Original::Header(b"Subject: x\r\n"));
        for line in [
            "To: <alice@example.test>\r\n",
            "Date: Sat, 21 Nov 2026 09:00:00 +0900\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "Content-Type: message/delivery-status\r\n\r\nOriginal-Envelope-Id: QQ=1\r\nReporting-MTA: dns; mx.example.test\r\n",
            "Original-Recipient: rfc822; B+x@elsewhere.example\r\n",
            "Final-Recipient: rfc822; b@elsewhere.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
            "Remote-MTA: dns; mx.elsewhere.example\r\nDiagnostic-Code: smtp; 550 5.1.1 no?[2J such? user\r\n",
            "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\n--=_0abc1.0--\r\n",
            "配送できませんでした",
        ] {
            assert!(text.contains(line), "{line:?} is not in\n{text}");
        }
        assert!(text.split_inclusive('\n').all(|line| line.ends_with("\r\n") && line.len() < 999));
    }

    #[test]
    fn international_addresses_take_the_global_types() {
        let reply = Response::local(250, [2, 0, 0], "ok");
        let entry = Entry {
            forward_path: "例@elsewhere.example",
            orcpt: None,
            action: Action::Delivered,
            status: [2, 0, 0],
            reply: &reply,
            relay: "maildir",
        };
        let text = build(&[entry], Original::Header(b""));
        assert!(text.contains("message/global-delivery-status") && text.contains("utf-8; 例@elsewhere.example"));
        assert!(!text.contains("Remote-MTA"), "no other host was asked");
    }

    #[test]
    fn each_recipient_has_a_group_of_its_own() {
        let reply = Response::local(550, [5, 1, 1], "no");
        let entry = |forward_path| Entry {
            forward_path,
            orcpt: None,
            action: Action::Failed,
            status: [5, 1, 1],
            reply: &reply,
            relay: "[192.0.2.1]:25",
        };
        let text = build(&[entry("b@one.example"), entry("c@two.example")], Original::Header(b""));
        for group in ["b@one.example", "c@two.example"] {
            let fields = format!(
                "\r\n\r\nFinal-Recipient: rfc822; {group}\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; 192.0.2.1\r\n"
            );
            assert!(text.contains(&fields), "{text}");
        }
        assert_eq!(text.matches("Reporting-MTA:").count(), 1);
    }

    #[test]
    fn the_original_cannot_end_its_part() {
        assert_eq!(boundary("a-b", b"x"), "=_ab.0");
        assert_eq!(boundary("ab", b"--=_ab.0\r\n--=_ab.1"), "=_ab.2");
    }

    #[test]
    fn the_header_ends_at_the_first_empty_line() {
        assert_eq!(header_of(b"A: b\r\n\r\nbody\r\n\r\n"), b"A: b\r\n");
        assert_eq!(header_of(b"A: b\r\n"), b"A: b\r\n");
    }

    #[test]
    fn words_beyond_ascii_are_kept() {
        let text = "Postfach voll, \u{5b9b}\u{5148}\u{4e0d}\u{660e} \u{202e}x\u{7}".to_owned();
        let reply = Response { code: 550, enhanced: None, text };
        assert_eq!(quoted(&reply), "550 Postfach voll, 宛先不明 ?x?");
        assert_eq!(escaped("550 宛先不明"), "550 \\x{5B9B}\\x{5148}\\x{4E0D}\\x{660E}");
        let long = Response { code: 550, enhanced: None, text: "宛".repeat(3_000) };
        assert!((590..=600).contains(&quoted(&long).len()) && escaped(&quoted(&long)).len() <= DIAGNOSTIC_MAX);
    }
}
