//! Killed at any instant under load, no login that was answered is lost, and no revocation.
//!
//! The parent runs this very test again as a child with the folder in the environment; the child records and revokes
//! as fast as it can and tells on its standard output what was answered, until it is killed.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use guard::{PopSource, Subject};
use state::{PopLogin, Revoke, State};

const FOLDER: &str = "STATE_KILL_TEST_FOLDER";
const ROUNDS: usize = 15;
const LIFE: Duration = Duration::from_mins(30);

fn tell(line: &str) {
    // One write, so that no line is torn between two tasks. A closed pipe is the end.
    let _ = std::io::stdout().lock().write_all(format!("\n{line}\n").as_bytes());
}

/// Each in a /64 of its own: those of one have a share of the table together.
fn addr(seed: u64) -> IpAddr {
    let (network, host) = (u128::from(seed & u64::from(u32::MAX)), u128::from(seed >> 32));
    IpAddr::V6(Ipv6Addr::from(0x2001_0db8 << 96 | network << 64 | host))
}

fn login(seed: u64) -> PopLogin {
    PopLogin {
        addr: addr(seed),
        subject: Subject::Account(format!("user{seed}")),
        source: PopSource::Drac,
        device: None,
    }
}

async fn work(state: Arc<State>, worker: u64) {
    let first = u64::from(std::process::id()) * 1_000_000 + worker * 100_000;
    for seed in (first..).step_by(10) {
        state.record(login(seed), LIFE).await.unwrap();
        tell(&format!("recorded {seed}"));
        let many = (seed + 1..seed + 8).map(login).collect();
        assert!(state.record_many(many, LIFE).await.iter().all(Result::is_ok));
        for seed in seed + 1..seed + 8 {
            tell(&format!("recorded {seed}"));
        }
        // From here on it may be there after the kill, or not; once it is answered it may not.
        tell(&format!("revoking {seed}"));
        assert_eq!(state.revoke(Revoke::Addr(addr(seed))).await.unwrap(), 1);
        tell(&format!("revoked {seed}"));
    }
}

/// What children told of their logins, by number.
#[derive(Default)]
struct Told {
    recorded: HashSet<u64>,
    revoking: HashSet<u64>,
    revoked: HashSet<u64>,
}

fn child(dir: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let state = Arc::new(State::open(dir).unwrap());
        let workers: Vec<_> = (0..6).map(|worker| tokio::spawn(work(Arc::clone(&state), worker))).collect();
        for worker in workers {
            worker.await.unwrap();
        }
    });
}

/// Starts a child, kills it in the midst, returns what it told.
fn kill_one(dir: &Path, after_lines: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["what_was_answered_is_so_after_a_kill", "--exact", "--nocapture"])
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
    told
}

#[test]
fn what_was_answered_is_so_after_a_kill() {
    if let Some(dir) = std::env::var_os(FOLDER) {
        child(Path::new(&dir));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for round in 0..ROUNDS {
        // Deterministic, from a handful of logins to some hundreds.
        for line in kill_one(dir.path(), 20 + round * 7_919 % 1_500) {
            let Some((what, seed)) = line.split_once(' ') else { continue };
            let Ok(seed) = seed.parse::<u64>() else { continue };
            match what {
                "recorded" => told.recorded.insert(seed),
                "revoking" => told.revoking.insert(seed),
                "revoked" => told.revoked.insert(seed),
                _ => false,
            };
        }
        check(dir.path(), &told);
    }
    let Told { recorded, revoked, .. } = told;
    assert!(recorded.len() > 1_000 && revoked.len() > 100, "{} recorded, {} revoked", recorded.len(), revoked.len());
}

fn check(dir: &Path, told: &Told) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let state = State::open(dir).unwrap();
        for seed in &told.recorded {
            let found = state.evidence_at(addr(*seed)).await.unwrap().value.len();
            assert!(found == 1 || told.revoking.contains(seed), "login {seed} was answered and is lost");
            assert!(found == 0 || !told.revoked.contains(seed), "login {seed} was revoked and is back");
        }
    });
}
