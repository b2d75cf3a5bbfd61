//! Failed logins, over all protocols: per address and per account, counted as *distinct guesses*. A phone with last
//! month's password repeats one guess and bans nobody; an attack from many addresses is stopped at the account; the
//! owner who logged in lately from the same network keeps a way in of its own, which is as narrow.
//!
//! A guess is reserved, not counted afterwards: an [`Attempt`] has a place at its address and at its account before the
//! password is looked at, gives both back when that was right, and counts as a failure otherwise, also when it is broken off.
//! So the ceilings hold however many guess at once; who finds all places taken by others under way waits for one of them.
//!
//! It stands above the engines: they count ([`RateKey`]) and remember networks, and know nothing of logins.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::charge::{AttemptCharges, Counted, Failure, Full, Level, RateCharge, RateKey};
use crate::embedded::AttemptPlaces;
use crate::engine::Engine;
use crate::error::StateError;
use crate::gcra::Rate;
use crate::memory::MemoryKey;
use crate::owners::{NetworkOf, Remembered};

/// How long an attempt waits in all, for a place that others hold and for what failed before; without a place by then it is
/// put off like one too many. With the check of the password the answer comes within the three seconds that clients bear.
const WAIT_MAX: Duration = Duration::from_millis(2_500);

/// How fast failures are forgiven and how many are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthLimits {
    /// Per address (IPv6: per /64). Default: 10 at once, then one a minute.
    pub address: Rate,
    /// Per account. Default: 20 at once, then one in three minutes.
    pub account: Rate,
    /// Delay after the first failure; it doubles with each further one. Default 250 ms.
    pub delay: Duration,
    /// The longest delay; more than 2.5 s is 2.5 s. Default 2.5 s.
    pub delay_max: Duration,
    /// How long a successful login marks its network as the owner's. Default 30 days.
    pub owner_memory: Duration,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            address: Rate::new(Duration::from_mins(1), 10),
            account: Rate::new(Duration::from_mins(3), 20),
            delay: Duration::from_millis(250),
            delay_max: WAIT_MAX,
            owner_memory: Duration::from_hours(30 * 24),
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

impl AuthGate {
    pub(crate) fn of_wait(wait: Duration) -> Self {
        if wait.is_zero() { Self::Go } else { Self::Wait(wait) }
    }
}

/// One login that is tried, or was.
#[derive(Debug, Clone, Copy)]
pub struct TriedLogin<'a> {
    /// From where.
    pub addr: IpAddr,
    /// For which account, in the one form in which the directory has it; it need not exist.
    pub login: &'a str,
    /// A keyed hash of login and tried password, never the password.
    pub guess: [u8; 16],
}

/// Whether an attempt may be looked at.
#[derive(Debug)]
pub enum Admission {
    /// It has its places.
    Admitted(Attempt),
    /// Do not try at all: answer a temporary failure. It passes after so long.
    Locked(Duration),
}

/// A login attempt that may be looked at, once. Unless it is given back it counts as a failure, also when it is dropped: who
/// breaks off may have seen enough. There is no `Clone`.
/// ```compile_fail,E0382
/// async fn twice(attempt: state::Attempt) {
///     attempt.give_back();
///     attempt.failed();
/// }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it counts as a failure"]
pub struct Attempt {
    places: AttemptPlaces,
    wait: Duration,
    whence: Whence,
}

/// From what kind of network an attempt comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// From one where the account's owner has logged in lately.
    Owners,
    /// From anywhere else.
    Elsewhere,
}

impl Attempt {
    /// Wait so long before it is looked at: the tax on earlier failures.
    pub fn wait(&self) -> Duration {
        self.wait
    }

    /// Where it comes from, as the account's owner is known.
    pub fn whence(&self) -> Whence {
        self.whence
    }

    /// It was right, or could not be looked at: it is as if it had never been.
    pub fn give_back(self) {
        self.places.give_back();
    }

