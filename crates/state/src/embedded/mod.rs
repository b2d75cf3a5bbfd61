//! The engine inside the process: evidence, owners' networks and bans in memory with a journal behind it, rates in memory alone. Each operation is whole and atomic.
//!
//! | file | answers for |
//! |---|---|
//! | `places` | what is reserved for one holder |
//! | `rates` | rates by key |
//! | `attempt` | what is reserved for one login attempt |
//! | `memory` | what is remembered until its end |
//! | `networks` | where accounts' owners log in |
//! | `greylist` | who was seen once, and who came back |
//! | `bans` | who is banned, and was lately |
//! | `writer` | the one thread that writes: group commit, retries, sweep |
//! | `disk` | the folder: lock, journal, and its replacement by a shorter one |
//! | `table`, `shard` | the map in memory that is read, bounded, with its expiry |
//! | `shares` | who holds how much of it |
//! | `journal` | one journal file: read, appended to, sealed |
//! | `frame` | its octets |
//! | `record` | what is in them |

mod attempt;
mod bans;
pub(crate) mod disk;
mod frame;
mod greylist;
mod journal;
mod memory;
mod networks;
mod places;
mod rates;
mod record;
mod shard;
mod shares;
pub(crate) mod table;
pub(crate) mod writer;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use guard::{Subject, canonical_ip};
use tokio::sync::{oneshot, watch};

use self::disk::Disk;
use self::memory::Memory;
use self::rates::Rates;
use self::record::{LOGIN_OCTETS_MAX, Record, subject_text};
use self::table::Table;
use self::writer::{GROUP_MAX, Job, Kept, Revocation, Shared, Writer};
use crate::ban::{Ban, Begun, NewBan};
use crate::charge::{AttemptCharges, Charge, Counted, Failure, Full, Level, NoRoom, RateCharge, RateKey};
use crate::clock::{Answer, Clock, duration_micros};
use crate::error::StateError;
use crate::evidence::{KeptLogin, PopLogin, Recorded, Revoke};
use crate::gcra::Rate;
use crate::greylist::{GreylistKey, GreylistTerms, Greylisted};
use crate::memory::MemoryKey;
use crate::owners::{NetworkOf, Remembered};

pub(crate) use self::attempt::AttemptPlaces;
pub(crate) use self::places::Places;

/// Evidence in memory, made durable by one writing thread. Dropping it closes it.
pub(crate) struct Embedded {
    shared: Arc<Shared>,
    rates: Arc<Rates>,
    memory: Memory,
    writer: Mutex<Option<JoinHandle<()>>>,
    found: usize,
    is_fresh: bool,
}

/// How much is kept at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Evidence.
    pub(crate) grants: usize,
    /// Accounts at one address.
    pub(crate) logins_per_address: usize,
    /// Keys of each kind of rate.
    pub(crate) keys: usize,
}

/// A folder that was read.
pub(crate) struct Folder {
    pub(crate) disk: Disk,
    /// What was in it.
    pub(crate) table: Table,
    /// There was no journal.
    pub(crate) is_fresh: bool,
}

impl Embedded {
    /// Whether no other process has the folder.
    pub(crate) fn look(dir: &Path) -> Result<(), StateError> {
        disk::look(dir)
    }

    /// The file of all that is kept.
    pub(crate) fn journal(dir: &Path) -> std::path::PathBuf {
        disk::journal(dir)
    }

    /// Opens `dir` (made if need be). It reads and verifies the whole file.
    pub(crate) fn open(dir: &Path, bounds: Bounds, clock: Clock) -> Result<Self, StateError> {
        let table = Table::new(bounds.grants, bounds.logins_per_address);
        let (disk, is_fresh) = Disk::open(dir, &table)?;
        let engine = Self::start(Folder { disk, table, is_fresh }, bounds.keys, clock)?;
        if is_fresh {
            tracing::warn!(path = ?dir, note = "nobody may relay by a POP login until the next POP login", "state created");
        } else {
            tracing::info!(path = ?dir, grants = engine.found, "state read");
        }
        Ok(engine)
    }

