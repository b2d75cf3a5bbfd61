//! When each device was used last. A login costs no write: uses are noted in memory and written together, at most once a minute
//! and at the end. What a kill takes is a minute at most.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::DirectoryError;
use crate::listed::LastUse;
use crate::{Directory, unix_secs};

type Result<T> = std::result::Result<T, DirectoryError>;

/// Between two writes.
const UNWRITTEN: Duration = Duration::from_mins(1);
/// Devices that are noted between two writes; more than a site has.
const NOTED_MAX: usize = 100_000;

/// Uses that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    uses: HashMap<Arc<str>, LastUse>,
    written: Option<Instant>,
}

impl Uses {
    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, login: &str, at: u64, from: IpAddr) {
        let Noted { uses, .. } = &mut *self.noted();
        if let Some(known) = uses.get_mut(login) {
            (known.at, known.from) = (at, from);
        } else if uses.len() < NOTED_MAX {
            let login: Arc<str> = login.into();
            uses.insert(Arc::clone(&login), LastUse { login, at, from });
        }
    }

    /// What is to be written, if it is time to.
    fn due(&self, now: Instant) -> Option<Vec<LastUse>> {
        let mut noted = self.noted();
        let waits = noted.written.is_some_and(|written| now.duration_since(written) < UNWRITTEN);
        if noted.uses.is_empty() || waits {
            return None;
        }
        noted.written = Some(now);
        Some(noted.uses.drain().map(|(_, one)| one).collect())
    }

    /// What could not be written waits for the next time, unless the device was used again.
    fn put_back(&self, uses: Vec<LastUse>) {
        let mut noted = self.noted();
        for one in uses {
            noted.uses.entry(Arc::clone(&one.login)).or_insert(one);
        }
    }
}

impl Directory {
    /// Takes note that a device of ours logged in. Nothing is written yet.
    pub fn note_use(&self, device_login: &str, from: IpAddr) {
        self.uses.note(device_login, unix_secs(), from.to_canonical());
    }

    /// Writes what was noted, at most once a minute: to be called now and then.
    pub async fn keep_uses(&self) -> Result<()> {
        match self.uses.due(Instant::now()) {
            Some(uses) => self.write_uses(uses).await,
            None => Ok(()),
        }
    }

    /// Writes what was noted: the end comes.
    pub(crate) async fn keep_last_uses(&self) -> Result<()> {
        let uses: Vec<LastUse> = self.uses.noted().uses.drain().map(|(_, one)| one).collect();
        if uses.is_empty() { Ok(()) } else { self.write_uses(uses).await }
    }

    async fn write_uses(&self, uses: Vec<LastUse>) -> Result<()> {
        let done = self.store.write_uses(&uses).await;
        if done.is_err() {
            self.uses.put_back(uses);
        }
        done
    }

    /// When the devices of an account or of all were used last. One that never was has none.
    pub async fn last_uses(&self, account: Option<&str>) -> Result<HashMap<Arc<str>, LastUse>> {
        let account = account.map(|account| self.known_login(account)).transpose()?;
        let written = self.store.uses(account.as_deref()).await?;
        let mut uses: HashMap<Arc<str>, LastUse> =
            written.into_iter().map(|one| (Arc::clone(&one.login), one)).collect();
        // Of other accounts' devices too: who asks looks up those that he lists.
        uses.extend(self.uses.noted().uses.iter().map(|(login, one)| (Arc::clone(login), one.clone())));
        Ok(uses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_s_logins_are_one_write() {
        let uses = Uses::default();
        let from = IpAddr::from([192, 0, 2, 7]);
        let began = Instant::now();
        assert!(uses.due(began).is_none());
        (0..1_000).for_each(|second| uses.note(&format!("alice-scanner{}@example.test", second % 6), second, from));
        assert_eq!(uses.due(began).map(|due| due.len()), Some(6));
        uses.note("alice-scanner0@example.test", 1_001, from);
        assert!(uses.due(began + UNWRITTEN / 2).is_none());
        let due = uses.due(began + UNWRITTEN).unwrap();
        assert_eq!((due.len(), due[0].at), (1, 1_001));
        uses.note("alice-scanner0@example.test", 2_000, from);
        uses.put_back(due);
        assert_eq!(uses.due(began + UNWRITTEN * 2).unwrap()[0].at, 2_000);
    }
}
