//! Tells of a decision: the reply, the line of the log, and the record for those who follow are made here, of the same values.
#![expect(clippy::similar_names, reason = "a case has a cause")]

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::time::SystemTime;

use guard::record::{Ended, MESSAGE_REFUSED, Origin, Refused, TurnedAway};
use guard::rule::{Action, Hit, HitOutcome, Mode};
use guard::{
    Command, ConfigLine, ConfirmedName, Decided, ExplainId, Outcome, Part, Reason, Recipient, Record, Refusal, Stage,
    Verdict,
};
use keep::tally::COUNTED;
use smtp::reply::Reply;
use tracing::info;

use super::bench::Judge;
use super::case::Case;
use super::offence::Client;
use super::records::Records;
use super::uses::{LastUse, RightKey};
use super::{facts, reply};

/// What was told.
#[derive(Default)]
pub(super) struct Telling {
    /// By which id; `None`: there was nothing to tell.
    pub(super) id: Option<ExplainId>,
    /// The reply, if it is a refusal.
    pub(super) reply: Option<Reply>,
}

/// Tells of a decision, and gives the reply if it is a refusal. Of a recipient of ours that is taken there is nothing to tell
/// unless somebody follows.
pub(super) fn tell(judge: Judge<'_>, case: &Case, command: Command<'_>, verdict: &Verdict) -> Telling {
    count(command.stage(), &verdict.outcome);
    let refusal = verdict.outcome.refusal();
    let relayed = matches!(verdict.outcome, Outcome::Accept(Recipient::Relayed(..)));
    let records = &judge.sources.records;
    let is_kept = records.is_followed() && is_kept(&command, refusal);
    if refusal.is_none() && !relayed && command.hits().is_empty() && !is_kept {
        return Telling::default();
    }
    let decided = Decided { policy: judge.policy, case: &case.guard, command: &command, verdict };
    let id = facts::explain_id();
    let told = Told { id, case, decided };
    let reply = refusal.map(|refusal| reply::to(refusal, &told.subject(refusal), id));
    told.note_use(judge);
    told.log(reply.as_ref());
    if is_kept {
        let of = Origin { session: case.session.to_string(), listener: Arc::clone(&case.listener) };
        let ended = Ended { policy: judge.policy, case: &case.guard, verdict };
        records.tell(Record::new(id, of, ended, command).told(reply.as_ref().map(ToString::to_string)));
    }
    Telling { id: Some(id), reply }
}

/// One record for each recipient, and one for whatever else is refused: that a connection or MAIL may go on is told by what
/// comes of its recipients.
fn is_kept(command: &Command<'_>, refusal: Option<&Refusal>) -> bool {
    refusal.is_some() || (command.stage() == Stage::Rcpt && !command.is_again())
}

/// By stage and outcome, and by reason where it is a refusal.
fn count(stage: Stage, outcome: &Outcome) {
    COUNTED.judged.one(stage as usize, outcome.number());
    if let Some(refusal) = outcome.refusal() {
        COUNTED.refused.one(stage as usize, refusal.reason as usize);
    }
}

/// A client that may not come in, or not send.
#[derive(Debug)]
pub struct SentAway<'a> {
    /// Who, and where.
    pub client: Client<'a>,
    /// `None`: it was sent away so often that this one has no record.
    pub id: Option<ExplainId>,
    /// At which stage.
    pub stage: Stage,
    /// Why.
    pub reason: Reason,
    /// What it is about.
    pub cause: String,
    /// The line of the configuration that says so.
    pub line: Option<ConfigLine>,
    /// What it was told.
    pub reply: String,
}

