//! MAIL and RCPT: gathers the facts that the guard asks for, and turns its refusals into replies.
//!
//! Decides nothing: `guard::judge_mail` and `guard::judge_rcpt` do.

use std::time::SystemTime;

use guard::{
    Fact, MailFacts, MailJudgement, Need, RcptFacts, RcptJudgement, Reason, Recipient, Refusal, Right, Trace,
    judge_mail, judge_rcpt,
};
use smtp::reply::Reply;
use smtp::server::{Answer, Mail, Rcpt};
use smtp::{ForwardPath, ReversePath, replies};
use tracing::info;

use super::talk::{Talk, Transaction};
use crate::lookup;
use crate::serve::auth::Proved;

/// Facts asked for one command; the guard needs fewer, so reaching it is a fault of ours.
const NEEDS_MAX: usize = 8;

impl Talk {
    /// A transaction begins.
    pub(super) async fn judge_mail(&mut self, mail: Mail) -> Answer<Recipient> {
        let mut trace = Trace::new();
        let device = self.proved.as_deref().map(Proved::device_facts);
        let mut facts = MailFacts {
            client_ip: self.ip,
            listener: &self.client.listener.settings.name,
            login: self.proved.as_deref().zip(device.as_ref()).map(|(proved, device)| proved.attest(device)),
            reverse_path: &mail.reverse_path,
            reverse_path_owners: None,
        };
        let mut judgement = judge_mail(&facts, &mut trace);
        if judgement == MailJudgement::Need(Need::Owners) {
            facts.reverse_path_owners = Some(lookup::owners(&self.client.border.directory, &mail.reverse_path).await);
            judgement = judge_mail(&facts, &mut trace);
        }
        let owners = facts.reverse_path_owners.take();
        match judgement {
            MailJudgement::Accept => {
                self.transaction = Some(Box::new(Transaction::new(mail, owners, trace)));
                Answer::Proceed
            }
            MailJudgement::Refuse(refusal) => self.refuse_mail(refusal, &mail.reverse_path, &trace),
            // Only the owners are asked at MAIL, and they were told.
            MailJudgement::Need(_) => self.refuse_mail(Reason::AuthorityUnavailable.into(), &mail.reverse_path, &trace),
        }
    }

    /// One recipient.
    pub(super) async fn judge_rcpt(&mut self, rcpt: Rcpt) -> Answer<Recipient> {
        let Some(mut transaction) = self.transaction.take() else {
            return Answer::Refuse(replies::mail_first());
        };
        let judgement = self.judge(&rcpt, &mut transaction).await;
        let judgement = self.within_device_limit(judgement, &mut transaction);
        let answer = match judgement {
            RcptJudgement::Accept(Recipient::Hosted(hosted)) if self.is_full(&hosted, transaction.declared).await => {
                Answer::Refuse(self.refuse_rcpt(Reason::MailboxFull.into(), &rcpt.forward_path, &transaction))
            }
            RcptJudgement::Accept(recipient) => {
                transaction.accepted(&recipient);
                if let Recipient::Relayed(_, grant) = &recipient {
                    self.log_relayed(grant.right(), &rcpt, &transaction);
                }
                Answer::Recipient(recipient)
            }
            RcptJudgement::Refuse(refusal) => {
                Answer::Refuse(self.refuse_rcpt(refusal, &rcpt.forward_path, &transaction))
            }
            // More needs than the guard has: a fault of ours, and so no.
            RcptJudgement::Need(_) => {
                let unknown = Reason::AuthorityUnavailable.into();
                Answer::Refuse(self.refuse_rcpt(unknown, &rcpt.forward_path, &transaction))
            }
        };
        self.transaction = Some(transaction);
        answer
    }

    async fn judge(&self, rcpt: &Rcpt, transaction: &mut Transaction) -> RcptJudgement {
        let Transaction { reverse_path, owners, pop_recipients, trace, .. } = transaction;
        let device = self.proved.as_deref().map(Proved::device_facts);
        let mail = MailFacts {
            client_ip: self.ip,
            listener: &self.client.listener.settings.name,
            login: self.proved.as_deref().zip(device.as_ref()).map(|(proved, device)| proved.attest(device)),
            reverse_path,
            reverse_path_owners: owners.clone(),
        };
        let mut facts = RcptFacts::new(&mail, &rcpt.forward_path, SystemTime::now());
        facts.had_source_route = rcpt.had_source_route;
        facts.pop_recipients_before = *pop_recipients;
        let policy = &self.client.site.policy;
        for _ in 0..NEEDS_MAX {
            match judge_rcpt(policy, &facts, trace) {
                RcptJudgement::Need(need) => self.gather(need, &mut facts).await,
                decided => {
                    *owners = facts.reverse_path_owners.take();
                    return decided;
                }
            }
        }
        RcptJudgement::Refuse(Reason::AuthorityUnavailable.into())
    }

