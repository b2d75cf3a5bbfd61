//! The embedded engine: each operation whole and atomic.
//!
//! | file | answers for |
//! |---|---|
//! | `table` | the map in memory that is read, bounded, with its expiry |
//! | `writer` | the one thread that writes: group commit, retries, sweep |
//! | `disk` | the folder: lock, journal, and its replacement by a shorter one |
//! | `journal` | one journal file: read, appended to, sealed |
//! | `frame` | its octets |
//! | `record` | what is in them |
//! | `device` | what devices have sent |

mod device;
mod disk;
mod frame;
mod journal;
mod record;
mod table;
mod writer;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use guard::{PopCharge, PopEvidence, Subject, canonical_ip};
use tokio::sync::{oneshot, watch};

use self::device::Devices;
use self::disk::Disk;
use self::record::{LOGIN_OCTETS_MAX, Record};
use self::table::{Table, duration_micros, micros, subject_text};
use self::writer::{GROUP_MAX, Job, Revocation, Shared, Writer};
use crate::throttle::{AuthGate, Counted, Throttle};
use crate::{ChargeOutcome, FailedLogin, Opened, PopLimits, PopLogin, Recorded, Revoke, StateConfig, StateError};

/// As good as never.
const FAR: Duration = Duration::from_hours(100 * 366 * 24);

/// Evidence in memory, made durable by one writing thread. Shared by `Arc`; dropping it closes it.
pub struct Embedded {
    shared: Arc<Shared>,
    throttle: Mutex<Throttle>,
    devices: Mutex<Devices>,
    writer: Mutex<Option<JoinHandle<()>>>,
    opened: Opened,
}

