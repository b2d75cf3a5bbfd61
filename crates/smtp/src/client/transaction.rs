//! One message to one server: what is asked of it, and the fate of each recipient.

use std::fmt;

use super::{Capabilities, Response};
use crate::dsn::{Notify, Ret};

/// A reverse-path or forward-path without its angle brackets, safe to stand in a command.
///
/// It comes from storage, not from our grammar, so what could end the path or the line early is
/// refused here once more. The empty path is the null reverse-path.
#[derive(Clone, PartialEq, Eq)]
pub struct Path(String);

/// Octets of a path. RFC 5321 §4.5.3.1.3 says 256; some peers take more.
const PATH_OCTETS_MAX: usize = 1000;

/// The text cannot stand between `<` and `>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a path that can be sent: {start:?}")]
pub struct BadPath {
    /// The first 64 characters.
    pub start: String,
}

impl Path {
    /// Checks the text.
    pub fn new(text: &str) -> Result<Self, BadPath> {
        if text.len() <= PATH_OCTETS_MAX && is_closed(text) {
            return Ok(Self(text.to_owned()));
        }
        Err(BadPath { start: text.chars().take(64).collect() })
    }

    /// The text without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.0)
    }
}

/// Whether nothing in it ends the path: no control, and blanks and brackets only inside quotes, all of them closed.
fn is_closed(text: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if character.is_control() {
            return false;
        }
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' | '>' | ' ' if !quoted => return false,
            _ => {}
        }
    }
    !quoted && !escaped
}

/// One recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To {
    /// Forward-path.
    pub path: Path,
    /// NOTIFY; the default is not sent.
    pub notify: Notify,
    /// ORCPT as received, `type;xtext`. Left out if it could not stand in a command.
    pub orcpt: Option<String>,
}

/// One message to one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Reverse-path.
    pub reverse_path: Path,
    /// Recipients; keep them to about 100, the number every server must take (RFC 5321 §4.5.3.1.8).
    pub to: Vec<To>,
    /// Octets of the message, for SIZE.
    pub octets: u64,
    /// Whether it has octets above 127. Where 8BITMIME is not offered they are sent nevertheless:
    /// every server in use passes them, and a body is not ours to rewrite.
    pub eight_bit: bool,
    /// Whether an address or header needs SMTPUTF8; then a server without it cannot have the message.
    pub needs_smtputf8: bool,
    /// RET.
    pub ret: Option<Ret>,
    /// ENVID, in xtext.
    pub envid: Option<String>,
}

/// After which command a reply came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not sent: the server's offer rules it out.
    Offer,
    /// MAIL, or the RSET before it.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or while the message was being written: the server cannot have it.
    Data,
    /// The dot that ends the message.
    End,
}

/// What became of one recipient in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecipientFate {
    /// The server took responsibility.
    Accepted(Response),
    /// It said no, for good (5xx) or for now (4xx).
    Refused(Stage, Response),
    /// The connection ended before it was told. If the message had been sent whole, the server may have it.
    Unanswered(Stage),
}

/// The outcome of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each of [`Transaction::to`], in order.
    pub fates: Vec<RecipientFate>,
}

impl Report {
    /// The same refusal for everybody.
    pub(super) fn refused_all(count: usize, stage: Stage, response: &Response) -> Self {
        Self { fates: vec![RecipientFate::Refused(stage, response.clone()); count] }
    }
}

impl Transaction {
    /// Why a server with this offer cannot have the message, if so.
    pub(super) fn ruled_out(&self, offer: &Capabilities) -> Option<Response> {
        if !offer.takes_octets(self.octets) {
            let text = format!("the next host takes {} octets, the message has {}", offer.size.flatten()?, self.octets);
            return Some(Response::local(552, [5, 3, 4], text));
        }
        if self.needs_smtputf8 && !offer.smtputf8 {
            return Some(Response::local(553, [5, 6, 7], "the next host takes no international addresses"));
        }
        None
    }

    /// Appends the commands MAIL, RCPT for each, and DATA.
    pub(super) fn write_commands(&self, offer: &Capabilities, out: &mut Vec<u8>) {
        self.write_question(offer, out);
        out.extend_from_slice(b"DATA\r\n");
    }

