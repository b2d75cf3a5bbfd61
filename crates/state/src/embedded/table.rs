//! The map in memory: which accounts logged in from an address. Sharded, bounded, swept by time of expiry.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::record::{Change, Key, Record, Used, subject_text};
use crate::charge::{Cause, PopCharge};
use crate::clock::{duration_micros, time};
use crate::evidence::{KeptLogin, Recorded, Revoke};

/// Each has its own lock and is written anew by itself.
pub(crate) const SHARDS: usize = 64;
/// Expiry is indexed in steps of 2^24 microseconds, some 17 seconds.
const STEP_BITS: u32 = 24;
/// A renewal that moves the expiry by less than this since the last write need not be written.
const RENEWAL_UNWRITTEN_MICROS: u64 = 60_000_000;

/// One account at one address.
#[derive(Debug)]
struct Grant {
    record: Record,
    /// The expiry that lies on disk.
    saved_expires: u64,
    /// Charged or revoked since the last write.
    dirty: bool,
    /// Where the index has it.
    step: u64,
}

impl Grant {
    /// As it lies on disk.
    fn saved(record: Record) -> Self {
        Self { saved_expires: record.expires, dirty: false, step: kept_until(&record) >> STEP_BITS, record }
    }

    /// Until when it must be kept: the quota's window outlives the evidence, or a new login would be a new quota.
    fn kept_until(&self) -> u64 {
        kept_until(&self.record)
    }

    fn is_alive(&self, now: u64) -> bool {
        now < self.record.expires
    }

    /// Notes that it must be written; its key if that was not noted yet.
    fn mark(&mut self) -> Option<Key> {
        let noted = std::mem::replace(&mut self.dirty, true);
        (!noted).then(|| self.record.key())
    }
}

fn kept_until(record: &Record) -> u64 {
    record.expires.max(record.window_until)
}

#[derive(Debug, Default)]
struct Shard {
    grants: HashMap<IpAddr, Vec<Grant>>,
    /// Each grant stands here once, at or before its expiry.
    by_expiry: BTreeMap<u64, Vec<Key>>,
    /// What is neither committed nor given back. As many as there are holders, so it needs no bound.
    reserved: HashMap<Key, Used>,
}

/// What is reserved of a quota for one holder.
#[derive(Debug)]
pub(super) struct PopPlace {
    key: Key,
    used: Used,
    window: Duration,
}

/// All evidence.
#[derive(Debug)]
pub(crate) struct Table {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    grants_max: usize,
    logins_max: usize,
    dirty: Mutex<Vec<Key>>,
}

