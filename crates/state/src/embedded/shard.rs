//! A part of the map of evidence: who logged in from some addresses, and when that ends.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use super::record::{Key, Record, Used};
use super::shares::Entry;
use crate::evidence::{KeptLogin, Revoke};

/// Expiry is indexed in steps of 2^24 microseconds, some 17 seconds.
pub(super) const STEP_BITS: u32 = 24;
/// How far ahead of the clock evidence may have been granted: it is set back a little now and then.
const CLOCK_SLACK_MICROS: u64 = 300_000_000;

/// One account at one address.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) record: Record,
    /// The expiry that lies on disk.
    pub(super) saved_expires: u64,
    /// Charged or revoked since the last write.
    pub(super) dirty: bool,
    /// Where the index has it.
    pub(super) step: u64,
}

impl Grant {
    /// As it lies on disk.
    pub(super) fn saved(record: Record) -> Self {
        Self { saved_expires: record.expires, dirty: false, step: kept_until(&record) >> STEP_BITS, record }
    }

    /// Until when it must be kept: the quota's window outlives the evidence, or a new login would be a new quota.
    pub(super) fn kept_until(&self) -> u64 {
        kept_until(&self.record)
    }

    pub(super) fn is_alive(&self, now: u64) -> bool {
        now < self.record.expires && self.record.granted <= now.saturating_add(CLOCK_SLACK_MICROS)
    }

    /// Notes that it must be written; its key if that was not noted yet.
    pub(super) fn mark(&mut self) -> Option<Key> {
        let noted = std::mem::replace(&mut self.dirty, true);
        (!noted).then(|| self.record.key())
    }
}

pub(super) fn kept_until(record: &Record) -> u64 {
    record.expires.max(record.window_until)
}

#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) grants: HashMap<IpAddr, Vec<Grant>>,
    /// Each grant stands here once, at or before its expiry.
    pub(super) by_expiry: BTreeMap<u64, Vec<Key>>,
    /// What is neither committed nor given back. As many as there are holders, so it needs no bound.
    pub(super) reserved: HashMap<Key, Used>,
}

/// What is reserved of a quota for one holder.
#[derive(Debug)]
pub(super) struct PopPlace {
    pub(super) key: Key,
    pub(super) used: Used,
    pub(super) window: Duration,
}

/// What the front of the index held.
pub(super) enum Popped {
    /// It was forgotten.
    Gone(Key),
    /// It was renewed meanwhile (and is indexed anew), or is no longer there.
    Later,
}

impl Shard {
    pub(super) fn free(&mut self, place: &PopPlace) {
        if let Some(reserved) = self.reserved.get_mut(&place.key) {
            *reserved = reserved.minus(place.used);
            if *reserved == Used::default() {
                self.reserved.remove(&place.key);
            }
        }
    }

    pub(super) fn first_step(&self) -> Option<u64> {
        self.by_expiry.first_key_value().map(|(step, _)| *step)
    }

    /// Takes one from the front of the index if its step lies wholly before `until`.
    pub(super) fn pop_first(&mut self, until: u64) -> Option<Popped> {
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

    pub(super) fn forget(&mut self, step: u64, key: Key) -> Popped {
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
pub(super) fn remove_first(grants: &mut Vec<Grant>) -> Option<Key> {
    let first = (0..grants.len()).min_by_key(|&n| grants[n].kept_until())?;
    Some(grants.swap_remove(first).record.key())
}

/// A revocation under way.
pub(super) struct Revoking<'a> {
    pub(super) which: &'a Revoke,
    pub(super) now: u64,
    /// What must be written.
    pub(super) taken: &'a mut Vec<Key>,
}

pub(super) fn revoke<'g>(grants: impl Iterator<Item = &'g mut Grant>, revoking: &mut Revoking<'_>) -> usize {
    let mut count = 0;
    // Also what a clock that was ahead has granted.
    for grant in grants.filter(|grant| revoking.now < grant.record.expires) {
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
pub(super) fn alive(grants: &[Grant], now: u64) -> impl Iterator<Item = KeptLogin> {
    let shared = grants.iter().filter(|grant| grant.is_alive(now)).nth(1).is_some();
    grants.iter().filter(move |grant| grant.is_alive(now)).map(move |grant| grant.record.kept(shared))
}

/// What became of the first of somebody's line.
pub(super) enum First {
    /// It went.
    Gone,
    /// It was renewed until this step.
    Renewed(u64),
    /// It was gone before.
    Nothing,
}

impl Shard {
    /// Whether there is such a grant.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.grants.get(&key.addr).is_some_and(|grants| grants.iter().any(|grant| grant.record.login == key.login))
    }

    /// Takes a grant out unless it was renewed since it was queued.
    pub(super) fn take_first(&mut self, entry: &Entry) -> First {
        let Some(grants) = self.grants.get_mut(&entry.key.addr) else { return First::Nothing };
        let place = grants.iter().position(|grant| grant.record.login == entry.key.login);
        let Some(place) = place else { return First::Nothing };
        let step = grants[place].kept_until() >> STEP_BITS;
        if step > entry.step {
            return First::Renewed(step);
        }
        grants.swap_remove(place);
        if grants.is_empty() {
            self.grants.remove(&entry.key.addr);
        }
        First::Gone
    }

    /// No time lies further ahead than its own span. What must be written is added to `noted`.
    pub(super) fn clamp(&mut self, now: u64, noted: &mut Vec<Key>) {
        for grant in self.grants.values_mut().flatten() {
            if grant.record.clamp(now) {
                grant.saved_expires = grant.record.expires;
                noted.extend(grant.mark());
            }
        }
        self.index();
    }

    /// Makes the index anew.
    pub(super) fn index(&mut self) {
        let Self { grants, by_expiry, .. } = self;
        by_expiry.clear();
        for grant in grants.values_mut().flatten() {
            grant.step = grant.kept_until() >> STEP_BITS;
            by_expiry.entry(grant.step).or_default().push(grant.record.key());
        }
    }
}
