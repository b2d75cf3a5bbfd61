//! Logs of other POP and IMAP servers: their logins become rights, for those who can change nothing at those servers.
//!
//! The weakest evidence there is, since whoever writes to the log is believed. `line` reads the lines, `tail` and `journal` find
//! them.

pub mod journal;
pub mod line;
pub mod tail;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use guard::{PopSource, Subject};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use self::journal::Journal;
use self::line::Seen;
use self::tail::Tail;
use crate::config::{Watch, WatchFormat, WatchSource};
use crate::serve::border::{Border, SessionId};
use crate::serve::evidence::{self, Told};

/// How often a file is looked at.
const POLL: Duration = Duration::from_secs(1);
/// Logins that are recorded before more is read.
const SEEN_MAX: usize = 1_000;
/// How long to wait after the first end of `journalctl`; it doubles with each further one.
const RESTART_FIRST: Duration = Duration::from_secs(1);
/// The longest wait. Who ran for as long begins with the first again.
const RESTART_MAX: Duration = Duration::from_mins(1);

/// The logs that are watched.
#[derive(Debug, Default)]
pub struct Watches {
    running: Vec<(Watch, JoinHandle<()>)>,
}

impl Watches {
    /// Watches these and no others. One that is watched already goes on where it is. What is logged after this returned is seen.
    pub fn follow(&mut self, wanted: &[Watch], border: &Arc<Border>) {
        self.running.retain(|(watch, running)| {
            let stays = wanted.contains(watch);
            if !stays {
                running.abort();
            }
            stays
        });
        for watch in wanted {
            if !self.running.iter().any(|(running, _)| running == watch) {
                self.running.push((watch.clone(), start(watch, border)));
            }
        }
    }

    /// Watches nothing any more.
    pub async fn stop(self) {
        for (_, running) in self.running {
            running.abort();
            // That it was cut off is what was wanted; it holds nothing that would be half done.
            let _ = running.await;
        }
    }
}

fn start(watch: &Watch, border: &Arc<Border>) -> JoinHandle<()> {
    let watcher = Watcher { border: Arc::clone(border), session: border.next_session(), format: watch.format };
    match &watch.source {
        WatchSource::File(path) => {
            let (tail, opened) = Tail::new(path.clone());
            tell(path, opened.as_ref().err());
            tokio::spawn(watcher.file(path.clone(), (tail, opened.is_ok())))
        }
        WatchSource::Unit(unit) => tokio::spawn(watcher.unit(unit.clone())),
    }
}

fn tell(path: &Path, fault: Option<&io::Error>) {
    match fault {
        None => info!(file = %path.display(), "log watched"),
        Some(error) => warn!(file = %path.display(), %error, "log cannot be read, and is waited for"),
    }
}

/// One log's.
struct Watcher {
    border: Arc<Border>,
    session: SessionId,
    format: WatchFormat,
}

impl Watcher {
    async fn file(self, path: std::path::PathBuf, (mut tail, mut readable): (Tail, bool)) {
        let mut ticks = interval(POLL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let format = self.format;
            let read = tokio::task::spawn_blocking(move || {
                let mut seen = BTreeSet::new();
                let polled = poll(&mut tail, format, &mut seen);
                (tail, seen, polled)
            });
            // A panic is a fault of ours; the log is watched no more, and the server goes on.
            let Ok((back, seen, polled)) = read.await else { return };
            tail = back;
            if polled.is_ok() != readable {
                readable = polled.is_ok();
                tell(&path, polled.err().as_ref());
            }
            self.record(seen).await;
        }
    }

    async fn unit(self, unit: String) {
        let mut wait = RESTART_FIRST;
        loop {
            let began = Instant::now();
            let ended = match Journal::follow(&unit) {
                Ok(journal) => {
                    info!(%unit, "log watched");
                    self.entries(journal).await
                }
                Err(error) => error.to_string(),
            };
            if began.elapsed() >= RESTART_MAX {
                wait = RESTART_FIRST;
            }
            warn!(%unit, cause = ?ended, wait_secs = wait.as_secs(), "journalctl ended, and is started again");
            sleep(wait).await;
            wait = (wait * 2).min(RESTART_MAX);
        }
    }

    /// Until there are no more; says why.
    async fn entries(&self, mut journal: Journal) -> String {
        loop {
            match journal.next().await {
                Ok(Some(line)) => self.record(line::read(self.format, line.as_bytes())).await,
                Ok(None) => return journal.end().map_or_else(|error| error.to_string(), |status| status.to_string()),
                Err(error) => return error.to_string(),
            }
        }
    }

    async fn record(&self, seen: impl IntoIterator<Item = Seen>) {
        let site = self.border.site.load_full();
        let mut told = Vec::new();
        for Seen { user, client } in seen {
            let account = evidence::account_elsewhere(&self.border, &site, (&user, client)).await;
            told.extend(account.map(|login| Told { client, subject: Subject::Account(login), source: PopSource::Log }));
        }
        evidence::record_all(&self.border, &site, (self.session, &told)).await;
    }
}

/// Reads what there is. A login that comes many times between two looks is one.
fn poll(tail: &mut Tail, format: WatchFormat, seen: &mut BTreeSet<Seen>) -> io::Result<()> {
    while tail.poll(&mut |line| seen.extend(line::read(format, line)))? {
        if seen.len() >= SEEN_MAX {
            break;
        }
    }
    Ok(())
}
