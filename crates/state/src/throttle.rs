//! Failed logins, over all protocols: per address and per account, counted as *distinct guesses*. A phone with last
//! month's password repeats one guess and bans nobody; an attack from many addresses is stopped at the account; the
//! owner who logged in lately from the same network keeps a way in of its own, which is as narrow.
//!
//! It stands above the engines: they count ([`RateKey`]) and remember ([`MemoryKey`]), and know nothing of logins.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::charge::{Counted, Failure, Level, RateCharge, RateKey};
use crate::engine::Engine;
use crate::error::StateError;
use crate::gcra::Rate;
use crate::memory::{MemoryKey, Remembered};

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
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            address: Rate::new(Duration::from_mins(1), 10),
            account: Rate::new(Duration::from_mins(3), 20),
            delay: Duration::from_millis(250),
            delay_max: Duration::from_secs(8),
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

    fn is_shared(&self, addr: IpAddr) -> bool {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).contains(&guard::canonical_ip(addr))
    }

    /// To be asked before a password is looked at. Counts nothing.
    pub(crate) async fn check(&self, engine: &Engine, addr: IpAddr, login: &str) -> Result<AuthGate, StateError> {
        let key = at_account(engine, addr, login).await?;
        let gate = self.gate(engine.peek(key, &self.limits.account).await?);
        if matches!(gate, AuthGate::Locked(_)) || matches!(key, RateKey::OwnersLogins { .. }) {
            return Ok(gate);
        }
        if self.is_shared(addr) {
            return Ok(AuthGate::Go);
        }
        Ok(self.gate(engine.peek(RateKey::LoginsFrom(subscriber(addr)), &self.limits.address).await?))
    }

    /// A login failed. The address is charged in any case, the account unless the guess came from its owner's network.
    pub(crate) async fn failed(&self, engine: &Engine, failed: &FailedLogin<'_>) -> Result<Counted, StateError> {
        let FailedLogin { addr, login, guess } = *failed;
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
        let key = MemoryKey::OwnersNetworks(login);
        match engine.remember(key, &octets(network), self.limits.owner_memory).await? {
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
            (None, Some(doublings)) => {
                let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
                AuthGate::Wait(self.limits.delay.saturating_mul(factor).min(self.limits.delay_max))
            }
        }
    }
}

/// Where failures at an account are counted: its owner's network has a count of its own.
async fn at_account<'a>(engine: &Engine, addr: IpAddr, login: &'a str) -> Result<RateKey<'a>, StateError> {
    let network = owner_network(addr);
    let owners = engine.recall(MemoryKey::OwnersNetworks(login)).await?;
    let is_owners = owners.iter().any(|known| **known == octets(network));
    Ok(if is_owners { RateKey::OwnersLogins { login, network } } else { RateKey::LoginsAt(login) })
}

fn octets(network: IpAddr) -> [u8; 16] {
    match network {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// A subscriber: an IPv4 address, an IPv6 /64.
fn subscriber(addr: IpAddr) -> IpAddr {
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

#[cfg(test)]
mod tests;