    /// Appends the commands MAIL and RCPT for each.
    pub(super) fn write_question(&self, offer: &Capabilities, out: &mut Vec<u8>) {
        out.reserve(64 * (self.to.len() + 1));
        self.write_mail(offer, out);
        for to in &self.to {
            to.write(offer, out);
        }
    }

    fn write_mail(&self, offer: &Capabilities, out: &mut Vec<u8>) {
        put(out, &["MAIL FROM:<", self.reverse_path.as_str(), ">"]);
        if offer.size.is_some() {
            put(out, &[" SIZE=", &self.octets.to_string()]);
        }
        if self.eight_bit && offer.eight_bit_mime {
            put(out, &[" BODY=8BITMIME"]);
        }
        if self.needs_smtputf8 {
            put(out, &[" SMTPUTF8"]);
        }
        if offer.dsn {
            match self.ret {
                Some(Ret::Full) => put(out, &[" RET=FULL"]),
                Some(Ret::Headers) => put(out, &[" RET=HDRS"]),
                None => {}
            }
            if let Some(envid) = self.envid.as_deref().filter(|value| is_parameter(value)) {
                put(out, &[" ENVID=", envid]);
            }
        }
        put(out, &["\r\n"]);
    }
}

impl To {
    fn write(&self, offer: &Capabilities, out: &mut Vec<u8>) {
        put(out, &["RCPT TO:<", self.path.as_str(), ">"]);
        if offer.dsn {
            if self.notify != Notify::DEFAULT {
                put(out, &[" NOTIFY=", &self.notify.to_string()]);
            }
            if let Some(orcpt) = self.orcpt.as_deref().filter(|value| is_parameter(value)) {
                put(out, &[" ORCPT=", orcpt]);
            }
        }
        put(out, &["\r\n"]);
    }
}

fn put(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

/// esmtp-value of RFC 5321 §4.1.2, at most 500 octets.
fn is_parameter(value: &str) -> bool {
    (1..=500).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_path_early_is_refused() {
        for good in
            ["", "a@b", "a..b@docomo.ne.jp", "\"a b\"@c", "\"a>b\"@c", "\"a\\\"b\"@c", "ü@例え.jp", "a@[192.0.2.1]"]
        {
            assert!(Path::new(good).is_ok(), "{good}");
        }
        for bad in [
            "a@b\r\nRCPT TO:<c@d",
            "a@b\n",
            "a\0@b",
            "a@b> NOTIFY=NEVER",
            "a b@c",
            "<a@b",
            "\"a@b",
            "\"a\\\"@b",
            "a\u{85}@b",
        ] {
            assert!(Path::new(bad).is_err(), "{bad}");
        }
        assert!(Path::new(&"a".repeat(1001)).is_err());
    }

    #[test]
    fn parameters_only_where_offered() {
        let transaction = Transaction {
            reverse_path: Path::new("a@b").unwrap(),
            to: vec![
                To { path: Path::new("c@d").unwrap(), notify: Notify::NEVER, orcpt: Some("rfc822;c@d".into()) },
                To {
                    path: Path::new("e@d").unwrap(),
                    notify: Notify::SUCCESS.with(Notify::FAILURE),
                    orcpt: Some("rfc822;x\r\nQUIT".into()),
                },
                To { path: Path::new("f@d").unwrap(), notify: Notify::DEFAULT, orcpt: None },
            ],
            octets: 42,
            eight_bit: true,
            needs_smtputf8: false,
            ret: Some(Ret::Headers),
            envid: Some("QQ+3D1".into()),
        };
        let wire = |offer: &Capabilities| {
            let mut out = Vec::new();
            transaction.write_commands(offer, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            wire(&Capabilities::default()),
            "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@d>\r\nRCPT TO:<f@d>\r\nDATA\r\n"
        );
        let all = Capabilities { dsn: true, eight_bit_mime: true, size: Some(None), ..Capabilities::default() };
        assert_eq!(
            wire(&all),
            "MAIL FROM:<a@b> SIZE=42 BODY=8BITMIME RET=HDRS ENVID=QQ+3D1\r\n\
             RCPT TO:<c@d> NOTIFY=NEVER ORCPT=rfc822;c@d\r\nRCPT TO:<e@d> NOTIFY=SUCCESS,FAILURE\r\nRCPT TO:<f@d>\r\nDATA\r\n"
        );
    }
}
