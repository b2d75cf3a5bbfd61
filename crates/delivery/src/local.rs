//! Final delivery into Maildirs, many messages to one sync. The sink of `demo` is one of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maildir::{Attempt, DeliverError, Delivered, DeliveryKey, Order, Quota};
use smtp::client::Response;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::classify::{Kind, Verdict};
use crate::clock::unix_micros;
use crate::conclude::conclude;
use crate::config::{Mailbox, OverQuota};
use crate::job::Ticket;
use crate::shared::Shared;
use crate::writers::Writers;

/// Mail pours in as long as the last was accepted so lately.
const POURING: Duration = Duration::from_millis(10);
/// Longest rest after a batch.
const REST_MAX: Duration = Duration::from_millis(500);
/// Mail that has waited so long is put away at full speed, whatever pours in.
const LAG_MAX: Duration = Duration::from_secs(5);

/// One recipient whose way ends here.
#[derive(Debug)]
pub(crate) struct LocalPart {
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) recipient: usize,
    pub(crate) target: LocalTarget,
}

/// Where it goes.
#[derive(Debug)]
pub(crate) enum LocalTarget {
    /// The mailbox of a login.
    Account(String),
    /// A Maildir for everybody.
    Sink(PathBuf),
}

/// What writes into Maildirs.
struct Means {
    shared: Arc<Shared>,
    delivery: Arc<maildir::Delivery>,
    writers: Writers,
}

/// Gathers what comes into batches until the channel closes. Every batch begun is finished.
pub(crate) async fn run(shared: Arc<Shared>, mut parts: mpsc::Receiver<LocalPart>) {
    let limits = &shared.config.limits;
    let slots = Arc::new(Semaphore::new(limits.local_batches.max(1)));
    let means = Arc::new(Means {
        shared: Arc::clone(&shared),
        delivery: Arc::new(maildir::Delivery::new(&shared.config.hostname)),
        writers: Writers::start(limits.local_batches.max(1)),
    });
    let mut batches = JoinSet::new();
    loop {
        // The slot comes first: while all are taken the next batch grows.
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let mut batch = Vec::new();
        if parts.recv_many(&mut batch, limits.local_batch.max(1)).await == 0 {
            break;
        }
        let means = Arc::clone(&means);
        batches.spawn(async move {
            let begun = Instant::now();
            let oldest = batch.iter().map(|part| part.ticket.job.envelope.arrived_at_unix_micros).min();
            deliver(&means, batch).await;
            stand_back(&means.shared, begun.elapsed(), oldest.unwrap_or_default()).await;
            drop(slot);
        });
        while batches.try_join_next().is_some() {}
    }
    while batches.join_next().await.is_some() {}
}

/// While mail pours in, accepting it goes before putting it away: the disk's journal and the processors are left to it for
/// four fifths of the time, unless the mail has waited long already.
async fn stand_back(shared: &Shared, worked: Duration, oldest_unix_micros: u64) {
    let until = Instant::now() + (worked * 4).min(REST_MAX);
    let waited = || Duration::from_micros(unix_micros().saturating_sub(oldest_unix_micros));
    while Instant::now() < until && shared.spool.idle_for() < POURING && waited() < LAG_MAX {
        tokio::time::sleep(POURING / 2).await;
    }
}

/// A part with its mailbox found.
struct Addressed {
    part: LocalPart,
    mailbox: Mailbox,
}

async fn deliver(means: &Means, batch: Vec<LocalPart>) {
    let shared = &means.shared;
    let mut addressed = Vec::with_capacity(batch.len());
    let mut concluded = Vec::new();
    // What is not settled goes back: held, or deleted, while it waited for us.
    for part in batch.into_iter().filter(|part| !part.ticket.job.is_withdrawn()) {
        match find(shared, &part.target).await {
            Ok(mailbox) => addressed.push(Addressed { part, mailbox }),
            Err(verdict) => concluded.push((part, verdict)),
        }
    }
    let (writer, delivery) = (Arc::clone(shared), Arc::clone(&means.delivery));
    // Where the work panics its parts die with it: the leases end, and the spool hands the mail out again.
    let written = means.writers.run(move || write_all(&writer, &delivery, addressed)).await;
    concluded.extend(written.unwrap_or_default());
    let mut rest = concluded.into_iter().peekable();
    while let Some((part, verdict)) = rest.next() {
        let mut verdicts = vec![(part.recipient, verdict)];
        while let Some((next, verdict)) = rest.next_if(|(next, _)| Arc::ptr_eq(&next.ticket, &part.ticket)) {
            verdicts.push((next.recipient, verdict));
        }
        conclude(shared, &part.ticket, verdicts).await;
    }
}

