//! Tells of a decision: the reply, the line of the log, and the record for those who follow are made here, of the same values.

use std::borrow::Cow;

use guard::record::Origin;
use guard::rule::{Action, Hit, HitOutcome, Mode};
use guard::{Command, Decided, ExplainId, Outcome, Part, Reason, Recipient, Record, Refusal, Verdict};
use smtp::reply::Reply;
use tracing::info;

use super::bench::Judge;
use super::case::Case;
use super::{facts, reply};

/// Tells of a decision, and gives the reply if it is a refusal. Of a recipient of ours that is taken there is nothing to tell
/// unless somebody follows.
pub(super) fn tell(judge: Judge<'_>, case: &Case, command: &Command<'_>, verdict: &Verdict) -> Option<Reply> {
    let refusal = verdict.outcome.refusal();
    let relayed = matches!(verdict.outcome, Outcome::Accept(Recipient::Relayed(..)));
    let records = &judge.sources.records;
    if refusal.is_none() && !relayed && command.hits().is_empty() && !records.is_followed() {
        return None;
    }
    let decided = Decided { policy: judge.policy, case: &case.guard, command, verdict };
    let told = Told { id: facts::explain_id(), case, decided };
    let reply = refusal.map(|refusal| reply::to(refusal, &told.subject(refusal), told.id));
    told.log(reply.as_ref());
    if records.is_followed() {
        let of = Origin { session: case.session.to_string(), listener: case.listener.to_string() };
        records.tell(Record::new(told.id, of, &decided));
    }
    reply
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
