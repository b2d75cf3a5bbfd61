//! What the spool's tests share.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spool::{
    Envelope, Job, Origin, Outcome, Ownership, QueueId, Recipient, Recovery, Sender, Spool, SpoolConfig, Target,
};

pub(crate) const SECOND: u64 = 1_000_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
/// When the mails of the tests arrive.
pub(crate) const ARRIVED: u64 = 1_800_000_000 * SECOND;

pub(crate) fn small_config(dir: &Path) -> SpoolConfig {
    SpoolConfig { segment_octets: 64 << 10, inline_octets: 8 << 10, free_octets_min: 0, ..SpoolConfig::new(dir) }
}

pub(crate) fn open(dir: &Path) -> (Arc<Spool>, Recovery) {
    Spool::open(small_config(dir)).unwrap()
}

pub(crate) fn envelope(reverse_path: &str, forward_paths: &[&str]) -> Envelope {
    let recipient = |forward_path: &&str| Recipient {
        forward_path: (*forward_path).to_owned(),
        target: Target::Maildir { account: (*forward_path).to_owned() },
        notify: 0,
        orcpt: None,
        via: None,
    };
    Envelope {
        reverse_path: reverse_path.to_owned(),
        recipients: forward_paths.iter().map(recipient).collect(),
        origin: Origin::Outside,
        arrived_at_unix_micros: ARRIVED,
        session: "s1".to_owned(),
        smtputf8: false,
        eight_bit: true,
        envid: None,
        ret: None,
        message_octets: 0,
    }
}

/// Somebody with a right to send.
pub(crate) fn sender(login: Option<&str>, grant: &str) -> Sender {
    Sender {
        login: login.map(str::to_owned),
        account_id: None,
        grant: grant.to_owned(),
        client: None,
        reverse_path: Ownership::Proved,
    }
}

pub(crate) async fn accept(spool: &Spool, name: &str, body: &[u8]) -> QueueId {
    let mut incoming = spool.incoming();
    let (first, last) = body.split_at(body.len() / 2);
    incoming.write(first.to_vec()).await.unwrap();
    incoming.commit(envelope(name, &["bob@example.test"]), last.to_vec()).await.unwrap()
}

pub(crate) fn delivered() -> Outcome {
    Outcome::Delivered { note: String::new() }
}

pub(crate) fn deferred(reason: &str) -> Outcome {
    Outcome::Deferred { reason: reason.to_owned(), retry_hint: None }
}

pub(crate) async fn content(job: &Job) -> Vec<u8> {
    let mut all = Vec::new();
    let mut chunks = job.body.chunks();
    while let Some(chunk) = chunks.next().await.unwrap() {
        all.extend_from_slice(&chunk);
    }
    all
}

/// Everything due at `now`, leased.
pub(crate) async fn take_all(spool: &Spool, now: u64) -> Vec<Job> {
    let mut jobs = Vec::new();
    while let Some(job) = spool.try_next(now).await {
        jobs.push(job);
    }
    jobs
}

/// Octets that are the same for the same seed.
pub(crate) fn octets(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

/// The segments of a spool, oldest first.
pub(crate) fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("segments")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
