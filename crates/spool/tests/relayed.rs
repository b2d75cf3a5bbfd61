//! Each message that is relayed has its line in the chain, whatever happens on the way; no other message has one.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::*;
use keep::chain::{Chain, Key};
use keep::{Ledger, Room};
use spool::{Spool, SpoolConfig};

const FOLDER: &str = "SPOOL_RELAYED_TEST_FOLDER";

fn chain(dir: &Path) -> Chain {
    let room = Room { file_octets: 20_000, aside: 500 };
    Chain::new(Ledger::new(dir.join("relay")).with_room(room), "relay", Key::new([5; 32].into()))
}

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig { relayed: Some(chain(dir)), ..small_config(&dir.join("spool")) }
}

async fn relay(spool: &Spool, name: &str, body: &[u8]) {
    let mut incoming = spool.incoming();
    incoming.relayed(format!("{{\"name\":\"{name}\"}}"));
    incoming.commit(envelope(name, &["x@y"]), body.to_vec()).await.unwrap();
}

/// The names in the chain, in their order, once it was found intact.
fn names(dir: &Path) -> Vec<String> {
    let chain = chain(dir);
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    let mut names = Vec::new();
    let name = |line: &str| Some(line.split_once("\"name\":\"")?.1.split('"').next()?.to_owned());
    chain.ledger().read(|| true, |line| names.extend(name(line).filter(|_| line.ends_with("\"}")))).unwrap();
    names.reverse();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &name) } else { assert!(fs::copy(&path, name).is_ok()) }
    }
}

#[tokio::test]
async fn who_is_relayed_has_a_line_and_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    assert_eq!(spool.relayed_head().await.unwrap().sequence, 0);
    relay(&spool, "a", b"mail").await;
    accept(&spool, "ours", b"mail").await;
    relay(&spool, "b", &octets(1, 20_000)).await;
    assert_eq!(names(dir.path()), ["a", "b"]);
    let head = spool.relayed_head().await.unwrap();
    spool.close().await;
    drop(spool);
    assert_eq!(chain(dir.path()).verify(Some(head)).unwrap().head, head);
    let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
    assert_eq!(recovery.relayed, 0);
    relay(&spool, "c", b"mail").await;
    assert_eq!(names(dir.path()), ["a", "b", "c"]);
    drop(spool);
    // A spool that keeps no chain takes them as ever.
    let (spool, _) = Spool::open(small_config(&dir.path().join("spool"))).unwrap();
    relay(&spool, "d", b"mail").await;
    assert_eq!(names(dir.path()).len(), 3);
}

/// The power is cut: of what the chain got since it was synced, any part may be gone. The records give it back, with the sums it
/// had.
#[tokio::test]
async fn t37_a_chain_that_was_torn_anywhere_is_whole_after_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    for name in ["a", "b", "c"] {
        relay(&spool, name, b"mail").await;
    }
    // Settled, and its segment still there.
    for job in take_all(&spool, ARRIVED).await {
        job.settle(vec![(0, delivered())]);
    }
    let killed = tempfile::tempdir().unwrap();
    copy(dir.path(), killed.path());
    let head = chain(dir.path()).verify(None).unwrap().head;
    let whole = fs::read(dir.path().join("relay")).unwrap();
    for octets in (0..=whole.len()).step_by(7).chain([whole.len() - 1, whole.len()]) {
        let dir = tempfile::tempdir().unwrap();
        copy(killed.path(), dir.path());
        fs::write(dir.path().join("relay"), &whole[..octets]).unwrap();
        let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
        assert_eq!(names(dir.path()), ["a", "b", "c"], "cut at {octets}");
        assert_eq!(recovery.relayed == 0, octets == whole.len());
        if octets == 0 || whole[octets - 1] == b'\n' {
            assert!(chain(dir.path()).verify(Some(head)).unwrap().is_intact(), "the same lines with the same sums");
        }
        relay(&spool, "d", b"mail").await;
        assert_eq!(names(dir.path()), ["a", "b", "c", "d"]);
    }
}

/// Where the line cannot be written the message is refused, and taken once it can.
#[tokio::test]
async fn without_its_line_no_mail_is_relayed() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _) = Spool::open(config(dir.path())).unwrap();
    relay(&spool, "a", b"mail").await;
    let path = dir.path().join("relay");
    fs::rename(&path, dir.path().join("away")).unwrap();
    fs::create_dir(&path).unwrap();
    let mut incoming = spool.incoming();
    incoming.relayed("{\"name\":\"b\"}".to_owned());
    assert!(incoming.commit(envelope("b", &["x@y"]), b"mail".to_vec()).await.is_err());
    accept(&spool, "ours", b"mail").await;
    fs::remove_dir(&path).unwrap();
    fs::rename(dir.path().join("away"), &path).unwrap();
    relay(&spool, "c", b"mail").await;
    assert_eq!(names(dir.path()), ["a", "c"]);
    drop(spool);
    let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
    assert_eq!((recovery.messages, recovery.damaged.len(), recovery.relayed), (3, 0, 0), "b is not there");
    drop(spool);
}

async fn give(spool: Arc<Spool>, worker: u64) {
    for n in 0.. {
        let name = format!("{}-{worker}-{n}", std::process::id());
        relay(&spool, &name, &octets(n, 1 + usize::try_from(n * 37 % 3000).unwrap())).await;
        let _ = std::io::stdout().lock().write_all(format!("\naccepted {name}\n").as_bytes());
    }
}

/// Small segments that come and go, deliveries at once: the worst for a line whose record goes with its segment.
fn child(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, _) = Spool::open(config(dir)).unwrap();
        for worker in 0..6 {
            tokio::spawn(give(Arc::clone(&spool), worker));
        }
        while let Some(job) = spool.next(ARRIVED).await {
            job.settle(vec![(0, delivered())]);
        }
    });
}

#[test]
fn t37_kill_9_under_load_drops_no_line() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        child(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut accepted = BTreeSet::new();
    for round in 0..10usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["t37_kill_9_under_load_drops_no_line", "--exact", "--nocapture"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut told: Vec<String> = lines.by_ref().take(20 + round * 7919 % 900).collect();
        child.kill().unwrap();
        told.extend(lines);
        child.wait().unwrap();
        accepted.extend(told.iter().filter_map(|line| line.strip_prefix("accepted ")).map(str::to_owned));
    }
    let (spool, recovery) = Spool::open(config(dir.path())).unwrap();
    assert!(recovery.damaged.is_empty());
    drop(spool);
    let names = names(dir.path());
    let once: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(once.len(), names.len(), "a line is there twice");
    let lost: Vec<_> = accepted.difference(&once).collect();
    assert!(lost.is_empty() && accepted.len() > 500, "of {} lost: {lost:?}", accepted.len());
}
