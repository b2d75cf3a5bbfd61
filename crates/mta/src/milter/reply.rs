//! Replies and modifications, and their packets.

use super::negotiation::{Actions, Steps};
use super::phase::Phase;
use super::{DATA_OCTETS_MAX, Event, Misuse, packet};

/// What the filter says to a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Go on.
    Continue,
    /// Go on, and tell no more: of this connection at [`Connect`](Event::Connect) and [`Helo`](Event::Helo), else of this
    /// message. So at [`Rcpt`](Event::Rcpt) it lets all later recipients of the message pass unasked; a recipient that is
    /// to pass alone is [`Continue`](Reply::Continue). Not an answer to [`Unknown`](Event::Unknown).
    Accept,
    /// Refuse for good, in the server's words: the recipient, the command, the message, or all of the connection at
    /// [`Connect`](Event::Connect).
    Reject,
    /// Refuse for now.
    Tempfail,
    /// Refuse in our words. The reply must be 4xx or 5xx, its enhanced status code of the same class; 421 ends the
    /// connection.
    Refuse(smtp::Reply),
    /// Take the message and throw it away. From [`Mail`](Event::Mail) on.
    Discard,
    /// Tell no more of the body; an answer to [`Body`](Event::Body), if [`Steps::SKIP`] was negotiated.
    Skip,
}

/// A change of the message at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modification<'a> {
    /// Adds a header below the others. Lines of a value are divided by LF, and each but the first begins with a space or a
    /// tab.
    AddHeader {
        /// Name without colon.
        name: &'a str,
        /// Value.
        value: &'a str,
    },
    /// Adds a header above the one with this index; 0 is the top.
    InsertHeader {
        /// Where.
        index: u32,
        /// Name without colon.
        name: &'a str,
        /// Value.
        value: &'a str,
    },
    /// Changes a header that was there, or deletes it: the value is then empty.
    ChangeHeader {
        /// Which one of this name, from 1 on.
        index: u32,
        /// Name without colon.
        name: &'a str,
        /// Value.
        value: &'a str,
    },
    /// Changes the reverse-path.
    ChangeFrom {
        /// With angle brackets.
        path: &'a str,
        /// ESMTP parameters divided by spaces, mostly none.
        params: &'a str,
    },
    /// Adds a recipient. One with parameters wants [`Actions::ADD_RECIPIENTS_WITH_PARAMS`].
    AddRecipient {
        /// With angle brackets.
        path: &'a str,
        /// ESMTP parameters divided by spaces, mostly none.
        params: &'a str,
    },
    /// Deletes a recipient.
    DeleteRecipient {
        /// As it was in its [`Rcpt`](Event::Rcpt).
        path: &'a str,
    },
    /// Replaces the body, lines ending in CR LF. More of these add to it.
    ReplaceBody(&'a [u8]),
    /// Puts the message aside, until a person looks at it.
    Quarantine {
        /// What that person reads.
        reason: &'a str,
    },
}

/// What a session knows where a reply is to be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Client,
    Unknown,
    Rcpt,
    Body,
    End,
    /// Any other step of a transaction.
    Transaction,
}

impl Asked {
    pub(super) fn by(event: &Event) -> Option<Self> {
        match event {
            Event::Connect { .. } | Event::Helo(_) => Some(Self::Client),
            Event::Unknown(_) => Some(Self::Unknown),
            Event::Rcpt { .. } => Some(Self::Rcpt),
            Event::Body(_) => Some(Self::Body),
            Event::EndOfMessage(_) => Some(Self::End),
            Event::Mail { .. } | Event::Data | Event::Header { .. } | Event::EndOfHeaders => Some(Self::Transaction),
            Event::Abort | Event::NextConnection | Event::Quit => None,
        }
    }

    /// The phase after a reply that can be given. What is not continued is over, but for a single refused recipient.
    pub(super) fn after(self, reply: &Reply, phase: Phase) -> Phase {
        let ends = match self {
            Self::Client | Self::Unknown => false,
            Self::End => true,
            Self::Rcpt => matches!(reply, Reply::Accept | Reply::Discard),
            Self::Body | Self::Transaction => !matches!(reply, Reply::Continue | Reply::Skip),
        };
        if ends { Phase::Connected } else { phase }
    }

