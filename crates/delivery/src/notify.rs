//! Puts a delivery status notification into the spool, on its way to the sender.

use std::io::Read as _;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use spool::{Body, Envelope, Job, Origin, Recipient, Ret};

use crate::classify::{self, Verdict};
use crate::clock::unix_micros;
use crate::config::Unavailable;
use crate::dsn::{Action, Entry, Notice, Original, header_of};
use crate::fate::Bracketed;
use crate::shared::Shared;

/// Most octets of a header that go back.
const HEADER_OCTETS: u64 = 32 * 1024;

/// Why the sender will not hear of it. A failure is then not settled as one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotifyError {
    #[error("the way to the sender is unknown: {0}")]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Accept(#[from] spool::AcceptError),
    #[error("the message could not be read")]
    Body(#[source] std::io::Error),
}

/// What one notice tells: the same of each of these recipients.
#[derive(Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) action: Action,
    pub(crate) verdicts: &'a [(usize, &'a Verdict)],
}

/// Queues one notice.
pub(crate) async fn send(shared: &Shared, job: &Job, news: News<'_>) -> Result<(), NotifyError> {
    let action = news.action;
    let sender = &job.envelope.reverse_path;
    let targets = (shared.lookups.targets)(sender).await?;
    if targets.is_empty() {
        tracing::info!(queue_id = %job.id, reverse_path = ?Bracketed(sender), note = "the sender does not exist", "notification dropped");
        return Ok(());
    }
    let whole = action == Action::Failed
        && job.envelope.ret != Some(Ret::Headers)
        && job.body.len() <= shared.config.limits.returned_octets as u64;
    let octets = read(job.body.clone(), if whole { u64::MAX } else { HEADER_OCTETS }).await?;
    let original = if whole { Original::Message(&octets) } else { Original::Header(header_of(&octets)) };
    let message = build(shared, job, news, original);
    let envelope = envelope(job, targets, message.len());
    let incoming = shared.spool.incoming();
    let id = incoming.commit(envelope, message).await?;
    tracing::info!(queue_id = %job.id, notice = %id, reverse_path = ?Bracketed(sender), action = ?action, "sender notified");
    Ok(())
}

fn build(shared: &Shared, job: &Job, news: News<'_>, original: Original<'_>) -> Vec<u8> {
    let entries = news.verdicts.iter().map(|&(recipient, verdict)| {
        let recipient = job.envelope.recipients.get(recipient);
        Entry {
            forward_path: recipient.map_or("", |recipient| &recipient.forward_path),
            orcpt: recipient.and_then(|recipient| recipient.orcpt.as_deref()),
            action: news.action,
            status: status_of(news.action, verdict),
            reply: &verdict.response,
            relay: &verdict.relay,
        }
    });
    let entries: Vec<Entry<'_>> = entries.collect();
    let now = unix_micros();
    Notice {
        hostname: &shared.config.hostname,
        id: &format!("{}.{now}", job.id),
        envelope: &job.envelope,
        arrived: &zoned(job.envelope.arrived_at_unix_micros),
        now: &zoned(now),
        entries: &entries,
        original,
    }
    .build()
}

/// A deferral that is given up keeps its status, but of class 5 it is not: RFC 3463 has 4.4.7 for the expired.
fn status_of(action: Action, verdict: &Verdict) -> [u16; 3] {
    let status = classify::status(&verdict.response);
    if action == Action::Failed && status[0] == 4 { [5, 4, 7] } else { status }
}

fn envelope(job: &Job, targets: Vec<spool::Target>, octets: usize) -> Envelope {
    let recipient = |target| Recipient {
        forward_path: job.envelope.reverse_path.clone(),
        target,
        notify: crate::dsn::notify::NEVER,
        orcpt: None,
        via: None,
    };
    Envelope {
        reverse_path: String::new(),
        recipients: targets.into_iter().map(recipient).collect(),
        origin: Origin::Bounce,
        arrived_at_unix_micros: unix_micros(),
        session: job.envelope.session.clone(),
        smtputf8: !job.envelope.reverse_path.is_ascii(),
        eight_bit: true,
        envid: None,
        ret: None,
        message_octets: octets as u64,
    }
}

async fn read(body: Body, octets_max: u64) -> Result<Vec<u8>, NotifyError> {
    if let Some(octets) = body.bytes() {
        let end = octets.len().min(usize::try_from(octets_max).unwrap_or(usize::MAX));
        return Ok(octets[..end].to_vec());
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut octets = Vec::new();
        body.reader().take(octets_max).read_to_end(&mut octets).map(|_| octets)
    });
    read.await.map_err(|error| NotifyError::Body(std::io::Error::other(error)))?.map_err(NotifyError::Body)
}

fn zoned(unix_micros: u64) -> Zoned {
    let timestamp = i64::try_from(unix_micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    timestamp.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system())
}
