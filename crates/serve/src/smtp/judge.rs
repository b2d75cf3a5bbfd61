//! MAIL, RCPT and messages that are there: asks the judge, by the configuration in force at that moment, and turns what it says
//! into answers. Who is not who he was is told so, and the session ends.

use std::sync::Arc;
use std::time::Duration;

use guard::{Arrived, AskedRcpt, Fact, Manners, Outcome, Reason, Recipient, Right, Stage};
use smtp::replies;
use smtp::reply::Reply;
use smtp::server::{Accepted, Answer, Envelope, Mail, Rcpt};
use tracing::info;

use super::answers::Answers;
use super::message::ABOVE_OCTETS;
use super::transaction::{Proof, Transaction};
use crate::away::Answered;
use crate::door::Door;
use judge::{Judge, Terms, offence};

/// How long a client waits for each answer that tells it nothing: it has tried too many recipients.
const GUESSED_WAIT: Duration = Duration::from_secs(1);

impl Answers {
    /// A transaction begins.
    pub(super) async fn judge_mail(&mut self, mail: Mail) -> Answer<Proof> {
        let Mail { reverse_path, params } = mail;
        if let Some(away) = self.turned_away().await {
            return Answer::RefuseAndClose(away);
        }
        self.case.begin(reverse_path, params.size);
        let terms = self.terms();
        let refused = judge(&self.client, &terms).mail(&mut self.case).await.refused;
        if let Some(end) = self.login_ended() {
            return end;
        }
        match refused {
            None => {
                let (smtputf8, declared_octets) = (params.smtputf8, params.size);
                self.transaction = Some(Box::new(Transaction { smtputf8, declared_octets, ..Transaction::default() }));
                Answer::Proceed
            }
            Some(reply) => {
                self.case.end_transaction();
                Answer::Refuse(reply)
            }
        }
    }

    /// Who has not logged in may be banned meanwhile, or there is no room any more.
    async fn turned_away(&mut self) -> Option<Reply> {
        let (ip, is_proved) = (self.ip(), self.case.proved().is_some());
        let site = self.client.border.site.load_full();
        let door = Door { border: &self.client.border, site: &site, listener: &self.client.listener };
        let shed = door.shed();
        let percent = u8::try_from(shed.percent.min(100)).unwrap_or(100);
        self.case.noted(Manners::Load { percent });
        if is_proved {
            return None;
        }
        match door.may_send(ip, shed).await {
            Ok(()) => None,
            Err(away) => {
                let records = &self.client.border.sources.records;
                let id = records.id_for(Some(ip));
                let reply = away.reply(id);
                let listener = &*self.client.listener.settings.name;
                let client = offence::Client { session: self.client.session, listener, addr: ip };
                away.told(client, Stage::Mail, Answered { id, reply: reply.to_string() }).tell(records);
                Some(reply)
            }
        }
    }

    /// One recipient.
    pub(super) async fn judge_rcpt(&mut self, rcpt: Rcpt) -> Answer<Proof> {
        if self.transaction.is_none() {
            return Answer::Refuse(replies::mail_first());
        }
        let asked = AskedRcpt { forward_path: &rcpt.forward_path, had_source_route: rcpt.had_source_route };
        let terms = self.terms();
        let decision = judge(&self.client, &terms).rcpt(&mut self.case, asked).await;
        if let Some(end) = self.login_ended() {
            return end;
        }
        match (decision.outcome, decision.refused) {
            (Outcome::Accept(recipient), _) => {
                let mut places = decision.places;
                match self.admit(&recipient).await {
                    Ok(more) => places.join(more),
                    Err(reply) => return Answer::Refuse(reply),
                }
                let Some(transaction) = &mut self.transaction else { return Answer::Refuse(replies::mail_first()) };
                transaction.accepted(&recipient);
                if let Recipient::Relayed(_, grant) = &recipient
                    && matches!(grant.right(), Right::Network(_) | Right::ClientMap(_))
                {
                    self.client.listed.relays_by_configuration();
                }
                Answer::Recipient(Proof { recipient, places, explain: decision.explain })
            }
            (outcome, Some(reply)) => {
                if outcome.refusal().is_some_and(|refusal| refusal.reason == Reason::TooManyUnknown) {
                    tokio::time::sleep(GUESSED_WAIT).await;
                }
                Answer::Refuse(reply)
            }
            // Our own server is always told who may be relayed to.
            (_, None) => Answer::Refuse(replies::internal_fault()),
        }
    }

    /// Asks once more when the message is here, `octets` long: whether it has room, and whether everything that its recipients
    /// were taken by still holds. One that lost its right refuses the whole message.
    pub(super) async fn judge_message(&mut self, envelope: &Envelope<Proof>, octets: u64) -> Result<(), Reply> {
        self.confirm(envelope).await?;
        let only = match &*envelope.recipients {
            [Accepted { proof: Proof { recipient: Recipient::Hosted(hosted), .. }, .. }] => Some(hosted),
            _ => None,
        };
        let arrived = Arrived { octets, ours_octets: ABOVE_OCTETS as u64, only };
        let terms = self.terms();
        judge(&self.client, &terms).message(&mut self.case, arrived).await.refused.map_or(Ok(()), Err)
    }

    /// Whether the login still is what it was, and each recipient outside may still be relayed to.
    async fn confirm(&mut self, envelope: &Envelope<Proof>) -> Result<(), Reply> {
        if let Some(proved) = self.case.proved() {
            match proved.still(&self.client.border.sources, Some(self.ip())).await {
                Fact::Known(Ok(_)) => {}
                Fact::Known(Err(_)) => return Err(replies::login_ended()),
                Fact::Unknown(_) => return Err(replies::right_unknown()),
            }
        }
        let terms = self.terms();
        for accepted in &envelope.recipients {
            if let Recipient::Relayed(path, _) = &accepted.proof.recipient {
                let asked = AskedRcpt { forward_path: path, had_source_route: false };
                let decision = judge(&self.client, &terms).confirm(&mut self.case, asked).await;
                decision.refused.map_or(Ok(()), Err)?;
            }
        }
        Ok(())
    }

    /// What is judged by now: a reload counts for open sessions, too.
    pub(super) fn terms(&self) -> Arc<Terms> {
        Arc::clone(&self.client.border.site.load().terms)
    }

    /// The last word to a client whose login has ended.
    fn login_ended(&mut self) -> Option<Answer<Proof>> {
        let why = self.case.login_ended()?;
        self.case.end_transaction();
        info!(session = %self.client.session, client = %self.ip(), login = self.login(), %why, "login ended");
        self.client.listed.cut().say(why.code());
        Some(Answer::RefuseAndClose(replies::session_cut()))
    }
}

pub(super) fn judge<'a>(client: &'a crate::border::Client, terms: &'a Terms) -> Judge<'a> {
    Judge { sources: &client.border.sources, terms, policy: &terms.policy }
}

impl Transaction {
    fn accepted(&mut self, recipient: &Recipient) {
        if self.recipients == 0 {
            self.first_recipient = recipient.path().mailbox().map(ToString::to_string);
        }
        self.recipients += 1;
        self.relays |= matches!(recipient, Recipient::Relayed(..));
    }
}
