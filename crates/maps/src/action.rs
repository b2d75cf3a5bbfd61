//! What a file can tell a server to do, and the parts of which its words are made up. The words themselves are each
//! program's own.
//!
//! None of them lets anybody relay. [`Action::Relay`] is only a name for what stands there: it becomes an entry of the
//! relay policy by [`Table::relay_entries`](crate::Table::relay_entries), or nothing.

/// What a refusal says; what is `None` or empty is the server's to fill.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// Three digits, 400 to 599.
    pub code: Option<u16>,
    /// `5.7.1` (RFC 3463).
    pub enhanced: Option<String>,
    /// One line.
    pub text: String,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The list ends here; it refuses nothing. No grant.
    Ok,
    /// sendmail's word for "may relay". To the list of rules it is an OK. No grant either.
    Relay,
    /// As if nothing had been found, and nothing more is tried.
    Dunno,
    /// sendmail's word for that.
    Skip,
    /// Refused for good; also `5NN text`.
    Reject(Reply),
    /// Put off; also `4NN text`.
    Defer(Reply),
    /// Put off if a later rule would refuse it.
    DeferIfReject(Reply),
    /// Put off if no later rule refuses it.
    DeferIfPermit(Reply),
    /// Taken and thrown away; the text is for the log.
    Discard(String),
    /// Taken and kept back for a person to look at.
    Hold(String),
    /// sendmail's word for that.
    Quarantine(String),
    /// A header field to put above the others.
    Prepend(String),
    /// All recipients become this one.
    Redirect(String),
    /// `transport:destination` of a content filter.
    Filter(String),
    /// One more recipient.
    Bcc(String),
    /// A line in the log.
    Warn(String),
    /// A line in the log.
    Info(String),
    /// This recipient wants everything (sendmail, `Spam:`).
    Friend,
    /// This recipient wants the checks (sendmail, `Spam:`).
    Hater,
    /// The subject of the client's certificate decides (sendmail, `CERTISSUER:`).
    Subject,
    /// A restriction, a class of them, or what nobody understands.
    Unsupported(String),
}

impl Reply {
    /// With a text, at whose start an enhanced status code may stand.
    pub(crate) fn new(code: Option<u16>, text: &str) -> Self {
        let (status, rest) = word_and_text(text);
        if is_enhanced(status) {
            Self { code, enhanced: Some(status.to_owned()), text: rest.to_owned() }
        } else {
            Self { code, enhanced: None, text: text.to_owned() }
        }
    }
}

impl Action {
    /// For good or for now, by its codes.
    pub(crate) fn refusing(reply: Reply) -> Self {
        let temporary = match (reply.code, &reply.enhanced) {
            (Some(code), _) => code < 500,
            (None, Some(enhanced)) => enhanced.starts_with('4'),
            (None, None) => false,
        };
        if temporary { Self::Defer(reply) } else { Self::Reject(reply) }
    }
}

/// A word, and what follows it.
pub(crate) fn word_and_text(value: &str) -> (&str, &str) {
    match value.split_once([' ', '\t']) {
        Some((word, text)) => (word, text.trim_start()),
        None => (value, ""),
    }
}

/// 400 to 599, in exactly three digits.
pub(crate) fn code(word: &str) -> Option<u16> {
    let refuses = word.len() == 3 && matches!(word.as_bytes()[0], b'4' | b'5');
    (refuses && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.parse().ok())?
}

/// A status code of a refusal, RFC 3463 §2.
pub(crate) fn is_enhanced(word: &str) -> bool {
    let mut parts = word.split('.');
    let number =
        |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    matches!(parts.next(), Some("4" | "5")) && number(parts.next()) && number(parts.next()) && parts.next().is_none()
}
