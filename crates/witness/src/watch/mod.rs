//! Logs of other POP and IMAP servers: their logins become rights, for those who can change nothing at those servers.
//!
//! The weakest evidence there is, since whoever writes to the log is believed. `line` reads the lines, `tail` and `journal` find
//! them.

pub mod journal;
pub mod line;
pub mod tail;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use guard::{PopSource, Subject};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use self::journal::Journal;
use self::line::Seen;
use self::tail::Tail;
use config::{Watch, WatchFormat, WatchSource};
use judge::evidence::{Recorder, ToldLogin};
use judge::{SessionId, Sources, Terms};

/// How often a file is looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long a reload waits for logs to be opened; one on a dead disk is opened when that answers.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// Logins that are recorded before more is read.
const SEEN_MAX: usize = 1_000;
/// How long to wait after the first end of `journalctl`; it doubles with each further one.
const RESTART_FIRST: Duration = Duration::from_secs(1);
/// The longest wait. Who ran for as long begins with the first again.
const RESTART_MAX: Duration = Duration::from_mins(1);

/// The logs that are watched.
pub struct Watches {
    sources: Arc<Sources>,
    /// Those in force.
    terms: Arc<ArcSwap<Terms>>,
    running: Vec<(Watch, JoinHandle<()>)>,
}

impl Watches {
    /// Watches nothing yet.
    pub fn new(sources: Arc<Sources>, terms: Arc<Terms>) -> Self {
        Self { sources, terms: Arc::new(ArcSwap::new(terms)), running: Vec::new() }
    }

    /// Watches what these terms say, by these terms. A log that is watched already is read on where it is. What is logged after
    /// this returned is seen, unless the log's disk does not answer.
    pub async fn follow(&mut self, terms: &Arc<Terms>) {
        self.terms.store(Arc::clone(terms));
        let wanted = &terms.settings.watch;
        self.running.retain(|(watch, running)| {
            let stays = wanted.contains(watch);
            if !stays {
                running.abort();
            }
            stays
        });
        let mut opening = Vec::new();
        for watch in wanted {
            if !self.running.iter().any(|(running, _)| running == watch) {
                let (opened, is_opened) = oneshot::channel();
                self.running.push((watch.clone(), self.start(watch, opened)));
                opening.push(is_opened);
            }
        }
        let all_opened = async {
            for is_opened in opening {
                // A watcher that ended has nothing to open any more.
                let _ = is_opened.await;
            }
        };
        let _ = tokio::time::timeout(OPEN_WAIT, all_opened).await;
    }

    /// `opened` is told when the log's end was looked for.
    fn start(&self, watch: &Watch, opened: oneshot::Sender<()>) -> JoinHandle<()> {
        let (sources, terms) = (Arc::clone(&self.sources), Arc::clone(&self.terms));
        let watcher = Watcher { session: sources.sessions.next(), sources, terms, format: watch.format };
        match &watch.source {
            WatchSource::File(path) => tokio::spawn(watcher.file(path.clone(), opened)),
            WatchSource::Unit(unit) => tokio::spawn(watcher.unit(unit.clone())),
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

fn tell(path: &Path, fault: Option<&io::Error>) {
    match fault {
        None => info!(file = %path.display(), "log watched"),
        Some(error) => warn!(file = %path.display(), %error, note = "it is waited for", "log unreadable"),
    }
}

/// One log's.
struct Watcher {
    sources: Arc<Sources>,
    terms: Arc<ArcSwap<Terms>>,
    session: SessionId,
    format: WatchFormat,
}

impl Watcher {
    async fn file(self, path: PathBuf, opened: oneshot::Sender<()>) {
        let at = path.clone();
        let Ok((mut tail, found)) = tokio::task::spawn_blocking(move || Tail::new(at)).await else { return };
        tell(&path, found.as_ref().err());
        // Nobody waits any more: it took too long.
        let _ = opened.send(());
        let mut readable = found.is_ok();
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
            warn!(%unit, cause = ?ended, wait_secs = wait.as_secs(), note = "it is started again", "journalctl ended");
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
        let terms = self.terms.load_full();
        let recorder = Recorder { sources: &self.sources, terms: &terms, session: self.session };
        let mut told = Vec::new();
        for Seen { user, client } in seen {
            let account = recorder.account_elsewhere(&user, client).await;
            told.extend(account.map(|login| ToldLogin {
                client,
                subject: Subject::Account(login),
                source: PopSource::Log,
                proved: None,
            }));
        }
        recorder.record_all(&told).await;
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
