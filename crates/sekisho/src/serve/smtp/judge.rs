//! MAIL, RCPT, and mailboxes that are full: asks the judge, and turns what it says into replies.

use guard::{Reason, Recipient};
use smtp::replies;
use smtp::reply::Reply;
use smtp::server::{Accepted, Answer, Envelope, Mail, Rcpt};

use super::message::ABOVE_OCTETS;
use super::talk::{Talk, Transaction};
use crate::judge::{AskedRcpt, Ledger, Party};

impl Talk {
    /// As the judge sees this session.
    fn party<'a>(&'a self, helo: Option<&'a str>) -> Party<'a> {
        Party {
            sources: &self.client.border.sources,
            terms: &self.client.site.terms,
            policy: &self.client.site.terms.policy,
            ip: self.ip,
            listener: &self.client.listener.settings.name,
            session: self.client.session,
            helo,
            proved: self.proved.as_deref(),
        }
    }

    fn greeting_name(&self) -> Option<String> {
        // Only rules want it as text.
        (!self.client.site.terms.tables.is_empty())
            .then(|| self.helo.as_ref().map(|helo| helo.host.to_string()))
            .flatten()
    }

    /// A transaction begins.
    pub(super) async fn judge_mail(&mut self, mail: Mail) -> Answer<Recipient> {
        let mut ledger = Ledger::default();
        let party = self.party(None);
        match party.mail(&mail.reverse_path, &mut ledger).await {
            Ok(()) => {
                self.transaction = Some(Box::new(Transaction::new(mail, ledger)));
                Answer::Proceed
            }
            Err(refused) => Answer::Refuse(party.refuse_mail(&refused, &mail.reverse_path, &ledger.trace)),
        }
    }

    /// One recipient.
    pub(super) async fn judge_rcpt(&mut self, rcpt: Rcpt) -> Answer<Recipient> {
        let Some(mut transaction) = self.transaction.take() else {
            return Answer::Refuse(replies::mail_first());
        };
        let answer = match self.judged(&rcpt, &mut transaction).await {
            Ok(recipient) => {
                transaction.accepted(&recipient);
                Answer::Recipient(recipient)
            }
            Err(reply) => Answer::Refuse(reply),
        };
        self.transaction = Some(transaction);
        answer
    }

    async fn judged(&self, rcpt: &Rcpt, transaction: &mut Transaction) -> Result<Recipient, Reply> {
        let helo = self.greeting_name();
        let party = self.party(helo.as_deref());
        let reverse_path = transaction.reverse_path.clone();
        let asked = AskedRcpt {
            reverse_path: &reverse_path,
            forward_path: &rcpt.forward_path,
            had_source_route: rcpt.had_source_route,
        };
        // The judge undoes what rules ask for with a recipient that it refuses; this one may be refused for its mailbox.
        let before = transaction.ledger.effects.clone();
        let refused = match party.rcpt(asked, &mut transaction.ledger).await {
            Ok(Recipient::Hosted(hosted)) if party.is_full(&hosted, transaction.declared).await => {
                Reason::MailboxFull.into()
            }
            Ok(recipient) => {
                if let Recipient::Relayed(_, grant) = &recipient {
                    party.log_relayed(grant.right(), asked, &transaction.ledger.trace);
                }
                return Ok(recipient);
            }
            Err(refused) => refused,
        };
        transaction.ledger.effects = before;
        Err(party.refuse_rcpt(&refused, asked, &transaction.ledger.trace))
    }

    /// Asks for room again once the message is here, `octets` long: a client that told no size, or a smaller one, learns only
    /// now that it does not fit. With several recipients the one reply would speak for all: there delivery decides for each.
    pub(super) async fn fits(
        &self,
        envelope: &Envelope<Recipient>,
        transaction: &Transaction,
        octets: u64,
    ) -> Result<(), Reply> {
        let [Accepted { proof: Recipient::Hosted(hosted), .. }] = &*envelope.recipients else { return Ok(()) };
        let told = transaction.declared.is_some_and(|declared| octets <= declared.saturating_add(ABOVE_OCTETS as u64));
        let party = self.party(None);
        if told || !party.is_full(hosted, Some(octets)).await {
            return Ok(());
        }
        let (reverse_path, forward_path) = (&transaction.reverse_path, hosted.path());
        let asked = AskedRcpt { reverse_path, forward_path, had_source_route: false };
        Err(party.refuse_rcpt(&Reason::MailboxFull.into(), asked, &transaction.ledger.trace))
    }
}

impl Transaction {
    fn new(mail: Mail, ledger: Ledger) -> Self {
        let Mail { reverse_path, params } = mail;
        Self {
            reverse_path,
            declared: params.size,
            smtputf8: params.smtputf8,
            ledger,
            first_recipient: None,
            recipients: 0,
            arriving: None,
        }
    }

    fn accepted(&mut self, recipient: &Recipient) {
        if self.recipients == 0 {
            self.first_recipient = recipient.path().mailbox().map(ToString::to_string);
        }
        self.recipients += 1;
    }
}
