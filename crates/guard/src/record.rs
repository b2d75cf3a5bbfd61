//! One decision, whole, to be kept: what was known and since when, which rules held, how it came about, what it came to.
//!
//! Reply, log line and metric are made from it, and whoever explains, replays or shows decisions reads nothing else. It is owned,
//! serializable and versioned; ids come from the caller, so that the guard stays pure.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;

use crate::attested::Login;
use crate::authority::Right;
use crate::case::{Case, Conduct, Manner};
use crate::circumstances::Circumstances;
use crate::command::{Command, Score};
use crate::effects::Effects;
use crate::explain::ExplainId;
use crate::facts::{DOMAIN_LISTINGS, Facts, Known, LISTINGS, Of};
use crate::line::ConfigLine;
use crate::policy::Policy;
use crate::rule::{Hit, Part, Said};
use crate::serial;
use crate::trace::Trace;
use crate::verdict::{Outcome, Recipient, Refusal, Verdict};

/// The form of a record; it grows whenever a field changes its meaning or goes.
pub const FORM: u16 = 2;

/// Where a login is refused: no stage of a mail.
pub const LOGIN: &str = "login";
/// Why, if nobody proved himself.
pub const LOGIN_FAILED: &str = "login-failed";
/// Why, if a message could not be taken for what it is, or not stored: the reply says which.
pub const MESSAGE_REFUSED: &str = "message-refused";
/// Why, if too many were wrong lately, so that nothing was looked at.
pub const LOGIN_THROTTLED: &str = "login-throttled";

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
    /// By which clock it was judged; kept in microseconds since 1970.
    #[serde(serialize_with = "serial::micros")]
    pub at: SystemTime,
    /// On the way of a mail: the code of a [`crate::Stage`], or [`LOGIN`].
    pub stage: &'static str,
    /// The client; `None`: nobody knows its address.
    pub client: Option<IpAddr>,
    /// What it calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helo: Option<String>,
    /// Who logged in, or whose login gave the right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login: Option<String>,
    /// The device by which he did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// RFC 5321 §4.1.1.2, in its brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverse_path: Option<String>,
    /// RFC 5321 §4.1.1.3, in its brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_path: Option<String>,
    /// What of the connection was seen without asking anybody.
    pub seen: Seen,
    /// What else it depended on: by it the same can be judged again.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub circumstances: Circumstances,
    /// What was known, with its age.
    pub facts: Vec<Known>,
    /// Rules that held, those that are only tried among them.
    pub rules: Vec<Hit>,
    /// What weights added up to.
    pub score: Score,
    /// `proceed`, `hosted`, `relayed`, `refuse` or `defer`.
    pub outcome: &'static str,
    /// What is to be done besides.
    #[serde(skip_serializing_if = "Effects::is_empty")]
    pub effects: Effects,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
    /// The right by which it is relayed, and the line of the configuration that gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<UsedRight>,
    /// How it came about.
    pub trace: Trace,
    /// What the client was told; nothing of a recipient that is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

/// What was seen of a connection without asking anybody: whoever judges it again must know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// In what its interface differs; `None`: it came to no case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
    /// What was noted of its client.
    #[serde(flatten)]
    pub conduct: Conduct,
    /// Others seem to come by its address.
    #[serde(skip_serializing_if = "serial::is_false")]
    pub distrusted: bool,
    /// Somebody is said to have logged in.
    #[serde(skip_serializing_if = "serial::is_false")]
    pub claims_login: bool,
    /// `SIZE=` in octets (RFC 1870).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_octets: Option<u64>,
    /// The size of the message that is there, in octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub octets: Option<u64>,
    /// It is asked whether a recipient that was taken still would be.
    #[serde(skip_serializing_if = "serial::is_false")]
    pub again: bool,
}

/// Where a decision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The session's id in the log.
    pub session: String,
    /// The listener's name.
    pub listener: Arc<str>,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The stable word: of a [`crate::Reason`], [`LOGIN_FAILED`] or [`LOGIN_THROTTLED`].
    pub reason: &'static str,
    /// What of the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<Part>,
    /// The words of the rule that said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// What it is about, where no rule and no fact says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The line of the configuration that said so, where no rule and no step names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<ConfigLine>,
}

/// The right by which a recipient is relayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedRight {
    /// Stable word.
    pub code: &'static str,
    /// The line of the configuration that gives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<ConfigLine>,
}

/// By what was judged, and what came of it: what a record is made of besides its command.
#[derive(Clone, Copy)]
pub struct Ended<'d> {
    /// By what it was judged.
    pub policy: &'d Policy,
    /// The case as it is after the verdict.
    pub case: &'d Case,
    /// What it came to.
    pub verdict: &'d Verdict,
}

