//! The workers of a destination: each keeps one connection and carries what waits, message after message.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use smtp::client::{Path, RecipientFate, Report, Response, Stage, To, Transaction};
use smtp::{Notify, Ret};
use spool::{Envelope, Recipient};

use crate::classify::{Kind, Verdict};
use crate::clock::unix_micros;
use crate::conclude::conclude;
use crate::courier::{self, Unreached};
use crate::destination::{Queue, Queued, Resting};
use crate::dsn::header_of;
use crate::job::Part;
use crate::link::{Link, LinkError};
use crate::shared::Shared;

/// Hosts that are tried for one message when connections break under it.
const BREAKS_MAX: usize = 3;

/// Queues a part, or ends its attempt where that is no use.
pub(crate) async fn enqueue(shared: &Arc<Shared>, queue: Arc<Queue>, part: Part) {
    let limits = &shared.config.limits;
    match queue.push(part, workers_max(shared), parts_max(shared)) {
        Queued::Waits => {}
        Queued::WantsWorker => {
            shared.couriers.fetch_add(1, Ordering::Relaxed);
            shared.spawn(work(Arc::clone(shared), queue));
        }
        Queued::Full(part) => {
            let response = Response::local(451, [4, 4, 5], "too much mail waits for this destination");
            let verdict = Verdict { kind: Kind::Deferred { after: Some(limits.host_rest) }, ..busy(response) };
            conclude(shared, &part.ticket, part.all(&verdict)).await;
        }
        Queued::Rests(part, verdict, left) => {
            let verdict = Verdict { kind: Kind::Postponed { after: left }, ..*verdict };
            conclude(shared, &part.ticket, part.all(&verdict)).await;
        }
    }
}

/// A destination may have as many parts waiting as there are places left in flight: so one has half of them at most, two a
/// third each, and however many do not answer, places are left for the others.
fn parts_max(shared: &Shared) -> usize {
    shared.config.limits.in_flight_per_destination.min(shared.in_flight.available_permits().max(1))
}

/// Likewise half of the connections that are left, but the first, without which it would have none.
fn workers_max(shared: &Shared) -> usize {
    let left = shared.config.limits.connections.saturating_sub(shared.couriers.load(Ordering::Relaxed));
    shared.config.limits.connections_per_destination.min((left / 2).max(1))
}

fn busy(response: Response) -> Verdict {
    Verdict::deferred(&"none".into(), response)
}

/// An open connection with its part of all connections there may be.
struct Kept {
    link: Link,
    _slot: tokio::sync::OwnedSemaphorePermit,
}

/// Serves one destination over one connection at a time.
struct Worker<'a> {
    shared: &'a Arc<Shared>,
    queue: &'a Queue,
    /// Can be used again.
    kept: Option<Kept>,
}

/// One worker: until nothing waits and its connection was idle for long enough, or the service stops.
async fn work(shared: Arc<Shared>, queue: Arc<Queue>) {
    let alive = Alive { shared: &shared, queue: &queue, left: false };
    let mut worker = Worker { shared: &shared, queue: &queue, kept: None };
    while let Some(part) = worker.next().await {
        worker.carry(part).await;
    }
    alive.left();
    if let Some(kept) = worker.kept {
        kept.link.quit().await;
    }
}

/// Takes a worker out of the count, also when it panics: then what waits goes back to the spool.
struct Alive<'a> {
    shared: &'a Shared,
    queue: &'a Queue,
    left: bool,
}

impl Alive<'_> {
    fn left(mut self) {
        self.left = true;
    }
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        self.shared.couriers.fetch_sub(1, Ordering::Relaxed);
        if !self.left || self.shared.is_stopping() {
            drop(self.queue.lost_worker());
        }
    }
}

