//! The state of a border: evidence, rates, and what is remembered, whichever engine keeps it.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use guard::PopEvidence;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::ban::{self, Ban};
use crate::bans::{BanError, Bans, ByHand, NeverBanned, Offender};
use crate::charge::{Charge, Counted, Failure, RateCharge};
use crate::clock::{Answer, Clock};
use crate::embedded::{Bounds, Embedded};
use crate::engine::Engine;
use crate::error::StateError;
use crate::evidence::{PopLogin, Recorded, Revoke, attest};
use crate::expected::Expected;
use crate::greylist::{GreylistKey, GreylistTerms, Greylisted};
use crate::memory::MemoryKey;
use crate::reservation::{Reservation, Reserved};
use crate::throttle::{Admission, AuthGate, AuthLimits, Throttle, TriedLogin, owner_network};

/// How long who looks at passwords elsewhere waits for a place: Dovecot, for one, goes on after two seconds without an answer.
const EXPECT_WAIT: Duration = Duration::from_millis(1_500);

/// How large the tables may grow, how failed logins are slowed down, and what the time is.
#[derive(Debug, Clone)]
pub struct StateConfig {
    /// Evidence kept at most; above it the one that expires first goes.
    pub grants_max: usize,
    /// Accounts kept at one address at most; above it the one that expires first goes.
    pub logins_per_address_max: usize,
    /// Keys kept of each kind of rate.
    pub keys_max: usize,
    /// Failed logins.
    pub auth: AuthLimits,
    /// The engine's clock.
    pub clock: Clock,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self {
            grants_max: 1_000_000,
            logins_per_address_max: 256,
            keys_max: 100_000,
            auth: AuthLimits::default(),
            clock: Clock::System,
        }
    }
}

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// There was no store: nobody has evidence. That relays for nobody; legacy clients must log in by POP again.
    pub fresh: bool,
    /// Evidence read back, the expired included.
    pub grants: usize,
}

/// Evidence, rates and memory. Shared by `Arc`; dropping it closes it. Each operation may fail: what is not known gives no
/// right and has no room. All tell the time by the engine's clock.
pub struct State {
    engine: Engine,
    throttle: Throttle,
    bans: Bans,
    expected: Expected,
    opened: Opened,
}

