//! What a policy server may answer (Postfix access(5)).

use crate::text::push_printable;
use smtp::Enhanced;
use std::borrow::Cow;

/// Longest text of a reply, in octets: with its codes it fits into an SMTP reply line (RFC 5321 §4.5.3.1.5).
pub const TEXT_OCTETS_MAX: usize = 450;
/// Longest header that is put in front, in octets (RFC 5322 §2.1.1).
const HEADER_OCTETS_MAX: usize = 998;

/// Text of a reply.
pub type Text = Cow<'static, str>;

/// One answer. Texts are written as printable US-ASCII on one line, whatever they hold, and cut at
/// [`TEXT_OCTETS_MAX`]. Where a text follows no codes, Postfix takes `4.7.1` or `5.7.1` at its start for the enhanced
/// status code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Permit, and end this list of restrictions. In front of `reject_unauth_destination` **this lets the client relay**.
    Ok,
    /// No opinion: the next restriction decides.
    Dunno,
    /// Refuse with these codes. A reply code outside 400 to 599 is written as 451 4.3.0.
    Reject {
        /// The reply code: 4xx or 5xx.
        code: u16,
        /// The enhanced status code. Postfix changes its class to that of the reply code.
        enhanced: Enhanced,
        /// What the client is told.
        text: Text,
    },
    /// Refuse for now, with Postfix's `access_map_defer_code`, 450 unless changed.
    Defer(Text),
    /// Refuse for now if the rest of the restrictions would permit.
    DeferIfPermit(Text),
    /// Refuse for now if the rest of the restrictions would refuse for good.
    DeferIfReject(Text),
    /// Put a header in front of the message: `Name: value`. Not at END-OF-MESSAGE, where it is too late.
    Prepend(Text),
    /// Accept into the hold queue.
    Hold(Text),
    /// Accept and throw away.
    Discard(Text),
    /// Write a warning into Postfix's log; the next restriction decides.
    Warn(Text),
}

impl Reply {
    /// The action's octets, with the empty line that ends them.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"action=");
        match self {
            Self::Ok => out.extend_from_slice(b"OK"),
            Self::Dunno => out.extend_from_slice(b"DUNNO"),
            Self::Reject { code, enhanced, text } => refuse(*code, *enhanced, text, out),
            Self::Defer(text) => word("DEFER", text, out),
            Self::DeferIfPermit(text) => word("DEFER_IF_PERMIT", text, out),
            Self::DeferIfReject(text) => word("DEFER_IF_REJECT", text, out),
            Self::Prepend(header) => prepend(header, out),
            Self::Hold(text) => word("HOLD", text, out),
            Self::Discard(text) => word("DISCARD", text, out),
            Self::Warn(text) => word("WARN", text, out),
        }
        out.extend_from_slice(b"\n\n");
    }
}

/// A refusal as our own SMTP server gives it, in one line. What is no refusal becomes `451 4.3.0`.
impl From<&smtp::Reply> for Reply {
    fn from(reply: &smtp::Reply) -> Self {
        let enhanced =
            reply.enhanced().unwrap_or(if reply.code() < 500 { Enhanced(4, 0, 0) } else { Enhanced(5, 0, 0) });
        Self::Reject { code: reply.code(), enhanced, text: reply.text().join(" ").into() }
    }
}

fn refuse(code: u16, enhanced: Enhanced, text: &str, out: &mut Vec<u8>) {
    // Another code would be no refusal, or none that Postfix knows.
    let (code, enhanced) = if (400..600).contains(&code) { (code, enhanced) } else { (451, Enhanced(4, 3, 0)) };
    out.extend_from_slice(format!("{code} {enhanced} ").as_bytes());
    push_printable(text, TEXT_OCTETS_MAX, out);
}

fn word(action: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(action.as_bytes());
    if !text.is_empty() {
        out.push(b' ');
        push_printable(text, TEXT_OCTETS_MAX, out);
    }
}

/// What is no header would end the header section of the message: then nothing is put in front.
fn prepend(header: &str, out: &mut Vec<u8>) {
    let name = header.split_once(':').map_or("", |(name, _)| name);
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return out.extend_from_slice(b"DUNNO");
    }
    out.extend_from_slice(b"PREPEND ");
    push_printable(header, HEADER_OCTETS_MAX, out);
}
