//! One decision, whole, to be kept: what was known and since when, which rules held, how it came about, what it came to.
//!
//! Reply, log line and metric are made from it, and whoever explains, replays or shows decisions reads nothing else. It is owned,
//! serializable and versioned; ids come from the caller, so that the guard stays pure.

use std::net::IpAddr;
use std::time::SystemTime;

use serde::Serialize;

use crate::attested::Login;
use crate::authority::Right;
use crate::case::Case;
use crate::command::{Command, Score, Stage};
use crate::effects::Effects;
use crate::explain::ExplainId;
use crate::facts::Known;
use crate::line::ConfigLine;
use crate::policy::Policy;
use crate::reason::Reason;
use crate::rule::{Hit, Part, Said};
use crate::trace::Trace;
use crate::verdict::{Outcome, Recipient, Verdict};

/// The form of a record; it grows whenever a field changes its meaning or goes.
pub const FORM: u16 = 1;

/// One decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// [`FORM`] when it was made.
    pub form: u16,
    /// The id that reply, log and metric name it by.
    pub id: ExplainId,
    /// Where it was made.
    pub of: Origin,
    /// The policy's version.
    pub policy: u64,
    /// By which clock it was judged.
    pub at: SystemTime,
    /// On the way of a mail.
    pub stage: Stage,
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// What it calls itself.
    pub helo: Option<String>,
    /// Who logged in, or whose login gave the right.
    pub login: Option<String>,
    /// The device by which he did.
    pub device: Option<String>,
    /// RFC 5321 §4.1.1.2, in its brackets.
    pub reverse_path: Option<String>,
    /// RFC 5321 §4.1.1.3, in its brackets.
    pub forward_path: Option<String>,
    /// What was known, with its age.
    pub facts: Vec<Known>,
    /// Rules that held, those that are only tried among them.
    pub rules: Vec<Hit>,
    /// What weights added up to.
    pub score: Score,
    /// `proceed`, `hosted`, `relayed`, `refuse` or `defer`.
    pub outcome: &'static str,
    /// What is to be done besides.
    pub effects: Effects,
    /// Why not.
    pub refused: Option<Refused>,
    /// The right by which it is relayed, and the line of the configuration that gives it.
    pub right: Option<UsedRight>,
    /// How it came about.
    pub trace: Trace,
}

/// Where a decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The session's id in the log.
    pub session: String,
    /// The listener's name.
    pub listener: String,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The stable word.
    pub reason: Reason,
    /// What of the mail.
    pub of: Part,
    /// The words of the rule that said so.
    pub said: Option<Said>,
}

/// The right by which a recipient is relayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedRight {
    /// Stable word.
    pub code: &'static str,
    /// The line of the configuration that gives it.
    pub line: Option<ConfigLine>,
}

impl Record {
    /// Of a verdict that was just given. `id` is random.
    pub fn new(id: ExplainId, of: Origin, decided: &Decided<'_, '_>) -> Self {
        let Decided { policy, case, command, verdict } = *decided;
        Self {
            form: FORM,
            id,
            of,
            policy: policy.version,
            at: command.now,
            stage: command.stage,
            client: case.client,
            helo: decided.helo().map(str::to_owned),
            login: decided.login().map(str::to_owned),
            device: decided.device().map(str::to_owned),
            reverse_path: case.reverse_path().map(ToString::to_string),
            forward_path: command.forward_path.map(ToString::to_string),
            facts: command.known(case).cloned().collect(),
            rules: command.hits.clone(),
            score: command.score,
            outcome: verdict.outcome.code(),
            effects: verdict.effects.clone(),
            refused: verdict.outcome.refusal().map(|refusal| Refused {
                reason: refusal.reason,
                of: refusal.of,
                said: refusal.said.clone(),
            }),
            right: decided.right().map(|right| UsedRight { code: right.code(), line: right.line().cloned() }),
            trace: command.trace.clone(),
        }
    }
}

/// A command with its verdict: what a record is made of. Whoever only tells of it, reads it here and copies nothing.
#[derive(Clone, Copy)]
pub struct Decided<'d, 'c> {
    /// By what it was judged.
    pub policy: &'d Policy,
    /// The case as it is after the verdict.
    pub case: &'d Case,
    /// The command.
    pub command: &'d Command<'c>,
    /// What it came to.
    pub verdict: &'d Verdict,
}

impl<'d> Decided<'d, '_> {
    /// What the client calls itself.
    pub fn helo(&self) -> Option<&'d str> {
        self.case.greeting.helo.as_deref()
    }

    /// Who logged in, or whose login gave the right.
    pub fn login(&self) -> Option<&'d str> {
        self.logged_in().map(Login::login).or_else(|| self.right()?.login())
    }

    /// The device by which he did.
    pub fn device(&self) -> Option<&'d str> {
        match self.logged_in() {
            Some(login) => login.device().map(|device| &*device.name),
            None => self.right()?.device(),
        }
    }

    /// The right by which the recipient is relayed.
    pub fn right(&self) -> Option<&'d Right> {
        match &self.verdict.outcome {
            Outcome::Accept(Recipient::Relayed(_, grant)) => Some(grant.right()),
            _ => None,
        }
    }

    fn logged_in(&self) -> Option<&'d Login> {
        self.command.login().filter(|_| self.case.greeting.claims_login)
    }
}
