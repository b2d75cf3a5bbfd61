//! Asks the next hop of a relay domain whether it has a recipient, before mail for it is taken. Only our own next hops are
//! asked, never the hosts of senders: who asks strangers becomes a nuisance himself.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use keep::BoundedMap;
use smtp::Notify;
use smtp::client::{Path, RecipientFate, Response, Stage, To, Transaction};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::classify::is_no_recipient;
use crate::courier;
use crate::destination::Destination;
use crate::shared::Shared;

/// Questions on their way: mail goes before them.
const ASKED_AT_ONCE: usize = 20;
/// How long one may take in all.
const WAIT: Duration = Duration::from_secs(3);
/// How long a hop is left alone that did not answer, and how many of such are known.
const REST: Duration = Duration::from_secs(30);
const RESTING_MAX: usize = 1_000;

/// What a next hop says of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopSays {
    /// It takes mail for it.
    Has,
    /// It has no such mailbox.
    HasNot,
    /// Nothing that tells: it did not answer in time, put the question off, or refuses whoever asks.
    Nothing,
}

/// Asks next hops.
#[derive(Clone)]
pub struct Asker {
    /// Gone at the end: then nobody is asked any more.
    shared: Weak<Shared>,
    places: Arc<Semaphore>,
    resting: Arc<Mutex<BoundedMap<String, Instant>>>,
}

impl Asker {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::downgrade(shared),
            places: Arc::new(Semaphore::new(ASKED_AT_ONCE)),
            resting: Arc::new(Mutex::new(BoundedMap::new(RESTING_MAX))),
        }
    }

    /// Asks `server`, `host:port`, for a forward-path.
    pub async fn ask(&self, server: &str, forward_path: &str) -> HopSays {
        let Some(shared) = self.shared.upgrade().filter(|shared| !shared.is_stopping()) else {
            return HopSays::Nothing;
        };
        let Some(transaction) = question(forward_path).filter(|_| !self.rests(server)) else { return HopSays::Nothing };
        let Ok(_place) = self.places.try_acquire() else { return HopSays::Nothing };
        let answered = tokio::time::timeout(WAIT, answer(&shared, server, &transaction)).await;
        if let Ok(Some(fate)) = answered {
            return says(&fate);
        }
        self.set_resting(server);
        HopSays::Nothing
    }

    fn rests(&self, server: &str) -> bool {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.get_mut(server).is_some_and(|until| *until > Instant::now())
    }

    fn set_resting(&self, server: &str) {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.insert(server.to_owned(), Instant::now() + REST);
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
fn says(fate: &RecipientFate) -> HopSays {
    let is_plain_no = |response: &Response| response.enhanced.is_none() && matches!(response.code, 550 | 551 | 553);
    match fate {
        RecipientFate::Accepted(_) => HopSays::Has,
        RecipientFate::Refused(stage, response)
            if is_no_recipient(*stage, response) || (*stage == Stage::Rcpt && is_plain_no(response)) =>
        {
            HopSays::HasNot
        }
        RecipientFate::Refused(..) | RecipientFate::Unanswered(_) => HopSays::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_word_about_the_mailbox_tells() {
        let said = |code, enhanced| Response { code, enhanced, text: "x".into() };
        let refused = |stage, code, enhanced| RecipientFate::Refused(stage, said(code, enhanced));
        for (fate, says_so) in [
            (RecipientFate::Accepted(said(250, None)), HopSays::Has),
            (refused(Stage::Rcpt, 550, Some([5, 1, 1])), HopSays::HasNot),
            (refused(Stage::Rcpt, 550, None), HopSays::HasNot),
            (refused(Stage::Rcpt, 550, Some([5, 7, 1])), HopSays::Nothing),
            (refused(Stage::Rcpt, 450, Some([4, 2, 1])), HopSays::Nothing),
            (refused(Stage::Rcpt, 554, None), HopSays::Nothing),
            (refused(Stage::Mail, 550, None), HopSays::Nothing),
            (RecipientFate::Unanswered(Stage::Rcpt), HopSays::Nothing),
        ] {
            assert_eq!(says(&fate), says_so, "{fate:?}");
        }
    }
}
