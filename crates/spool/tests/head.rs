//! The head of a mail stands apart from its body until the mail is committed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use common::*;
use spool::{AcceptError, Incoming, Spool};

/// Where the body is while it comes in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kept {
    InMemory,
    WrittenThrough,
}

async fn coming(spool: &Spool, body: &[u8], kept: Kept) -> Incoming {
    let mut incoming = spool.incoming();
    if kept == Kept::WrittenThrough {
        incoming.write_through();
    }
    incoming.head_mut().extend_from_slice(b"Subject: first\r\n");
    for piece in body.chunks(3_000) {
        incoming.write(piece.to_vec()).await.unwrap();
    }
    incoming
}

#[tokio::test]
async fn a_head_may_change_until_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let head = b"Authentication-Results: here\r\nSubject: second\r\n";
    let mut expected = Vec::new();
    for kept in [Kept::InMemory, Kept::WrittenThrough] {
        for length in [0, 1, 7_000, 8_150, 8_192, 50_000] {
            let body = octets(length, usize::try_from(length).unwrap());
            let mut incoming = coming(&spool, &body, kept).await;
            assert_eq!(incoming.octets(), length + 16);
            *incoming.head_mut() = head.to_vec();
            assert_eq!(incoming.octets(), length + head.len() as u64);
            let id = incoming.commit(envelope("a@b", &["x@y"]), b"\r\n".to_vec()).await.unwrap();
            expected.push((id, [&head[..], &body, b"\r\n"].concat()));
        }
    }
    let jobs = take_all(&spool, ARRIVED).await;
    assert_eq!(contents(&jobs).await, expected, "from memory");
    drop(jobs);
    spool.close().await;
    drop(spool);
    let (spool, recovery) = open(dir.path());
    assert_eq!((recovery.messages, recovery.missing_bodies.len(), recovery.orphans), (expected.len(), 0, 0));
    assert_eq!(contents(&take_all(&spool, ARRIVED).await).await, expected, "from disk");
}

#[tokio::test]
async fn the_head_of_a_large_mail_moves_with_its_record() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let body = octets(1, 9_000);
    let id = coming(&spool, &body, Kept::InMemory).await.commit(envelope("a@b", &["x@y"]), Vec::new()).await.unwrap();
    for job in take_all(&spool, ARRIVED).await {
        job.settle(vec![(0, deferred("busy"))]);
    }
    // Enough dead weight that the oldest segment is cleared.
    let first = segments(dir.path()).remove(0);
    for n in 0..120 {
        accept(&spool, "filler", &octets(n, 8_000)).await;
        spool.try_next(ARRIVED).await.unwrap().settle(vec![(0, delivered())]);
    }
    spool.close().await;
    drop(spool);
    assert!(!first.exists(), "its record was copied forward");
    let (spool, _) = open(dir.path());
    let jobs = take_all(&spool, ARRIVED + 6 * MINUTE).await;
    assert_eq!(contents(&jobs).await, [(id, [&b"Subject: first\r\n"[..], &body].concat())]);
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let mut incoming = spool.incoming();
    incoming.head_mut().resize((1 << 20) + 1, b'a');
    let refused = incoming.commit(envelope("a@b", &["x@y"]), Vec::new()).await.unwrap_err();
    assert!(matches!(refused, AcceptError::Envelope(_)), "{refused}");
    let mut incoming = spool.incoming();
    incoming.head_mut().resize(1 << 20, b'a');
    incoming.commit(envelope("a@b", &["x@y"]), Vec::new()).await.unwrap();
    assert_eq!(take_all(&spool, ARRIVED).await[0].body.len(), 1 << 20);
}

async fn contents(jobs: &[spool::Job]) -> Vec<(spool::QueueId, Vec<u8>)> {
    let mut all = Vec::new();
    for job in jobs {
        all.push((job.id, content(job).await));
    }
    all
}