impl Embedded {
    /// Opens `dir` (made if need be) with the usual bounds. It reads and verifies the whole file; call it before
    /// serving.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StateError> {
        Self::open_with(dir, StateConfig::default())
    }

    /// The same with other bounds.
    pub fn open_with(dir: impl AsRef<Path>, config: StateConfig) -> Result<Self, StateError> {
        let dir = dir.as_ref();
        let table = Table::new(config.grants_max, config.logins_per_address_max);
        let (disk, fresh) = Disk::open(dir, &table)?;
        let engine = Self::start((disk, table), config, fresh)?;
        if fresh {
            tracing::warn!(path = ?dir, "a new, empty state: nobody may relay by a POP login until the next POP login");
        } else {
            tracing::info!(path = ?dir, grants = engine.opened.grants, "state read");
        }
        Ok(engine)
    }

    fn start((disk, table): (Disk, Table), config: StateConfig, fresh: bool) -> Result<Self, StateError> {
        let gone = table.settle();
        let grants = table.len();
        let shared = Arc::new(Shared::new(table));
        let writer = Writer::new(Arc::clone(&shared), disk, gone);
        let thread = std::thread::Builder::new().name("state-writer".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| StateError::Io {
            path: "state-writer".into(),
            op: "starting the thread",
            source,
        })?;
        let throttle = Mutex::new(Throttle::new(config.auth));
        let (writer, devices) = (Mutex::new(Some(thread)), Mutex::default());
        Ok(Self { shared, throttle, devices, writer, opened: Opened { fresh, grants } })
    }

    /// What was found at the start.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// Evidence kept now, the expired but not yet swept included.
    pub fn len(&self) -> usize {
        self.shared.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records a POP login; durable when it returns. A renewal that moves the expiry by less than a minute since the
    /// last write is not written: after a crash the evidence may end that much sooner, never later.
    ///
    /// A caller that is dropped meanwhile may leave the login recorded.
    pub async fn record_pop_login(
        &self,
        login: PopLogin,
        lifetime: Duration,
        now: SystemTime,
    ) -> Result<Recorded, StateError> {
        self.shared.check()?;
        let granted = self.saw(now);
        let record = record(&login, granted, granted.saturating_add(duration_micros(lifetime)))?;
        if let Some(recorded) = self.shared.table.renew(&record, granted) {
            self.shared.changed();
            return Ok(recorded);
        }
        let (answer, answered) = oneshot::channel();
        self.shared.push(Job::Record(record, answer))?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }

    /// Records many at once, as one group: what is there to be recorded should be given together, since this costs
    /// much less than each by itself. Each is answered in its place, as by [`Embedded::record_pop_login`]. Of more
    /// than 65,536 the rest is answered [`StateError::Overloaded`].
    pub async fn record_many(
        &self,
        logins: Vec<PopLogin>,
        lifetime: Duration,
        now: SystemTime,
    ) -> Vec<Result<Recorded, StateError>> {
        let granted = self.saw(now);
        let expires = granted.saturating_add(duration_micros(lifetime));
        let mut answers = Vec::with_capacity(logins.len());
        let mut waiting = Vec::new();
        for login in &logins {
            let record = self.shared.check().and_then(|()| record(login, granted, expires));
            answers.push(record.map(|record| {
                let renewed = self.shared.table.renew(&record, granted);
                if renewed.is_none() {
                    waiting.push(record);
                }
                renewed
            }));
        }
        if waiting.len() < answers.len() {
            self.shared.changed();
        }
        let mut written = self.write_many(waiting).await.into_iter();
        let mut next = || written.next().unwrap_or(Err(StateError::Closed));
        answers.into_iter().map(|answer| answer.and_then(|recorded| recorded.map_or_else(&mut next, Ok))).collect()
    }

    /// Has them written and gives as many answers.
    async fn write_many(&self, records: Vec<Record>) -> Vec<Result<Recorded, StateError>> {
        let mut pushed = Vec::with_capacity(1 + records.len() / GROUP_MAX);
        let (mut records, mut refused) = (records.into_iter(), None);
        while !records.as_slice().is_empty() {
            let group: Vec<Record> = records.by_ref().take(GROUP_MAX).collect();
            let (count, (answer, answered)) = (group.len(), oneshot::channel());
            // None behind one that was refused: what is refused is the rest.
            if refused.is_none() {
                refused = self.shared.push(Job::Records(group, answer)).err();
            }
            pushed.push((count, answered, refused.as_ref().map(StateError::again)));
        }
        let mut answers = Vec::new();
        for (count, answered, refused) in pushed {
            let group = match refused {
                None => answered.await.unwrap_or(Err(StateError::Closed)),
                Some(error) => Err(error),
            };
            match group {
                Ok(group) => answers.extend(group.into_iter().map(Ok)),
                Err(error) => answers.extend((0..count).map(|_| Err(error.again()))),
            }
        }
        answers
    }

    /// Who logged in by POP from there and is still alive. Never waits.
    #[expect(clippy::unused_async, reason = "another engine asks over the network")]
    pub async fn pop_evidence(&self, addr: IpAddr, now: SystemTime) -> Result<Vec<PopEvidence>, StateError> {
        self.shared.check()?;
        let now = self.saw(now);
        Ok(self.shared.table.evidence(canonical_ip(addr), now))
    }

    /// Counts a mail against the quota of an account at an address, all of it or nothing. The window begins with the
    /// first charge, and neither a renewal nor a revocation begins it anew. Written within a second, not before the
    /// answer: after a crash at most that much is forgotten.
    #[expect(clippy::unused_async, reason = "another engine asks over the network")]
    pub async fn charge_pop(
        &self,
        key: &PopCharge,
        limits: PopLimits,
        now: SystemTime,
    ) -> Result<ChargeOutcome, StateError> {
        self.shared.check()?;
        let now = self.saw(now);
        Ok(self.shared.table.charge(key, limits, now))
    }

    /// Takes evidence back: at once in memory, even while the disk fails, and durable when it returns `Ok`. Gives how
    /// many were alive.
    pub async fn revoke(&self, which: Revoke, now: SystemTime) -> Result<usize, StateError> {
        let (now, which) = (self.saw(now), which.canonical());
        let taken = self.shared.table.revoke(&which, now);
        self.shared.changed();
        self.shared.check()?;
        let (answer, answered) = oneshot::channel();
        self.shared.push(Job::Revoke(Revocation { which, now, taken }, answer))?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }

    /// All live evidence, in no order.
    #[expect(clippy::unused_async, reason = "another engine asks over the network")]
    pub async fn grants(&self, now: SystemTime) -> Result<Vec<PopEvidence>, StateError> {
        self.shared.check()?;
        let now = self.saw(now);
        Ok(self.shared.table.all(now))
    }

    /// Counts the changes of evidence (recorded, renewed or taken back, but not what expires by itself) and of the engine's
    /// health, once for what was written together. The answer to a record comes after it is counted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// Writes the quotas charged since the last second; durable when it returns.
    pub async fn flush(&self) -> Result<(), StateError> {
        self.shared.check()?;
        let (answer, answered) = oneshot::channel();
        self.shared.push(Job::Flush(answer))?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }

    /// Counts one message of a device that may send `per_hour`, or says that it may not now. In memory only.
    pub fn charge_device(&self, login: &str, per_hour: u32, now: SystemTime) -> ChargeOutcome {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        match devices.charge(login, per_hour, micros(now)) {
            Ok(()) => ChargeOutcome::Within,
            Err(exceeded) => {
                let until = now.checked_add(exceeded.retry_after.min(FAR)).unwrap_or(now);
                ChargeOutcome::Exceeded { until }
            }
        }
    }

    /// To be asked before a password is looked at.
    pub fn check_auth(&self, addr: IpAddr, login: &str, now: SystemTime) -> AuthGate {
        self.throttle().check(addr, login, micros(now))
    }

    /// Addresses behind which are many clients: their failures count against the accounts alone.
    pub fn share_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.throttle().share(addresses);
    }

    /// A login failed.
    pub fn auth_failed(&self, failed: &FailedLogin<'_>, now: SystemTime) -> Counted {
        self.throttle().failed(failed, micros(now))
    }

    /// AUTH was tried where it is not offered, or was malformed (no login to count it for).
    pub fn auth_abused(&self, addr: IpAddr, now: SystemTime) {
        self.throttle().abused(addr, micros(now));
    }

    /// A login succeeded.
    pub fn auth_succeeded(&self, addr: IpAddr, login: &str, now: SystemTime) {
        self.throttle().succeeded(addr, login, micros(now));
    }

    /// Finishes what waits, writes the quotas and ends the writer. Every later call answers [`StateError::Closed`],
    /// also on the other handles. Blocks for the last write.
    pub fn close(&self) {
        self.shared.close();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the state writer had panicked");
        }
    }

    fn saw(&self, now: SystemTime) -> u64 {
        let now = micros(now);
        self.shared.saw(now);
        now
    }

    fn throttle(&self) -> std::sync::MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("grants", &self.len()).finish_non_exhaustive()
    }
}

fn record(login: &PopLogin, granted: u64, expires: u64) -> Result<Record, StateError> {
    let subject = subject_text(&login.subject);
    let is_forged = matches!(login.subject, Subject::Account(_)) && subject.starts_with('[');
    if subject.is_empty() || subject.len() > LOGIN_OCTETS_MAX || is_forged {
        return Err(StateError::BadLogin);
    }
    Ok(Record {
        addr: canonical_ip(login.addr),
        login: subject.into(),
        source: login.source,
        granted,
        expires,
        window_until: 0,
        messages: 0,
        recipients: 0,
    })
}

#[cfg(test)]
mod tests;
