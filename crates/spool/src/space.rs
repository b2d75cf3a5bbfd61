//! Whether the disk has room, asked at most once a second.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::AcceptError;
use crate::mutex::locked;

const LIFETIME: Duration = Duration::from_secs(1);

pub(crate) struct Space {
    dir: PathBuf,
    free_octets_min: u64,
    last: Mutex<Option<(Instant, u64)>>,
    /// Octets of the queued messages' own files.
    large_octets: AtomicU64,
    /// What the spool has, used and free.
    room: Mutex<Option<(Instant, u64)>>,
}

impl Space {
    pub(crate) fn new(dir: PathBuf, free_octets_min: u64) -> Self {
        Self { dir, free_octets_min, last: Mutex::new(None), large_octets: AtomicU64::new(0), room: Mutex::new(None) }
    }

    /// Whether `octets` more leave enough free. A file system that does not tell is taken to have room: the write
    /// itself will tell.
    pub(crate) fn check(&self, octets: u64) -> Result<(), AcceptError> {
        let needed_octets = self.free_octets_min.saturating_add(octets);
        let free_octets = self.free_octets();
        if free_octets < needed_octets {
            return Err(AcceptError::Full { dir: self.dir.clone(), free_octets, needed_octets });
        }
        Ok(())
    }

    /// As [`Space::check`], and counts the octets as used until the file system is asked again.
    pub(crate) fn take(&self, octets: u64) -> Result<(), AcceptError> {
        self.check(octets)?;
        if let Some((_, free)) = &mut *locked(&self.last) {
            *free = free.saturating_sub(octets);
        }
        Ok(())
    }

    /// A message with a file of its own is in the queue.
    pub(crate) fn large_came(&self, octets: u64) {
        self.large_octets.fetch_add(octets, Ordering::Relaxed);
    }

    /// Its file is removed.
    pub(crate) fn large_gone(&self, octets: u64) {
        self.large_octets.fetch_sub(octets, Ordering::Relaxed);
    }

    /// Octets of those files.
    pub(crate) fn large_octets(&self) -> u64 {
        self.large_octets.load(Ordering::Relaxed)
    }

    /// What the spool has on its disk in octets, used and free beyond what must stay free; both are asked at the same time, or
    /// what was removed just now would be in neither. `segments_octets`: used by segments.
    pub(crate) fn room_octets(&self, segments_octets: impl FnOnce() -> u64) -> u64 {
        let mut room = locked(&self.room);
        if let Some((at, octets)) = *room
            && at.elapsed() < LIFETIME
        {
            return octets;
        }
        let used = segments_octets().saturating_add(self.large_octets());
        let octets = used.saturating_add(self.ask().saturating_sub(self.free_octets_min));
        *room = Some((Instant::now(), octets));
        octets
    }

    /// The next check asks anew.
    pub(crate) fn forget(&self) {
        *locked(&self.last) = None;
    }

    pub(crate) fn full(&self, needed_octets: u64) -> AcceptError {
        self.forget();
        AcceptError::Full { dir: self.dir.clone(), free_octets: self.free_octets(), needed_octets }
    }

    fn free_octets(&self) -> u64 {
        let mut last = locked(&self.last);
        if let Some((at, free)) = *last
            && at.elapsed() < LIFETIME
        {
            return free;
        }
        let free = self.ask();
        *last = Some((Instant::now(), free));
        free
    }

    fn ask(&self) -> u64 {
        statvfs(&self.dir).map_or(u64::MAX, |stat| stat.blocks_available() * stat.fragment_size())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_with_what_must_stay_free() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Space::new(dir.path().into(), 0).check(1).is_ok());
        let refused = Space::new(dir.path().into(), u64::MAX / 2).check(1);
        assert!(matches!(refused, Err(AcceptError::Full { needed_octets, .. }) if needed_octets == u64::MAX / 2 + 1));
    }
}
