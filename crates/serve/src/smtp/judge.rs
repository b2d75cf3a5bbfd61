//! MAIL, RCPT and messages that are there: asks the judge, and turns what it says into answers.

use guard::{Arrived, AskedRcpt, Outcome, Recipient};
use smtp::replies;
use smtp::reply::Reply;
use smtp::server::{Accepted, Answer, Envelope, Mail, Rcpt};

use super::answers::Answers;
use super::message::ABOVE_OCTETS;
use super::transaction::{Proof, Transaction};
use judge::Judge;

impl Answers {
    /// A transaction begins.
    pub(super) async fn judge_mail(&mut self, mail: Mail) -> Answer<Proof> {
        let Mail { reverse_path, params } = mail;
        self.case.begin(reverse_path, params.size);
        match judge(&self.client).mail(&mut self.case).await.refused {
            None => {
                self.transaction = Some(Box::new(Transaction { smtputf8: params.smtputf8, ..Transaction::default() }));
                Answer::Proceed
            }
            Some(reply) => {
                self.case.end_transaction();
                Answer::Refuse(reply)
            }
        }
    }

    /// One recipient.
    pub(super) async fn judge_rcpt(&mut self, rcpt: Rcpt) -> Answer<Proof> {
        let Some(transaction) = &mut self.transaction else { return Answer::Refuse(replies::mail_first()) };
        let asked = AskedRcpt { forward_path: &rcpt.forward_path, had_source_route: rcpt.had_source_route };
        let decision = judge(&self.client).rcpt(&mut self.case, asked).await;
        match (decision.outcome, decision.refused) {
            (Outcome::Accept(recipient), _) => {
                transaction.accepted(&recipient);
                Answer::Recipient(Proof { recipient, places: decision.places })
            }
            (_, Some(reply)) => Answer::Refuse(reply),
            // Our own server is always told who may be relayed to.
            (_, None) => Answer::Refuse(replies::internal_fault()),
        }
    }

    /// Asks once more when the message is here, `octets` long.
    pub(super) async fn judge_message(&mut self, envelope: &Envelope<Proof>, octets: u64) -> Result<(), Reply> {
        let only = match &*envelope.recipients {
            [Accepted { proof: Proof { recipient: Recipient::Hosted(hosted), .. }, .. }] => Some(hosted),
            _ => None,
        };
        let arrived = Arrived { octets, ours_octets: ABOVE_OCTETS as u64, only };
        judge(&self.client).message(&mut self.case, arrived).await.refused.map_or(Ok(()), Err)
    }
}

fn judge(client: &crate::border::Client) -> Judge<'_> {
    let terms = &client.site.terms;
    Judge { sources: &client.border.sources, terms, policy: &terms.policy }
}

impl Transaction {
    fn accepted(&mut self, recipient: &Recipient) {
        if self.recipients == 0 {
            self.first_recipient = recipient.path().mailbox().map(ToString::to_string);
        }
        self.recipients += 1;
    }
}