/// A lock whose holder panicked still guards whole values: every change below is made field by field at its end.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Table {
    pub(crate) fn new(grants_max: usize, logins_max: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            count: AtomicUsize::new(0),
            grants_max: grants_max.max(1),
            logins_max: logins_max.max(1),
            dirty: Mutex::default(),
        }
    }

    fn shard(&self, addr: IpAddr) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(addr);
        let place = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        lock(&self.shards[place])
    }

    /// How many are kept, the expired included.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Live logins at an address.
    pub(crate) fn at(&self, addr: IpAddr, now: u64) -> Vec<KeptLogin> {
        let shard = self.shard(addr);
        shard.grants.get(&addr).map_or_else(Vec::new, |grants| alive(grants, now).collect())
    }

    /// Live logins everywhere, for listings.
    pub(crate) fn all(&self, now: u64) -> Vec<KeptLogin> {
        let mut found = Vec::new();
        for shard in &self.shards {
            lock(shard).grants.values().for_each(|grants| found.extend(alive(grants, now)));
        }
        found
    }

    /// Takes what was read from the journal, whatever was there. To be followed by one [`Table::settle`].
    pub(crate) fn restore(&self, change: Change) {
        let key = change.key();
        let mut shard = self.shard(key.addr);
        let grants = shard.grants.entry(key.addr).or_insert_with(|| Vec::with_capacity(1));
        let place = grants.iter().position(|grant| grant.record.login == key.login);
        match (change, place) {
            (Change::Put(record), Some(place)) => grants[place] = Grant::saved(record),
            (Change::Put(record), None) => grants.push(Grant::saved(record)),
            (Change::Delete(_), Some(place)) => drop(grants.swap_remove(place)),
            (Change::Delete(_), None) => {}
        }
        if grants.is_empty() {
            shard.grants.remove(&key.addr);
        }
    }

    /// Indexes and bounds what was restored. Gives what had to make room.
    pub(crate) fn settle(&self) -> Vec<Key> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let Shard { grants, by_expiry, .. } = &mut *lock(shard);
            by_expiry.clear();
            for grants in grants.values_mut() {
                while grants.len() > self.logins_max {
                    gone.extend(remove_first(grants));
                }
                self.count.fetch_add(grants.len(), Ordering::Relaxed);
                for grant in grants {
                    grant.step = grant.kept_until() >> STEP_BITS;
                    by_expiry.entry(grant.step).or_default().push(grant.record.key());
                }
            }
        }
        self.make_room(&mut gone);
        gone
    }

    /// How long a journal of all of it is.
    pub(crate) fn octets(&self) -> u64 {
        let octets = |grants: &Vec<Grant>| grants.iter().map(|grant| grant.record.octets() as u64).sum::<u64>();
        self.shards.iter().map(|shard| lock(shard).grants.values().map(octets).sum::<u64>()).sum()
    }

    /// What a shard has, as it must lie on disk: with the expiry that was written last, since the next renewal is
    /// measured from it.
    pub(crate) fn shard_records(&self, shard: usize) -> Vec<Record> {
        let shard = lock(&self.shards[shard]);
        let saved = |grant: &Grant| Record { expires: grant.saved_expires, ..grant.record.clone() };
        shard.grants.values().flatten().map(saved).collect()
    }

    /// Renews live evidence without the disk, if what lies there differs by less than a minute.
    pub(crate) fn renew(&self, login: &Record, now: u64) -> Option<Recorded> {
        let mut shard = self.shard(login.addr);
        let grants = shard.grants.get_mut(&login.addr)?;
        let is_shared = grants.iter().any(|other| other.record.login != login.login && other.is_alive(now));
        let grant = grants.iter_mut().find(|grant| grant.record.login == login.login && grant.is_alive(now))?;
        if login.expires.abs_diff(grant.saved_expires) >= RENEWAL_UNWRITTEN_MICROS {
            return None;
        }
        grant.record.granted = login.granted;
        grant.record.expires = login.expires;
        let (granted_at, expires_at) = (time(login.granted), time(login.expires));
        Some(Recorded { granted_at, expires_at, renewed: true, shared: is_shared })
    }

    /// Gives the record the quota that it already has here.
    pub(crate) fn add_quota(&self, login: &mut Record) {
        let shard = self.shard(login.addr);
        let grants = shard.grants.get(&login.addr);
        if let Some(known) = grants.and_then(|grants| grants.iter().find(|one| one.record.login == login.login)) {
            login.window_until = known.record.window_until;
            login.messages = known.record.messages;
            login.recipients = known.record.recipients;
        }
    }

    /// Takes a record that lies on disk. What had to make room is added to `gone`.
    pub(crate) fn insert(&self, record: &Record, gone: &mut Vec<Key>) -> Recorded {
        let now = record.granted;
        let (granted_at, expires_at) = (time(now), time(record.expires));
        let is_shared = {
            let mut shard = self.shard(record.addr);
            let Shard { grants, by_expiry, .. } = &mut *shard;
            let grants = grants.entry(record.addr).or_insert_with(|| Vec::with_capacity(1));
            let is_shared = grants.iter().any(|other| other.record.login != record.login && other.is_alive(now));
            if let Some(grant) = grants.iter_mut().find(|grant| grant.record.login == record.login) {
                let renewed = grant.is_alive(now);
                grant.record.granted = record.granted;
                grant.record.expires = record.expires;
                grant.record.source = record.source;
                grant.saved_expires = record.expires;
                return Recorded { granted_at, expires_at, renewed, shared: is_shared };
            }
            if grants.len() >= self.logins_max {
                gone.extend(remove_first(grants));
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
            let grant = Grant::saved(record.clone());
            by_expiry.entry(grant.step).or_default().push(grant.record.key());
            grants.push(grant);
            self.count.fetch_add(1, Ordering::Relaxed);
            is_shared
        };
        self.make_room(gone);
        Recorded { granted_at, expires_at, renewed: false, shared: is_shared }
    }

    /// Above the bound the one that expires first goes, wherever it lies.
    fn make_room(&self, gone: &mut Vec<Key>) {
        while self.len() > self.grants_max {
            let firsts = self.shards.iter().enumerate().map(|(n, shard)| (lock(shard).first_step(), n));
            let Some((_, place)) = firsts.filter_map(|(step, n)| step.map(|step| (step, n))).min() else { return };
            let out = lock(&self.shards[place]).pop_first(u64::MAX);
            if let Some(Popped::Gone(key)) = out {
                gone.push(key);
                self.count.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Takes a place in the quota, all that is asked for or nothing; to be committed or given back. One lock, so that the
    /// ceiling is exact however many ask at once.
    pub(super) fn reserve(&self, charge: &PopCharge<'_>, now: u64) -> Result<PopPlace, Cause> {
        let PopCharge { addr, subject, messages, recipients, limits } = *charge;
        let addr = guard::canonical_ip(addr);
        let mut shard = self.shard(addr);
        let Shard { grants, reserved, .. } = &mut *shard;
        let subject = subject_text(subject);
        let grant = grants.get(&addr).and_then(|grants| grants.iter().find(|one| *one.record.login == *subject));
        let record = grant.filter(|grant| grant.is_alive(now)).map(|grant| &grant.record).ok_or(Cause::NoEvidence)?;
        let (key, asked) = (record.key(), Used { messages, recipients });
        let held = reserved.get(&key).copied().unwrap_or_default();
        let used = record.used(now).plus(held).plus(asked);
        if used.messages > limits.messages || used.recipients > limits.recipients {
            let is_over = now >= record.window_until;
            let until = if is_over { now.saturating_add(duration_micros(limits.window)) } else { record.window_until };
            return Err(Cause::Exceeded { until: time(until) });
        }
        reserved.insert(key.clone(), held.plus(asked));
        Ok(PopPlace { key, used: asked, window: limits.window })
    }

    /// Counts what was reserved, in the window that runs or begins now.
    pub(super) fn commit(&self, place: &PopPlace, now: u64) {
        let mut shard = self.shard(place.key.addr);
        shard.free(place);
        let grants = shard.grants.get_mut(&place.key.addr);
        let grant = grants.and_then(|grants| grants.iter_mut().find(|one| one.record.login == place.key.login));
        // One that had to make room takes its quota with it.
        let Some(grant) = grant else { return };
        let used = grant.record.used(now).plus(place.used);
        if now >= grant.record.window_until {
            grant.record.window_until = now.saturating_add(duration_micros(place.window));
        }
        (grant.record.messages, grant.record.recipients) = (used.messages, used.recipients);
        if let Some(key) = grant.mark() {
            lock(&self.dirty).push(key);
        }
    }

    /// As if it had never been reserved.
    pub(super) fn give_back(&self, place: &PopPlace) {
        self.shard(place.key.addr).free(place);
    }

    /// What was charged or revoked since the last call, to be written (see [`Table::change`]).
    pub(crate) fn take_dirty(&self) -> Vec<Key> {
        std::mem::take(&mut *lock(&self.dirty))
    }

    /// What of this must be written now: that it is so, or that it is gone.
    pub(crate) fn change(&self, key: Key) -> Change {
        let mut shard = self.shard(key.addr);
        let grants = shard.grants.get_mut(&key.addr);
        match grants.and_then(|grants| grants.iter_mut().find(|one| one.record.login == key.login)) {
            Some(grant) => {
                grant.dirty = false;
                grant.saved_expires = grant.record.expires;
                Change::Put(grant.record.clone())
            }
            None => Change::Delete(key),
        }
    }

    /// Takes evidence back at once; the quota stays. Gives how many were alive; they are written like charges.
    pub(crate) fn revoke(&self, which: &Revoke, now: u64) -> usize {
        let mut taken = Vec::new();
        let mut count = 0;
        match which {
            Revoke::Addr(addr) | Revoke::Both(addr, _) => {
                let mut shard = self.shard(*addr);
                let grants = shard.grants.get_mut(addr).into_iter().flatten();
                count += revoke(grants, &mut Revoking { which, now, taken: &mut taken });
            }
            Revoke::Login(_) | Revoke::All => {
                for shard in &self.shards {
                    let mut shard = lock(shard);
                    let grants = shard.grants.values_mut().flatten();
                    count += revoke(grants, &mut Revoking { which, now, taken: &mut taken });
                }
            }
        }
        lock(&self.dirty).append(&mut taken);
        count
    }

    /// Forgets at most `limit` of what neither evidence nor quota needs any more.
    pub(crate) fn sweep(&self, now: u64, limit: usize) -> Vec<Key> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = lock(shard);
            while gone.len() < limit {
                match shard.pop_first(now) {
                    None => break,
                    Some(Popped::Later) => {}
                    Some(Popped::Gone(key)) => {
                        self.count.fetch_sub(1, Ordering::Relaxed);
                        gone.push(key);
                    }
                }
            }
        }
        gone
    }
}

/// What the front of the index held.
enum Popped {
    /// It was forgotten.
    Gone(Key),
    /// It was renewed meanwhile (and is indexed anew), or is no longer there.
    Later,
}

impl Shard {
    fn free(&mut self, place: &PopPlace) {
        if let Some(reserved) = self.reserved.get_mut(&place.key) {
            *reserved = reserved.minus(place.used);
            if *reserved == Used::default() {
                self.reserved.remove(&place.key);
            }
        }
    }

    fn first_step(&self) -> Option<u64> {
        self.by_expiry.first_key_value().map(|(step, _)| *step)
    }

    /// Takes one from the front of the index if its step lies wholly before `until`.
    fn pop_first(&mut self, until: u64) -> Option<Popped> {
        let mut first = self.by_expiry.first_entry()?;
        let step = *first.key();
        if until != u64::MAX && step >= until >> STEP_BITS {
            return None;
        }
        let popped = first.get_mut().pop();
        if first.get().is_empty() {
            first.remove();
        }
        Some(self.forget(step, popped?))
    }

    fn forget(&mut self, step: u64, key: Key) -> Popped {
        let Some(grants) = self.grants.get_mut(&key.addr) else { return Popped::Later };
        let place = grants.iter().position(|grant| grant.record.login == key.login && grant.step == step);
        let Some(place) = place else { return Popped::Later };
        let true_step = grants[place].kept_until() >> STEP_BITS;
        if true_step > step {
            grants[place].step = true_step;
            self.by_expiry.entry(true_step).or_default().push(key);
            return Popped::Later;
        }
        grants.swap_remove(place);
        if grants.is_empty() {
            self.grants.remove(&key.addr);
        }
        Popped::Gone(key)
    }
}

/// Takes out the one that expires first.
fn remove_first(grants: &mut Vec<Grant>) -> Option<Key> {
    let first = (0..grants.len()).min_by_key(|&n| grants[n].kept_until())?;
    Some(grants.swap_remove(first).record.key())
}

/// A revocation under way.
struct Revoking<'a> {
    which: &'a Revoke,
    now: u64,
    /// What must be written.
    taken: &'a mut Vec<Key>,
}

fn revoke<'g>(grants: impl Iterator<Item = &'g mut Grant>, revoking: &mut Revoking<'_>) -> usize {
    let mut count = 0;
    for grant in grants.filter(|grant| grant.is_alive(revoking.now)) {
        if revoking.which.matches(grant.record.addr, &grant.record.login) {
            grant.record.expires = 0;
            grant.saved_expires = 0;
            revoking.taken.extend(grant.mark());
            count += 1;
        }
    }
    count
}

/// Of those at one address, the live ones.
fn alive(grants: &[Grant], now: u64) -> impl Iterator<Item = KeptLogin> {
    let shared = grants.iter().filter(|grant| grant.is_alive(now)).nth(1).is_some();
    grants.iter().filter(move |grant| grant.is_alive(now)).map(move |grant| grant.record.kept(shared))
}

#[cfg(test)]
mod tests;
