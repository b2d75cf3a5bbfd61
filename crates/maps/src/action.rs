//! What a value tells a server to do: the words of access(5) and of sendmail's access database.
//!
//! None of them lets anybody relay. [`Action::Relay`] is only a name for what stands there: it becomes an entry of the
//! relay policy by [`Table::relay_entries`](super::Table::relay_entries), or nothing.

use super::kind::Kind;

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

impl Action {
    /// What a value of a table of this kind means.
    pub fn parse(kind: Kind, value: &str) -> Self {
        match kind {
            Kind::SendmailAccess => sendmail(value.trim()),
            Kind::Deny => deny(value.trim()),
            Kind::LocalHostNames => Self::Ok,
            Kind::IpAllow | Kind::NameAllow | Kind::RelayAllow | Kind::RelayDomains => Self::Relay,
            Kind::HostsAllow if value == "allow" => Self::Ok,
            Kind::HostsAllow => Self::Reject(Reply::default()),
            Kind::Mailertable => Self::Unsupported(value.to_owned()),
            Kind::Access | Kind::Cidr | Kind::Pcre | Kind::Regexp | Kind::Hash | Kind::Btree => postfix(value.trim()),
        }
    }
}

fn word_and_text(value: &str) -> (&str, &str) {
    match value.split_once([' ', '\t']) {
        Some((word, text)) => (word, text.trim_start()),
        None => (value, ""),
    }
}

/// access(5), "ACCEPT ACTIONS" and the following.
fn postfix(value: &str) -> Action {
    let (word, text) = word_and_text(value);
    let unsupported = || Action::Unsupported(value.to_owned());
    match word.to_ascii_uppercase().as_str() {
        "OK" => Action::Ok,
        "RELAY" => Action::Relay,
        "DUNNO" => Action::Dunno,
        "REJECT" => Action::Reject(reply(None, text)),
        "DEFER" => Action::Defer(reply(None, text)),
        "DEFER_IF_REJECT" => Action::DeferIfReject(reply(None, text)),
        "DEFER_IF_PERMIT" => Action::DeferIfPermit(reply(None, text)),
        "DISCARD" => Action::Discard(text.to_owned()),
        "HOLD" => Action::Hold(text.to_owned()),
        "WARN" => Action::Warn(text.to_owned()),
        "INFO" => Action::Info(text.to_owned()),
        "PREPEND" if is_header(text) => Action::Prepend(text.to_owned()),
        "REDIRECT" if text.contains('@') => Action::Redirect(text.to_owned()),
        "BCC" if text.contains('@') => Action::Bcc(text.to_owned()),
        "FILTER" if text.contains(':') => Action::Filter(text.to_owned()),
        // The time until which a login counts, in tables of POP before SMTP.
        _ if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => Action::Ok,
        _ if !text.is_empty() => match code(word) {
            Some(code) => refusal(reply(Some(code), text)),
            None => unsupported(),
        },
        _ => unsupported(),
    }
}

/// cf/README, "Anti-spam configuration control".
fn sendmail(value: &str) -> Action {
    let upper = value.to_ascii_uppercase();
    match upper.as_str() {
        "OK" => return Action::Ok,
        "RELAY" => return Action::Relay,
        "REJECT" => return Action::Reject(Reply::default()),
        "DISCARD" => return Action::Discard(String::new()),
        "SKIP" => return Action::Skip,
        "FRIEND" => return Action::Friend,
        "HATER" => return Action::Hater,
        "SUBJECT" => return Action::Subject,
        _ => {}
    }
    if upper.starts_with("QUARANTINE:") {
        return Action::Quarantine(unquoted(&value["QUARANTINE:".len()..]).to_owned());
    }
    if upper.starts_with("ERROR:") {
        let rest = value["ERROR:".len()..].trim();
        let (enhanced, text) = match rest.split_once(':') {
            Some((status, text)) if is_enhanced(status.trim()) => (Some(status.trim()), text),
            _ => (None, rest),
        };
        return message(enhanced, unquoted(text));
    }
    let text = unquoted(value);
    match text.get(..3).and_then(code) {
        Some(_) => message(None, text),
        None => Action::Unsupported(value.to_owned()),
    }
}

