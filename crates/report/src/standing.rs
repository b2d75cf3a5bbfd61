//! Whether somebody who sent still can: what was relayed last, and what refused them since.

use std::collections::BTreeSet;
use std::net::IpAddr;

use records::Kept;
use serde::Serialize;

/// Clients that are remembered of one sender.
const CLIENTS_MAX: usize = 1_000;

/// Since when somebody is stopped, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stopped {
    /// When they were refused first after their last mail, in microseconds since 1970.
    pub at: u64,
    /// The reason's stable word.
    pub reason: String,
    /// `FILE:LINE` of the rule, where one refused it.
    pub line: Option<String>,
    /// For `sekisho explain`.
    pub explain: String,
}

/// What one sender did.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    pub(crate) recipients: u64,
    pub(crate) first: Option<u64>,
    pub(crate) last: Option<u64>,
    pub(crate) stopped: Option<Stopped>,
    clients: BTreeSet<IpAddr>,
}

impl Standing {
    pub(crate) fn relayed(&mut self, kept: &Kept) {
        self.recipients += 1;
        self.first.get_or_insert(kept.at);
        (self.last, self.stopped) = (Some(kept.at), None);
        if self.clients.len() < CLIENTS_MAX {
            self.clients.extend(kept.client);
        }
    }

    /// A refusal after the last mail. That a login fails stops nobody who sends, unless it comes from where they sent: others
    /// guess at passwords.
    pub(crate) fn refused(&mut self, kept: &Kept, reason: &str) {
        let is_guess =
            reason == guard::record::LOGIN_FAILED && !kept.client.is_some_and(|it| self.clients.contains(&it));
        if self.last.is_none() || self.stopped.is_some() || is_guess {
            return;
        }
        let of_rule = kept.rules.iter().find(|hit| hit.mode == guard::rule::Mode::Enforce.code());
        let of_refusal = kept.refused.as_ref().and_then(|refused| refused.line.clone());
        self.stopped = Some(Stopped {
            at: kept.at,
            reason: reason.to_owned(),
            line: of_rule.map(|hit| hit.line.clone()).or(of_refusal),
            explain: kept.id.clone(),
        });
    }
}
