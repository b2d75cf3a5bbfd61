//! What another side's words mean for a recipient.

use std::sync::Arc;
use std::time::Duration;

use smtp::client::{RecipientFate, Response, Stage};

/// The outcome of one attempt for one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    /// Where it was tried.
    pub(crate) relay: Arc<str>,
    /// In the form of a reply, whoever said it.
    pub(crate) response: Response,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It lies in its mailbox.
    Delivered,
    /// Another host has it. `reports`: and knows RFC 3461, so a success that was asked for is its to report.
    Relayed { reports: bool },
    /// Later. `after`: when, if we know better than the schedule.
    Deferred { after: Option<Duration> },
    /// Not tried: the hosts are known to be away, and are asked again after that. The words are those of the last attempt.
    Postponed { after: Duration },
    /// Never.
    Failed,
    /// Never, since the host has no such recipient.
    NoRecipient,
}

impl Verdict {
    pub(crate) fn deferred(relay: &Arc<str>, response: Response) -> Self {
        Self { relay: Arc::clone(relay), response, kind: Kind::Deferred { after: None } }
    }

    pub(crate) fn failed(relay: &Arc<str>, response: Response) -> Self {
        Self { relay: Arc::clone(relay), response, kind: Kind::Failed }
    }

    /// By the class of the reply code.
    pub(crate) fn of_response(relay: &Arc<str>, response: Response) -> Self {
        if response.is_permanent() { Self::failed(relay, response) } else { Self::deferred(relay, response) }
    }

    /// From the fate in a transaction; `reports`: whether the peer offered DSN.
    pub(crate) fn of_fate(relay: &Arc<str>, fate: RecipientFate, reports: bool) -> Self {
        match fate {
            RecipientFate::Accepted(response) => {
                Self { relay: Arc::clone(relay), response, kind: Kind::Relayed { reports } }
            }
            RecipientFate::Refused(stage, response) if is_too_many(stage, &response) => Self::deferred(relay, response),
            RecipientFate::Refused(stage, response) if is_no_recipient(stage, &response) => {
                Self { kind: Kind::NoRecipient, ..Self::failed(relay, response) }
            }
            RecipientFate::Refused(_, response) => Self::of_response(relay, response),
            RecipientFate::Unanswered(stage) => Self::deferred(relay, lost(stage)),
        }
    }
}

/// The recipient itself is refused for good (RFC 3463 §3.2: no such mailbox, moved, disabled), not whoever sends to it.
pub(crate) fn is_no_recipient(stage: Stage, response: &Response) -> bool {
    let status = response.enhanced.unwrap_or_default();
    stage == Stage::Rcpt && response.is_permanent() && matches!(status, [5, 1, 1 | 6] | [5, 2, 1])
}

/// 552 to RCPT without more is "too many recipients" of RFC 821, which is temporary (RFC 5321 §4.5.3.1.10).
fn is_too_many(stage: Stage, response: &Response) -> bool {
    stage == Stage::Rcpt && response.code == 552 && response.enhanced.is_none_or(|code| code == [5, 5, 3])
}

fn lost(stage: Stage) -> Response {
    let text = match stage {
        Stage::Offer | Stage::Mail => "connection lost before the message",
        Stage::Rcpt => "connection lost after RCPT",
        Stage::Data => "connection lost after DATA",
        Stage::End => "connection lost after the message; it may have been taken",
    };
    Response::local(421, [4, 4, 2], text)
}

/// The status code of RFC 3463 for a reply, made up from its class where there is none.
pub(crate) fn status(response: &Response) -> [u16; 3] {
    response.enhanced.unwrap_or([response.code / 100, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_of_the_code_decides() {
        let relay: Arc<str> = "mx.example".into();
        let kind = |stage, code, enhanced| {
            let response = Response { code, enhanced, text: String::new() };
            let fate = match code / 100 {
                2 => RecipientFate::Accepted(response),
                _ => RecipientFate::Refused(stage, response),
            };
            Verdict::of_fate(&relay, fate, true).kind
        };
        let deferred = Kind::Deferred { after: None };
        let table = [
            (Stage::End, 250, None, Kind::Relayed { reports: true }),
            (Stage::Rcpt, 450, None, deferred),
            (Stage::Rcpt, 550, Some([5, 1, 1]), Kind::NoRecipient),
            (Stage::Rcpt, 550, Some([5, 7, 1]), Kind::Failed),
            (Stage::Rcpt, 550, None, Kind::Failed),
            (Stage::Mail, 550, Some([5, 1, 1]), Kind::Failed),
            (Stage::Rcpt, 552, None, deferred),
            (Stage::Rcpt, 552, Some([5, 5, 3]), deferred),
            (Stage::Rcpt, 552, Some([5, 2, 2]), Kind::Failed),
            (Stage::End, 552, None, Kind::Failed),
            (Stage::Mail, 421, None, deferred),
            (Stage::Data, 554, None, Kind::Failed),
        ];
        for (stage, code, enhanced, expected) in table {
            assert_eq!(kind(stage, code, enhanced), expected, "{stage:?} {code} {enhanced:?}");
        }
        let lost = Verdict::of_fate(&relay, RecipientFate::Unanswered(Stage::End), true);
        assert_eq!((lost.kind, status(&lost.response)), (deferred, [4, 4, 2]));
    }

    #[test]
    fn a_reply_without_enhanced_code_has_a_status_of_its_class() {
        assert_eq!(status(&Response { code: 554, enhanced: None, text: String::new() }), [5, 0, 0]);
        assert_eq!(status(&Response::local(450, [4, 2, 1], "x")), [4, 2, 1]);
    }
}
