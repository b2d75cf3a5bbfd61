//! A copy of a queue that is in use: all that was acknowledged before is in it, held, and nothing goes out of it by itself.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use spool::{Copied, Filter, Piece, QueueId, RESTORED, Spool};

/// A copy in a folder.
fn copy(spool: &Spool, to: &Path) -> Copied {
    for folder in ["segments", "large"] {
        fs::create_dir_all(to.join(folder)).unwrap();
    }
    let copied = spool.copy(|piece| match piece {
        Piece::Segment { name, octets } => fs::write(to.join(name), octets),
        Piece::Large { name, mut file, octets } => {
            let mut all = Vec::new();
            file.read_to_end(&mut all)?;
            assert_eq!(all.len() as u64, octets);
            fs::write(to.join(name), all)
        }
    });
    copied.unwrap()
}

async fn copied(spool: &Arc<Spool>, to: &Path) -> Copied {
    let (spool, to) = (Arc::clone(spool), to.to_owned());
    tokio::task::spawn_blocking(move || copy(&spool, &to)).await.unwrap()
}

async fn body(spool: &Spool, id: QueueId) -> Vec<u8> {
    let mut all = Vec::new();
    spool.read(id).await.unwrap().1.reader().read_to_end(&mut all).unwrap();
    all
}

#[tokio::test]
async fn a_copy_has_what_waits_and_holds_it() {
    let (dir, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (spool, _) = open(dir.path());
    let gone = accept(&spool, "gone", b"delivered before").await;
    let job = spool.try_next(ARRIVED).await.unwrap();
    assert_eq!(job.id, gone);
    job.settle(vec![(0, delivered())]);
    drop(job);
    let small = accept(&spool, "small", b"small").await;
    let large = accept(&spool, "large", &octets(3, 50_000)).await;
    let contained = accept(&spool, "contained", b"held").await;
    assert!(spool.hold(contained).await.unwrap());
    let copy = copied(&spool, to.path()).await;
    assert_eq!(copy, Copied { messages: 3, unreadable: Vec::new() });

    // The queue that was copied goes on.
    assert_eq!(spool.try_next(ARRIVED).await.unwrap().id, small);
    let (restored, recovery) = open(to.path());
    assert_eq!((recovery.messages, recovery.damaged.len(), recovery.orphans), (3, 0, 0), "{recovery:?}");
    assert!(restored.try_next(ARRIVED * 2).await.is_none(), "all is held");
    let listed = restored.list(&Filter { limit: 10, ..Filter::default() }).await;
    let holds: Vec<_> = listed.iter().map(|it| (it.id, it.hold.as_deref().unwrap())).collect();
    assert_eq!(holds, [(small, RESTORED), (large, RESTORED), (contained, "operator")]);
    assert_eq!((body(&restored, small).await, body(&restored, large).await), (b"small".to_vec(), octets(3, 50_000)));

    // It stays so over a restart, and new mail goes its way.
    restored.close().await;
    drop(restored);
    let (restored, _) = open(to.path());
    let new = accept(&restored, "new", b"new").await;
    assert!(new > contained);
    assert_eq!(restored.try_next(ARRIVED).await.unwrap().id, new);
    assert_eq!(restored.release_all(RESTORED, ARRIVED).await.unwrap(), 2);
    let jobs = take_all(&restored, ARRIVED * 2).await;
    let ids: Vec<QueueId> = jobs.iter().map(|job| job.id).filter(|id| *id != new).collect();
    assert_eq!(ids, [small, large], "what was held before stays held");
    assert_eq!(restored.release_all(RESTORED, ARRIVED).await.unwrap(), 0);
}

/// While mail comes and goes, and segments are recycled and cleared.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_under_load_has_what_was_acknowledged_before() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let mut waiting = Vec::new();
    for n in 0..60 {
        let size = if n % 10 == 0 { 20_000 } else { 400 };
        waiting.push((accept(&spool, "stays", &octets(n, size)).await, octets(n, size)));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (spool, stop) = (Arc::clone(&spool), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut passed = 0;
            while !stop.load(Ordering::Relaxed) {
                accept(&spool, "passes", &octets(passed, 3_000)).await;
                let Some(job) = spool.try_next(ARRIVED).await else { continue };
                let outcome = if job.envelope.reverse_path == "stays" { deferred("later") } else { delivered() };
                job.settle(vec![(0, outcome)]);
                passed += 1;
            }
            passed
        })
    };
    for _ in 0..10 {
        let to = tempfile::tempdir().unwrap();
        let copy = copied(&spool, to.path()).await;
        assert!(copy.unreadable.is_empty(), "{copy:?}");
        let (restored, recovery) = open(to.path());
        assert_eq!((recovery.messages as u64, recovery.damaged.len()), (copy.messages, 0), "{recovery:?}");
        assert!(recovery.missing_bodies.is_empty(), "{recovery:?}");
        for (id, octets) in &waiting {
            assert_eq!(body(&restored, *id).await, *octets);
        }
        assert!(restored.try_next(ARRIVED * 2).await.is_none());
    }
    stop.store(true, Ordering::Relaxed);
    assert!(load.await.unwrap() > 0);
}
