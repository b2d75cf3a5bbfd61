//! What a value of sendmail's access database and of the older `deny` means.

use crate::action::{Action, Reply, code, is_enhanced, word_and_text};

/// cf/README, "Anti-spam configuration control".
pub(crate) fn access(value: &str) -> Action {
    let value = value.trim();
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
pub(crate) fn deny(value: &str) -> Action {
    let value = value.trim();
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
        Some(code) => Reply::new(Some(code), rest),
        None => Reply::new(None, text),
    };
    if let Some(enhanced) = enhanced {
        reply.enhanced = Some(enhanced.to_owned());
    }
    Action::refusing(reply)
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
            assert_eq!(access(value), action, "{value}");
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
            assert_eq!(deny(value), action, "{value}");
        }
    }
}
