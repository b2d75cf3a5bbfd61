//! What an entry of a map asks of us, in the guard's words.

use guard::rule::{Action, Said};
use maps::{Action as Theirs, Kind, Route};

/// What an entry without words says.
const DEFAULT_TEXT: &str = "Access denied";
/// As Postfix answers when it finds something that it does not understand.
const NOT_UNDERSTOOD: &str = "Server configuration error";
/// sendmail's code for a refusal without one.
const SENDMAIL_CODE: u16 = 553;
/// Longest header field that is put above a message, in octets: a line has at most 998 (RFC 5322 §2.1.1).
const FIELD_OCTETS_MAX: usize = 998;

/// What a value found in a map asks of us; `None`: nothing.
pub(super) fn of(kind: Kind, value: &str) -> Option<Action> {
    if kind == Kind::Mailertable {
        let Ok(Route::Error(reply)) = value.parse::<Route>() else { return None };
        return Some(Action::Refuse(said(reply, 550)));
    }
    Some(match maps::value::action(kind, value) {
        Theirs::Ok | Theirs::Relay => Action::Ok,
        Theirs::Reject(reply) => Action::Refuse(said(reply, 550)),
        // Whether something else would refuse or permit is not known here: refusing for now is right for both.
        Theirs::Defer(reply) | Theirs::DeferIfPermit(reply) | Theirs::DeferIfReject(reply) => {
            Action::Refuse(said(reply, 450))
        }
        Theirs::Discard(_) => Action::Discard,
        Theirs::Hold(_) | Theirs::Quarantine(_) => Action::Hold,
        Theirs::Prepend(field) => Action::Prepend(one_line(field)),
        Theirs::Warn(text) | Theirs::Info(text) => Action::Warn(text),
        Theirs::Unsupported(text) if kind == Kind::SendmailAccess => {
            Action::Refuse(Said { code: SENDMAIL_CODE, enhanced: None, text: one_line(text) })
        }
        // Only a pattern can say so, by a part of the key: all else was refused when it was loaded.
        Theirs::Redirect(_) | Theirs::Filter(_) | Theirs::Bcc(_) | Theirs::Unsupported(_) => {
            Action::Refuse(Said { code: 451, enhanced: Some("4.3.5".to_owned()), text: NOT_UNDERSTOOD.to_owned() })
        }
        Theirs::Dunno | Theirs::Skip | Theirs::Friend | Theirs::Hater | Theirs::Subject => return None,
    })
}

/// Why a value cannot be taken: what would do something here that we do not do must not be overlooked.
pub(super) fn not_here(kind: Kind, value: &str) -> Option<String> {
    let word = match maps::value::action(kind, value) {
        Theirs::Redirect(_) => "REDIRECT",
        Theirs::Filter(_) => "FILTER",
        Theirs::Bcc(_) => "BCC",
        Theirs::Prepend(field) if field.len() > FIELD_OCTETS_MAX => {
            return Some(format!("PREPEND of {} octets; a line has at most {FIELD_OCTETS_MAX}", field.len()));
        }
        // sendmail takes it for the text of a refusal, and reading it told so.
        Theirs::Unsupported(_) if kind == Kind::SendmailAccess => return None,
        Theirs::Unsupported(what) => {
            let what: String = what.chars().take(60).collect();
            return Some(format!("{what:?} is no action here; write OK, DUNNO, REJECT, DEFER, HOLD, DISCARD, …"));
        }
        _ => return None,
    };
    Some(format!("{word} is not done here; the mail server itself can do it"))
}

fn said(reply: maps::Reply, code: u16) -> Said {
    let text = if reply.text.is_empty() { DEFAULT_TEXT.to_owned() } else { one_line(reply.text) };
    Said { code: reply.code.unwrap_or(code), enhanced: reply.enhanced, text }
}

/// A value from a database may have line ends in it, which would end our reply or our header field.
fn one_line(text: String) -> String {
    if text.bytes().any(|octet| octet.is_ascii_control() && octet != b'\t') {
        return text.replace(|c: char| c.is_ascii_control() && c != '\t', " ");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: u16, enhanced: Option<&str>, text: &str) -> Action {
        Action::Refuse(Said { code, enhanced: enhanced.map(str::to_owned), text: text.to_owned() })
    }

    #[test]
    fn words_of_the_maps_in_the_guard_s() {
        let table = [
            (Kind::Access, "OK", Some(Action::Ok)),
            (Kind::Access, "1700000000", Some(Action::Ok)),
            (Kind::Access, "RELAY", Some(Action::Ok)),
            (Kind::Access, "DUNNO", None),
            (Kind::Access, "REJECT", Some(refused(550, None, "Access denied"))),
            (Kind::Access, "554 5.7.1 no", Some(refused(554, Some("5.7.1"), "no"))),
            (Kind::Access, "DEFER later", Some(refused(450, None, "later"))),
            (Kind::Access, "DEFER_IF_PERMIT", Some(refused(450, None, "Access denied"))),
            (Kind::Access, "HOLD why", Some(Action::Hold)),
            (Kind::Access, "DISCARD", Some(Action::Discard)),
            (Kind::Access, "PREPEND X-A: b", Some(Action::Prepend("X-A: b".to_owned()))),
            (Kind::Access, "PREPEND X-A: b\r\nBcc: c", Some(Action::Prepend("X-A: b  Bcc: c".to_owned()))),
            (Kind::Access, "550 a\r\n250 b", Some(refused(550, None, "a  250 b"))),
            (Kind::Access, "WARN look", Some(Action::Warn("look".to_owned()))),
            (Kind::Pcre, "permit_mynetworks", Some(refused(451, Some("4.3.5"), "Server configuration error"))),
            (Kind::SendmailAccess, "OK", Some(Action::Ok)),
            (Kind::SendmailAccess, "SKIP", None),
            (Kind::SendmailAccess, "QUARANTINE:odd", Some(Action::Hold)),
            (Kind::SendmailAccess, "DISCARD", Some(Action::Discard)),
            (Kind::SendmailAccess, "ERROR:5.7.1:550 go", Some(refused(550, Some("5.7.1"), "go"))),
            (Kind::SendmailAccess, "RELLAY", Some(refused(553, None, "RELLAY"))),
            (Kind::Deny, "", Some(refused(550, None, "Access denied"))),
            (Kind::Mailertable, "error:5.1.2:550 gone", Some(refused(550, Some("5.1.2"), "gone"))),
            (Kind::Mailertable, "smtp:[192.0.2.1]", None),
        ];
        for (kind, value, action) in table {
            assert_eq!(of(kind, value), action, "{kind} {value}");
        }
    }

    #[test]
    fn what_is_not_done_here_is_not_overlooked() {
        let long = format!("PREPEND X-A: {}", "b".repeat(1000));
        for value in
            ["REDIRECT a@b.example", "FILTER smtp:[a]", "BCC a@b.example", "reject_unknown_client", "250 x", &long]
        {
            assert!(not_here(Kind::Access, value).is_some(), "{value}");
        }
        for value in ["OK", "DUNNO", "REJECT", "450 4.7.1 x", "PREPEND X-A: b", "HOLD", "INFO", "1700000000"] {
            assert_eq!(not_here(Kind::Access, value), None, "{value}");
        }
        for value in ["0", "2000", "RELLAY", "FRIEND"] {
            assert_eq!(not_here(Kind::SendmailAccess, value), None, "{value}: a tag of its own, or sendmail's text");
        }
    }
}
