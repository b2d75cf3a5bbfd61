//! What the state engine does in a second: `cargo run --release -p state --example adds -- [FOLDER] [ENTRIES]`.
//!
//! FOLDER (default: a temporary one, removed afterwards) says on which disk; ENTRIES (default 10,000,000) among how many
//! it looks up besides 1,000. It prints what the disk gives, durable logins with so many in flight, each by itself and
//! many at once, how long a start takes, and look-ups.
#![expect(clippy::expect_used, reason = "a measurement has no caller to tell")]

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use guard::{PopSource, Subject};
use state::{PopLogin, State, StateConfig};

const LIFE: Duration = Duration::from_mins(30);
const ADDS: u32 = 1_000_000;

fn main() {
    let mut args = std::env::args().skip(1);
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let dir = args.next().map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let entries = args.next().map_or(10_000_000, |text| text.parse().expect("a number of entries"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    println!("{:>10.0} fdatasync/s of 4,096 octets appended", syncs(&dir));
    for in_flight in [1, 64, 1_000, 10_000, 30_000] {
        let rate = runtime.block_on(adds(&dir.join(format!("single-{in_flight}")), in_flight));
        println!("{rate:>10.0} durable adds/s, each by itself, {in_flight} in flight");
    }
    for (batch, in_flight) in [(64, 4), (512, 4), (4_096, 4)] {
        let (rate, slowest) = runtime.block_on(batches(&dir.join(format!("many-{batch}")), batch, in_flight));
        println!("{rate:>10.0} durable adds/s, {batch} at once, {in_flight} times; slowest answer {slowest:.1?}");
    }
    for count in [1_000, entries] {
        runtime.block_on(look_ups(&dir.join(format!("entries-{count}")), count));
    }
}

fn syncs(dir: &Path) -> f64 {
    std::fs::create_dir_all(dir).expect("the folder");
    let mut file = File::create(dir.join("syncs")).expect("a file");
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        file.write_all(&[0x5a; 4_096]).and_then(|()| file.sync_data()).expect("a sync");
        count += 1;
    }
    rate(count, begun)
}

fn rate(count: u32, begun: Instant) -> f64 {
    f64::from(count) / begun.elapsed().as_secs_f64()
}

fn login(n: u32) -> PopLogin {
    // Spread over all addresses, as clients are.
    let addr = IpAddr::V4(n.wrapping_mul(2_654_435_761).into());
    PopLogin { addr, subject: Subject::Account(format!("user{n}@example.test")), source: PopSource::Drac, device: None }
}

fn open(dir: &Path) -> Arc<State> {
    let config = StateConfig { grants_max: 20_000_000, ..StateConfig::default() };
    Arc::new(State::open_with(dir, config).expect("the state opens"))
}

/// So many tasks, each with one login at a time.
async fn adds(dir: &Path, in_flight: u32) -> f64 {
    let (state, next) = (open(dir), Arc::new(AtomicU32::new(0)));
    let adds = if in_flight == 1 { ADDS / 500 } else { ADDS / 2 };
    let begun = Instant::now();
    let tasks = (0..in_flight).map(|_| {
        let (state, next) = (Arc::clone(&state), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= adds {
                    return;
                }
                state.record(login(n), LIFE).await.expect("it is recorded");
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("a task ends");
    }
    rate(adds, begun)
}

/// So many tasks, each with so many logins at once. The journal is written anew meanwhile.
async fn batches(dir: &Path, batch: u32, in_flight: u32) -> (f64, Duration) {
    let (state, next) = (open(dir), Arc::new(AtomicU32::new(0)));
    let begun = Instant::now();
    let tasks = (0..in_flight).map(|_| {
        let (state, next) = (Arc::clone(&state), Arc::clone(&next));
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            loop {
                let n = next.fetch_add(batch, Ordering::Relaxed);
                if n >= ADDS {
                    return slowest;
                }
                let asked = Instant::now();
                let recorded = state.record_many((n..n + batch).map(login).collect(), LIFE).await;
                assert!(recorded.iter().all(Result::is_ok), "they are recorded");
                slowest = slowest.max(asked.elapsed());
            }
        })
    });
    let mut slowest = Duration::ZERO;
    for task in tasks.collect::<Vec<_>>() {
        slowest = slowest.max(task.await.expect("a task ends"));
    }
    (rate(ADDS, begun), slowest)
}

async fn look_ups(dir: &Path, count: u32) {
    let state = open(dir);
    let begun = Instant::now();
    for n in (0..count).step_by(4_096) {
        let recorded = state.record_many((n..count.min(n + 4_096)).map(login).collect(), LIFE).await;
        assert!(recorded.iter().all(Result::is_ok), "they are recorded");
    }
    println!("{count:>10} entries recorded in {:.1?}", begun.elapsed());
    drop(state);
    let begun = Instant::now();
    let state = open(dir);
    println!("{count:>10} entries read at a start in {:.1?}", begun.elapsed());
    let (begun, mut found, looked) = (Instant::now(), 0, 2_000_000_u32);
    for n in 0..looked {
        let which = n.wrapping_mul(7_919) % count;
        found += state.evidence_at(login(which).addr).await.expect("an answer").value.len();
    }
    assert_eq!(found, 2_000_000, "every look-up finds one");
    println!("{:>10.0} look-ups/s among {count}", rate(looked, begun));
}
