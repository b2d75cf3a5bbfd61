//! What a value of a Postfix table means: access(5).

use crate::action::{Action, Reply, code, word_and_text};

/// access(5), "ACCEPT ACTIONS" and the following.
pub(crate) fn access(value: &str) -> Action {
    let value = value.trim();
    let (word, text) = word_and_text(value);
    let unsupported = || Action::Unsupported(value.to_owned());
    match word.to_ascii_uppercase().as_str() {
        "OK" => Action::Ok,
        "RELAY" => Action::Relay,
        "DUNNO" => Action::Dunno,
        "REJECT" => Action::Reject(Reply::new(None, text)),
        "DEFER" => Action::Defer(Reply::new(None, text)),
        "DEFER_IF_REJECT" => Action::DeferIfReject(Reply::new(None, text)),
        "DEFER_IF_PERMIT" => Action::DeferIfPermit(Reply::new(None, text)),
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
            Some(code) => Action::refusing(Reply::new(Some(code), text)),
            None => unsupported(),
        },
        _ => unsupported(),
    }
}

/// `Name: text`, RFC 5322 §2.2.
fn is_header(text: &str) -> bool {
    text.split_once(':').is_some_and(|(name, _)| {
        let name = name.trim_end();
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
    })
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
            assert_eq!(access(value), action, "{value}");
        }
    }
}