    /// Begins to write.
    pub(crate) fn start(folder: Folder, keys_max: usize, clock: Clock) -> Result<Self, StateError> {
        let Folder { disk, table, is_fresh } = folder;
        table.clamp(clock.micros());
        let gone = table.settle();
        let found = table.len();
        let shared = Arc::new(Shared::new(table, clock));
        let (rates, memory) = (Arc::new(Rates::new(keys_max)), Memory::new(keys_max));
        let writer = Writer::new(Kept { shared: Arc::clone(&shared), rates: Arc::clone(&rates) }, disk, gone);
        let thread = std::thread::Builder::new().name("state-writer".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|source| StateError::Io {
            path: "state-writer".into(),
            op: "starting the thread",
            source,
        })?;
        Ok(Self { shared, rates, memory, writer: Mutex::new(Some(thread)), found, is_fresh })
    }

    /// There was no journal.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Evidence read at the start, the expired included.
    pub(crate) fn found(&self) -> usize {
        self.found
    }

    /// Evidence kept now, the expired but not yet swept included.
    pub(crate) fn len(&self) -> usize {
        self.shared.table.len()
    }

    /// See `State::record`.
    pub(crate) async fn record(&self, login: PopLogin, lifetime: Duration) -> Result<Recorded, StateError> {
        self.shared.check()?;
        let granted = self.now();
        let record = record(&login, granted, granted.saturating_add(duration_micros(lifetime)))?;
        if let Some(recorded) = self.shared.table.renew(&record, granted) {
            self.shared.changed();
            return Ok(recorded);
        }
        let (answer, answered) = oneshot::channel();
        self.shared.push(Job::Record(record, answer))?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }

    /// See `State::record_many`.
    pub(crate) async fn record_many(
        &self,
        logins: Vec<PopLogin>,
        lifetime: Duration,
    ) -> Vec<Result<Recorded, StateError>> {
        let granted = self.now();
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

    /// See `State::evidence_at`. Never waits.
    pub(crate) fn logins_at(&self, addr: IpAddr) -> Result<Answer<Vec<KeptLogin>>, StateError> {
        self.shared.check()?;
        let now = self.now();
        Ok(Answer::at(now, self.shared.table.at(canonical_ip(addr), now)))
    }

    /// See `State::evidence`.
    pub(crate) fn logins(&self) -> Result<Answer<Vec<KeptLogin>>, StateError> {
        self.shared.check()?;
        let now = self.now();
        Ok(Answer::at(now, self.shared.table.all(now)))
    }

    /// See `State::revoke`.
    pub(crate) async fn revoke(&self, which: Revoke) -> Result<usize, StateError> {
        let (now, which) = (self.now(), which.canonical());
        let taken = self.shared.table.revoke(&which, now);
        self.shared.changed();
        self.shared.check()?;
        let (answer, answered) = oneshot::channel();
        self.shared.push(Job::Revoke(Revocation { which, now, taken }, answer))?;
        answered.await.unwrap_or(Err(StateError::Closed))
    }

    /// See `State::changes`.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes()
    }