impl Worker<'_> {
    /// The next part; `None` when there is nothing more to do.
    async fn next(&mut self) -> Option<Part> {
        if self.shared.is_stopping() {
            return None;
        }
        if let Some(part) = self.queue.pop() {
            return Some(part);
        }
        if let Some(open) = &mut self.kept {
            tokio::select! {
                part = self.queue.wait(self.shared.config.limits.idle) => if part.is_some() { return part },
                () = open.link.until_spoken_to() => self.kept = None,
                () = self.shared.stopping() => return None,
            }
        }
        self.queue.leave()
    }

    /// Carries one part, in transactions of bounded size.
    async fn carry(&mut self, part: Part) {
        let envelope = &part.ticket.job.envelope;
        let needs_smtputf8 = needs_smtputf8(&part);
        for recipients in part.recipients.chunks(self.shared.config.limits.recipients_per_transaction.max(1)) {
            if part.ticket.job.is_withdrawn() {
                // Held or deleted while it waited for us: what is not settled goes back.
                return;
            }
            let Built { transaction, mut verdicts, sent } = match build(envelope, recipients, needs_smtputf8) {
                Ok(built) => built,
                Err(verdict) => {
                    let verdicts = recipients.iter().map(|&n| (n, verdict.clone())).collect();
                    conclude(self.shared, &part.ticket, verdicts).await;
                    continue;
                }
            };
            if !sent.is_empty() {
                let told = self.transact(&part, &transaction).await;
                verdicts.extend(sent.into_iter().zip(told));
            }
            conclude(self.shared, &part.ticket, verdicts).await;
        }
    }

    /// One transaction, on the kept connection or a new one; on another host if the connection breaks before the message
    /// was sent whole.
    async fn transact(&mut self, part: &Part, transaction: &Transaction) -> Vec<Verdict> {
        let mut tried: Vec<Arc<str>> = Vec::new();
        let mut told: Option<Vec<Verdict>> = None;
        for _ in 0..BREAKS_MAX {
            let fresh = self.kept.is_none();
            let mut open = match self.kept.take() {
                Some(open) => open,
                None => match self.connect(part, &tried).await {
                    Ok(open) => open,
                    Err(verdict) => return told.unwrap_or_else(|| vec![verdict; transaction.to.len()]),
                },
            };
            let (report, error) = open.link.deliver(transaction, &part.ticket.job.body).await;
            if let Some(error) = &error {
                tracing::debug!(queue_id = %part.ticket.job.id, relay = %open.link.relay, %error, "connection lost");
            }
            let broke = broke_early(&report);
            let in_clear = broke && error.as_ref().is_some_and(|error| self.blame_tls(&open.link, error));
            let reports = open.link.capabilities().dsn;
            let relay = Arc::clone(&open.link.relay);
            let verdicts = report.fates.into_iter().map(|fate| Verdict::of_fate(&relay, fate, reports)).collect();
            self.keep(open).await;
            if !broke {
                return verdicts;
            }
            // A kept connection may have been closed while it was idle: the same host is tried anew.
            if fresh && !in_clear {
                tried.push(relay);
            }
            told = Some(verdicts);
        }
        told.unwrap_or_default()
    }

    /// Opportunistic TLS that stalls or breaks under the message is done without, at the next try.
    fn blame_tls(&self, link: &Link, error: &LinkError) -> bool {
        let is_blamed = link.blames_tls(error);
        if is_blamed {
            self.shared.give_up_tls(&link.relay, error);
        }
        is_blamed
    }

    /// Keeps a connection for the next transaction, unless it has had its share.
    async fn keep(&mut self, open: Kept) {
        if open.link.is_open() && open.link.used < self.shared.config.limits.messages_per_connection {
            self.kept = Some(open);
        } else {
            open.link.quit().await;
        }
    }

    /// A new connection. Where there is none, all that waits for this destination shares the verdict.
    async fn connect(&self, part: &Part, tried: &[Arc<str>]) -> Result<Kept, Verdict> {
        let Ok(slot) = Arc::clone(&self.shared.connections).acquire_owned().await else {
            return Err(busy(Response::local(451, [4, 3, 2], "shutting down")));
        };
        match courier::open(self.shared, &self.queue.destination, tried).await {
            Ok(link) => {
                // Those that found no host there go now, and do not wait for their own time.
                let waiting = self.queue.reached();
                if !waiting.is_empty() {
                    let messages = self.shared.spool.hasten(&waiting, unix_micros());
                    tracing::info!(destination = ?self.queue.destination, messages, "destination recovered");
                }
                Ok(Kept { link, _slot: slot })
            }
            Err(unreached) => Err(self.share(part, unreached, tried).await),
        }
    }

    /// Ends the attempt of all that waits, where that is what the failure means; gives the verdict for the part at hand.
    async fn share(&self, part: &Part, unreached: Unreached, tried: &[Arc<str>]) -> Verdict {
        let mut verdict = unreached.verdict;
        let waiting = if unreached.rests && tried.is_empty() {
            self.queue.found_away(part);
            let Resting { parts, length } = self.queue.rest(&verdict, &self.shared.config.limits);
            tracing::info!(destination = ?self.queue.destination, rest_secs = length.as_secs(), reply = ?verdict.response.to_string(), "destination unreached");
            parts
        } else if verdict.kind == Kind::Failed {
            self.queue.drain()
        } else {
            Vec::new()
        };
        for part in waiting {
            conclude(self.shared, &part.ticket, part.all(&verdict)).await;
        }
        if matches!(verdict.kind, Kind::Deferred { .. }) {
            verdict.kind = Kind::Deferred { after: None };
        }
        verdict
    }
}

