//! Failed logins, over all protocols: per address and per account, counted as *distinct guesses*. A phone with last
//! month's password repeats one guess and bans nobody; an attack from many addresses is stopped at the account; the
//! owner who logged in lately from the same network keeps a way in of its own, which is as narrow.
//!
//! In memory only, bounded: a restart forgives. Under a flood of new keys those with the most failures stay.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use crate::gcra::{Rate, Tat};

/// Guesses remembered per key, to count a repeated one once.
const GUESSES: usize = 8;
/// Networks remembered per account from which its owner logged in.
const NETWORKS: usize = 4;

/// How fast failures are forgiven and how many are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthLimits {
    /// Per address (IPv6: per /64). Default: 10 at once, then one a minute.
    pub address: Rate,
    /// Per account. Default: 20 at once, then one in three minutes.
    pub account: Rate,
    /// Delay after the first failure; it doubles with each further one. Default 250 ms.
    pub delay: Duration,
    /// The longest delay. Default 8 s.
    pub delay_max: Duration,
    /// How long a successful login marks its network as the owner's. Default 30 days.
    pub owner_memory: Duration,
    /// Keys kept of each kind. Default 100,000.
    pub keys_max: usize,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            address: Rate::new(Duration::from_mins(1), 10),
            account: Rate::new(Duration::from_mins(3), 20),
            delay: Duration::from_millis(250),
            delay_max: Duration::from_secs(8),
            owner_memory: Duration::from_hours(30 * 24),
            keys_max: 100_000,
        }
    }
}

/// What a login attempt must do before the password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthGate {
    /// Nothing.
    Go,
    /// Wait so long, then go on: the tax on failures.
    Wait(Duration),
    /// Do not try at all: answer a temporary failure. It passes after so long.
    Locked(Duration),
}

/// Whether a failure counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// A guess not seen lately.
    New,
    /// The same wrong password again.
    Repeated,
}

/// One wrong guess.
#[derive(Debug, Clone, Copy)]
pub struct FailedLogin<'a> {
    /// From where.
    pub addr: IpAddr,
    /// For which account, as tried; it need not exist.
    pub login: &'a str,
    /// A keyed hash of login and tried password, never the password.
    pub guess: [u8; 16],
}

/// Failures of one key.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    tat: Tat,
    guesses: [u64; GUESSES],
    next: u8,
}

impl Bucket {
    fn fail(&mut self, rate: &Rate, guess: u64, now_micros: u64) -> Counted {
        if rate.level(self.tat, now_micros) == 0 {
            *self = Self::default();
        }
        if self.guesses.contains(&guess) {
            return Counted::Repeated;
        }
        self.guesses[usize::from(self.next) % GUESSES] = guess;
        self.next = self.next.wrapping_add(1);
        self.tat = rate.pour(self.tat, now_micros, 1);
        Counted::New
    }

    fn locked(&self, rate: &Rate, now_micros: u64) -> Option<Duration> {
        rate.peek(self.tat, now_micros, 1).err().map(|exceeded| exceeded.retry_after)
    }
}

/// A network from which the owner logged in, with the failures from there.
#[derive(Debug, Clone, Copy)]
struct Owned {
    network: IpAddr,
    seen_micros: u64,
    bucket: Bucket,
}

#[derive(Debug, Clone, Default)]
struct Account {
    bucket: Bucket,
    owned: Vec<Owned>,
}

impl Account {
    fn owned(&mut self, network: IpAddr, since_micros: u64) -> Option<&mut Owned> {
        self.owned.iter_mut().find(|one| one.network == network && one.seen_micros >= since_micros)
    }

    fn remember(&mut self, network: IpAddr, now_micros: u64) {
        if let Some(one) = self.owned.iter_mut().find(|one| one.network == network) {
            one.seen_micros = now_micros;
            return;
        }
        if self.owned.len() >= NETWORKS {
            let oldest = (0..self.owned.len()).min_by_key(|&n| self.owned[n].seen_micros).unwrap_or(0);
            self.owned.swap_remove(oldest);
        }
        self.owned.push(Owned { network, seen_micros: now_micros, bucket: Bucket::default() });
    }
}

/// The failures of all keys.
#[derive(Debug)]
pub struct Throttle {
    limits: AuthLimits,
    hasher: RandomState,
    addresses: Table<Bucket>,
    accounts: Table<Account>,
    /// Behind each of these are many clients.
    shared: Vec<IpAddr>,
}

impl Throttle {
    /// Empty tables.
    pub fn new(limits: AuthLimits) -> Self {
        let (addresses, accounts) = (Table::default(), Table::default());
        Self { limits, hasher: RandomState::new(), addresses, accounts, shared: Vec::new() }
    }

    /// Addresses behind which are many clients, such as a webmail's: what fails there counts against the accounts alone.
    pub fn share(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.shared = addresses.into_iter().map(guard::canonical_ip).collect();
    }

    fn is_shared(&self, addr: IpAddr) -> bool {
        self.shared.contains(&guard::canonical_ip(addr))
    }

