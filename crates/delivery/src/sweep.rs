//! Sweeping: what a delivery that was killed left in the `tmp` of a Maildir goes, at the start and then daily.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::config::{FindMaildirRoot, RemoteRoute};
use crate::shared::Shared;
use crate::writers::Writers;

/// From one round to the next.
const DAY: Duration = Duration::from_hours(24);

/// Goes its rounds until delivery stops.
pub(crate) struct Sweeper {
    root: FindMaildirRoot,
    /// The Maildir that takes all mail for others, where there is one.
    sink: Option<PathBuf>,
    every: Duration,
    stop: watch::Receiver<bool>,
}

/// The Maildirs of one round.
struct Round {
    root: PathBuf,
    sink: Option<PathBuf>,
    stop: watch::Receiver<bool>,
}

impl Sweeper {
    /// It does not hold `shared`, whose worker it is: neither would go before the other.
    pub(crate) fn new(shared: &Shared) -> Self {
        let sink = match &shared.config.route {
            RemoteRoute::Sink(path) => Some(path.clone()),
            RemoteRoute::Smarthost(_) | RemoteRoute::Mx(_) => None,
        };
        Self { root: shared.lookups.maildir_root.clone(), sink, every: DAY, stop: shared.stop_signal() }
    }

    /// Sweeps now, and daily.
    pub(crate) async fn run(mut self) {
        loop {
            self.round().await;
            tokio::select! {
                // An error means that delivery is gone.
                _ = self.stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(self.every) => (),
            }
        }
    }

    /// On a thread that stands back as those do that write: no start and no mail waits for it.
    async fn round(&self) {
        let round = Round { root: (self.root)(), sink: self.sink.clone(), stop: self.stop.clone() };
        match Writers::start(1).run(move || round.sweep()).await {
            Some(0) => (),
            Some(files) => tracing::info!(files, "swept"),
            None => tracing::warn!("sweep failed"),
        }
    }
}

impl Round {
    /// Sweeps every Maildir there is; returns how many files went. What cannot be read is told and passed over.
    fn sweep(&self) -> usize {
        let domains = folders_in(&self.root);
        let maildirs = domains.flat_map(|domain| folders_in(&domain)).chain(self.sink.clone());
        let there = maildirs.take_while(|_| !self.is_over()).filter(|path| maildir::exists(path));
        there.map(|path| sweep_one(&path)).sum()
    }

    /// Whether delivery stops, or is gone.
    fn is_over(&self) -> bool {
        *self.stop.borrow() || self.stop.has_changed().is_err()
    }
}

fn sweep_one(maildir: &Path) -> usize {
    maildir::sweep_tmp(maildir, SystemTime::now()).unwrap_or_else(|error| {
        tell(maildir, &error);
        0
    })
}

/// The folders in a folder. A link to one is none of them: what it leads to is not known to be a mailbox of ours.
fn folders_in(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).inspect_err(|error| tell(folder, error));
    let folders = entries.into_iter().flatten().filter_map(Result::ok);
    folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// What is gone meanwhile, or was never made, is no trouble.
fn tell(path: &Path, error: &io::Error) {
    if error.kind() != io::ErrorKind::NotFound {
        tracing::warn!(path = %path.display(), %error, "sweep failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const STALE: Duration = Duration::from_hours(37);

    fn written(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::File::create(path).unwrap().set_modified(SystemTime::now() - STALE).unwrap();
    }

    /// Makes a Maildir with a stale file; returns the file.
    fn stale_in(maildir: &Path) -> PathBuf {
        maildir::create(maildir).unwrap();
        let stale = maildir.join("tmp/stale");
        written(&stale);
        stale
    }

    fn round(dir: &Path, stop: &watch::Sender<bool>) -> Round {
        Round { root: dir.join("mail"), sink: Some(dir.join("sink")), stop: stop.subscribe() }
    }

    #[test]
    fn every_mailbox_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        let swept =
            ["mail/a.test/alice", "mail/a.test/bob", "mail/b.test/carol", "sink"].map(|path| stale_in(&at(path)));
        // No Maildir, a Maildir elsewhere, and one that a link leads to.
        written(&at("mail/a.test/program/tmp/stale"));
        written(&at("mail/tmp/stale"));
        let elsewhere = stale_in(&at("elsewhere"));
        std::os::unix::fs::symlink(at("elsewhere"), at("mail/a.test/link")).unwrap();
        let (stop, _) = watch::channel(false);
        assert_eq!(round(dir.path(), &stop).sweep(), swept.len());
        assert!(swept.iter().all(|path| !path.exists()));
        assert!(at("mail/a.test/program/tmp/stale").exists() && at("mail/tmp/stale").exists() && elsewhere.exists());
        assert_eq!(round(dir.path(), &stop).sweep(), 0);
    }

    #[test]
    fn a_round_ends_with_delivery_and_needs_no_mailbox() {
        let dir = tempfile::tempdir().unwrap();
        let (stop, _) = watch::channel(false);
        assert_eq!(round(dir.path(), &stop).sweep(), 0, "no folder there yet");
        let stale = stale_in(&dir.path().join("mail/a.test/alice"));
        let gone = round(dir.path(), &watch::channel(false).0);
        assert_eq!(gone.sweep(), 0);
        let stopping = round(dir.path(), &stop);
        stop.send_replace(true);
        assert_eq!(stopping.sweep(), 0);
        assert!(stale.exists());
    }

    #[tokio::test]
    async fn one_round_follows_the_other_until_the_stop() {
        let dir = tempfile::tempdir().unwrap();
        let (stop, receiver) = watch::channel(false);
        let root = dir.path().to_owned();
        let root: FindMaildirRoot = Arc::new(move || root.clone());
        let sweeper = Sweeper { root, sink: None, every: Duration::from_millis(5), stop: receiver };
        let sweeping = tokio::spawn(sweeper.run());
        for _ in 0..3 {
            let stale = stale_in(&dir.path().join("a.test/alice"));
            while stale.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        stop.send_replace(true);
        sweeping.await.unwrap();
    }
}