/// Whether nobody was decided upon because the connection ended before the message was whole.
fn broke_early(report: &Report) -> bool {
    report.fates.iter().all(|fate| match fate {
        RecipientFate::Unanswered(stage) => *stage != Stage::End,
        RecipientFate::Refused(stage, response) => response.code == 421 && *stage != Stage::End,
        RecipientFate::Accepted(_) => false,
    })
}

/// A transaction for some recipients of a message.
struct Built {
    transaction: Transaction,
    /// Of recipients that cannot be named in one.
    verdicts: Vec<(usize, Verdict)>,
    /// The recipients in it, in order.
    sent: Vec<usize>,
}

fn build(envelope: &Envelope, recipients: &[usize], needs_smtputf8: bool) -> Result<Built, Verdict> {
    let bad = |status, error: &smtp::client::BadPath| {
        Verdict::failed(&"none".into(), Response::local(553, status, error.to_string()))
    };
    let reverse_path = Path::new(&envelope.reverse_path).map_err(|error| bad([5, 1, 7], &error))?;
    let (mut to, mut verdicts, mut sent) = (Vec::new(), Vec::new(), Vec::new());
    for &n in recipients {
        let Some(recipient) = envelope.recipients.get(n) else { continue };
        match address(recipient) {
            Ok(one) => {
                to.push(one);
                sent.push(n);
            }
            Err(error) => verdicts.push((n, bad([5, 1, 3], &error))),
        }
    }
    let transaction = Transaction {
        reverse_path,
        to,
        octets: envelope.message_octets,
        eight_bit: envelope.eight_bit,
        needs_smtputf8,
        ret: envelope.ret.map(|ret| match ret {
            spool::Ret::Full => Ret::Full,
            spool::Ret::Headers => Ret::Headers,
        }),
        envid: envelope.envid.as_ref().map(|envid| smtp::xtext::encode(envid.as_bytes())),
    };
    Ok(Built { transaction, verdicts, sent })
}

fn address(recipient: &Recipient) -> Result<To, smtp::client::BadPath> {
    let (path, notify) = (Path::new(&recipient.forward_path)?, Notify::from_bits(recipient.notify));
    Ok(To { path, notify, orcpt: recipient.orcpt.clone() })
}

/// Asked for is not needed: a message whose addresses and header are ASCII may go to a host without SMTPUTF8.
fn needs_smtputf8(part: &Part) -> bool {
    let job = &part.ticket.job;
    let path = |n: &usize| job.envelope.recipients.get(*n).is_some_and(|one| !one.forward_path.is_ascii());
    if !job.envelope.reverse_path.is_ascii() || part.recipients.iter().any(path) {
        return true;
    }
    // The header of a large message is not looked at: it is what was asked for.
    job.envelope.smtputf8 && job.body.bytes().is_none_or(|octets| !header_of(octets).is_ascii())
}
