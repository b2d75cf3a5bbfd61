//! Workers that run sessions until the time is up or enough is done, and the tally of them.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::task::LocalSet;

use crate::args::Args;
use crate::wire::{Bad, Wire};

/// A session that has not ended by then counts as bad.
const SESSION_TIMEOUT: Duration = Duration::from_mins(1);
/// So many bad sessions, and there is nothing to measure.
const BAD_MAX: u64 = 50;

/// What one kind of load does on one connection.
pub trait Session {
    /// What is counted: `messages`, `sessions`.
    const UNIT: &'static str;
    /// How many of them a session is good for.
    fn worth(&self) -> u64;
    /// One whole session, up to the server's farewell. `worker` and `turn` tell which.
    async fn run(&self, wire: &mut Wire, worker: usize, turn: u64) -> Result<(), Bad>;
}

/// When the workers stop.
#[derive(Clone, Copy)]
enum Until {
    Elapsed(Duration),
    Sessions(u64),
}

struct Tally {
    begun: u64,
    good: u64,
    bad: u64,
    first_bad: Option<String>,
    last_good: Instant,
}

struct Shared<S> {
    session: S,
    server: SocketAddr,
    sources: Vec<Option<IpAddr>>,
    until: Until,
    start: Instant,
    tally: RefCell<Tally>,
}

/// Runs the load and prints its line.
pub async fn run<S: Session + 'static>(session: S, args: &Args<'_>) -> Result<(), String> {
    let connections: usize = args.required("connections")?;
    let until = match (args.optional::<f64>("seconds")?, args.optional::<u64>("total")?) {
        (Some(seconds), None) => Until::Elapsed(Duration::from_secs_f64(seconds)),
        (None, Some(total)) => Until::Sessions(total.div_ceil(session.worth())),
        _ => return Err("either --seconds or --total".into()),
    };
    let unix_start = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?.as_micros();
    let start = Instant::now();
    let tally = Tally { begun: 0, good: 0, bad: 0, first_bad: None, last_good: start };
    let (server, sources) = (args.required("server")?, sources(args)?);
    let shared = Rc::new(Shared { session, server, sources, until, start, tally: RefCell::new(tally) });
    let workers = LocalSet::new();
    for worker in 0..connections {
        let shared = Rc::clone(&shared);
        workers.spawn_local(async move { shared.work(worker).await });
    }
    workers.await;
    shared.print(unix_start);
    Ok(())
}

/// `--source ADDR` for all; `--sources N` for that many addresses, one worker after the other, from 127.1.0.1 on.
fn sources(args: &Args<'_>) -> Result<Vec<Option<IpAddr>>, String> {
    if let Some(source) = args.optional::<IpAddr>("source")? {
        return Ok(vec![Some(source)]);
    }
    let count = args.optional::<u32>("sources")?.unwrap_or(0);
    if count == 0 {
        return Ok(vec![None]);
    }
    Ok((0..count).map(|index| Some(loopback(index))).collect())
}

/// The `index`th address of 127.1.0.0 and up; no octet is 0 or 255 at its end.
pub fn loopback(index: u32) -> IpAddr {
    let [.., high, low] = (index / 250).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 1 + high, low, u8::try_from(index % 250).unwrap_or(0) + 1))
}

impl<S: Session> Shared<S> {
    async fn work(&self, worker: usize) {
        let source = self.sources[worker % self.sources.len()];
        let mut buffer = Vec::with_capacity(8192);
        while let Some(turn) = self.next() {
            let begun =
                tokio::time::timeout(SESSION_TIMEOUT, self.one(source, std::mem::take(&mut buffer), (worker, turn)));
            match begun.await {
                Ok(Ok(used)) => {
                    buffer = used;
                    let mut tally = self.tally.borrow_mut();
                    tally.good += 1;
                    tally.last_good = Instant::now();
                }
                Ok(Err(bad)) => self.count_bad(bad.to_string()),
                Err(_) => self.count_bad("session took too long".into()),
            }
        }
    }

    async fn one(&self, source: Option<IpAddr>, buffer: Vec<u8>, (worker, turn): (usize, u64)) -> Result<Vec<u8>, Bad> {
        let mut wire = Wire::connect(self.server, source, buffer).await?;
        self.session.run(&mut wire, worker, turn).await?;
        Ok(wire.into_parts().1)
    }

    /// The number of the next session, if there shall be one.
    fn next(&self) -> Option<u64> {
        let mut tally = self.tally.borrow_mut();
        let more = match self.until {
            Until::Elapsed(limit) => self.start.elapsed() < limit,
            Until::Sessions(limit) => tally.begun < limit,
        };
        if !more || tally.bad >= BAD_MAX {
            return None;
        }
        tally.begun += 1;
        Some(tally.begun - 1)
    }

    fn count_bad(&self, reason: String) {
        let mut tally = self.tally.borrow_mut();
        tally.bad += 1;
        tally.first_bad.get_or_insert(reason);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn print(&self, unix_start: u128) {
        let tally = self.tally.borrow();
        let good = tally.good * self.session.worth();
        let seconds = tally.last_good.duration_since(self.start).as_secs_f64();
        let rate = if seconds > 0.0 { good as f64 / seconds } else { 0.0 };
        let why: String = tally.first_bad.iter().flat_map(|why| why.chars()).flat_map(char::escape_default).collect();
        println!(
            "{{\"unit\":\"{}\",\"good\":{good},\"bad\":{},\"seconds\":{seconds:.6},\"per_second\":{rate:.1},\
             \"start_unix_micros\":{unix_start},\"first_bad\":\"{}\"}}",
            S::UNIT,
            tally.bad,
            why.replace("\\'", "'").replace("\\u{", "u{"),
        );
    }
}