    /// Is this an answer to that?
    pub(super) fn check(self, reply: &Reply, steps: Steps) -> Result<(), Misuse> {
        let fits = match reply {
            Reply::Continue | Reply::Reject | Reply::Tempfail => true,
            Reply::Refuse(reply) => return check_refusal(reply),
            Reply::Accept => self != Self::Unknown,
            Reply::Discard => !matches!(self, Self::Client | Self::Unknown),
            Reply::Skip if self == Self::Body && !steps.contains(Steps::SKIP) => return Err(Misuse::NotNegotiated),
            Reply::Skip => self == Self::Body,
        };
        if fits { Ok(()) } else { Err(Misuse::WrongStep) }
    }
}

/// The mail server makes its own words of a refusal with codes that do not agree, or of another class.
fn check_refusal(reply: &smtp::Reply) -> Result<(), Misuse> {
    let agree = reply.enhanced().is_none_or(|enhanced| u16::from(enhanced.0) == reply.code() / 100);
    if (reply.is_transient() || reply.is_permanent()) && agree { Ok(()) } else { Err(Misuse::ReplyCode(reply.code())) }
}

impl Reply {
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), Misuse> {
        let command = match self {
            Self::Continue => b'c',
            Self::Accept => b'a',
            Self::Reject => b'r',
            Self::Tempfail => b't',
            Self::Discard => b'd',
            Self::Skip => b's',
            Self::Refuse(reply) => return put(b'y', &[&refusal(reply), b"\0"], out),
        };
        put(command, &[], out)
    }
}

/// The lines of the reply. The server takes the text for a format, in which a single `%` is not itself.
fn refusal(reply: &smtp::Reply) -> Vec<u8> {
    let mut lines = Vec::new();
    reply.write_to(&mut lines);
    lines.truncate(lines.trim_ascii_end().len());
    let mut text = Vec::with_capacity(lines.len());
    for octet in lines {
        text.extend(std::iter::repeat_n(octet, if octet == b'%' { 2 } else { 1 }));
    }
    text
}

/// "Still at it": the server's patience begins anew.
pub(super) fn write_progress(out: &mut Vec<u8>) {
    packet::write(b'p', &[], out);
}

