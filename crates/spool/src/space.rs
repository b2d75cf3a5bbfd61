//! Whether the disk has room, asked at most once a second.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::AcceptError;
use crate::mutex::locked;

const LIFETIME: Duration = Duration::from_secs(1);

pub(crate) struct Space {
    dir: PathBuf,
    free_octets_min: u64,
    last: Mutex<Option<(Instant, u64)>>,
}

impl Space {
    pub(crate) fn new(dir: PathBuf, free_octets_min: u64) -> Self {
        Self { dir, free_octets_min, last: Mutex::new(None) }
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

    /// Free beyond what must stay free.
    pub(crate) fn usable_octets(&self) -> u64 {
        self.free_octets().saturating_sub(self.free_octets_min)
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
        let free = statvfs(&self.dir).map_or(u64::MAX, |stat| stat.blocks_available() * stat.fragment_size());
        *last = Some((Instant::now(), free));
        free
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
