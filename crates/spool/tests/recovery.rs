//! T37: what a start finds after kills, damage, a newer release, another process.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::fs;
use std::path::Path;

use common::*;
use spool::{OpenError, Spool};

/// As a killed process leaves it: the folder copied while the spool is open.
fn snapshot(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for folder in ["segments", "large"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for entry in fs::read_dir(dir.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, copy.path().join(folder).join(path.file_name().unwrap())).unwrap();
        }
    }
    copy
}

#[tokio::test]
async fn t37_accepted_mail_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let mut expected = Vec::new();
    for n in 0..40 {
        let body = octets(n, usize::try_from(n).unwrap() * 400);
        expected.push((accept(&spool, &n.to_string(), &body).await, body));
    }
    let copy = snapshot(dir.path());
    let (again, recovery) = open(copy.path());
    assert_eq!((recovery.messages, recovery.damaged.len(), recovery.orphans), (40, 0, 0));
    for (job, (id, body)) in take_all(&again, ARRIVED).await.iter().zip(&expected) {
        assert_eq!(job.id, *id);
        assert_eq!(content(job).await, *body);
    }
}

#[tokio::test]
async fn t37_state_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = spool.incoming().commit(envelope("a@b", &["x@y", "p@q"]), b"mail".to_vec()).await.unwrap();
    let gone = accept(&spool, "gone@b", b"mail").await;
    for job in take_all(&spool, ARRIVED).await {
        if job.id == gone {
            job.settle(vec![(0, delivered())]);
        } else {
            job.settle(vec![(0, delivered()), (1, deferred("busy"))]);
        }
    }
    spool.close().await;
    drop(spool);
    let (spool, recovery) = open(dir.path());
    assert_eq!(recovery.messages, 1);
    assert!(spool.try_next(ARRIVED + 4 * MINUTE).await.is_none(), "the back-off goes on");
    let job = spool.try_next(ARRIVED + 6 * MINUTE).await.unwrap();
    assert_eq!((job.id, job.due.clone(), job.attempt), (id, vec![1], 2));
    assert_eq!(spool.show(id).await.unwrap().recipients[1].reason.as_deref(), Some("busy"));
}

#[tokio::test]
async fn t37_a_damaged_record_is_reported_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    for n in 0..5 {
        accept(&spool, &n.to_string(), &octets(n, 2000)).await;
    }
    spool.close().await;
    drop(spool);
    let path = segments(dir.path()).pop().unwrap();
    let mut damaged = fs::read(&path).unwrap();
    let at = damaged.windows(8).position(|window| window == &octets(2, 2000)[..8]).unwrap();
    damaged[at + 3] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let (spool, recovery) = open(dir.path());
    assert_eq!(recovery.messages, 4);
    assert_eq!(recovery.damaged.len(), 1, "{:?}", recovery.damaged);
    assert!(recovery.damaged[0].id.is_some() && recovery.damaged[0].path == path);
    let jobs = take_all(&spool, ARRIVED).await;
    let names: Vec<_> = jobs.iter().map(|job| job.envelope.reverse_path.clone()).collect();
    assert_eq!(names, ["0", "1", "3", "4"]);
    for job in jobs {
        job.settle(vec![(0, delivered())]);
    }
    accept(&spool, "new", b"begins a new segment").await;
    accept(&spool, "new", b"lets the writer tidy").await;
    spool.close().await;
    assert!(!path.exists());
    assert_eq!(fs::read(dir.path().join("damaged").join(path.file_name().unwrap())).unwrap(), damaged, "kept aside");
}

#[tokio::test]
async fn t37_every_torn_end_opens_with_what_was_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    for n in 0..3 {
        accept(&spool, &n.to_string(), &octets(n, 300)).await;
    }
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let used = whole.iter().rposition(|octet| *octet != 0).unwrap();
    drop(spool);
    for cut in (0..used).step_by(29) {
        let copy = tempfile::tempdir().unwrap();
        fs::create_dir(copy.path().join("segments")).unwrap();
        fs::write(copy.path().join("segments").join(path.file_name().unwrap()), &whole[..cut]).unwrap();
        let (spool, recovery) = open(copy.path());
        assert!(recovery.messages <= 3);
        assert!(cut < 48 || recovery.damaged.is_empty(), "{cut}: {:?}", recovery.damaged);
        accept(&spool, "next", b"service goes on").await;
        spool.close().await;
    }
}

#[tokio::test]
async fn t37_a_newer_form_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    accept(&spool, "a@b", b"mail").await;
    spool.close().await;
    drop(spool);
    let path = segments(dir.path()).pop().unwrap();
    let mut octets = fs::read(&path).unwrap();
    octets[8] += 1;
    fs::write(&path, &octets).unwrap();
    let refused = Spool::open(small_config(dir.path())).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::NewerVersion { version: 5, newest_known: 4, .. }), "{refused}");
    assert!(refused.to_string().contains("newer than 4"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), octets);
}

#[tokio::test]
async fn t37_a_missing_large_file_is_reported_and_its_message_held() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let id = accept(&spool, "a@b", &octets(1, 50_000)).await;
    spool.close().await;
    drop(spool);
    let large = dir.path().join("large");
    fs::remove_file(large.join(id.to_string())).unwrap();
    fs::write(large.join("00000000001"), b"half a mail").unwrap();
    let (spool, recovery) = open(dir.path());
    assert_eq!((recovery.missing_bodies.clone(), recovery.orphans), (vec![id], 1));
    assert!(spool.try_next(ARRIVED).await.is_none());
    assert!(spool.show(id).await.unwrap().held);
    assert_eq!(fs::read_dir(large).unwrap().count(), 0);
}

#[tokio::test]
async fn t37_a_record_that_rots_while_it_waits_is_held_and_the_next_one_goes() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let (rotten, sound) = (accept(&spool, "rotten@b", &octets(1, 2000)).await, accept(&spool, "b@b", b"sound").await);
    for job in take_all(&spool, ARRIVED).await {
        job.settle(vec![(0, deferred("busy"))]);
    }
    let path = segments(dir.path()).pop().unwrap();
    let at = fs::read(&path).unwrap().windows(8).position(|window| window == &octets(1, 2000)[..8]).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"rot", at as u64).unwrap();
    let jobs = take_all(&spool, ARRIVED + 6 * MINUTE).await;
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [sound]);
    let listed = spool.show(rotten).await.unwrap();
    assert_eq!((listed.held, listed.recipients[0].reason.as_deref()), (true, Some("unreadable on disk")));
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = open(dir.path());
    let refused = Spool::open(small_config(dir.path())).map(drop).unwrap_err();
    assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    drop(spool);
    open(dir.path());
}

#[tokio::test]
async fn ids_go_on_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = None;
    for _ in 0..5 {
        let (spool, _) = open(dir.path());
        let id = accept(&spool, "a@b", b"mail").await;
        let job = spool.next(ARRIVED).await.unwrap();
        job.settle(vec![(0, delivered())]);
        assert!(Some(id) > last);
        last = Some(id);
        spool.close().await;
        assert!(segments(dir.path()).len() <= 2);
    }
}