impl SentAway<'_> {
    /// Tells the log what the client was told, and makes the record of it.
    pub fn tell(self, records: &Records) {
        let Self { client, id, stage, reason, cause, line, reply } = self;
        COUNTED.refused.one(stage as usize, reason as usize);
        let (session, listener, explain) = (client.session, client.listener, id.map(tracing::field::display));
        let code = reason.code();
        info!(session = %session, listener, client = %client.addr, reply, reason = code, cause, explain, "turned away");
        let Some(id) = id else { return };
        let away = TurnedAway {
            at: SystemTime::now(),
            stage: stage.code(),
            client: Some(client.addr),
            login: None,
            reverse_path: None,
            forward_path: None,
            refused: Refused { line, ..Refused::because(code, cause) },
            is_temporary: reply.starts_with('4') || reply.contains("[SYS/TEMP]"),
            reply: Some(reply),
        };
        records.turned_away(id, Origin { session: session.to_string(), listener: listener.into() }, away);
    }
}

/// A refusal that no judgement of the guard came to: what is found out only where the mail is taken.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// Where.
    pub stage: Stage,
    /// The stable word.
    pub reason: &'static str,
    /// What it is about.
    pub cause: &'a str,
    /// The recipient, in its brackets.
    pub forward_path: &'a str,
    /// The reply, of recipient and id.
    pub reply: fn(&dyn Display, &dyn Display) -> Reply,
}

impl Judge<'_> {
    /// The reply of such a refusal, which is told to the log, and of which a record is made.
    pub fn refused_beside(&self, case: &Case, refusal: Beside<'_>) -> Reply {
        let id = facts::explain_id();
        let reply = self.refused_as(case, id, refusal);
        let Beside { stage, reason, forward_path, .. } = refusal;
        log_beside(case, id, &Said { stage, reason, forward_path: Some(forward_path), reply: &reply });
        reply
    }

    /// The same, under an id that is there already, and without a line in the log.
    pub(super) fn refused_as(&self, case: &Case, id: ExplainId, refusal: Beside<'_>) -> Reply {
        let Beside { stage, reason, cause, forward_path, reply } = refusal;
        let reply = reply(&forward_path, &id);
        let said = Said { stage, reason, forward_path: Some(forward_path), reply: &reply };
        self.keep_beside(case, id, said.away(case, cause));
        reply
    }

    /// The reply to a message that could not be taken, with the id of its record; that of a judgement has it already.
    pub fn message_refused(&self, case: &Case, reply: Reply) -> Reply {
        if reply.text().last().is_some_and(|line| line.ends_with(']')) {
            return reply;
        }
        let id = facts::explain_id();
        let reply = reply.explained(&id);
        let said = Said { stage: Stage::Message, reason: MESSAGE_REFUSED, forward_path: None, reply: &reply };
        log_beside(case, id, &said);
        self.keep_beside(case, id, said.away(case, ""));
        reply
    }

    fn keep_beside(&self, case: &Case, id: ExplainId, away: TurnedAway) {
        let of = Origin { session: case.session.to_string(), listener: Arc::clone(&case.listener) };
        self.sources.records.turned_away(id, of, away);
    }
}

/// A refusal beside the judgement, as it was said.
struct Said<'a> {
    stage: Stage,
    reason: &'static str,
    forward_path: Option<&'a str>,
    reply: &'a Reply,
}

impl Said<'_> {
    fn away(&self, case: &Case, cause: &str) -> TurnedAway {
        TurnedAway {
            at: SystemTime::now(),
            stage: self.stage.code(),
            client: case.client(),
            login: case.login().map(str::to_owned),
            reverse_path: case.reverse_path().map(ToString::to_string),
            forward_path: self.forward_path.map(str::to_owned),
            refused: Refused::because(self.reason, cause.to_owned()),
            is_temporary: self.reply.is_transient(),
            reply: Some(self.reply.to_string()),
        }
    }
}

fn log_beside(case: &Case, id: ExplainId, said: &Said<'_>) {
    info!(
        session = %case.session,
        listener = &*case.listener,
        client = case.client().map(tracing::field::display),
        stage = said.stage.code(),
        forward_path = said.forward_path.map(tracing::field::debug),
        reply = %said.reply,
        reason = said.reason,
        explain = %id,
        "refused"
    );
}

/// A decision that is told of.
struct Told<'t, 'c> {
    id: ExplainId,
    case: &'t Case,
    decided: Decided<'t, 'c>,
}

