//! Asks the next hop of a relay domain whether it has a recipient, before mail for it is taken. Only our own next hops are
//! asked, never the hosts of senders: who asks strangers becomes a nuisance himself.

use std::sync::{Arc, Weak};
use std::time::Duration;

use smtp::Notify;
use smtp::client::{Path, RecipientFate, Response, Stage, To, Transaction};
use tokio::sync::Semaphore;

use crate::classify::is_no_recipient;
use crate::courier;
use crate::destination::Destination;
use crate::names::Names;
use crate::shared::Shared;

/// Questions on their way: mail goes before them.
const ASKED_AT_ONCE: usize = 20;
/// How long one may take in all.
const WAIT: Duration = Duration::from_secs(3);
/// How long a hop is left alone that did not answer, and how many of such are known.
const REST: Duration = Duration::from_secs(30);
const RESTING_MAX: usize = 1_000;

/// Asks next hops.
#[derive(Clone)]
pub struct Asker {
    /// Gone at the end: then nobody is asked any more.
    shared: Weak<Shared>,
    places: Arc<Semaphore>,
    resting: Arc<Names>,
}

impl Asker {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            places: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            resting: Arc::new(Names::new(RESTING_MAX)),
        }
    }

    /// Asks `server`, `host:port`, whether it has a recipient, by its forward-path. `None`: it does not tell: it did not answer in
    /// time, put the question off, or refuses whoever asks.
    pub async fn ask(&self, server: &str, forward_path: &str) -> Option<bool> {
        let shared = self.shared.upgrade().filter(|shared| !shared.is_stopping())?;
        let transaction = question(forward_path).filter(|_| !self.resting.has(server))?;
        let _place = self.places.try_acquire().ok()?;
        let answered = tokio::time::timeout(WAIT, answer(&shared, server, &transaction)).await;
        if let Ok(Some(fate)) = answered {
            return tells(&fate);
        }
        self.resting.remember(server, REST);
        None
    }
}

/// `None`: there is no answer.
async fn answer(shared: &Arc<Shared>, server: &str, transaction: &Transaction) -> Option<RecipientFate> {
    let destination = Destination::NextHop(server.to_owned());
    let mut link = courier::open(shared, &destination, &[]).await.ok()?;
    let answered = link.ask(transaction).await.ok()?;
    shared.spawn(link.quit());
    answered.fates.into_iter().next()
}

/// From nobody, so that nothing comes back and no rule about senders answers. `None`: it cannot be put.
fn question(forward_path: &str) -> Option<Transaction> {
    let to = To { path: Path::new(forward_path).ok()?, notify: Notify::DEFAULT, orcpt: None };
    Some(Transaction {
        reverse_path: Path::new("").ok()?,
        to: vec![to],
        octets: 0,
        eight_bit: false,
        needs_smtputf8: !forward_path.is_ascii(),
        ret: None,
        envid: None,
    })
}

/// A server without enhanced status codes says no more than 550: to a question from nobody, by its own border, that is the mailbox.
fn tells(fate: &RecipientFate) -> Option<bool> {
    let is_plain_no = |response: &Response| response.enhanced.is_none() && matches!(response.code, 550 | 551 | 553);
    match fate {
        RecipientFate::Accepted(_) => Some(true),
        RecipientFate::Refused(Stage::Rcpt, response)
            if is_no_recipient(Stage::Rcpt, response) || is_plain_no(response) =>
        {
            Some(false)
        }
        RecipientFate::Refused(..) | RecipientFate::Unanswered(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_about_the_mailbox_tells() {
        let said = |code, enhanced| Response { code, enhanced, text: "x".into() };
        let refused = |stage, code, enhanced| RecipientFate::Refused(stage, said(code, enhanced));
        for (fate, told) in [
            (RecipientFate::Accepted(said(250, None)), Some(true)),
            (refused(Stage::Rcpt, 550, Some([5, 1, 1])), Some(false)),
            (refused(Stage::Rcpt, 550, None), Some(false)),
            (refused(Stage::Rcpt, 550, Some([5, 7, 1])), None),
            (refused(Stage::Rcpt, 450, Some([4, 2, 1])), None),
            (refused(Stage::Rcpt, 554, None), None),
            (refused(Stage::Mail, 550, None), None),
            (RecipientFate::Unanswered(Stage::Rcpt), None),
        ] {
            assert_eq!(tells(&fate), told, "{fate:?}");
        }
    }
}