    /// Looks one fact up; a look-up that fails or is late is *unknown*.
    async fn gather(&self, need: Need, facts: &mut RcptFacts<'_>) {
        let border = &self.client.border;
        match need {
            Need::Hosting => {
                let mailbox = self.client.site.policy.directory_mailbox(facts.forward_path);
                facts.hosting = match mailbox {
                    Some(mailbox) => Some(lookup::hosting(&border.directory, &self.client.site, &mailbox).await),
                    None => Some(Fact::Known(guard::Hosting::NotHosted)),
                };
            }
            Need::Owners => {
                facts.reverse_path_owners = Some(lookup::owners(&border.directory, facts.reverse_path).await);
            }
            Need::ClientName => facts.client_name = Some(border.resolver.confirmed_name(self.ip).await),
            Need::PopEvidence(addr) => facts.pop = Some(lookup::pop_evidence(&border.state, addr, facts.now).await),
            Need::Charge(key) => {
                let pop = &self.client.site.settings.relay.pop;
                facts.charge = Some(lookup::charge(&border.state, &key, (pop, facts.now)).await);
            }
        }
    }

    /// Every right to relay that was used can be found, with the way to it. Mail to our own mailboxes has no such line.
    fn log_relayed(&self, right: &Right, rcpt: &Rcpt, transaction: &Transaction) {
        info!(
            session = %self.client.session,
            client = %self.ip,
            login = self.proved.as_ref().map(|proved| proved.login.as_str()).or(right.login()),
            reverse_path = ?transaction.reverse_path.to_string(),
            forward_path = ?rcpt.forward_path.to_string(),
            right = right.code(),
            line = right.line().map(tracing::field::display),
            trace = %transaction.trace,
            "relayed"
        );
    }

    fn refuse_mail(&self, refusal: Refusal, reverse_path: &ReversePath, trace: &Trace) -> Answer<Recipient> {
        let id = lookup::explain_id();
        let reply = refusal_reply(refusal.reason, &reverse_path, id);
        info!(
            session = %self.client.session,
            client = %self.ip,
            login = self.proved.as_ref().map(|proved| proved.login.as_str()),
            reverse_path = ?reverse_path.to_string(),
            reply = %reply,
            reason = refusal.reason.code(),
            explain = %id,
            trace = %trace,
            "mail refused"
        );
        Answer::Refuse(reply)
    }

    /// The reply to a recipient that is refused, at RCPT or at the end of the message.
    pub(super) fn refuse_rcpt(&self, refusal: Refusal, forward_path: &ForwardPath, transaction: &Transaction) -> Reply {
        let id = lookup::explain_id();
        let reply = refusal_reply(refusal.reason, forward_path, id);
        info!(
            session = %self.client.session,
            client = %self.ip,
            login = self.proved.as_ref().map(|proved| proved.login.as_str()),
            reverse_path = ?transaction.reverse_path.to_string(),
            forward_path = ?forward_path.to_string(),
            reply = %reply,
            reason = refusal.reason.code(),
            explain = %id,
            trace = %transaction.trace,
            "recipient refused"
        );
        reply
    }
}

impl Transaction {
    fn new(mail: Mail, owners: Option<Fact<Vec<String>>>, trace: Trace) -> Self {
        let Mail { reverse_path, params } = mail;
        Self {
            reverse_path,
            declared: params.size,
            smtputf8: params.smtputf8,
            owners,
            pop_recipients: 0,
            device_charged: false,
            recipients: (None, 0),
            arriving: None,
            trace,
        }
    }

    fn accepted(&mut self, recipient: &Recipient) {
        let by_pop =
            matches!(recipient, Recipient::Relayed(_, grant) if matches!(grant.right(), guard::Right::Pop { .. }));
        self.pop_recipients += u32::from(by_pop);
        if self.recipients.1 == 0 {
            self.recipients.0 = recipient.path().mailbox().map(ToString::to_string);
        }
        self.recipients.1 += 1;
    }
}

/// The reply to a refusal: codes and words stand in `smtp::replies`.
fn refusal_reply(reason: Reason, path: &dyn std::fmt::Display, id: guard::ExplainId) -> Reply {
    match reason {
        Reason::RelayDenied | Reason::SenderNotGranted | Reason::NullSenderNotGranted | Reason::LiteralRefused => {
            replies::relay_denied(path, &id)
        }
        Reason::UnknownUser => replies::unknown_user(path, &id),
        Reason::SenderNotYours => replies::sender_not_yours(path, &id),
        Reason::AuthorityUnavailable => replies::authority_unavailable(path, &id),
        Reason::GrantExhausted => replies::grant_exhausted(path, &id),
        Reason::RoutingRefused => replies::routing_refused(path, &id),
        Reason::RecipientOutOfScope => replies::recipient_out_of_scope(path, &id),
        Reason::MailboxFull => replies::mailbox_full(path, &id),
    }
}
