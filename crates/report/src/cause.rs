//! Whether the cause of a listing still stands: who sent how much from this server, and whether they are refused since.

use std::collections::HashMap;

use records::Kept;
use serde::Serialize;

use crate::gaps::Gaps;
use crate::standing::{Standing, Stopped};

/// Senders that are told apart; what new ones send beyond is counted together.
const SENDERS_MAX: usize = 20_000;
/// Senders that are named.
const TOP: usize = 3;

/// What is on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// An address of this server: all that it relayed may be the cause.
    Address,
    /// A domain: mail with a reverse-path in it, or below it.
    Domain(String),
}

/// Who sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sender {
    /// The login, or the address of a client without one.
    pub who: String,
    /// Recipients elsewhere.
    pub recipients: u64,
    /// The last of them, in microseconds since 1970.
    pub last: u64,
    /// Since when it is refused; `None`: nothing refused it since.
    pub stopped: Option<Stopped>,
}

/// What the records say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// Since when they were read, in microseconds since 1970.
    pub since: u64,
    /// Records that were read.
    pub decisions: u64,
    /// Recipients elsewhere to whom was relayed.
    pub recipients: u64,
    /// Who sent most.
    pub senders: Vec<Sender>,
    /// Decisions that are missing.
    pub gaps: Gaps,
}

/// Makes a [`Cause`].
#[derive(Debug)]
pub struct Tracing {
    listed: Listed,
    decisions: u64,
    recipients: u64,
    senders: HashMap<String, Standing>,
}

impl Tracing {
    /// Looks for the cause of a listing.
    pub fn new(listed: Listed) -> Self {
        Self { listed, decisions: 0, recipients: 0, senders: HashMap::new() }
    }

    /// Looks at one record; they come in the order of their times.
    pub fn see(&mut self, kept: &Kept) {
        self.decisions += 1;
        let Some(who) = who(kept) else { return };
        match kept.reason() {
            // What is refused of a sender stops them whatever its reverse-path.
            Some(reason) => {
                if let Some(sender) = self.senders.get_mut(&who) {
                    sender.refused(kept, reason);
                }
            }
            None if kept.outcome == "relayed" && self.is_of(kept) => {
                self.recipients += 1;
                if self.senders.len() < SENDERS_MAX || self.senders.contains_key(&who) {
                    self.senders.entry(who).or_default().relayed(kept);
                }
            }
            None => {}
        }
    }

    fn is_of(&self, kept: &Kept) -> bool {
        match &self.listed {
            Listed::Address => true,
            Listed::Domain(domain) => kept.reverse_path.as_deref().is_some_and(|path| {
                let sent = path.trim_end_matches('>').rsplit_once('@').map_or("", |(_, domain)| domain);
                let sent = sent.to_lowercase();
                sent.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
        }
    }

    /// What the records say, read since that time (microseconds since 1970), but for what is missing.
    pub fn finish(self, since: u64, gaps: Gaps) -> Cause {
        let mut all: Vec<(String, Standing)> = self.senders.into_iter().collect();
        all.sort_unstable_by(|a, b| b.1.recipients.cmp(&a.1.recipients).then_with(|| a.0.cmp(&b.0)));
        let senders = all.into_iter().take(TOP).filter_map(|(who, of)| {
            Some(Sender { who, recipients: of.recipients, last: of.last?, stopped: of.stopped })
        });
        Cause { since, decisions: self.decisions, recipients: self.recipients, senders: senders.collect(), gaps }
    }
}

fn who(kept: &Kept) -> Option<String> {
    kept.login.as_ref().map(|login| login.to_lowercase()).or_else(|| kept.client.map(|client| client.to_string()))
}

impl Cause {
    /// Whether it may still stand: somebody of those who sent most is not refused.
    pub fn may_stand(&self) -> bool {
        self.senders.iter().any(|sender| sender.stopped.is_none())
    }

    /// In one line. `when` prints a time in microseconds since 1970 as the reader's clock has it.
    pub fn text(&self, when: impl Fn(u64) -> String) -> String {
        let since = when(self.since);
        let mut text = match (self.decisions, self.recipients) {
            (0, _) => format!("nothing is known: there are no records of this server since {since}"),
            (_, 0) => format!("this server relayed nothing of it since {since}: it is older, or comes from elsewhere"),
            (_, recipients) => {
                let stands = if self.may_stand() { "it may still stand" } else { "it seems to be over" };
                let senders: Vec<String> = self.senders.iter().map(|sender| sender.text(&when)).collect();
                format!("{stands}; relayed since {since} to {recipients} recipients; most by {}", senders.join(", "))
            }
        };
        if self.gaps.dropped > 0 || self.gaps.damaged > 0 {
            text += "; some records are missing";
        }
        text
    }
}

impl Sender {
    fn text(&self, when: &impl Fn(u64) -> String) -> String {
        let Self { who, recipients, last, stopped } = self;
        match stopped {
            Some(Stopped { at, reason, line, .. }) => {
                let line = line.as_ref().map(|line| format!(" by {line}")).unwrap_or_default();
                format!("{who} ({recipients}; refused since {}: {reason}{line})", when(*at))
            }
            None => format!("{who} ({recipients}; last {}, and not refused since)", when(*last)),
        }
    }
}
