//! Who is banned for a while, above the engines, which only keep it.
//!
//! A ban is suspicion. It takes away from strangers only, it ends by itself, and what cannot be counted bans nobody. An
//! address is banned for an hour; again while that is remembered, for twice as long as the last time, up to a day. Those
//! behind whom others are (listed networks and proxies, this machine itself, a gateway, a webmail) are never banned.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use crate::ban::{Ban, Begun, NewBan, SPAN_BY_HAND_MAX, Span, subscriber};
use crate::charge::{Failure, RateCharge, RateKey};
use crate::engine::Engine;
use crate::error::StateError;
use crate::gcra::Rate;
use crate::offence::Offence;

/// The window of all counts.
const HOUR: Duration = Duration::from_hours(1);

/// Who offended, how, and how often.
#[derive(Debug, Clone, Copy)]
pub struct Offender {
    /// The client's address.
    pub addr: IpAddr,
    /// What it did.
    pub offence: Offence,
    /// How often.
    pub times: u32,
}

/// A ban that the operator wants.
#[derive(Debug, Clone, Copy)]
pub struct ByHand<'a> {
    /// Whom.
    pub addr: IpAddr,
    /// Why, in at most [`REASON_OCTETS_MAX`] octets; more is cut.
    pub reason: &'a str,
    /// For how long, at most [`SPAN_BY_HAND_MAX`].
    pub span: Duration,
}

/// Why somebody cannot be banned.
#[derive(Debug, thiserror::Error)]
pub enum BanError {
    /// Others are behind the address.
    #[error("{addr} is never banned: it is {why}")]
    Never {
        /// The address.
        addr: IpAddr,
        /// What it is.
        why: &'static str,
    },
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Whom no ban may hit, as the configuration and the machine's network say.
pub type NeverBanned = Box<dyn Fn(IpAddr) -> Option<&'static str> + Send + Sync>;

/// What offences come to. It stands above the engines, as the throttle of logins does.
#[derive(Default)]
pub(crate) struct Bans {
    /// Asked at every connection, and set by a reload.
    never: RwLock<Option<NeverBanned>>,
}

impl Bans {
    /// Whom no ban may hit from now on.
    pub(crate) fn set_never(&self, never: NeverBanned) {
        *self.never.write().unwrap_or_else(PoisonError::into_inner) = Some(never);
    }

    /// Why an address is never banned. Loopback is this machine itself, whatever the configuration says (T35).
    pub(crate) fn never(&self, addr: IpAddr) -> Option<&'static str> {
        let addr = guard::canonical_ip(addr);
        if addr.is_loopback() || addr.is_unspecified() {
            return Some("this machine");
        }
        self.never.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(|never| never(addr))
    }

    /// Counts offences of an address; the ban, if they brought one.
    pub(crate) async fn offended(&self, engine: &Engine, by: &Offender) -> Result<Option<Ban>, StateError> {
        if by.times == 0 || self.never(by.addr).is_some() {
            return Ok(None);
        }
        let (addr, offence) = (subscriber(by.addr), by.offence);
        let key = RateKey::Offences { offence, addr };
        let rate = Rate::per(HOUR, offence.per_hour());
        engine.fail(&RateCharge { key, rate, cost: by.times.min(offence.per_hour()) }, Failure::Abuse).await?;
        if engine.peek(key, &rate).await?.retry_after.is_none() {
            return Ok(None);
        }
        engine.forgive(key).await?;
        match engine.ban(&NewBan { addr, reason: offence.code(), span: Span::ByHistory }).await? {
            Begun::Now(ban) => Ok(Some(ban)),
            Begun::Before(_) => Ok(None),
        }
    }

    /// Bans by hand.
    pub(crate) async fn ban(&self, engine: &Engine, by_hand: &ByHand<'_>) -> Result<Ban, BanError> {
        let span = by_hand.span.min(SPAN_BY_HAND_MAX);
        let new = NewBan { addr: subscriber(by_hand.addr), reason: by_hand.reason, span: Span::Given(span) };
        match engine.ban(&new).await? {
            Begun::Now(ban) | Begun::Before(ban) => Ok(ban),
        }
    }

    /// The ban of an address. One that became an own network meanwhile is not banned any more.
    pub(crate) async fn of(&self, engine: &Engine, addr: IpAddr) -> Result<Option<Ban>, StateError> {
        match engine.ban_of(subscriber(addr)).await? {
            Some(ban) if self.never(addr).is_none() => Ok(Some(ban)),
            _ => Ok(None),
        }
    }
}

impl std::fmt::Debug for Bans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bans").finish_non_exhaustive()
    }
}