impl Modification<'_> {
    /// What the server must have granted.
    pub(super) fn action(&self) -> Actions {
        match self {
            Self::AddHeader { .. } | Self::InsertHeader { .. } => Actions::ADD_HEADERS,
            Self::ChangeHeader { .. } => Actions::CHANGE_HEADERS,
            Self::ChangeFrom { .. } => Actions::CHANGE_FROM,
            Self::AddRecipient { params: "", .. } => Actions::ADD_RECIPIENTS,
            Self::AddRecipient { .. } => Actions::ADD_RECIPIENTS_WITH_PARAMS,
            Self::DeleteRecipient { .. } => Actions::DELETE_RECIPIENTS,
            Self::ReplaceBody(_) => Actions::REPLACE_BODY,
            Self::Quarantine { .. } => Actions::QUARANTINE,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<(), Misuse> {
        match *self {
            Self::AddHeader { name, value } => put(b'h', &header(name, value)?, out),
            Self::InsertHeader { index, name, value } => put_indexed(b'i', index, header(name, value)?, out),
            Self::ChangeHeader { index, name, value } => put_indexed(b'm', index, header(name, value)?, out),
            Self::ChangeFrom { path, params } => put_path(b'e', path, params, out),
            Self::AddRecipient { path, params: "" } => put_path(b'+', path, "", out),
            Self::AddRecipient { path, params } => put_path(b'2', path, params, out),
            Self::DeleteRecipient { path } => put_path(b'-', path, "", out),
            Self::ReplaceBody(body) => {
                for piece in body.chunks(DATA_OCTETS_MAX) {
                    put(b'b', &[piece], out)?;
                }
                if body.is_empty() { put(b'b', &[], out) } else { Ok(()) }
            }
            Self::Quarantine { reason } => put(b'q', &[one_line(reason)?, b"\0"], out),
        }
    }
}

fn put(command: u8, parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Misuse> {
    if parts.iter().map(|part| part.len()).sum::<usize>() > DATA_OCTETS_MAX {
        return Err(Misuse::TooLong);
    }
    packet::write(command, parts, out);
    Ok(())
}

fn put_indexed(command: u8, index: u32, header: [&[u8]; 4], out: &mut Vec<u8>) -> Result<(), Misuse> {
    let [name, name_end, value, value_end] = header;
    put(command, &[&index.to_be_bytes(), name, name_end, value, value_end], out)
}

fn put_path(command: u8, path: &str, params: &str, out: &mut Vec<u8>) -> Result<(), Misuse> {
    let (path, params) = (one_line(path)?, one_line(params)?);
    if path.is_empty() {
        return Err(Misuse::Text);
    }
    match params {
        b"" => put(command, &[path, b"\0"], out),
        _ => put(command, &[path, b"\0", params, b"\0"], out),
    }
}

/// A header's parts. A name is printable ASCII without a colon (RFC 5322 §3.6.8); a value cannot begin another header.
fn header<'a>(name: &'a str, value: &'a str) -> Result<[&'a [u8]; 4], Misuse> {
    let named = !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':');
    let folded = value.split('\n').skip(1).all(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
    let clean = !value.contains(['\0', '\r']);
    if named && folded && clean { Ok([name.as_bytes(), b"\0", value.as_bytes(), b"\0"]) } else { Err(Misuse::Text) }
}

fn one_line(text: &str) -> Result<&[u8], Misuse> {
    if text.contains(['\0', '\r', '\n']) { Err(Misuse::Text) } else { Ok(text.as_bytes()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smtp::Enhanced;

    fn written(modification: &Modification<'_>) -> Result<Vec<u8>, Misuse> {
        let mut out = Vec::new();
        let result = modification.write(&mut out);
        assert!(result.is_ok() || out.is_empty(), "nothing is written if not all");
        result.map(|()| out)
    }

    #[test]
    fn replies_where_they_fit() {
        use Asked::{Body, Client, End, Rcpt, Transaction, Unknown};
        let all = [Client, Unknown, Rcpt, Body, End, Transaction];
        let refusal = Reply::Refuse(smtp::Reply::new(550, Enhanced(5, 7, 1), "no"));
        let everywhere = [Reply::Continue, Reply::Reject, Reply::Tempfail, refusal];
        let fits = |reply: &Reply| -> Vec<Asked> {
            all.into_iter().filter(|asked| asked.check(reply, Steps::SKIP).is_ok()).collect()
        };
        for reply in &everywhere {
            assert_eq!(fits(reply), all, "{reply:?}");
        }
        assert_eq!(fits(&Reply::Accept), [Client, Rcpt, Body, End, Transaction]);
        assert_eq!(fits(&Reply::Discard), [Rcpt, Body, End, Transaction]);
        assert_eq!(fits(&Reply::Skip), [Body]);
        assert_eq!(Body.check(&Reply::Skip, Steps::BODY), Err(Misuse::NotNegotiated));
        assert_eq!(Rcpt.check(&Reply::Skip, Steps::SKIP), Err(Misuse::WrongStep));
    }

    #[test]
    fn a_refusal_refuses_and_its_codes_agree() {
        let check = |reply: smtp::Reply| Asked::Rcpt.check(&Reply::Refuse(reply), Steps::NONE);
        assert_eq!(check(smtp::Reply::new(550, Enhanced(5, 7, 1), "no")), Ok(()));
        assert_eq!(check(smtp::Reply::new(451, Enhanced(4, 3, 0), "not now")), Ok(()));
        assert_eq!(check(smtp::Reply::plain(421, "bye")), Ok(()));
        assert_eq!(check(smtp::Reply::new(250, Enhanced(2, 0, 0), "yes")), Err(Misuse::ReplyCode(250)));
        assert_eq!(check(smtp::Reply::plain(354, "go on")), Err(Misuse::ReplyCode(354)));
        assert_eq!(check(smtp::Reply::new(550, Enhanced(4, 7, 1), "no")), Err(Misuse::ReplyCode(550)));
    }

    #[test]
    fn a_refusal_keeps_its_percent_signs_and_its_lines() {
        let refuse = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (*line).to_owned().into()).collect();
            let mut out = Vec::new();
            Reply::Refuse(smtp::Reply::lines(450, Some(Enhanced(4, 7, 1)), lines)).write(&mut out).unwrap();
            out
        };
        assert_eq!(refuse(&["50% %s"]), b"\0\0\0\x14y450 4.7.1 50%% %%s\0");
        assert_eq!(refuse(&["a", "b"]), b"\0\0\0\x1ay450-4.7.1 a\r\n450 4.7.1 b\0");
        assert_eq!(refuse(&["a\r\n250 ok\0"]), b"\0\0\0\x16y450 4.7.1 a??250 ok?\0");
        assert_eq!(refuse(&[""]), b"\0\0\0\x0by450 4.7.1\0");
        let mut out = Vec::new();
        let long = smtp::Reply::lines(450, None, vec!["x".repeat(500).into(); 200]);
        assert_eq!(Reply::Refuse(long).write(&mut out), Err(Misuse::TooLong));
        assert!(out.is_empty());
    }

    #[test]
    fn modifications_octet_by_octet() {
        let table: &[(Modification<'_>, &[u8])] = &[
            (Modification::AddHeader { name: "A", value: "b" }, b"\0\0\0\x05hA\0b\0"),
            (Modification::AddHeader { name: "A", value: "" }, b"\0\0\0\x04hA\0\0"),
            (Modification::InsertHeader { index: 1, name: "A", value: "b\n\tc" }, b"\0\0\0\x0ci\0\0\0\x01A\0b\n\tc\0"),
            (Modification::ChangeHeader { index: 2, name: "A", value: "" }, b"\0\0\0\x08m\0\0\0\x02A\0\0"),
            (Modification::ChangeFrom { path: "<>", params: "" }, b"\0\0\0\x04e<>\0"),
            (Modification::ChangeFrom { path: "<a@b>", params: "RET=HDRS" }, b"\0\0\0\x10e<a@b>\0RET=HDRS\0"),
            (Modification::AddRecipient { path: "<a@b>", params: "" }, b"\0\0\0\x07+<a@b>\0"),
            (Modification::AddRecipient { path: "<a@b>", params: "NOTIFY=NEVER" }, b"\0\0\0\x142<a@b>\0NOTIFY=NEVER\0"),
            (Modification::DeleteRecipient { path: "<a@b>" }, b"\0\0\0\x07-<a@b>\0"),
            (Modification::ReplaceBody(b"a\0b"), b"\0\0\0\x04ba\0b"),
            (Modification::ReplaceBody(b""), b"\0\0\0\x01b"),
            (Modification::Quarantine { reason: "why" }, b"\0\0\0\x05qwhy\0"),
        ];
        for (modification, octets) in table {
            assert_eq!(written(modification).as_deref(), Ok(*octets), "{modification:?}");
        }
    }

    #[test]
    fn text_stays_in_its_place() {
        let bad_names = ["", "A:", "A b", "A\r", "A\n", "A\0", "\u{e4}"];
        for name in bad_names {
            assert_eq!(written(&Modification::AddHeader { name, value: "" }), Err(Misuse::Text), "{name:?}");
        }
        for value in ["a\nB: c", "a\n", "a\n\n b", "a\n \n b", "a\r\n b", "a\0b"] {
            assert_eq!(written(&Modification::AddHeader { name: "A", value }), Err(Misuse::Text), "{value:?}");
        }
        for path in ["", "<a@b>\0<c@d>", "<a@b>\n", "<a@b>\r"] {
            assert_eq!(written(&Modification::AddRecipient { path, params: "" }), Err(Misuse::Text), "{path:?}");
            assert_eq!(written(&Modification::DeleteRecipient { path }), Err(Misuse::Text), "{path:?}");
            assert_eq!(written(&Modification::ChangeFrom { path, params: "" }), Err(Misuse::Text), "{path:?}");
        }
        assert_eq!(written(&Modification::AddRecipient { path: "<a@b>", params: "A\0B" }), Err(Misuse::Text));
        assert_eq!(written(&Modification::Quarantine { reason: "a\nb" }), Err(Misuse::Text));
    }

    #[test]
    fn long_bodies_go_in_pieces_and_nothing_else_does() {
        let body = vec![b'x'; 2 * DATA_OCTETS_MAX + 1];
        let packets = written(&Modification::ReplaceBody(&body)).unwrap();
        assert_eq!(packets.len(), body.len() + 3 * 5);
        assert_eq!(&packets[..5], b"\0\x01\0\0b");
        assert_eq!(&packets[packets.len() - 6..], b"\0\0\0\x02bx");
        let value = "x".repeat(DATA_OCTETS_MAX - 3);
        assert!(written(&Modification::AddHeader { name: "A", value: &value }).is_ok());
        let value = "x".repeat(DATA_OCTETS_MAX - 2);
        assert_eq!(written(&Modification::AddHeader { name: "A", value: &value }), Err(Misuse::TooLong));
    }
}
