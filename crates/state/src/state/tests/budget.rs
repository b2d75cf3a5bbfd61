//! Measurements, which are run by hand.

use super::*;

/// `cargo test --release -p state -- --ignored --nocapture budget`: durable logins a second from 64 callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn budget_of_recording() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(open(dir.path()));
    let start = std::time::Instant::now();
    let callers = (0..64u32).map(|caller| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for n in 0..2_000u32 {
                let addr = IpAddr::V4((caller << 20 | n).into());
                state.record(PopLogin { addr, ..alice() }, LIFE).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    println!("{:.0} durable logins a second", 128_000.0 / start.elapsed().as_secs_f64());
}

/// The same for look-ups among ten million.
#[test]
#[ignore = "a measurement"]
fn budget_of_looking_up() {
    for count in [1_000u32, 10_000_000] {
        let table = Table::new(20_000_000, 10);
        let mut gone = Vec::new();
        for n in 0..count {
            let login = PopLogin { addr: IpAddr::V4(n.wrapping_mul(2_654_435_761).into()), ..alice() };
            let granted = micros(noon()) + u64::from(n);
            table.insert(&record(&login, granted, granted + duration_micros(LIFE)).unwrap(), &mut gone);
        }
        let (start, mut found) = (std::time::Instant::now(), 0);
        for n in 0..1_000_000u32 {
            let addr = IpAddr::V4((n.wrapping_mul(7_919) % count).wrapping_mul(2_654_435_761).into());
            found += table.at(addr, micros(noon())).len();
        }
        println!("{count}: {:?} a look-up, {found} found", start.elapsed() / 1_000_000);
    }
}
