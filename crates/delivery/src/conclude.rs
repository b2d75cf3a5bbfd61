//! The end of an attempt: outcome, notice, log line.

use std::time::Duration;

use keep::tally::COUNTED;
use smtp::client::Response;
use spool::{Envelope, Job, Origin, Outcome, Target};

use crate::classify::{Kind, Verdict};
use crate::clock::unix_micros;
use crate::dsn::{self, Action};
use crate::fate::{Bracketed, Fate, FateKind, way_number};
use crate::job::Ticket;
use crate::notify::{self, News};
use crate::shared::Shared;
use crate::watched::Told;

/// What one verdict leads to for one message.
struct Decision {
    recipient: usize,
    verdict: Verdict,
    fate: FateKind,
    action: Option<Action>,
    /// The sender must hear of the failure, and could not be told yet.
    untold: bool,
}

/// Ends the attempt for these recipients: notices first, so that nothing is settled as failed that nobody hears of.
pub(crate) async fn conclude(shared: &Shared, ticket: &Ticket, verdicts: Vec<(usize, Verdict)>) {
    let mut decisions: Vec<Decision> =
        verdicts.into_iter().map(|(recipient, verdict)| decide(shared, &ticket.job, recipient, verdict)).collect();
    for action in [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed] {
        let told: Vec<(usize, &Verdict)> = decisions
            .iter()
            .filter(|decision| decision.action == Some(action))
            .map(|decision| (decision.recipient, &decision.verdict))
            .collect();
        if told.is_empty() {
            continue;
        }
        if let Err(error) = notify::send(shared, &ticket.job, News { action, verdicts: &told }).await {
            tracing::warn!(queue_id = %ticket.job.id, %error, action = ?action, "notification failed");
            if action == Action::Failed {
                decisions.iter_mut().filter(|decision| decision.action == Some(action)).for_each(|decision| {
                    decision.fate = FateKind::Deferred;
                    decision.untold = true;
                });
            }
        }
    }
    let outcomes = decisions.iter().map(|decision| (decision.recipient, outcome(decision))).collect();
    ticket.job.settle(outcomes);
    // What was not tried has no news.
    let is_news = |it: &&Decision| it.fate != FateKind::Deferred || !matches!(it.verdict.kind, Kind::Postponed { .. });
    for decision in decisions.iter().filter(is_news) {
        tell(shared, &ticket.job, decision);
    }
}

fn decide(shared: &Shared, job: &Job, recipient: usize, verdict: Verdict) -> Decision {
    let asked = job.envelope.recipients.get(recipient).map_or(0, |recipient| recipient.notify);
    let may_tell = dsn::may_tell(&job.envelope);
    let (fate, action) = match verdict.kind {
        Kind::Delivered => (FateKind::Delivered, Some(Action::Delivered)),
        Kind::Relayed { reports: true } => (FateKind::Delivered, None),
        Kind::Relayed { reports: false } => (FateKind::Delivered, Some(Action::Relayed)),
        Kind::Deferred { .. } | Kind::Postponed { .. } if !job.last_attempt => {
            (FateKind::Deferred, (may_tell && shared.is_notice_due(job, recipient)).then_some(Action::Delayed))
        }
        Kind::Deferred { .. } | Kind::Postponed { .. } | Kind::Failed | Kind::NoRecipient => {
            (failure(&job.envelope), Some(Action::Failed))
        }
    };
    let action = action.filter(|action| may_tell && action.is_wanted(asked));
    Decision { recipient, verdict, fate, action, untold: false }
}

/// Of mail whose reverse-path nobody proved, nobody is told: the operator decides. Without a reverse-path nobody wants to
/// know.
fn failure(envelope: &Envelope) -> FateKind {
    match &envelope.origin {
        Origin::Account(_) if dsn::may_tell(envelope) => FateKind::Bounced,
        Origin::Account(_) if !envelope.reverse_path.is_empty() => FateKind::Held,
        Origin::Outside => FateKind::Held,
        Origin::Account(_) | Origin::Bounce => FateKind::Dropped,
    }
}

fn outcome(decision: &Decision) -> Outcome {
    let reply = || reply(&decision.verdict);
    match (decision.fate, decision.verdict.kind) {
        (FateKind::Delivered, _) => Outcome::Delivered { note: decision.verdict.relay.to_string() },
        (FateKind::Deferred, _) if decision.untold => Outcome::Kept { reason: reply() },
        (FateKind::Deferred, Kind::Deferred { after }) => Outcome::Deferred { reason: reply(), retry_hint: after },
        (FateKind::Deferred, Kind::Postponed { after }) => Outcome::Postponed { reason: reply(), after },
        (FateKind::Deferred, _) => Outcome::Deferred { reason: reply(), retry_hint: None },
        (FateKind::Held, _) => Outcome::Held { reason: reply() },
        (FateKind::Bounced | FateKind::Dropped, _) => Outcome::Failed { reply: reply() },
    }
}

fn reply(verdict: &Verdict) -> String {
    format!("{}: {}", verdict.relay, verdict.response)
}

fn tell(shared: &Shared, job: &Job, decision: &Decision) {
    let Some(recipient) = job.envelope.recipients.get(decision.recipient) else { return };
    let age = unix_micros().saturating_sub(job.envelope.arrived_at_unix_micros);
    if decision.fate == FateKind::Dropped {
        tracing::info!(queue_id = %job.id, forward_path = ?Bracketed(&recipient.forward_path), reply = ?self::reply(&decision.verdict),
            note = "undeliverable, and nobody to be told", "mail dropped");
    }
    let response: &Response = &decision.verdict.response;
    // A mailbox here has no words of its own.
    let is_far = !matches!(recipient.target, Target::Maildir { .. });
    let reply_class = is_far.then_some(response.code / 100);
    COUNTED.fates.one(way_number(&recipient.target), decision.fate as usize);
    if let Some(class) = reply_class {
        COUNTED.replies.one(class.into());
    }
    let reply = response.to_string();
    shared.watched.tell(|| Told {
        queue_id: job.id,
        recipient: decision.recipient,
        forward_path: recipient.forward_path.clone(),
        kind: decision.fate,
        relay: decision.verdict.relay.to_string(),
        reply: reply.clone(),
    });
    (shared.on_fate)(&Fate {
        queue_id: job.id,
        session: &job.envelope.session,
        reverse_path: &job.envelope.reverse_path,
        forward_path: &recipient.forward_path,
        to: match &recipient.target {
            Target::Maildir { account } => account,
            Target::Remote { .. } | Target::Lmtp { .. } | Target::NextHop { .. } => &recipient.forward_path,
        },
        given: recipient.via.as_ref().map_or(&recipient.forward_path, |via| &via.given),
        alias: recipient.via.as_ref().map(|via| &*via.alias),
        origin: &job.envelope.origin,
        kind: decision.fate,
        reply_class,
        refuser: match (decision.verdict.kind, &recipient.target) {
            (Kind::NoRecipient, Target::NextHop { server }) => Some(server),
            _ => None,
        },
        relay: &decision.verdict.relay,
        reply: &reply,
        delay: Duration::from_micros(age),
    });
}

impl Shared {
    /// Once, when the message is older than the notice and not twice as old: what is older had its notice.
    fn is_notice_due(&self, job: &Job, recipient: usize) -> bool {
        let notice = self.config.limits.delay_notice;
        job.age >= notice && job.age < notice * 2 && self.told.first(job.id, recipient)
    }
}