    /// See `State::reserve`. Quotas are known as far as evidence is; rates lie in memory.
    pub(crate) fn reserve(&self, charges: &[Charge<'_>]) -> Result<Answer<Result<Places, NoRoom>>, StateError> {
        self.shared.check_open()?;
        if charges.iter().any(|charge| matches!(charge, Charge::Pop(_))) {
            self.shared.check()?;
        }
        let now = self.now();
        let mut places = Places::new(&self.shared, &self.rates);
        let reserved = places.reserve(charges, now);
        Ok(Answer::at(now, reserved.map(|()| places)))
    }

    /// See `Engine::attempt`. Rates lie in memory, so guesses are counted also while the disk fails.
    pub(crate) fn attempt(&self, charges: &AttemptCharges<'_>) -> Result<Result<AttemptPlaces, Full>, StateError> {
        self.shared.check_open()?;
        Ok(AttemptPlaces::take(&self.shared, &self.rates, charges, self.now()))
    }

    /// See `Engine::peek`.
    pub(crate) fn peek(&self, key: RateKey<'_>, rate: &Rate) -> Result<Level, StateError> {
        self.shared.check_open()?;
        Ok(self.rates.peek(key, rate, self.now()))
    }

    /// See `Engine::fail`.
    pub(crate) fn fail(&self, charge: &RateCharge<'_>, failure: Failure) -> Result<Counted, StateError> {
        self.shared.check_open()?;
        Ok(self.rates.fail(charge, failure, self.now()))
    }

    /// See `Engine::forgive`.
    pub(crate) fn forgive(&self, key: RateKey<'_>) -> Result<(), StateError> {
        self.shared.check_open()?;
        self.rates.forgive(key);
        Ok(())
    }

    /// See `Engine::remember`.
    pub(crate) fn remember(&self, key: MemoryKey<'_>, span: Duration) -> Result<(), StateError> {
        self.shared.check_open()?;
        self.memory.remember(key, duration_micros(span), self.now());
        Ok(())
    }

    /// See `Engine::is_remembered`.
    pub(crate) fn is_remembered(&self, key: MemoryKey<'_>) -> Result<bool, StateError> {
        self.shared.check_open()?;
        Ok(self.memory.is_remembered(key, self.now()))
    }

    /// See `Engine::remember_network`. It is written within a second.
    pub(crate) fn remember_network(&self, of: NetworkOf<'_>, span: Duration) -> Result<Remembered, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.networks.remember(of, duration_micros(span), self.now()))
    }

    /// See `Engine::is_network_of`.
    pub(crate) fn is_network_of(&self, of: NetworkOf<'_>) -> Result<bool, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.networks.is_known(of, self.now()))
    }

    /// See `State::greylisted`. That it came back is written within a second.
    pub(crate) fn greylisted(&self, key: &GreylistKey<'_>, terms: GreylistTerms) -> Result<Greylisted, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.greylist.ask(key, terms, self.now()))
    }

    /// See `State::look_at_greylist`.
    pub(crate) fn look_at_greylist(
        &self,
        key: &GreylistKey<'_>,
        terms: GreylistTerms,
    ) -> Result<Greylisted, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.greylist.look(key, terms, self.now()))
    }

    /// See `Engine::ban`. It is written within a second.
    pub(crate) fn ban(&self, new: &NewBan<'_>) -> Result<Begun, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.bans.begin(new, self.now()))
    }

    /// See `State::ban_of`. Never waits.
    pub(crate) fn ban_of(&self, addr: IpAddr) -> Result<Option<Ban>, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.bans.of(addr, self.now()))
    }

    /// See `State::bans`.
    pub(crate) fn bans(&self) -> Result<Vec<Ban>, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.bans.all(self.now()))
    }

    /// See `State::bans_count`.
    pub(crate) fn bans_count(&self) -> usize {
        self.shared.table.bans.count(self.now())
    }

    /// See `State::lift`. It is written within a second.
    pub(crate) fn lift(&self, which: Option<IpAddr>) -> Result<usize, StateError> {
        self.shared.check_open()?;
        Ok(self.shared.table.bans.lift(which, self.now()))
    }

    /// See `State::close`.
    pub(crate) fn close(&self) {
        self.shared.close();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("state panicked");
        }
    }

    fn now(&self) -> u64 {
        self.shared.clock.micros()
    }

    /// Keys kept of a kind of rate.
    #[cfg(test)]
    pub(crate) fn keys(&self, key: RateKey<'_>) -> usize {
        self.rates.len(key.kind())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}

/// A login as it lies on disk.
pub(crate) fn record(login: &PopLogin, granted: u64, expires: u64) -> Result<Record, StateError> {
    let subject = subject_text(&login.subject);
    let is_forged = matches!(login.subject, Subject::Account(_)) && subject.starts_with('[');
    if subject.is_empty() || subject.len() > LOGIN_OCTETS_MAX || is_forged {
        return Err(StateError::BadLogin);
    }
    Ok(Record {
        addr: canonical_ip(login.addr),
        login: subject.into(),
        source: login.source,
        devices: login.device.as_deref().and_then(record::devices),
        granted,
        expires,
        window_until: 0,
        messages: 0,
        recipients: 0,
    })
}
