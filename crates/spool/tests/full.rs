//! A full disk: nobody is told 250, and the service returns by itself.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::path::Path;
use std::process::Command;

use common::*;
use spool::{AcceptError, Spool, SpoolConfig};

/// A small file system of its own, unmounted when dropped.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let options = format!("size={size},mode=700");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(dir.path()).output();
        if status.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("SKIPPED: a full disk was not tested, since mounting a tmpfs needs root");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

async fn fill(spool: &Spool, octets_each: usize) -> (u64, AcceptError) {
    for n in 0..100_000 {
        let commit = async {
            let mut incoming = spool.incoming();
            incoming.write(octets(n, octets_each)).await?;
            incoming.commit(envelope(&n.to_string(), &["x@y"]), Vec::new()).await
        };
        if let Err(error) = commit.await {
            return (n, error);
        }
    }
    unreachable!("the disk has no end");
}

/// The disk of the relay record alone is full: what would be relayed is deferred, what is ours is taken.
#[tokio::test]
async fn a_full_disk_of_the_relay_record_defers_what_is_relayed() {
    let Some(disk) = Tmpfs::mount("64k") else { return };
    let dir = tempfile::tempdir().unwrap();
    let ledger = keep::Ledger::new(disk.path().join("relay"));
    let chain = keep::chain::Chain::new(ledger, "relay", keep::chain::Key::new([5; 32].into()));
    let (spool, _) = Spool::open(SpoolConfig { relayed: Some(chain.clone()), ..small_config(dir.path()) }).unwrap();
    let relay = async |n: u64| {
        let mut incoming = spool.incoming();
        incoming.relayed(format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(500)));
        incoming.commit(envelope(&n.to_string(), &["x@y"]), b"mail".to_vec()).await
    };
    let mut taken = 0;
    let refused = loop {
        match relay(taken).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(taken > 10 && matches!(refused, AcceptError::Full { .. }), "{taken}: {refused}");
    accept(&spool, "ours", b"mail").await;
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact() && verified.lines == taken + 1, "{taken}: {verified:?}");
}

async fn full_disk(config: SpoolConfig, octets_each: usize) {
    let (spool, _) = Spool::open(config.clone()).unwrap();
    let (accepted, refused) = fill(&spool, octets_each).await;
    assert!(accepted > 0);
    assert!(matches!(refused, AcceptError::Full { .. }), "{refused}");
    // Settling works on a full disk, and makes room.
    let jobs = take_all(&spool, ARRIVED).await;
    assert_eq!(jobs.len() as u64, accepted);
    for job in jobs {
        assert_eq!(content(&job).await.len(), octets_each);
        assert!(job.settle(vec![(0, delivered())]).finished);
    }
    let mut tries = 0;
    let again = loop {
        tries += 1;
        let mut incoming = spool.incoming();
        let written = incoming.write(octets(7, octets_each)).await;
        let again = match written {
            Ok(()) => incoming.commit(envelope("again", &["x@y"]), Vec::new()).await,
            Err(error) => Err(error),
        };
        match again {
            Ok(id) => break id,
            // The free space is asked for once a second, freed segments go with the next write.
            Err(error) if tries < 400 => {
                assert!(matches!(error, AcceptError::Full { .. }), "{error}");
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Err(error) => panic!("the service did not return: {error}"),
        }
    };
    spool.close().await;
    drop(spool);
    let (spool, recovery) = Spool::open(config).unwrap();
    assert_eq!((recovery.messages, recovery.damaged.len()), (1, 0), "{recovery:?}");
    assert_eq!(spool.next(ARRIVED).await.unwrap().id, again);
}

#[tokio::test]
async fn t37_small_mails_fill_the_disk() {
    let Some(disk) = Tmpfs::mount("1m") else { return };
    full_disk(small_config(disk.path()), 3000).await;
}

#[tokio::test]
async fn t37_large_mails_fill_the_disk() {
    let Some(disk) = Tmpfs::mount("1m") else { return };
    full_disk(small_config(disk.path()), 30_000).await;
}

#[tokio::test]
async fn t37_what_must_stay_free_stays_free() {
    let Some(disk) = Tmpfs::mount("2m") else { return };
    let config = SpoolConfig { free_octets_min: 1 << 20, ..small_config(disk.path()) };
    full_disk(config, 3000).await;
}

/// Each start begins a segment of its own: a disk that was full before must have room for that one.
#[tokio::test]
async fn t37_a_full_disk_can_be_emptied_after_a_restart() {
    let Some(disk) = Tmpfs::mount("8m") else { return };
    let config = SpoolConfig { free_octets_min: 1 << 20, segment_octets: 1 << 20, ..small_config(disk.path()) };
    let (spool, _) = Spool::open(config.clone()).unwrap();
    let (accepted, refused) = fill(&spool, 3000).await;
    assert!(matches!(refused, AcceptError::Full { .. }), "{refused}");
    spool.close().await;
    drop(spool);
    let (spool, recovery) = Spool::open(config.clone()).unwrap();
    assert_eq!(recovery.messages as u64, accepted);
    for job in take_all(&spool, ARRIVED).await {
        assert!(spool.delete(job.id).await.unwrap(), "deleted, and durably so");
    }
    spool.close().await;
    drop(spool);
    let (_spool, recovery) = Spool::open(config).unwrap();
    assert_eq!((recovery.messages, recovery.damaged.len()), (0, 0), "{recovery:?}");
}
