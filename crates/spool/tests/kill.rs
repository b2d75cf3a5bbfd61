//! T37: killed at any instant under load, nothing acknowledged is lost and nothing is there twice.
//!
//! The parent runs this very test again as a child with the folder in the environment; the child accepts, delivers and
//! defers as fast as it can and tells on its standard output what was acknowledged, until it is killed.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use common::*;
use spool::Spool;

const FOLDER: &str = "SPOOL_KILL_TEST_FOLDER";
const ROUNDS: u64 = 30;

fn tell(line: &str) {
    // One write, so that no line is torn between two tasks. A closed pipe is the end.
    let _ = std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes());
}

/// Body of mail `seed`; now and then a large one.
fn body(seed: u64) -> Vec<u8> {
    let len = if seed.is_multiple_of(23) { 20_000 } else { 1 + (seed * 37 % 5000) };
    octets(seed, usize::try_from(len).unwrap())
}

async fn give(spool: Arc<Spool>, worker: u64) {
    for n in 0.. {
        let seed = u64::from(std::process::id()) * 1_000_000 + worker * 100_000 + n;
        accept(&spool, &seed.to_string(), &body(seed)).await;
        tell(&format!("accepted {seed}"));
    }
}

async fn take(spool: Arc<Spool>) {
    let mut n = 0u64;
    while let Some(job) = spool.next(ARRIVED).await {
        n += 1;
        if n.is_multiple_of(3) {
            job.settle(vec![(0, deferred("busy"))]);
        } else {
            // From here on it counts as in flight: it may be there after the kill, or not.
            tell(&format!("taken {}", job.envelope.reverse_path));
            job.settle(vec![(0, delivered())]);
        }
    }
}

fn child(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, _) = open(dir);
        for worker in 0..6 {
            tokio::spawn(give(Arc::clone(&spool), worker));
        }
        take(spool).await;
    });
}

/// Starts a child, kills it in the midst, returns what it told.
fn kill_one(dir: &Path, after_lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["t37_nothing_acknowledged_is_lost_by_kill", "--exact", "--nocapture"])
        .env(FOLDER, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told: Vec<String> = lines.by_ref().take(after_lines).collect();
    child.kill().unwrap();
    told.extend(lines);
    child.wait().unwrap();
    // What is half a line was not acknowledged to us either, but may only be the last.
    told.retain(|line| line.starts_with("accepted ") || line.starts_with("taken "));
    told
}

#[test]
fn t37_nothing_acknowledged_is_lost_by_kill() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        child(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (mut accepted, mut taken) = (HashSet::new(), HashSet::new());
    for round in 0..ROUNDS {
        // Deterministic, from a handful of mails to some hundreds.
        let lines = 20 + usize::try_from(round * 7919 % 1500).unwrap();
        for line in kill_one(dir.path(), lines) {
            match line.split_once(' ') {
                Some(("accepted", seed)) => accepted.insert(seed.to_owned()),
                Some((_, seed)) => taken.insert(seed.to_owned()),
                None => false,
            };
        }
        check(dir.path(), &accepted, &taken);
    }
    assert!(accepted.len() > 1000, "only {} mails went through", accepted.len());
}

fn check(dir: &Path, accepted: &HashSet<String>, taken: &HashSet<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (spool, recovery) = open(dir);
        assert!(recovery.damaged.is_empty() && recovery.missing_bodies.is_empty(), "{recovery:?}");
        let mut found: HashMap<String, u32> = HashMap::new();
        let jobs = take_all(&spool, ARRIVED + 60 * MINUTE).await;
        for job in &jobs {
            let seed: u64 = job.envelope.reverse_path.parse().unwrap();
            assert_eq!(content(job).await, body(seed), "mail {seed} is not whole");
            *found.entry(job.envelope.reverse_path.clone()).or_default() += 1;
        }
        assert!(found.values().all(|count| *count == 1), "a mail is there twice");
        let lost: Vec<_> =
            accepted.iter().filter(|seed| !taken.contains(*seed) && !found.contains_key(*seed)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
    });
}
