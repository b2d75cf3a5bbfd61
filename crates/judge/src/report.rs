//! Tells of a decision: the record is made here, and from it the reply, the line of the log, and what those get who follow.

use guard::record::Origin;
use guard::rule::{Action, Hit, HitOutcome, Mode};
use guard::{Command, Decided, Outcome, Part, Reason, Recipient, Record, Refusal, Verdict};
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
    let of = Origin { session: case.session.to_string(), listener: case.listener.to_string() };
    let decided = Decided { policy: judge.policy, case: &case.guard, command, verdict };
    let record = Record::new(facts::explain_id(), of, decided);
    let reply = refusal.map(|refusal| reply::to(refusal, &subject(refusal, &record), record.id));
    log(&record, reply.as_ref(), remedy(case, refusal));
    records.tell(record);
    reply
}

/// What the reply names.
fn subject(refusal: &Refusal, record: &Record) -> String {
    let named = match refusal.of {
        Part::Client | Part::Helo => record.client.map(|client| client.to_string()),
        Part::Sender => record.reverse_path.clone(),
        Part::Recipient => record.forward_path.clone(),
    };
    named.or_else(|| record.helo.clone()).unwrap_or_else(|| "unknown".to_owned())
}

/// What an operator does if the refusal is none that was meant: a mail server asks about a recipient that it does not say is
/// its own, such as one of a domain for which it is a backup.
fn remedy(case: &Case, refusal: Option<&Refusal>) -> Option<&'static str> {
    let asked = case.guard.is_asked_by_mail_server();
    let denied = refusal.is_some_and(|refusal| refusal.reason == Reason::RelayDenied);
    (asked && denied).then_some("if your mail server takes mail for this domain, name the domain in domains.relay")
}

/// One line for what a rule did that is only tried or only warns, and one for the decision.
fn log(record: &Record, reply: Option<&Reply>, remedy: Option<&str>) {
    for hit in record.rules.iter().filter(|hit| is_noted(hit)) {
        info!(
            session = record.of.session,
            client = record.client.map(tracing::field::display),
            stage = hit.part.code(),
            line = %hit.line,
            action = ?hit.outcome,
            "rule observed"
        );
    }
    match (reply, &record.refused, &record.right) {
        (Some(reply), Some(refused), _) => info!(
            session = record.of.session,
            listener = record.of.listener,
            client = record.client.map(tracing::field::display),
            helo = record.helo,
            login = record.login,
            device = record.device,
            stage = record.stage.code(),
            reverse_path = record.reverse_path.as_ref().map(tracing::field::debug),
            forward_path = record.forward_path.as_ref().map(tracing::field::debug),
            reply = %reply,
            reason = refused.reason.code(),
            explain = %record.id,
            trace = %record.trace,
            remedy,
            "refused"
        ),
        (_, _, Some(right)) => info!(
            session = record.of.session,
            client = record.client.map(tracing::field::display),
            login = record.login,
            device = record.device,
            reverse_path = record.reverse_path.as_ref().map(tracing::field::debug),
            forward_path = record.forward_path.as_ref().map(tracing::field::debug),
            right = right.code,
            line = right.line.as_ref().map(tracing::field::display),
            explain = %record.id,
            trace = %record.trace,
            "relayed"
        ),
        _ => {}
    }
}

fn is_noted(hit: &Hit) -> bool {
    hit.mode == Mode::Observe || matches!(hit.outcome, HitOutcome::Act(Action::Warn(_)))
}
