//! Keeps a Berkeley DB file of the addresses that have a grant now, for mail servers that can do nothing but read one.
//!
//! A file cannot fail closed, so it holds as little as possible for as short as possible: it is written anew when evidence
//! comes or goes or expires, holds nothing while the evidence cannot be asked for, and is emptied at the end. Whether the
//! policy would let an address relay with any reverse-path is not in it.

mod file;

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bdb::Kind;
use guard::PopEvidence;
use state::State;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, info, warn};

pub use file::ExportError;
use file::Mark;
pub use file::replace;

/// Between two writes at least.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Of the time, writing takes at most the part of one in this many.
const PAUSE_FACTOR: u32 = 10;
/// Before a write that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// Between two looks at whether the file is still as it was written. Others are promised that it is within a minute.
const LOOK: Duration = Duration::from_secs(20);
/// As good as never: something else happens before.
const LONG: Duration = Duration::from_hours(24);

/// Which file, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Btree or hash.
    pub kind: Kind,
    /// The file.
    pub path: PathBuf,
}

/// How far the file has followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The count of [`State::changes`] that it has seen.
    pub changes: u64,
    /// The last write succeeded, and what the file holds was known.
    pub is_good: bool,
}

/// A file that is being kept.
#[derive(Debug)]
pub struct Exporter {
    written: watch::Receiver<Written>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Writes the file, and keeps it from now on. An error: the file cannot be written at all.
    pub async fn start(target: Target, state: Arc<State>) -> Result<Self, ExportError> {
        Self::start_looking(target, state, LOOK).await
    }

    /// The same, with so long between two looks at the file.
    async fn start_looking(target: Target, state: Arc<State>, look: Duration) -> Result<Self, ExportError> {
        let (stop, stopped) = watch::channel(false);
        let (tell, written) = watch::channel(Written { changes: 0, is_good: false });
        let changes = state.changes();
        let mut keeper = Keeper { target, changes, state, tell, stopped, is_known: true, look };
        let first = keeper.write().await?;
        info!(path = %keeper.target.path.display(), entries = first.entries, "export begun");
        Ok(Self { written, stop, task: tokio::spawn(keeper.run(first)) })
    }

    /// How far the file has followed.
    pub fn written(&self) -> watch::Receiver<Written> {
        self.written.clone()
    }

    /// Empties the file and ends.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            warn!(%error, "export unclosed");
        }
    }
}

/// One write of the file.
struct Wrote {
    entries: usize,
    took: Duration,
    next_expiry: Option<SystemTime>,
    /// How the file lay there then.
    mark: Option<Mark>,
}

struct Keeper {
    target: Target,
    state: Arc<State>,
    changes: watch::Receiver<u64>,
    tell: watch::Sender<Written>,
    stopped: watch::Receiver<bool>,
    /// The evidence could be asked for at the last write.
    is_known: bool,
    /// Between two looks at the file.
    look: Duration,
}

impl Keeper {
    async fn run(mut self, first: Wrote) {
        let mut last = Ok(first);
        loop {
            let (pause, due) = match &last {
                Ok(wrote) => (PAUSE_MIN.max(wrote.took * PAUSE_FACTOR), until(wrote.next_expiry)),
                Err(_) => (RETRY, Duration::ZERO),
            };
            let mark = last.as_ref().ok().and_then(|wrote| wrote.mark);
            let mut stopped = self.stopped.clone();
            tokio::select! {
                _ = stopped.wait_for(|is| *is) => break,
                () = sleep(pause) => {}
            }
            tokio::select! {
                _ = stopped.wait_for(|is| *is) => break,
                // An engine that is gone changes nothing any more.
                Ok(()) = self.changes.changed() => {}
                () = sleep(due.saturating_sub(pause)) => {}
                () = touched(&self.target, mark, self.look) => {
                    warn!(path = %self.target.path.display(), note = "it was removed or changed by somebody else; it is written anew", "export damaged");
                }
            }
            let failed_before = last.is_err();
            last = self.write().await;
            match &last {
                Err(error) if !failed_before => {
                    warn!(%error, note = "other mail servers go by what the file held before", "export failed");
                }
                Ok(wrote) if failed_before => info!(entries = wrote.entries, "export recovered"),
                Ok(_) | Err(_) => {}
            }
        }
        match self.put(Vec::new()).await {
            Ok(_) => info!(path = %self.target.path.display(), "export emptied"),
            Err(error) => {
                warn!(%error, note = "other mail servers go on relaying for the addresses in it", "export unemptied");
            }
        }
    }

    /// Writes what is so now.
    async fn write(&mut self) -> Result<Wrote, ExportError> {
        let changes = *self.changes.borrow_and_update();
        let asked = self.state.evidence().await.map(|answer| answer.value);
        let is_known = asked.is_ok();
        if let Err(error) = &asked
            && self.is_known
        {
            warn!(%error, note = "emptied, since evidence cannot be asked for", "export suspended");
        }
        self.is_known = is_known;
        let wrote = self.put(asked.unwrap_or_default()).await;
        self.tell.send_replace(Written { changes, is_good: wrote.is_ok() && is_known });
        wrote
    }

    async fn put(&self, grants: Vec<PopEvidence>) -> Result<Wrote, ExportError> {
        let target = self.target.clone();
        let put = tokio::task::spawn_blocking(move || put(&target, &grants)).await;
        put.unwrap_or_else(|_| Err(ExportError::Failed { path: self.target.path.clone() }))
    }
}

/// Returns when the file is no longer the one that was written: another stands there or none, or somebody wrote into it.
/// Without a mark there is nothing to compare.
async fn touched(target: &Target, mark: Option<Mark>, look: Duration) {
    let Some(mark) = mark else { return std::future::pending().await };
    loop {
        sleep(look).await;
        let path = target.path.clone();
        // A look that breaks off or hangs says nothing.
        let holds = tokio::task::spawn_blocking(move || mark.holds(&path)).await;
        if holds.is_ok_and(|holds| !holds) {
            return;
        }
    }
}

/// From now until then; an instant more, so that it is over then.
fn until(then: Option<SystemTime>) -> Duration {
    let left = then.map(|then| then.duration_since(SystemTime::now()).unwrap_or_default());
    left.map_or(LONG, |left| left.saturating_add(Duration::from_millis(1)).min(LONG))
}

fn put(target: &Target, grants: &[PopEvidence]) -> Result<Wrote, ExportError> {
    let began = Instant::now();
    let entries = entries(grants);
    let image =
        bdb::write(target.kind, &entries).map_err(|error| ExportError::Image { path: target.path.clone(), error })?;
    file::replace(&target.path, &image, None)?;
    let mark = Mark::written(&target.path, &image);
    let took = began.elapsed();
    debug!(entries = entries.len(), ?took, "exported");
    let next_expiry = grants.iter().map(PopEvidence::expires_at).min();
    Ok(Wrote { entries: entries.len(), took, next_expiry, mark })
}

/// What DRAC's own database has: the address as text, and the second of expiry since 1970. Postfix takes an all-numeric
/// value for `OK`, so there is nothing but digits.
fn entries(grants: &[PopEvidence]) -> Vec<(String, String)> {
    let mut last: HashMap<IpAddr, SystemTime> = HashMap::with_capacity(grants.len());
    for grant in grants {
        let expires = last.entry(grant.addr()).or_insert(UNIX_EPOCH);
        *expires = grant.expires_at().max(*expires);
    }
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    last.into_iter().map(|(addr, expires)| (addr.to_string(), seconds(expires).to_string())).collect()
}

#[cfg(test)]
mod tests;
