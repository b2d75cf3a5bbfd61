//! Rules that only take away: entries of access maps, in the order in which their lists are asked. No action here can
//! give a right to relay; `OK` ends its own list and nothing more.

use std::net::IpAddr;

use crate::policy::ConfigLine;
use crate::trace::{Asked, Found, Trace};
use crate::verdict::{Reason, Refusal};

/// What a list of rules is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The client's address and name.
    Client,
    /// Its greeting name.
    Helo,
    /// The reverse-path.
    Sender,
    /// The forward-path.
    Recipient,
}

impl Stage {
    /// Stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Helo => "helo",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
        }
    }
}

/// The words of a refusal as the map has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Reply code (RFC 5321 §4.2), 400 to 599.
    pub code: u16,
    /// Enhanced status code (RFC 3463), if the map gives one.
    pub enhanced: Option<String>,
    /// Text.
    pub text: String,
}

/// What an entry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Ends its list; gives no right.
    Ok,
    /// Refuses: 5xx, or 4xx if the entry says so.
    Refuse(Said),
    /// Takes the message and throws it away.
    Discard,
    /// Takes the message and keeps it in the queue for a person to look at.
    Hold,
    /// Puts a header field above the message.
    Prepend(String),
    /// Only a line in the log.
    Warn(String),
}

/// An entry that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// Of which list.
    pub stage: Stage,
    /// What it asks for.
    pub action: Action,
    /// Its place.
    pub line: ConfigLine,
    /// The rule is only tried: what it would do goes to the log.
    pub observe: bool,
}

/// What the rules come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleVerdict {
    /// Refused, with these words.
    pub refused: Option<(Refusal, Said)>,
    /// The message is to be thrown away.
    pub discard: bool,
    /// The message is to be kept for a person.
    pub hold: bool,
    /// Header fields to put above the message.
    pub prepend: Vec<String>,
    /// What to log: warnings, and what observed rules would have done.
    pub noted: Vec<Hit>,
}

impl Action {
    fn refusal(&self) -> Option<(Refusal, &Said)> {
        let Self::Refuse(said) = self else { return None };
        let reason = if said.code < 500 { Reason::AccessDeferred } else { Reason::AccessDenied };
        Some((reason.into(), said))
    }
}

/// Folds the hits, which stand in the order of their lists. The first refusal ends it.
pub fn judge_rules(client: IpAddr, hits: Vec<Hit>, trace: &mut Trace) -> RuleVerdict {
    let mut verdict = RuleVerdict::default();
    let mut ended = None;
    for hit in hits {
        if ended == Some(hit.stage) {
            continue;
        }
        if hit.observe || matches!(hit.action, Action::Warn(_)) {
            verdict.noted.push(hit);
            continue;
        }
        if let Some((refusal, said)) = hit.action.refusal() {
            trace.begin(client);
            trace.note_line(Asked::Access(hit.stage), Some(&hit.line));
            trace.note(Asked::Verdict, Found::Refused(refusal.reason));
            verdict.refused = Some((refusal, said.clone()));
            return verdict;
        }
        match hit.action {
            Action::Ok => ended = Some(hit.stage),
            Action::Discard => verdict.discard = true,
            Action::Hold => verdict.hold = true,
            Action::Prepend(header) => verdict.prepend.push(header),
            Action::Refuse(_) | Action::Warn(_) => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16) -> Said {
        Said { code, enhanced: None, text: "Access denied".to_owned() }
    }

    fn hit(stage: Stage, action: Action) -> Hit {
        Hit { stage, action, line: ConfigLine::new("access", 7), observe: false }
    }

    fn judged(hits: Vec<Hit>) -> (RuleVerdict, Trace) {
        let mut trace = Trace::new();
        let verdict = judge_rules([192, 0, 2, 7].into(), hits, &mut trace);
        (verdict, trace)
    }

    #[test]
    fn ok_ends_its_own_list_only() {
        let refuse = |stage| hit(stage, Action::Refuse(said(550)));
        let (verdict, _) = judged(vec![hit(Stage::Client, Action::Ok), refuse(Stage::Client)]);
        assert_eq!(verdict, RuleVerdict::default());
        let (verdict, trace) = judged(vec![hit(Stage::Client, Action::Ok), refuse(Stage::Sender)]);
        assert_eq!(verdict.refused, Some((Reason::AccessDenied.into(), said(550))));
        assert!(trace.to_string().contains("asked=access-sender found=yes line=access:7"), "{trace}");
    }

    #[test]
    fn the_code_says_whether_it_passes() {
        let (verdict, _) = judged(vec![hit(Stage::Recipient, Action::Refuse(said(450)))]);
        let (refusal, _) = verdict.refused.unwrap();
        assert!(refusal.temporary);
        assert_eq!(refusal.reason, Reason::AccessDeferred);
    }

    #[test]
    fn effects_add_up_and_the_observed_do_nothing() {
        let mut observed = hit(Stage::Client, Action::Refuse(said(550)));
        observed.observe = true;
        let hits = vec![
            observed.clone(),
            hit(Stage::Client, Action::Prepend("X-One: 1".to_owned())),
            hit(Stage::Sender, Action::Hold),
            hit(Stage::Recipient, Action::Discard),
            hit(Stage::Recipient, Action::Warn("look".to_owned())),
        ];
        let (verdict, _) = judged(hits);
        assert!(verdict.refused.is_none() && verdict.hold && verdict.discard);
        assert_eq!(verdict.prepend, ["X-One: 1"]);
        assert_eq!(verdict.noted.len(), 2);
        assert_eq!(verdict.noted[0], observed);
    }
}