impl State {
    /// Opens `dir` (made if need be) with the usual bounds. It reads and verifies the whole file; call it before
    /// serving.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StateError> {
        Self::open_with(dir, StateConfig::default())
    }

    /// The same with other bounds.
    pub fn open_with(dir: impl AsRef<Path>, config: StateConfig) -> Result<Self, StateError> {
        let StateConfig { grants_max, logins_per_address_max, keys_max, auth, clock } = config;
        let bounds = Bounds { grants: grants_max, logins_per_address: logins_per_address_max, keys: keys_max };
        Ok(Self::of(Embedded::open(dir.as_ref(), bounds, clock)?, auth))
    }

    /// Whether no other process has the folder, before it is opened. Nothing is made.
    pub fn look(dir: &Path) -> Result<(), StateError> {
        Embedded::look(dir)
    }

    /// The file that a backup keeps of `dir`: while it is written only its end changes, so that what is read from its beginning is
    /// whole, also where a group at the end is cut off.
    pub fn journal(dir: &Path) -> std::path::PathBuf {
        Embedded::journal(dir)
    }

    fn of(engine: Embedded, auth: AuthLimits) -> Self {
        let opened = Opened { fresh: engine.is_fresh(), grants: engine.found() };
        Self {
            engine: Engine::Embedded(engine),
            throttle: Throttle::new(auth),
            bans: Bans::default(),
            expected: Expected::default(),
            opened,
        }
    }

    /// What was found at the start.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// Records a POP login; durable when it returns. A renewal that moves the expiry by less than a minute since the
    /// last write is not written: after a crash the evidence may end that much sooner, never later.
    ///
    /// A caller that is dropped meanwhile may leave the login recorded.
    pub async fn record(&self, login: PopLogin, lifetime: Duration) -> Result<Recorded, StateError> {
        self.engine.record(login, lifetime).await
    }

    /// Records many at once, as one group: what is there to be recorded should be given together, since this costs
    /// much less than each by itself. Each is answered in its place, as by [`State::record`]. Of more than 65,536 the
    /// rest is answered [`StateError::Overloaded`].
    pub async fn record_many(&self, logins: Vec<PopLogin>, lifetime: Duration) -> Vec<Result<Recorded, StateError>> {
        self.engine.record_many(logins, lifetime).await
    }

    /// Who logged in by POP from there and is still alive.
    pub async fn evidence_at(&self, addr: IpAddr) -> Result<Answer<Vec<PopEvidence>>, StateError> {
        let kept = self.engine.logins_at(addr).await?;
        Ok(kept.map(|kept| kept.into_iter().map(attest).collect()))
    }

    /// All live evidence, in no order.
    pub async fn evidence(&self) -> Result<Answer<Vec<PopEvidence>>, StateError> {
        let kept = self.engine.logins().await?;
        Ok(kept.map(|kept| kept.into_iter().map(attest).collect()))
    }

    /// Takes evidence back: at once in memory, even while the disk fails, and durable when it returns `Ok`. Gives how
    /// many were alive. Quotas stay: a new login is no new quota.
    pub async fn revoke(&self, which: Revoke) -> Result<usize, StateError> {
        self.engine.revoke(which).await
    }

    /// Counts the changes of evidence (recorded, renewed or taken back, but not what expires by itself) and of the engine's
    /// health, once for what was written together. The answer to a record comes after it is counted.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.engine.changes()
    }

    /// Takes a place for each charge, or for none. Reserve last, when all else accepts: what is reserved is in the way of
    /// others until it is committed, given back or dropped. A charge may stand in the list more than once.
    /// ```no_run
    /// # use std::time::Duration;
    /// use state::{Charge, RateCharge, RateKey, Reserved, gcra::Rate};
    /// # async fn take(state: &state::State, login: &str) -> Result<(), state::StateError> {
    /// let rate = Rate::per(Duration::from_hours(1), 20);
    /// let charges = [Charge::Rate(RateCharge { key: RateKey::Device(login), rate, cost: 1 })];
    /// match state.reserve(&charges).await?.value {
    ///     Reserved::NoRoom(none) => println!("{:?} has no room: {:?}", charges[none.charge], none.cause),
    ///     Reserved::Within(reservation) => {
    ///         // When the message is taken; dropped, it is given back.
    ///         reservation.commit().await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn reserve(&self, charges: &[Charge<'_>]) -> Result<Answer<Reserved>, StateError> {
        let reserved = self.engine.reserve(charges).await?;
        Ok(reserved.map(|reserved| match reserved {
            Ok(places) => Reserved::Within(Reservation::new(places)),
            Err(none) => Reserved::NoRoom(none),
        }))
    }

    /// Whether there is room now, besides what is counted. Takes nothing: others may be quicker.
    pub async fn has_room(&self, charge: &RateCharge<'_>) -> Result<bool, StateError> {
        Ok(self.engine.peek(charge.key, &charge.rate).await?.retry_after.is_none())
    }

    /// Counts what has happened, whether there is room for it or not, up to the whole of the rate.
    pub async fn count(&self, charge: &RateCharge<'_>) -> Result<(), StateError> {
        self.engine.fail(charge, Failure::Abuse).await.map(|_| ())
    }

    /// What is known of a sender that is to come back; a new one is noted. That it came back is remembered over a restart, what
    /// was seen once is not.
    pub async fn greylisted(&self, key: &GreylistKey<'_>, terms: GreylistTerms) -> Result<Greylisted, StateError> {
        self.engine.greylisted(key, terms).await
    }

    /// The same for who only wants to know: nothing is noted.
    pub async fn look_at_greylist(
        &self,
        key: &GreylistKey<'_>,
        terms: GreylistTerms,
    ) -> Result<Greylisted, StateError> {
        self.engine.look_at_greylist(key, terms).await
    }

    /// To be asked before a password is looked at: takes a place for it at its address and at its account, so that no more
    /// are looked at than may be, however many try at once. Waits, for 2.5 seconds at most, while all places are held by
    /// others. Cancel-safe: who is dropped while waiting holds nothing.
    pub async fn attempt(&self, tried: &TriedLogin<'_>) -> Result<Admission, StateError> {
        self.expected.give_up_the_late(Instant::now());
        self.throttle.attempt(&self.engine, tried).await
    }

    /// The same for a server that looks at passwords itself: the place is kept until that tells what came of it
    /// ([`State::auth_failed`], [`State::auth_told_right`]), or is late. Waits so much shorter as that server is patient.
    pub async fn expect_auth(&self, tried: &TriedLogin<'_>) -> Result<AuthGate, StateError> {
        self.expected.give_up_the_late(Instant::now());
        if self.expected.has(tried) {
            // Others may have failed since it was given its place.
            return self.throttle.check(&self.engine, tried.addr, tried.login).await;
        }
        let attempt = self.throttle.attempt(&self.engine, tried);
        let Ok(admission) = tokio::time::timeout(EXPECT_WAIT, attempt).await else {
            return Ok(AuthGate::Locked(EXPECT_WAIT));
        };
        match admission? {
            Admission::Admitted(attempt) => {
                let wait = attempt.wait();
                self.expected.keep(tried, attempt);
                Ok(AuthGate::of_wait(wait))
            }
            Admission::Locked(wait) => Ok(AuthGate::Locked(wait)),
        }
    }

    /// A login succeeded for which [`State::expect_auth`] was asked.
    pub async fn auth_told_right(&self, tried: &TriedLogin<'_>) -> Result<(), StateError> {
        if let Some(attempt) = self.expected.take(tried) {
            attempt.give_back();
        }
        self.auth_succeeded(tried.addr, tried.login).await
    }

    /// Whether a password may be looked at now. Counts nothing.
    pub async fn check_auth(&self, addr: IpAddr, login: &str) -> Result<AuthGate, StateError> {
        self.throttle.check(&self.engine, addr, login).await
    }

    /// Addresses behind which are many clients: their failures count against the accounts alone.
    pub fn share_addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.throttle.share(addresses);
    }

    /// A login failed that had no [`Attempt`](crate::Attempt): it was looked at elsewhere.
    pub async fn auth_failed(&self, failed: &TriedLogin<'_>) -> Result<Counted, StateError> {
        match self.expected.take(failed) {
            Some(attempt) => Ok(attempt.failed()),
            None => self.throttle.failed(&self.engine, failed).await,
        }
    }

    /// AUTH was tried where it is not offered, or was malformed (no login to count it for).
    pub async fn auth_abused(&self, addr: IpAddr) -> Result<(), StateError> {
        self.throttle.abused(&self.engine, addr).await
    }

    /// A login succeeded: its network is the owner's for a while.
    pub async fn auth_succeeded(&self, addr: IpAddr, login: &str) -> Result<(), StateError> {
        self.throttle.succeeded(&self.engine, addr, login).await
    }

    /// The next hop of a relay domain says that it has no such recipient; remembered for so long, in memory.
    pub async fn hop_refused(&self, forward_path: &str, span: Duration) -> Result<(), StateError> {
        self.engine.remember(MemoryKey::HopRefusals(forward_path), span).await
    }

    /// Whether it said so lately.
    pub async fn is_hop_refused(&self, forward_path: &str) -> Result<bool, StateError> {
        self.engine.is_remembered(MemoryKey::HopRefusals(forward_path)).await
    }

    /// It says that it takes mail for the recipient; remembered for so long, in memory.
    pub async fn hop_takes(&self, forward_path: &str, span: Duration) -> Result<(), StateError> {
        self.engine.remember(MemoryKey::HopTakes(forward_path), span).await
    }

    /// Whether it said that lately.
    pub async fn is_hop_taking(&self, forward_path: &str) -> Result<bool, StateError> {
        self.engine.is_remembered(MemoryKey::HopTakes(forward_path)).await
    }

    /// Whether somebody, whoever it was, logged in from this network (an IPv4 /24, an IPv6 /64) within the time for which
    /// owners' networks are remembered; a restart forgets it.
    pub async fn has_logged_in_from(&self, addr: IpAddr) -> Result<bool, StateError> {
        self.engine.is_remembered(MemoryKey::LoggedInFrom(owner_network(addr))).await
    }

    /// A client waited for the greeting and behaved; remembered for so long, in memory.
    pub async fn has_waited(&self, addr: IpAddr, span: Duration) -> Result<(), StateError> {
        self.engine.remember(MemoryKey::Waited(ban::subscriber(addr)), span).await
    }

    /// Whether it did lately.
    pub async fn is_patient(&self, addr: IpAddr) -> Result<bool, StateError> {
        self.engine.is_remembered(MemoryKey::Waited(ban::subscriber(addr))).await
    }

    /// Says whom no ban may hit: it gives the words for what such an address is.
    pub fn never_ban(&self, never: NeverBanned) {
        self.bans.set_never(never);
    }

    /// Why an address is never banned.
    pub fn never_banned(&self, addr: IpAddr) -> Option<&'static str> {
        self.bans.never(addr).or_else(|| self.throttle.is_shared(addr).then_some("shared by many users"))
    }

    /// Counts offences; the ban, if these brought one. Durable within a second.
    pub async fn offended(&self, by: &Offender) -> Result<Option<Ban>, StateError> {
        if self.throttle.is_shared(by.addr) {
            return Ok(None);
        }
        self.bans.offended(&self.engine, by).await
    }

    /// Bans by hand, in the place of a ban that there is.
    pub async fn ban(&self, by_hand: &ByHand<'_>) -> Result<Ban, BanError> {
        if let Some(why) = self.never_banned(by_hand.addr) {
            return Err(BanError::Never { addr: by_hand.addr, why });
        }
        self.bans.ban(&self.engine, by_hand).await
    }

    /// The ban of an address, or of its IPv6 /64, that has not ended.
    pub async fn ban_of(&self, addr: IpAddr) -> Result<Option<Ban>, StateError> {
        self.bans.of(&self.engine, addr).await
    }

    /// All bans that have not ended, those that end first before the others.
    pub async fn bans(&self) -> Result<Vec<Ban>, StateError> {
        self.engine.bans().await
    }

    /// How many addresses are banned, as far as the engine knows without asking.
    pub fn bans_count(&self) -> usize {
        self.engine.bans_count()
    }

    /// Ends the ban of an address, or all, and forgets that there was one; how many had not ended.
    pub async fn lift(&self, which: Option<IpAddr>) -> Result<usize, StateError> {
        self.engine.lift(which.map(ban::subscriber)).await
    }

    /// Finishes what waits, writes the quotas and ends the writer. Every later call answers [`StateError::Closed`],
    /// also on the other handles. Blocks for the last write.
    pub fn close(&self) {
        self.engine.close();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("grants", &self.engine.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
