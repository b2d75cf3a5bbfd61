//! Trying at once what the operator names, and saying what came of it.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use spool::{Filter, Listed, QueueId, RecipientState};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use crate::clock::unix_micros;
use crate::shared::Shared;
use crate::watched::Told;
use crate::way::{Way, way};

/// Messages looked at in one turn.
const PAGE: usize = 1_000;
/// What is told one by one; the rest is counted.
const TOLD_MAX: usize = 1_000;

/// What is to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One message.
    Message(QueueId),
    /// All recipients that go there: a domain, or a destination as the queue shows it (`smtp:HOST:PORT`).
    Destination(String),
    /// All that waits.
    All,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Retried {
    /// Messages that were made due.
    pub messages: usize,
    /// Messages that are held, and stay so.
    pub held: usize,
    /// What each attempt came to, as far as it ended within the time.
    pub told: Vec<Told>,
    /// Recipients whose attempt goes on, or has not begun.
    pub pending: usize,
}

/// Tries messages at once, as long as delivery is at work.
#[derive(Clone)]
pub struct Retrier(Weak<Shared>);

/// What is meant: messages with the recipients that wait.
#[derive(Default)]
struct Picked {
    recipients: Vec<(QueueId, Vec<usize>)>,
    held: usize,
}

impl Retrier {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Tries them, whatever back-off or rest they wait for, and waits for the outcome, for `patience` at most. `None`: there is no
    /// such message, or delivery has ended.
    pub async fn retry(&self, wanted: &Wanted, patience: Duration) -> Option<Retried> {
        let shared = self.0.upgrade()?;
        let mut told = shared.watched.listen();
        let picked = pick(&shared, wanted).await?;
        let mut pending: HashSet<(QueueId, usize)> =
            picked.recipients.iter().flat_map(|(id, all)| all.iter().map(move |n| (*id, *n))).collect();
        let messages = shared.spool.hasten(&picked.recipients, unix_micros());
        let mut retried = Retried { messages, held: picked.held, ..Retried::default() };
        let until = Instant::now() + patience;
        while !pending.is_empty() {
            let heard = tokio::select! {
                heard = tokio::time::timeout_at(until, told.recv()) => heard,
                () = shared.stopping() => break,
            };
            match heard {
                Ok(Ok(one)) if pending.remove(&(one.queue_id, one.recipient)) && retried.told.len() < TOLD_MAX => {
                    retried.told.push(one);
                }
                // Of what was missed it is not known: it counts as going on.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => {}
                Ok(Err(RecvError::Closed)) | Err(_) => break,
            }
        }
        retried.pending = pending.len();
        Some(retried)
    }
}

/// Finds what is meant, and ends the rests that it waits for.
async fn pick(shared: &Shared, wanted: &Wanted) -> Option<Picked> {
    let mut picked = Picked::default();
    if let Wanted::Message(id) = wanted {
        picked.take(shared, &shared.spool.show(*id).await?, wanted);
        return Some(picked);
    }
    let mut filter = Filter { limit: PAGE, ..Filter::default() };
    loop {
        let page = shared.spool.list(&filter).await;
        for listed in &page {
            picked.take(shared, listed, wanted);
        }
        filter.after = page.last().map(|listed| listed.id);
        if page.len() < PAGE {
            return Some(picked);
        }
    }
}

impl Picked {
    fn take(&mut self, shared: &Shared, listed: &Listed, wanted: &Wanted) {
        let meant = listed.recipients.iter().enumerate().filter(|(_, it)| {
            it.state == RecipientState::Waiting && wanted.means(&it.target.destination(), &it.forward_path)
        });
        let meant: Vec<usize> = meant.map(|(n, _)| n).collect();
        if meant.is_empty() {
            return;
        }
        if listed.hold.is_some() {
            self.held += 1;
            return;
        }
        for recipient in meant.iter().filter_map(|&n| listed.recipients.get(n)) {
            if let Way::Remote(destination) = way(&shared.config.route, &recipient.target) {
                shared.destinations.wake(&destination);
            }
        }
        self.recipients.push((listed.id, meant));
    }
}

impl Wanted {
    fn means(&self, destination: &str, forward_path: &str) -> bool {
        let Self::Destination(name) = self else { return true };
        let domain = forward_path.rsplit_once('@').map_or("", |(_, domain)| domain);
        let host = destination.split_once(':').map_or("", |(_, host)| host);
        [destination, host, domain].iter().any(|it| it.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_a_domain_or_what_the_queue_shows() {
        let means = |name: &str| Wanted::Destination(name.to_owned()).means("smtp:mail.inside:25", "a@Branch.example");
        for name in ["smtp:mail.inside:25", "mail.inside:25", "branch.example"] {
            assert!(means(name), "{name}");
        }
        for name in ["", "example", "a@branch.example", "mail.inside"] {
            assert!(!means(name), "{name}");
        }
        assert!(Wanted::All.means("maildir:a", "a@b"));
    }
}