/// A message of `deny`; without one, or without a code in it, `550`.
fn deny(value: &str) -> Action {
    let text = if value.is_empty() { "550 Access denied" } else { unquoted(value) };
    let digits = text.split([' ', '\t', '-']).next().unwrap_or("");
    if digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()) && code(digits).is_none() {
        return Action::Unsupported(format!("{digits} refuses nothing"));
    }
    match message(None, text) {
        Action::Reject(Reply { code: None, enhanced, text }) => {
            Action::Reject(Reply { code: Some(550), enhanced, text })
        }
        other => other,
    }
}

/// `550 5.7.1 text`, with or without its parts; an enhanced code of its own goes before the text's.
fn message(enhanced: Option<&str>, text: &str) -> Action {
    let text = text.trim();
    let (digits, rest) = word_and_text(text);
    let mut reply = match code(digits) {
        Some(code) => reply(Some(code), rest),
        None => reply(None, text),
    };
    if let Some(enhanced) = enhanced {
        reply.enhanced = Some(enhanced.to_owned());
    }
    refusal(reply)
}

fn refusal(reply: Reply) -> Action {
    let temporary = match (reply.code, &reply.enhanced) {
        (Some(code), _) => code < 500,
        (None, Some(enhanced)) => enhanced.starts_with('4'),
        (None, None) => false,
    };
    if temporary { Action::Defer(reply) } else { Action::Reject(reply) }
}

fn reply(code: Option<u16>, text: &str) -> Reply {
    let (status, rest) = word_and_text(text);
    if is_enhanced(status) {
        Reply { code, enhanced: Some(status.to_owned()), text: rest.to_owned() }
    } else {
        Reply { code, enhanced: None, text: text.to_owned() }
    }
}

/// 400 to 599, in exactly three digits.
fn code(word: &str) -> Option<u16> {
    let refuses = word.len() == 3 && matches!(word.as_bytes()[0], b'4' | b'5');
    (refuses && word.bytes().all(|b| b.is_ascii_digit())).then(|| word.parse().ok())?
}

/// A status code of a refusal, RFC 3463 §2.
fn is_enhanced(word: &str) -> bool {
    let mut parts = word.split('.');
    let number =
        |part: Option<&str>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()));
    matches!(parts.next(), Some("4" | "5")) && number(parts.next()) && number(parts.next()) && parts.next().is_none()
}