impl Told<'_, '_> {
    /// What the reply names.
    fn subject(&self, refusal: &Refusal) -> String {
        let named = match refusal.of {
            Part::Client | Part::Helo => self.case.client().map(|client| client.to_string()),
            Part::Sender => self.case.reverse_path().map(ToString::to_string),
            Part::Recipient => self.decided.command.forward_path().map(ToString::to_string),
        };
        named.or_else(|| self.decided.helo().map(str::to_owned)).unwrap_or_else(|| "unknown".to_owned())
    }

    /// What an operator does if the refusal is none that was meant: a stranger is one that he knows; or a mail server asks about
    /// a recipient that it does not say is its own, such as one of a domain for which it is a backup.
    fn remedy(&self) -> Option<Cow<'static, str>> {
        let reason = self.decided.verdict.outcome.refusal()?.reason;
        let asked = self.case.guard.is_asked_by_mail_server();
        match (reason, self.case.client()) {
            (Reason::RelayDenied, _) if asked => {
                Some("if your mail server takes mail for this domain, name the domain in domains.relay".into())
            }
            (Reason::Suspicious | Reason::Listed | Reason::Greylisted | Reason::HeloRefused, Some(client)) => {
                Some(format!("if you know this host: sekisho guard exempt {client}").into())
            }
            _ => None,
        }
    }

    /// That a right was used, for the audit.
    fn note_use(&self, judge: Judge<'_>) {
        let Some(right) = self.decided.right() else { return };
        let (client, name) = (self.case.client(), self.case.guard.client_name().map(ConfirmedName::domain));
        if let Some(key) = RightKey::of(right, &judge.policy.relay, client, name) {
            judge.sources.uses.note(key, LastUse::now(client));
        }
    }

    /// The rules by which a stranger was looked at and what each came to, `no-name:5 greylist`; empty where none held.
    fn rules(&self) -> Option<String> {
        let named = self.decided.command.hits().iter().filter_map(|hit| Some((hit.rule.as_deref()?, hit)));
        let told: Vec<String> = named
            .map(|(name, hit)| {
                let tried = if hit.mode == Mode::Observe { "?" } else { "" };
                match &hit.outcome {
                    HitOutcome::Weigh(weight) => format!("{name}:{weight}{tried}"),
                    HitOutcome::Act(_) => format!("{name}{tried}"),
                }
            })
            .collect();
        (!told.is_empty()).then(|| told.join(" "))
    }

    /// One line for what a rule did that is only tried or only warns, and one for the decision.
    fn log(&self, reply: Option<&Reply>) {
        let Self { id, case, decided } = self;
        let (session, client) = (case.session, case.client().map(tracing::field::display));
        for hit in decided.command.hits().iter().filter(|hit| is_noted(hit)) {
            info!(
                session = %session,
                client,
                stage = hit.part.code(),
                rule = hit.rule.as_deref(),
                line = %hit.line,
                action = %hit.outcome,
                "rule observed"
            );
        }
        let reverse_path = case.reverse_path().map(tracing::field::display);
        let forward_path = decided.command.forward_path().map(tracing::field::display);
        match (reply, decided.verdict.outcome.refusal(), decided.right()) {
            (Some(reply), Some(refusal), _) => info!(
                session = %session,
                listener = &*case.listener,
                client,
                helo = decided.helo(),
                login = decided.login(),
                device = decided.device(),
                stage = decided.command.stage().code(),
                reverse_path,
                forward_path,
                reply = %reply,
                reason = refusal.reason.code(),
                explain = %id,
                trace = %decided.command.trace(),
                rules = self.rules(),
                remedy = self.remedy().as_deref(),
                "refused"
            ),
            (_, _, Some(right)) => info!(
                session = %session,
                client,
                login = decided.login(),
                device = decided.device(),
                reverse_path,
                forward_path,
                right = right.code(),
                line = right.line().map(tracing::field::display),
                explain = %id,
                trace = %decided.command.trace(),
                "relayed"
            ),
            _ => {}
        }
    }
}

fn is_noted(hit: &Hit) -> bool {
    hit.mode == Mode::Observe || matches!(hit.outcome, HitOutcome::Act(Action::Warn(_)))
}
