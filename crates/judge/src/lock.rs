//! Whether relaying is locked down: our own probe found that a stranger could relay, so no right but SMTP AUTH counts until an
//! operator has looked. Kept over restarts: `relay.locked` in `data_dir` is there while it is so, and a file that cannot be read
//! locks as one that can (fails closed).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use guard::Relaying;
use keep::NewFile;
use serde::{Deserialize, Serialize};
use tracing::{error, info};

/// Its name in the data directory.
const FILE: &str = "relay.locked";
/// Octets of it that are read.
const OCTETS_MAX: u64 = 256 * 1024;
/// What is kept of what passed.
const CAUSES_MAX: usize = 50;

/// Whether relaying is locked down. The default one has no file, and forgets at the end.
#[derive(Debug, Default)]
pub struct RelayLock {
    path: Option<PathBuf>,
    is_locked: AtomicBool,
    held: Mutex<Held>,
    alarms: AtomicU64,
}

#[derive(Debug, Default)]
struct Held {
    locked: Option<Locked>,
    last: Option<Probed>,
}

/// Why, and since when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// RFC 3339.
    pub since: String,
    /// The probes that passed: by which way in, from which address, which probe, by what right.
    pub causes: Vec<String>,
}

/// The last time that our own probes were played.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// When, RFC 3339.
    pub at: String,
    /// How many recipients were tried.
    pub tried: u64,
    /// Those that would have been relayed.
    pub passed: Vec<String>,
}

/// The lock as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockStatus {
    /// `None`: every right counts.
    pub locked: Option<Locked>,
    /// `None`: not yet since the start.
    pub last: Option<Probed>,
    /// How often a probe passed since the start.
    pub alarms: u64,
}

impl RelayLock {
    /// Where it is kept.
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// As it was left. Blocks.
    pub fn open(path: PathBuf) -> Self {
        let locked = match keep::read(&path, OCTETS_MAX, keep::Accepts::RegularFile) {
            Ok(octets) => Some(serde_json::from_slice(&octets).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Locked { since: String::new(), causes: vec![format!("{}: {error}", path.display())] }),
        };
        if let Some(Locked { since, causes }) = &locked {
            error!(since, causes = ?causes, note = "sekisho relay unlock frees it", "relay locked");
        }
        let is_locked = AtomicBool::new(locked.is_some());
        let held = Mutex::new(Held { locked, last: None });
        Self { path: Some(path), is_locked, held, alarms: AtomicU64::new(0) }
    }

    /// Whether rights count now.
    pub fn relaying(&self) -> Relaying {
        if self.is_locked.load(Ordering::Acquire) { Relaying::Locked } else { Relaying::Free }
    }

    /// As it stands.
    pub fn status(&self) -> LockStatus {
        let held = self.held();
        let alarms = self.alarms.load(Ordering::Relaxed);
        LockStatus { locked: held.locked.clone(), last: held.last.clone(), alarms }
    }

    /// Takes what our own probes came to: one that passed locks relaying down. In force at once, and then written: what cannot be
    /// written is in force until the end. Blocks.
    pub fn probed(&self, probed: Probed) {
        info!(tried = probed.tried, passed = probed.passed.len(), "relay probed");
        let passed: Vec<String> = probed.passed.iter().take(CAUSES_MAX).cloned().collect();
        let at = probed.at.clone();
        let mut held = self.held();
        held.last = Some(probed);
        if passed.is_empty() {
            return;
        }
        self.is_locked.store(true, Ordering::Release);
        alarm(&self.alarms, &passed);
        let since = held.locked.as_ref().map_or(at, |locked| locked.since.clone());
        let locked = Locked { since, causes: passed };
        if let Err(error) = self.write(&locked) {
            error!(%error, note = "locked until the next start only", "lock unwritten");
        }
        held.locked = Some(locked);
    }

    /// Lets every right count again; false: they did already. After an error it is locked as before. Blocks.
    pub fn unlock(&self) -> io::Result<bool> {
        let mut held = self.held();
        if let Some(path) = &self.path
            && let Err(error) = remove(path)
        {
            return Err(error);
        }
        self.is_locked.store(false, Ordering::Release);
        Ok(held.locked.take().is_some())
    }

    fn write(&self, locked: &Locked) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let octets = serde_json::to_vec(locked).map_err(io::Error::other)?;
        NewFile { path, octets: &octets, mode: 0o600, owner: None }.replace().map_err(io::Error::other)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Durably, so that it does not come back with a power cut.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => keep::sync_dir(path.parent().unwrap_or(Path::new("."))).map_err(io::Error::other),
    }
}

/// A stranger could relay: the one place where that is told.
fn alarm(alarms: &AtomicU64, passed: &[String]) {
    alarms.fetch_add(1, Ordering::Relaxed);
    error!(
        causes = ?passed,
        note = "a stranger could relay; only logins by SMTP AUTH relay until sekisho relay unlock",
        "relay locked"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probed(passed: &[&str]) -> Probed {
        let passed = passed.iter().map(ToString::to_string).collect();
        Probed { at: "2026-11-30T15:00:00Z".to_owned(), tried: 9, passed }
    }

    #[test]
    fn a_passed_probe_locks_until_somebody_unlocks() {
        let dir = tempfile::tempdir().unwrap();
        let open = || RelayLock::open(RelayLock::path(dir.path()));
        let lock = open();
        lock.probed(probed(&[]));
        assert_eq!(lock.relaying(), Relaying::Free);
        assert!(!lock.unlock().unwrap(), "nothing was locked");
        lock.probed(probed(&["smtp 192.0.2.1 plain-foreign network"]));
        assert_eq!((lock.relaying(), lock.status().alarms), (Relaying::Locked, 1));
        // One that passes no more frees nothing: the operator has not looked yet.
        lock.probed(probed(&[]));
        assert_eq!(lock.relaying(), Relaying::Locked);
        let again = open();
        assert_eq!(again.relaying(), Relaying::Locked, "kept over restarts");
        assert_eq!(again.status().locked.unwrap().causes, ["smtp 192.0.2.1 plain-foreign network"]);
        assert!(again.unlock().unwrap());
        assert_eq!((again.relaying(), open().relaying()), (Relaying::Free, Relaying::Free));
    }

    #[test]
    fn a_file_that_nobody_can_read_locks() {
        let dir = tempfile::tempdir().unwrap();
        let path = RelayLock::path(dir.path());
        fs::write(&path, b"\0\0\0").unwrap();
        assert_eq!(RelayLock::open(path.clone()).relaying(), Relaying::Locked);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(RelayLock::open(path).relaying(), Relaying::Locked);
    }
}