/// A client or a login that was turned away before anything of a mail was judged.
#[derive(Debug, Clone)]
pub struct TurnedAway {
    /// When.
    pub at: SystemTime,
    /// Where: the code of a [`crate::Stage`], or [`LOGIN`].
    pub stage: &'static str,
    /// Who.
    pub client: Option<IpAddr>,
    /// The login, or the one that was tried, as the log may show it.
    pub login: Option<String>,
    /// RFC 5321 §4.1.1.2, in its brackets.
    pub reverse_path: Option<String>,
    /// RFC 5321 §4.1.1.3, in its brackets.
    pub forward_path: Option<String>,
    /// Why.
    pub refused: Refused,
    /// Whether it may come again.
    pub is_temporary: bool,
    /// What it was told.
    pub reply: Option<String>,
}

impl Record {
    /// Of a verdict that was just given. `id` is random. What ends with the command is moved, not copied: a record is made of
    /// each mail, and nobody waits for less.
    pub fn new(id: ExplainId, of: Origin, ended: Ended<'_>, command: Command<'_>) -> Self {
        let Ended { policy, case, verdict } = ended;
        let decided = Decided { policy, case, command: &command, verdict };
        let (login, device) = (decided.login().map(str::to_owned), decided.device().map(str::to_owned));
        let helo = decided.helo().map(str::to_owned);
        let right = decided.right().map(|right| UsedRight { code: right.code(), line: right.line().cloned() });
        let (seen, circumstances) = (Seen::of(case, &command), Circumstances::of(policy, case, &command));
        let Command { stage, now, forward_path, facts, hits, score, trace, .. } = command;
        Self {
            form: FORM,
            id,
            of,
            policy: policy.version,
            at: now,
            stage: stage.code(),
            client: case.client,
            helo,
            login,
            device,
            reverse_path: case.reverse_path().map(ToString::to_string),
            forward_path: forward_path.map(ToString::to_string),
            seen,
            circumstances,
            facts: known(facts, case),
            rules: hits,
            score,
            outcome: verdict.outcome.code(),
            effects: verdict.effects.clone(),
            refused: verdict.outcome.refusal().map(Refused::of),
            right,
            trace,
            reply: None,
        }
    }

    /// Of who was turned away. `id` is random.
    pub fn turned_away(id: ExplainId, of: Origin, away: TurnedAway) -> Self {
        let TurnedAway { at, stage, client, login, reverse_path, forward_path, refused, is_temporary, reply } = away;
        Self {
            form: FORM,
            id,
            of,
            policy: 0,
            at,
            stage,
            client,
            helo: None,
            login,
            device: None,
            reverse_path,
            forward_path,
            seen: Seen::default(),
            circumstances: Circumstances::default(),
            facts: Vec::new(),
            rules: Vec::new(),
            score: Score::default(),
            outcome: if is_temporary { "defer" } else { "refuse" },
            effects: Effects::default(),
            refused: Some(refused),
            right: None,
            trace: Trace::default(),
            reply,
        }
    }

    /// With what the client was told.
    #[must_use]
    pub fn told(mut self, reply: Option<String>) -> Self {
        self.reply = reply;
        self
    }
}

/// What is known: of the command, then of the case.
fn known(of_command: Facts, case: &Case) -> Vec<Known> {
    let mut facts = of_command.into_vec();
    facts.extend(case.greeting.transaction.iter().flat_map(|transaction| transaction.facts.iter()).cloned());
    facts.extend(case.facts.iter().cloned());
    facts
}

impl Seen {
    fn of(case: &Case, command: &Command<'_>) -> Self {
        Self {
            manner: Some(case.manner),
            conduct: case.conduct,
            distrusted: case.is_distrusted,
            claims_login: case.greeting.claims_login,
            declared_octets: case.greeting.transaction.as_ref().and_then(|open| open.declared_octets),
            octets: command.arrived.map(|arrived| arrived.octets),
            again: command.is_again(),
        }
    }
}

impl Refused {
    /// Without a rule: a word and its cause.
    pub fn because(reason: &'static str, cause: String) -> Self {
        Self { reason, of: None, said: None, cause: Some(cause), line: None }
    }

    fn of(refusal: &Refusal) -> Self {
        let (reason, of, said) = (refusal.reason.code(), Some(refusal.of), refusal.said.clone());
        Self { reason, of, said, cause: None, line: None }
    }
}

impl Circumstances {
    /// Of a command that was just judged.
    pub(crate) fn of(policy: &Policy, case: &Case, command: &Command<'_>) -> Self {
        let domains = case.greeting.transaction.as_ref().map(|open| &open.facts);
        let asks_lists = case.facts.read(&LISTINGS, Of::Case).is_some()
            || domains.is_some_and(|facts| facts.read(&DOMAIN_LISTINGS, Of::Case).is_some());
        Self {
            before: command.before,
            source_route: command.had_source_route,
            own_mailbox: command.forward_path.and_then(|path| match policy.relay.directory_mailbox(path) {
                Some(Cow::Owned(own)) => Some(own.to_string()),
                _ => None,
            }),
            place: command.place.clone(),
            lists: if asks_lists { policy.suspicion.lists.clone() } else { Vec::new() },
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
