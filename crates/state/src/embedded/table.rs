//! The map in memory: which accounts logged in from an address. Sharded, bounded, swept by time of expiry.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bans::Bans;
use super::greylist::Greylist;
use super::networks::Networks;
use super::record::{Change, Key, Record, Used, subject_text};
use super::shard::{First, Grant, PopPlace, Popped, Revoking, Shard, alive, remove_first, revoke};
use super::shares::{Entry, Holder, Shares};
use crate::charge::{Cause, PopCharge};
use crate::clock::{duration_micros, time};
use crate::evidence::{KeptLogin, Recorded, Revoke};

/// Each has its own lock and is written anew by itself.
pub(crate) const SHARDS: usize = 64;
/// What a journal is written anew from, one part after the other: the shards, the owners' networks, the bans, and who is not
/// greylisted any more.
pub(crate) const PARTS: usize = SHARDS + 3;
/// A renewal that moves the expiry by less than this since the last write need not be written.
const RENEWAL_UNWRITTEN_MICROS: u64 = 60_000_000;

/// All evidence.
#[derive(Debug)]
pub(crate) struct Table {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    count: AtomicUsize,
    grants_max: usize,
    logins_max: usize,
    dirty: Mutex<Vec<Key>>,
    shares: Mutex<Shares>,
    /// What lies in the same journal beside the evidence.
    pub(crate) networks: Networks,
    /// The same.
    pub(crate) greylist: Greylist,
    /// The same.
    pub(crate) bans: Bans,
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
            shares: Mutex::new(Shares::new(grants_max.max(1))),
            networks: Networks::new(),
            greylist: Greylist::new(),
            bans: Bans::new(),
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
        let key = match &change {
            Change::Put(record) => record.key(),
            Change::Delete(key) => key.clone(),
            Change::Network(_) | Change::Ban(_) | Change::Passed(_) => return self.restore_beside(change),
        };
        let mut shard = self.shard(key.addr);
        let grants = shard.grants.entry(key.addr).or_insert_with(|| Vec::with_capacity(1));
        let place = grants.iter().position(|grant| grant.record.login == key.login);
        match (change, place) {
            (Change::Put(record), Some(place)) => grants[place] = Grant::saved(record),
            (Change::Put(record), None) => grants.push(Grant::saved(record)),
            (Change::Delete(_), Some(place)) => drop(grants.swap_remove(place)),
            (Change::Delete(_) | Change::Network(_) | Change::Ban(_) | Change::Passed(_), _) => {}
        }
        if grants.is_empty() {
            shard.grants.remove(&key.addr);
        }
    }

    /// What lies beside the evidence.
    fn restore_beside(&self, change: Change) {
        match change {
            Change::Network(record) => self.networks.restore(record),
            Change::Passed(record) => self.greylist.restore(&record),
            Change::Ban(record) => self.bans.restore(record),
            Change::Put(_) | Change::Delete(_) => {}
        }
    }

    /// No time that was restored lies further ahead than its own span, as a clock that was wrong may have it.
    pub(crate) fn clamp(&self, now: u64) {
        let mut noted = Vec::new();
        self.shards.iter().for_each(|shard| lock(shard).clamp(now, &mut noted));
        lock(&self.dirty).append(&mut noted);
        self.networks.clamp(now);
        self.greylist.clamp(now);
        self.bans.clamp(now);
    }

    /// Indexes and bounds what was restored. Gives what had to make room.
    pub(crate) fn settle(&self) -> Vec<Key> {
        let (mut gone, mut entries) = (Vec::new(), Vec::new());
        for shard in &self.shards {
            let shard = &mut *lock(shard);
            for grants in shard.grants.values_mut() {
                while grants.len() > self.logins_max {
                    gone.extend(remove_first(grants));
                }
                self.count.fetch_add(grants.len(), Ordering::Relaxed);
            }
            shard.index();
            let grants = shard.grants.values().flatten();
            entries.extend(grants.map(|grant| Entry { key: grant.record.key(), step: grant.step }));
        }
        entries.sort_unstable_by_key(|entry| entry.step);
        for entry in entries {
            self.share(&entry, &mut gone);
        }
        self.make_room(&mut gone);
        gone
    }

    /// When the latest evidence was granted; 0 without any.
    pub(crate) fn newest(&self) -> u64 {
        let newest = |shard: &Mutex<Shard>| lock(shard).grants.values().flatten().map(|it| it.record.granted).max();
        self.shards.iter().filter_map(newest).max().unwrap_or(0)
    }

    /// How long a journal of all of it is.
    pub(crate) fn octets(&self) -> u64 {
        let octets = |grants: &Vec<Grant>| grants.iter().map(|grant| grant.record.octets() as u64).sum::<u64>();
        let grants: u64 = self.shards.iter().map(|shard| lock(shard).grants.values().map(octets).sum::<u64>()).sum();
        grants + self.networks.octets() + self.bans.octets() + self.greylist.octets()
    }

    /// What a part has, as it must lie on disk; see [`PARTS`].
    pub(crate) fn part(&self, part: usize) -> Vec<Change> {
        if part < SHARDS {
            return self.shard_records(part).into_iter().map(Change::Put).collect();
        }
        if part == SHARDS {
            return self.networks.records().into_iter().map(Change::Network).collect();
        }
        if part == SHARDS + 1 {
            return self.bans.records().into_iter().map(Change::Ban).collect();
        }
        self.greylist.records().into_iter().map(Change::Passed).collect()
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
        // A device that was not seen here before is written, so that a start still knows it.
        if login.expires.abs_diff(grant.saved_expires) >= RENEWAL_UNWRITTEN_MICROS
            || !grant.record.has_devices_of(login)
        {
            return None;
        }
        grant.record.granted = login.granted;
        grant.record.expires = login.expires;
        let (granted_at, expires_at) = (time(login.granted), time(login.expires));
        Some(Recorded { granted_at, expires_at, renewed: true, shared: is_shared })
    }

    /// Gives the record the quota that it already has here, and the devices while it is alive.
    pub(crate) fn add_quota(&self, login: &mut Record) {
        let shard = self.shard(login.addr);
        let grants = shard.grants.get(&login.addr);
        if let Some(known) = grants.and_then(|grants| grants.iter().find(|one| one.record.login == login.login)) {
            login.window_until = known.record.window_until;
            login.messages = known.record.messages;
            login.recipients = known.record.recipients;
            if known.is_alive(login.granted) {
                login.add_devices_of(&known.record);
            }
        }
    }

    /// Takes a record that lies on disk. What had to make room is added to `gone`.
    pub(crate) fn insert(&self, record: &Record, gone: &mut Vec<Key>) -> Recorded {
        let now = record.granted;
        let (granted_at, expires_at) = (time(now), time(record.expires));
        let inserted = {
            let mut shard = self.shard(record.addr);
            let Shard { grants, by_expiry, .. } = &mut *shard;
            let grants = grants.entry(record.addr).or_insert_with(|| Vec::with_capacity(1));
            let is_shared = grants.iter().any(|other| other.record.login != record.login && other.is_alive(now));
            if let Some(grant) = grants.iter_mut().find(|grant| grant.record.login == record.login) {
                let renewed = grant.is_alive(now);
                grant.record.granted = record.granted;
                grant.record.expires = record.expires;
                grant.record.source = record.source;
                grant.record.devices.clone_from(&record.devices);
                grant.saved_expires = record.expires;
                return Recorded { granted_at, expires_at, renewed, shared: is_shared };
            }
            let out = if grants.len() >= self.logins_max { remove_first(grants) } else { None };
            let grant = Grant::saved(record.clone());
            let entry = Entry { key: grant.record.key(), step: grant.step };
            by_expiry.entry(grant.step).or_default().push(entry.key.clone());
            grants.push(grant);
            self.count.fetch_add(1, Ordering::Relaxed);
            Inserted { is_shared, entry, out }
        };
        gone.extend(inserted.out.inspect(|key| self.left(key)));
        self.share(&inserted.entry, gone);
        self.make_room(gone);
        Recorded { granted_at, expires_at, renewed: false, shared: inserted.is_shared }
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        lock(&self.shares)
    }

    /// Notes whose a new grant is. Who has too much then makes room in what is his, the oldest first.
    fn share(&self, entry: &Entry, gone: &mut Vec<Key>) {
        self.shares().add(entry);
        loop {
            let over = self.shares().over(&entry.key);
            let Some(out) = over.and_then(|holder| self.evict(&holder)) else { return };
            gone.push(out);
        }
    }

    /// A grant is in the map no more.
    fn left(&self, key: &Key) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.shares().remove(key, |other| self.shard(other.addr).has(other));
    }

    /// Takes out the oldest of somebody's.
    fn evict(&self, holder: &Holder) -> Option<Key> {
        loop {
            let entry = self.shares().first(holder)?;
            let first = self.shard(entry.key.addr).take_first(&entry);
            match first {
                First::Gone => {
                    self.left(&entry.key);
                    return Some(entry.key);
                }
                First::Renewed(step) => self.shares().again(holder, Entry { step, ..entry }),
                First::Nothing => {}
            }
        }
    }

    /// Above the bound of all whoever has most makes room; where nobody has many, the one that expires first goes.
    fn make_room(&self, gone: &mut Vec<Key>) {
        while self.len() > self.grants_max {
            let greatest = self.shares().greatest();
            if let Some(out) = greatest.and_then(|holder| self.evict(&holder)) {
                gone.push(out);
                continue;
            }
            let firsts = self.shards.iter().enumerate().map(|(n, shard)| (lock(shard).first_step(), n));
            let Some((_, place)) = firsts.filter_map(|(step, n)| step.map(|step| (step, n))).min() else { return };
            let out = lock(&self.shards[place]).pop_first(u64::MAX);
            if let Some(Popped::Gone(key)) = out {
                self.left(&key);
                gone.push(key);
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
        let grant =
            grants.get_mut(&addr).and_then(|grants| grants.iter_mut().find(|one| *one.record.login == *subject));
        let grant = grant.filter(|grant| grant.is_alive(now)).ok_or(Cause::NoEvidence)?;
        // A window that a wrong clock began ends after its own span, or it would be used up for as long as that was ahead.
        let latest = now.saturating_add(duration_micros(limits.window));
        if grant.record.window_until > latest {
            grant.record.window_until = latest;
            lock(&self.dirty).extend(grant.mark());
        }
        let record = &grant.record;
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
                    Some(Popped::Gone(key)) => gone.push(key),
                }
            }
        }
        for key in &gone {
            self.left(key);
        }
        gone
    }
}

/// What became of a new grant.
struct Inserted {
    is_shared: bool,
    entry: Entry,
    /// What had to make room at its address.
    out: Option<Key>,
}

#[cfg(test)]
mod tests;