    /// To be asked before a password is looked at. Counts nothing.
    pub fn check(&mut self, addr: IpAddr, login: &str, now_micros: u64) -> AuthGate {
        let (network, since, limits) = (owner_network(addr), self.owner_since(now_micros), self.limits);
        if let Some(account) = self.accounts.find(self.hasher.hash_one(login)) {
            let owned = account.owned(network, since).map(|one| one.bucket);
            let is_owner = owned.is_some();
            let bucket = owned.unwrap_or(account.bucket);
            match self.gate(&bucket, &limits.account, now_micros) {
                AuthGate::Locked(wait) => return AuthGate::Locked(wait),
                gate if is_owner => return gate,
                _ => {}
            }
        }
        if self.is_shared(addr) {
            return AuthGate::Go;
        }
        match self.addresses.find(self.hasher.hash_one(address_key(addr))).copied() {
            Some(bucket) => self.gate(&bucket, &limits.address, now_micros),
            None => AuthGate::Go,
        }
    }

    fn gate(&self, bucket: &Bucket, rate: &Rate, now_micros: u64) -> AuthGate {
        match bucket.locked(rate, now_micros) {
            Some(wait) => AuthGate::Locked(wait),
            None => self.delay(rate.level(bucket.tat, now_micros)),
        }
    }

    /// A login failed. The address is charged in any case, the account unless the guess came from its owner's network.
    pub fn failed(&mut self, failed: &FailedLogin<'_>, now_micros: u64) -> Counted {
        let FailedLogin { addr, login, guess } = *failed;
        let guess = self.hasher.hash_one(guess) | 1; // 0 is an empty place
        let (since, limits) = (self.owner_since(now_micros), self.limits);
        let max = limits.keys_max;
        let of_address = (!self.is_shared(addr)).then(|| {
            let hot = |bucket: &Bucket| limits.address.level(bucket.tat, now_micros) > 1;
            let address = self.addresses.entry(self.hasher.hash_one(address_key(addr)), max, hot);
            address.fail(&limits.address, guess, now_micros)
        });
        let hot =
            |account: &Account| !account.owned.is_empty() || limits.account.level(account.bucket.tat, now_micros) > 1;
        let account = self.accounts.entry(self.hasher.hash_one(login), max, hot);
        let of_account = match account.owned(owner_network(addr), since) {
            Some(one) => one.bucket.fail(&limits.account, guess, now_micros),
            None => account.bucket.fail(&limits.account, guess, now_micros),
        };
        of_address.unwrap_or(of_account)
    }

    /// AUTH where it is not offered, malformed exchanges, and the like: the address alone is charged, each time.
    pub fn abused(&mut self, addr: IpAddr, now_micros: u64) {
        if self.is_shared(addr) {
            return;
        }
        let limits = self.limits;
        let hot = |bucket: &Bucket| limits.address.level(bucket.tat, now_micros) > 1;
        let address = self.addresses.entry(self.hasher.hash_one(address_key(addr)), limits.keys_max, hot);
        address.tat = limits.address.pour(address.tat, now_micros, 1);
    }

    /// A login succeeded: its network is the owner's for a while. Failures are not forgiven, or an attacker would
    /// clear his own with an account of his own.
    pub fn succeeded(&mut self, addr: IpAddr, login: &str, now_micros: u64) {
        let limits = self.limits;
        let hot =
            |account: &Account| !account.owned.is_empty() || limits.account.level(account.bucket.tat, now_micros) > 1;
        let account = self.accounts.entry(self.hasher.hash_one(login), limits.keys_max, hot);
        account.remember(owner_network(addr), now_micros);
    }

    fn owner_since(&self, now_micros: u64) -> u64 {
        let memory = u64::try_from(self.limits.owner_memory.as_micros()).unwrap_or(u64::MAX);
        now_micros.saturating_sub(memory)
    }

    fn delay(&self, level: u32) -> AuthGate {
        match level.checked_sub(1) {
            None => AuthGate::Go,
            Some(doublings) => {
                let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
                AuthGate::Wait(self.limits.delay.saturating_mul(factor).min(self.limits.delay_max))
            }
        }
    }
}

/// A subscriber: an IPv4 address, an IPv6 /64.
fn address_key(addr: IpAddr) -> IpAddr {
    cut(addr, 32)
}

/// Where an owner may move about: an IPv4 /24, an IPv6 /64.
fn owner_network(addr: IpAddr) -> IpAddr {
    cut(addr, 24)
}

fn cut(addr: IpAddr, v4_bits: u32) -> IpAddr {
    match guard::canonical_ip(addr) {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & (u32::MAX << (32 - v4_bits))).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
    }
}

/// A map of two generations: when the young one is full it becomes the old one, and what lies in the old one is lost,
/// save what is hot. So a look-up is cheap, and the size is bounded without a clock.
#[derive(Debug)]
pub(crate) struct Table<V> {
    young: HashMap<u64, V>,
    old: HashMap<u64, V>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { young: HashMap::new(), old: HashMap::new() }
    }
}

impl<V: Default> Table<V> {
    fn find(&mut self, key: u64) -> Option<&mut V> {
        if let Some(value) = self.old.remove(&key) {
            return Some(self.young.entry(key).or_insert(value));
        }
        self.young.get_mut(&key)
    }

    pub(crate) fn entry(&mut self, key: u64, max: usize, hot: impl Fn(&V) -> bool) -> &mut V {
        let half = (max / 2).max(1);
        if self.young.len() >= half && !self.young.contains_key(&key) {
            let moved = self.old.remove(&key);
            let full = std::mem::take(&mut self.young);
            let before = std::mem::replace(&mut self.old, full);
            self.young = before.into_iter().filter(|(_, value)| hot(value)).take(half / 2).collect();
            if let Some(value) = moved {
                self.young.insert(key, value);
            }
        }
        let known = self.old.remove(&key);
        self.young.entry(key).or_insert_with(|| known.unwrap_or_default())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests;
