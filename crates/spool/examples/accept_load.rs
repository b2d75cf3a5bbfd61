//! How many mails a second are accepted, and how many are settled: `accept_load [FOLDER [CONNECTIONS [MAILS
//! [OCTETS [LINE_OCTETS]]]]]`; with the last each mail is relayed, and leaves a line of so many octets.

use std::sync::Arc;
use std::time::Instant;

use spool::{Envelope, Origin, Outcome, Recipient, Spool, SpoolConfig, Target};

fn envelope(now: u64) -> Envelope {
    Envelope {
        reverse_path: "sender@elsewhere.example".into(),
        recipients: vec![Recipient {
            forward_path: "alice@example.test".into(),
            target: Target::Maildir { account: "alice@example.test".into() },
            notify: 0,
            orcpt: None,
            via: None,
        }],
        origin: Origin::Outside,
        arrived_at_unix_micros: now,
        session: "0123456789ab".into(),
        smtputf8: false,
        eight_bit: true,
        envid: None,
        ret: None,
        message_octets: 4096,
    }
}

fn argument(n: usize, default: usize) -> usize {
    std::env::args().nth(n).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn cpu_seconds() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.map_or(0.0, |usage| {
        let seconds = |time: nix::sys::time::TimeVal| {
            std::time::Duration::new(time.tv_sec().unsigned_abs(), 0).as_secs_f64()
                + std::time::Duration::from_micros(time.tv_usec().unsigned_abs()).as_secs_f64()
        };
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}

async fn report<T>(name: &str, count: usize, work: impl Future<Output = T>) -> T {
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let result = work.await;
    let seconds = began.elapsed().as_secs_f64();
    let per_second = f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    println!("{name}: {count} in {seconds:.2} s = {per_second:.0}/s, {:.2} s of processor", cpu_seconds() - cpu);
    result
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::args().nth(1).unwrap_or_else(|| "/tmp/spool-load".into());
    let (connections, mails, octets) = (argument(2, 10), argument(3, 100_000), argument(4, 4096));
    let line = argument(5, 0);
    std::fs::create_dir_all(&dir)?;
    let ledger = keep::Ledger::new(format!("{dir}/relay")).with_room(keep::Room { file_octets: 16 << 20, aside: 64 });
    let chain = keep::chain::Chain::new(ledger, "relay", keep::chain::Key::new([7; 32].into()));
    let relayed = (line > 0).then_some(chain);
    let (spool, recovery) = Spool::open(SpoolConfig { free_octets_min: 0, relayed, ..SpoolConfig::new(&dir) })?;
    println!("{recovery:?}");
    let accept = |spool: Arc<Spool>| async move {
        let tasks: Vec<_> = (0..connections)
            .map(|_| {
                let spool = Arc::clone(&spool);
                tokio::spawn(async move {
                    for _ in 0..mails / connections {
                        let mut incoming = spool.incoming();
                        if line > 0 {
                            incoming.relayed(format!("{{\"line\":\"{}\"}}", "x".repeat(line)));
                        }
                        let committed = incoming.commit(envelope(1), vec![b'x'; octets]).await;
                        if let Err(error) = committed {
                            eprintln!("{error}");
                        }
                    }
                })
            })
            .collect();
        for task in tasks {
            let _ = task.await;
        }
    };
    report("accept", mails, accept(Arc::clone(&spool))).await;
    let status = std::fs::read_to_string("/proc/self/status")?;
    println!("{}", status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default());
    let settle = |spool: Arc<Spool>| async move {
        while let Some(job) = spool.try_next(u64::MAX / 2).await {
            job.settle((0..1).map(|n| (n, Outcome::Delivered { note: String::new() })).collect());
        }
    };
    report("settle", mails, settle(Arc::clone(&spool))).await;
    let both = async {
        let settling = tokio::spawn({
            let spool = Arc::clone(&spool);
            async move {
                while let Some(job) = spool.next(u64::MAX / 2).await {
                    job.settle(vec![(0, Outcome::Delivered { note: String::new() })]);
                }
            }
        });
        accept(Arc::clone(&spool)).await;
        settling.abort();
    };
    report("accept while settling", mails, both).await;
    spool.close().await;
    Ok(())
}