    /// It was wrong.
    pub fn failed(self) -> Counted {
        self.places.fail()
    }
}

/// What failures come to.
#[derive(Debug)]
pub(crate) struct Throttle {
    limits: AuthLimits,
    /// Behind each of these are many clients.
    shared: Mutex<Vec<IpAddr>>,
}

impl Throttle {
    pub(crate) fn new(limits: AuthLimits) -> Self {
        Self { limits, shared: Mutex::default() }
    }

    /// Addresses behind which are many clients, such as a webmail's: what fails there counts against the accounts alone.
    pub(crate) fn share(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let addresses = addresses.into_iter().map(guard::canonical_ip).collect();
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = addresses;
    }

    pub(crate) fn is_shared(&self, addr: IpAddr) -> bool {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).contains(&guard::canonical_ip(addr))
    }

    /// Takes the places of an attempt. From its owner's network it needs one there alone: it neither waits for guesses made
    /// elsewhere nor is locked by them. What it waits is known before its password is looked at, so that time tells nothing
    /// of it.
    pub(crate) async fn attempt(&self, engine: &Engine, tried: &TriedLogin<'_>) -> Result<Admission, StateError> {
        self.attempt_until(engine, tried, Instant::now() + WAIT_MAX).await
    }

    /// Waiting ends then, be it for a place or for what failed before.
    async fn attempt_until(
        &self,
        engine: &Engine,
        tried: &TriedLogin<'_>,
        until: Instant,
    ) -> Result<Admission, StateError> {
        loop {
            let key = at_account(engine, tried.addr, tried.login).await?;
            let whence = if matches!(key, RateKey::OwnersLogins { .. }) { Whence::Owners } else { Whence::Elsewhere };
            match engine.attempt(&self.charges(key, tried)).await? {
                Ok(places) => {
                    let left = until.saturating_duration_since(Instant::now());
                    let wait = self.wait(engine, key, tried.addr).await?.min(left);
                    return Ok(Admission::Admitted(Attempt { places, wait, whence }));
                }
                Err(Full::Used(wait)) => return Ok(Admission::Locked(wait)),
                Err(Full::Held(mut bell)) => {
                    if tokio::time::timeout_at(until, bell.changed()).await.is_err() {
                        return Ok(Admission::Locked(WAIT_MAX));
                    }
                }
            }
        }
    }

    /// The address counts every failure, and needs a place unless it is in the owner's network or shared.
    fn charges<'a>(&self, key: RateKey<'a>, tried: &TriedLogin<'_>) -> AttemptCharges<'a> {
        let account = RateCharge { key, rate: self.limits.account, cost: 1 };
        let address = (!self.is_shared(tried.addr)).then(|| self.of_address(tried.addr));
        let (asked, beside) = match (key, address) {
            (RateKey::OwnersLogins { .. }, address) => (vec![account], address),
            (_, Some(address)) => (vec![address, account], None),
            (_, None) => (vec![account], None),
        };
        AttemptCharges { asked, beside, failure: Failure::Guess(tried.guess) }
    }

    /// The tax on what has failed before at the address. In the owner's network there is none: somebody else's forgotten
    /// device behind the same address shall not slow the owner down, and a ceiling is there nevertheless.
    async fn wait(&self, engine: &Engine, key: RateKey<'_>, addr: IpAddr) -> Result<Duration, StateError> {
        if matches!(key, RateKey::OwnersLogins { .. }) || self.is_shared(addr) {
            return Ok(Duration::ZERO);
        }
        let level = engine.peek(RateKey::LoginsFrom(subscriber(addr)), &self.limits.address).await?;
        Ok(level.counted.checked_sub(1).map_or(Duration::ZERO, |doublings| self.delay(doublings)))
    }

    /// For those who look at passwords elsewhere: whether one may be looked at. Counts nothing.
    pub(crate) async fn check(&self, engine: &Engine, addr: IpAddr, login: &str) -> Result<AuthGate, StateError> {
        let key = at_account(engine, addr, login).await?;
        if let Some(wait) = engine.peek(key, &self.limits.account).await?.retry_after {
            return Ok(AuthGate::Locked(wait));
        }
        if matches!(key, RateKey::OwnersLogins { .. }) || self.is_shared(addr) {
            return Ok(AuthGate::Go);
        }
        Ok(self.gate(engine.peek(RateKey::LoginsFrom(subscriber(addr)), &self.limits.address).await?))
    }

    /// A login failed. The address is charged in any case, the account unless the guess came from its owner's network.
    pub(crate) async fn failed(&self, engine: &Engine, failed: &TriedLogin<'_>) -> Result<Counted, StateError> {
        let TriedLogin { addr, login, guess } = *failed;
        let failure = Failure::Guess(guess);
        let of_address =
            if self.is_shared(addr) { None } else { Some(engine.fail(&self.of_address(addr), failure).await?) };
        let key = at_account(engine, addr, login).await?;
        let of_account = engine.fail(&RateCharge { key, rate: self.limits.account, cost: 1 }, failure).await?;
        Ok(of_address.unwrap_or(of_account))
    }

    /// AUTH where it is not offered, malformed exchanges, and the like: the address alone is charged, each time.
    pub(crate) async fn abused(&self, engine: &Engine, addr: IpAddr) -> Result<(), StateError> {
        if !self.is_shared(addr) {
            engine.fail(&self.of_address(addr), Failure::Abuse).await?;
        }
        Ok(())
    }

    /// A login succeeded: its network is the owner's for a while, and begins so without failures. Failures elsewhere are
    /// not forgiven, or an attacker would clear his own with an account of his own.
    pub(crate) async fn succeeded(&self, engine: &Engine, addr: IpAddr, login: &str) -> Result<(), StateError> {
        let network = owner_network(addr);
        engine.remember(MemoryKey::LoggedInFrom(network), self.limits.owner_memory).await?;
        match engine.remember_network(NetworkOf { login, network }, self.limits.owner_memory).await? {
            Remembered::New => engine.forgive(RateKey::OwnersLogins { login, network }).await,
            Remembered::Again => Ok(()),
        }
    }

    fn of_address(&self, addr: IpAddr) -> RateCharge<'static> {
        RateCharge { key: RateKey::LoginsFrom(subscriber(addr)), rate: self.limits.address, cost: 1 }
    }

    fn gate(&self, level: Level) -> AuthGate {
        match (level.retry_after, level.counted.checked_sub(1)) {
            (Some(wait), _) => AuthGate::Locked(wait),
            (None, None) => AuthGate::Go,
            (None, Some(doublings)) => AuthGate::Wait(self.delay(doublings)),
        }
    }

    fn delay(&self, doublings: u32) -> Duration {
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.limits.delay.saturating_mul(factor).min(self.limits.delay_max).min(WAIT_MAX)
    }
}

/// Where failures at an account are counted: its owner's network has a count of its own.
async fn at_account<'a>(engine: &Engine, addr: IpAddr, login: &'a str) -> Result<RateKey<'a>, StateError> {
    let network = owner_network(addr);
    let is_owners = engine.is_network_of(NetworkOf { login, network }).await?;
    Ok(if is_owners { RateKey::OwnersLogins { login, network } } else { RateKey::LoginsAt(login) })
}

/// A subscriber: an IPv4 address, an IPv6 /64.
fn subscriber(addr: IpAddr) -> IpAddr {
    cut(addr, 32)
}

/// Where an owner may move about: an IPv4 /24, an IPv6 /64.
pub(crate) fn owner_network(addr: IpAddr) -> IpAddr {
    cut(addr, 24)
}

fn cut(addr: IpAddr, v4_bits: u32) -> IpAddr {
    match guard::canonical_ip(addr) {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & (u32::MAX << (32 - v4_bits))).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
    }
}

#[cfg(test)]
mod tests;