async fn find(shared: &Shared, target: &LocalTarget) -> Result<Mailbox, Verdict> {
    let login = match target {
        LocalTarget::Sink(path) => return Ok(Mailbox { path: path.clone(), quota: Quota::NONE }),
        LocalTarget::Account(login) => login,
    };
    match (shared.lookups.mailbox)(login).await {
        Ok(Some(mailbox)) => Ok(mailbox),
        Ok(None) => Err(Verdict::failed(&relay(), Response::local(550, [5, 1, 1], "the account was deleted"))),
        Err(why) => Err(Verdict::deferred(&relay(), Response::local(451, [4, 3, 0], why.to_string()))),
    }
}

fn relay() -> Arc<str> {
    "maildir".into()
}

fn write_all(shared: &Shared, delivery: &maildir::Delivery, batch: Vec<Addressed>) -> Vec<(LocalPart, Verdict)> {
    let (mut tmps, mut written, mut concluded) = (Vec::new(), Vec::new(), Vec::new());
    for one in batch {
        match write(shared, delivery, &one) {
            Ok(tmp) => {
                tmps.push(tmp);
                written.push(one.part);
            }
            Err(error) => concluded.push((one.part, verdict(shared, Err(error)))),
        }
    }
    let results = delivery.commit(tmps).into_iter().map(|result| verdict(shared, result));
    concluded.extend(written.into_iter().zip(results));
    concluded
}

fn write(shared: &Shared, delivery: &maildir::Delivery, one: &Addressed) -> Result<maildir::Tmp, DeliverError> {
    let job = &one.part.ticket.job;
    let queue_id = job.id.to_string();
    let head = head(job, one.part.recipient);
    // A message from before this process may have been in flight when the last one was killed.
    let known = job.attempt > 1 || job.envelope.arrived_at_unix_micros < shared.started_unix_micros;
    let order = Order {
        maildir: Path::new(&one.mailbox.path),
        key: DeliveryKey {
            queue_id: &queue_id,
            recipient: one.part.recipient,
            arrived_at_unix_micros: job.envelope.arrived_at_unix_micros,
        },
        attempt: if known { Attempt::Again } else { Attempt::First },
        quota: one.mailbox.quota,
        head: head.as_bytes(),
    };
    match delivery.write(&order, &mut job.body.reader()) {
        // A new account's, or one of a restored directory: made here, since only these threads may wait for such a disk.
        Err(DeliverError::Missing { maildir }) => {
            maildir::create(&maildir).map_err(|source| DeliverError::Io { path: maildir, op: "making", source })?;
            delivery.write(&order, &mut job.body.reader())
        }
        written => written,
    }
}

/// The trace fields of final delivery (RFC 5321 §4.4).
fn head(job: &spool::Job, recipient: usize) -> String {
    let mut head = String::with_capacity(128);
    let _ = write!(head, "Return-Path: <{}>\r\n", job.envelope.reverse_path);
    if let Some(recipient) = job.envelope.recipients.get(recipient) {
        let _ = write!(head, "Delivered-To: {}\r\n", recipient.forward_path);
    }
    head
}

fn verdict(shared: &Shared, result: Result<Delivered, DeliverError>) -> Verdict {
    let error = match result {
        Ok(delivered) => return delivered_as(delivered),
        Err(error) => error,
    };
    let text = error.to_string();
    let permanent = shared.config.over_quota == OverQuota::Fail;
    match error {
        // The path of a mailbox is nobody's business but the operator's.
        DeliverError::OverQuota { .. } if permanent => {
            Verdict::failed(&relay(), Response::local(552, [5, 2, 2], "the mailbox is full"))
        }
        DeliverError::OverQuota { .. } => {
            Verdict::deferred(&relay(), Response::local(452, [4, 2, 2], "the mailbox is full"))
        }
        DeliverError::Full { .. } => {
            tracing::error!(%text, note = "local mail waits", "disk full");
            Verdict { kind: Kind::Deferred { after: Some(FULL_RETRY) }, ..trouble([4, 3, 1], "disk full") }
        }
        DeliverError::Missing { .. } | DeliverError::Source(_) | DeliverError::Io { .. } => {
            tracing::error!(error = %causes(&error), note = "the mail waits", "delivery failed");
            trouble([4, 3, 0], "the mailbox cannot be written")
        }
    }
}

/// A full disk is looked at again after this.
const FULL_RETRY: Duration = Duration::from_mins(1);

fn trouble(status: [u16; 3], text: &str) -> Verdict {
    Verdict::deferred(&relay(), Response::local(451, status, text))
}

fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

fn delivered_as(delivered: Delivered) -> Verdict {
    let note = match delivered {
        Delivered::Now { file_name } => file_name,
        Delivered::Before => "delivered before".into(),
    };
    Verdict { relay: relay(), response: Response::local(250, [2, 0, 0], note), kind: Kind::Delivered }
}