/// `Name: text`, RFC 5322 §2.2.
fn is_header(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, _)| {
        let name = name.trim_end();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: Option<u16>, enhanced: Option<&str>, text: &str) -> Reply {
        Reply { code, enhanced: enhanced.map(str::to_owned), text: text.to_owned() }
    }

    #[test]
    fn words_of_access() {
        let text = |t: &str| t.to_owned();
        let cases = [
            ("OK", Action::Ok),
            ("ok whatever", Action::Ok),
            ("1700000000", Action::Ok),
            ("550", Action::Ok),
            ("RELAY", Action::Relay),
            ("DUNNO", Action::Dunno),
            ("reject", Action::Reject(Reply::default())),
            ("REJECT go away", Action::Reject(refused(None, None, "go away"))),
            ("REJECT 5.7.9 go away", Action::Reject(refused(None, Some("5.7.9"), "go away"))),
            ("550 no", Action::Reject(refused(Some(550), None, "no"))),
            ("450\t4.3.2 later", Action::Defer(refused(Some(450), Some("4.3.2"), "later"))),
            ("DEFER", Action::Defer(Reply::default())),
            ("DEFER_IF_REJECT x", Action::DeferIfReject(refused(None, None, "x"))),
            ("DEFER_IF_PERMIT", Action::DeferIfPermit(Reply::default())),
            ("DISCARD why", Action::Discard(text("why"))),
            ("HOLD", Action::Hold(String::new())),
            ("PREPEND X-A: b", Action::Prepend(text("X-A: b"))),
            ("PREPEND nothing", Action::Unsupported(text("PREPEND nothing"))),
            ("REDIRECT a@b.example", Action::Redirect(text("a@b.example"))),
            ("REDIRECT a", Action::Unsupported(text("REDIRECT a"))),
            ("FILTER smtp:[a]", Action::Filter(text("smtp:[a]"))),
            ("BCC a@b.example", Action::Bcc(text("a@b.example"))),
            ("WARN x y", Action::Warn(text("x y"))),
            ("INFO", Action::Info(String::new())),
            ("reject_unauth_destination", Action::Unsupported(text("reject_unauth_destination"))),
            ("permit_mynetworks, reject", Action::Unsupported(text("permit_mynetworks, reject"))),
            ("250 fine", Action::Unsupported(text("250 fine"))),
            ("", Action::Unsupported(String::new())),
        ];
        for (value, action) in cases {
            assert_eq!(Action::parse(Kind::Access, value), action, "{value}");
        }
    }

    #[test]
    fn words_of_sendmail() {
        let cases = [
            ("Ok", Action::Ok),
            ("RELAY", Action::Relay),
            ("REJECT", Action::Reject(Reply::default())),
            ("DISCARD", Action::Discard(String::new())),
            ("SKIP", Action::Skip),
            ("ERROR:5.7.1:550 go away", Action::Reject(refused(Some(550), Some("5.7.1"), "go away"))),
            ("ERROR:4.7.1:450 later", Action::Defer(refused(Some(450), Some("4.7.1"), "later"))),
            ("ERROR:4.7.1:\"450 later\"", Action::Defer(refused(Some(450), Some("4.7.1"), "later"))),
            ("ERROR:\"550 5.7.1 go: away\"", Action::Reject(refused(Some(550), Some("5.7.1"), "go: away"))),
            ("ERROR:550 go away", Action::Reject(refused(Some(550), None, "go away"))),
            ("550 We don't", Action::Reject(refused(Some(550), None, "We don't"))),
            ("\"450 4.3.2 later\"", Action::Defer(refused(Some(450), Some("4.3.2"), "later"))),
            ("QUARANTINE:looks odd", Action::Quarantine("looks odd".into())),
            ("FRIEND", Action::Friend),
            ("HATER", Action::Hater),
            ("SUBJECT", Action::Subject),
            ("RELLAY", Action::Unsupported("RELLAY".into())),
            ("5ü0 x", Action::Unsupported("5ü0 x".into())),
        ];
        for (value, action) in cases {
            assert_eq!(Action::parse(Kind::SendmailAccess, value), action, "{value}");
        }
    }

    #[test]
    fn a_deny_without_a_message_says_access_denied() {
        let cases = [
            ("", Action::Reject(refused(Some(550), None, "Access denied"))),
            ("no spam, please", Action::Reject(refused(Some(550), None, "no spam, please"))),
            ("554 5.7.1 gone", Action::Reject(refused(Some(554), Some("5.7.1"), "gone"))),
            ("450 later", Action::Defer(refused(Some(450), None, "later"))),
            ("250 welcome", Action::Unsupported("250 refuses nothing".into())),
        ];
        for (value, action) in cases {
            assert_eq!(Action::parse(Kind::Deny, value), action, "{value}");
        }
    }

    #[test]
    fn t04_no_word_of_a_list_is_a_right() {
        // Whatever is in these files, a verdict of the list is at most "ends here".
        for kind in Kind::all() {
            for word in ["OK", "RELAY", "permit", "permit_mynetworks", "PERMIT", "1"] {
                let action = Action::parse(kind, word);
                assert!(
                    matches!(action, Action::Ok | Action::Relay | Action::Unsupported(_) | Action::Reject(_)),
                    "{kind} {word}: {action:?}"
                );
            }
        }
    }
}
