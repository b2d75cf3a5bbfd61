//! An alarm as a mail: plain text, from nobody, marked so that no program answers it.

use delivery::dsn::notify::NEVER;
use spool::{Envelope, Origin, Recipient, Target, UnixMicros};

use crate::alarm::Message;

/// Its envelope: ours, as a notice is. If it cannot be delivered nobody is told, so it can be the cause of no other mail.
pub fn envelope(to: &str, targets: Vec<Target>, octets: usize, now: UnixMicros) -> Envelope {
    let recipient = |target| Recipient { forward_path: to.to_owned(), target, notify: NEVER, orcpt: None, via: None };
    Envelope {
        reverse_path: String::new(),
        recipients: targets.into_iter().map(recipient).collect(),
        origin: Origin::Bounce,
        arrived_at_unix_micros: now,
        session: "alarm".to_owned(),
        smtputf8: !to.is_ascii(),
        eight_bit: false,
        envid: None,
        ret: None,
        message_octets: octets as u64,
    }
}

/// The message. `id` is unique, `date` as RFC 5322 §3.3 wants it.
pub fn letter(message: &Message, to: &str, id: &str, date: &str) -> Vec<u8> {
    let hostname = &message.hostname;
    let header = format!(
        "From: Sekisho <postmaster@{hostname}>\r\nTo: <{to}>\r\nSubject: {}\r\nDate: {date}\r\nMessage-ID: <{id}@{hostname}>\r\n\
         Auto-Submitted: auto-generated\r\nX-Sekisho-Alarm: {}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        subject(&format!("[{}] {}", message.level.code(), message.text)),
        message.alarm
    );
    let mut letter = header.into_bytes();
    let body = base64(message.for_people().replace('\n', "\r\n").as_bytes());
    for line in body.as_bytes().chunks(76) {
        letter.extend_from_slice(line);
        letter.extend_from_slice(b"\r\n");
    }
    letter
}

/// Encoded words (RFC 2047 §2), each of at most 75 signs; no sign is divided.
fn subject(text: &str) -> String {
    if text.len() <= 60 && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for sign in text.chars().filter(|sign| !sign.is_control()).take(200) {
        if words.last().is_some_and(|word| word.len() + sign.len_utf8() > 42) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(sign);
        }
    }
    let encoded: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", base64(word.as_bytes()))).collect();
    encoded.join("\r\n ")
}

fn base64(octets: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Level, Turn};
    use base64::Engine as _;

    #[test]
    fn a_letter_has_short_ascii_lines_whatever_is_in_it() {
        let message = Message {
            state: Turn::Raised,
            alarm: "launching-pad",
            level: Level::Critical,
            hostname: "mail.example.test".to_owned(),
            subject: "login \"x\r\nBcc: evil@example.net\"@example.test".to_owned(),
            title: "一つの送信元から異常に多く送信されています",
            detail: "500 recipients".to_owned(),
            todo: "todo",
            commands: vec!["sekisho user lock x".to_owned()],
            at: "2026-11-30T00:00:00Z".to_owned(),
            text: "一つの送信元から異常に多く送信されています (login \"x\r\nBcc: evil@example.net\"@example.test)"
                .to_owned(),
        };
        let letter = letter(&message, "postmaster@example.test", "1", "Mon, 30 Nov 2026 00:00:00 +0000");
        let text = String::from_utf8(letter).unwrap();
        assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() <= 78 && !line.contains('\n')), "{text}");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_lowercase().contains("\nbcc:") && head.contains("Auto-Submitted: auto-generated"), "{head}");
        let body = base64::engine::general_purpose::STANDARD.decode(body.replace("\r\n", "")).unwrap();
        assert!(String::from_utf8(body).unwrap().contains("  sekisho user lock x\r\n"));
    }
}
