//! Which engine it is. Its operations are whole: what one does is done at once, for all who ask, or not at all.
#![expect(clippy::unused_async, reason = "an engine that several hosts share is asked over the network")]

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;

use crate::ban::{Ban, Begun, NewBan};
use crate::charge::{AttemptCharges, Charge, Counted, Failure, Full, Level, NoRoom, RateCharge, RateKey};
use crate::clock::Answer;
use crate::embedded::{AttemptPlaces, Embedded, Places};
use crate::error::StateError;
use crate::evidence::{KeptLogin, PopLogin, Recorded, Revoke};
use crate::gcra::Rate;
use crate::greylist::{GreylistKey, GreylistTerms, Greylisted};
use crate::memory::MemoryKey;
use crate::owners::{NetworkOf, Remembered};

/// The engine. Each of its operations may fail, and those who need the answer must say what they do then.
pub(crate) enum Engine {
    /// In this process.
    Embedded(Embedded),
}

impl Engine {
    /// Evidence: records one, see `State::record`.
    pub(crate) async fn record(&self, login: PopLogin, lifetime: Duration) -> Result<Recorded, StateError> {
        match self {
            Self::Embedded(engine) => engine.record(login, lifetime).await,
        }
    }

    /// Evidence: records many, each answered in its place.
    pub(crate) async fn record_many(
        &self,
        logins: Vec<PopLogin>,
        lifetime: Duration,
    ) -> Vec<Result<Recorded, StateError>> {
        match self {
            Self::Embedded(engine) => engine.record_many(logins, lifetime).await,
        }
    }

    /// Evidence: the live logins at an address.
    pub(crate) async fn logins_at(&self, addr: IpAddr) -> Result<Answer<Vec<KeptLogin>>, StateError> {
        match self {
            Self::Embedded(engine) => engine.logins_at(addr),
        }
    }

    /// Evidence: all live logins.
    pub(crate) async fn logins(&self) -> Result<Answer<Vec<KeptLogin>>, StateError> {
        match self {
            Self::Embedded(engine) => engine.logins(),
        }
    }

    /// Evidence: takes it back.
    pub(crate) async fn revoke(&self, which: Revoke) -> Result<usize, StateError> {
        match self {
            Self::Embedded(engine) => engine.revoke(which).await,
        }
    }

    /// Evidence: counts its changes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        match self {
            Self::Embedded(engine) => engine.changes(),
        }
    }

    /// Rates: a place for each charge, or none.
    pub(crate) async fn reserve(&self, charges: &[Charge<'_>]) -> Result<Answer<Result<Places, NoRoom>>, StateError> {
        match self {
            Self::Embedded(engine) => engine.reserve(charges),
        }
    }

    /// Rates: the places of a login attempt, or none.
    pub(crate) async fn attempt(
        &self,
        charges: &AttemptCharges<'_>,
    ) -> Result<Result<AttemptPlaces, Full>, StateError> {
        match self {
            Self::Embedded(engine) => engine.attempt(charges),
        }
    }

    /// Rates: how much is counted of a key, what is reserved left out.
    pub(crate) async fn peek(&self, key: RateKey<'_>, rate: &Rate) -> Result<Level, StateError> {
        match self {
            Self::Embedded(engine) => engine.peek(key, rate),
        }
    }

    /// Rates: counts what has happened, whether there is room or not.
    pub(crate) async fn fail(&self, charge: &RateCharge<'_>, failure: Failure) -> Result<Counted, StateError> {
        match self {
            Self::Embedded(engine) => engine.fail(charge, failure),
        }
    }

    /// Rates: forgets what is counted of a key.
    pub(crate) async fn forgive(&self, key: RateKey<'_>) -> Result<(), StateError> {
        match self {
            Self::Embedded(engine) => engine.forgive(key),
        }
    }

    /// Remembers something for so long, by the engine's clock.
    pub(crate) async fn remember(&self, key: MemoryKey<'_>, span: Duration) -> Result<(), StateError> {
        match self {
            Self::Embedded(engine) => engine.remember(key, span),
        }
    }

    /// Whether it is remembered still.
    pub(crate) async fn is_remembered(&self, key: MemoryKey<'_>) -> Result<bool, StateError> {
        match self {
            Self::Embedded(engine) => engine.is_remembered(key),
        }
    }

    /// Remembers a network for so long, by the engine's clock, also over a restart. If it is remembered already, only its
    /// end changes.
    pub(crate) async fn remember_network(&self, of: NetworkOf<'_>, span: Duration) -> Result<Remembered, StateError> {
        match self {
            Self::Embedded(engine) => engine.remember_network(of, span),
        }
    }

    /// Whether a network is remembered.
    pub(crate) async fn is_network_of(&self, of: NetworkOf<'_>) -> Result<bool, StateError> {
        match self {
            Self::Embedded(engine) => engine.is_network_of(of),
        }
    }

    /// What is known of a sender that is to come back; a new one is noted.
    pub(crate) async fn greylisted(
        &self,
        key: &GreylistKey<'_>,
        terms: GreylistTerms,
    ) -> Result<Greylisted, StateError> {
        match self {
            Self::Embedded(engine) => engine.greylisted(key, terms),
        }
    }

    /// The same for who only wants to know.
    pub(crate) async fn look_at_greylist(
        &self,
        key: &GreylistKey<'_>,
        terms: GreylistTerms,
    ) -> Result<Greylisted, StateError> {
        match self {
            Self::Embedded(engine) => engine.look_at_greylist(key, terms),
        }
    }

    /// Bans: begins one, unless there is one that has not ended.
    pub(crate) async fn ban(&self, new: &NewBan<'_>) -> Result<Begun, StateError> {
        match self {
            Self::Embedded(engine) => engine.ban(new),
        }
    }

    /// Bans: the one of an address.
    pub(crate) async fn ban_of(&self, addr: IpAddr) -> Result<Option<Ban>, StateError> {
        match self {
            Self::Embedded(engine) => engine.ban_of(addr),
        }
    }

    /// Bans: all that have not ended.
    pub(crate) async fn bans(&self) -> Result<Vec<Ban>, StateError> {
        match self {
            Self::Embedded(engine) => engine.bans(),
        }
    }

    /// Bans that have not ended, as far as the engine knows without asking.
    pub(crate) fn bans_count(&self) -> usize {
        match self {
            Self::Embedded(engine) => engine.bans_count(),
        }
    }

    /// Bans: ends that of an address, or all.
    pub(crate) async fn lift(&self, which: Option<IpAddr>) -> Result<usize, StateError> {
        match self {
            Self::Embedded(engine) => engine.lift(which),
        }
    }

    /// Finishes what waits and ends.
    pub(crate) fn close(&self) {
        match self {
            Self::Embedded(engine) => engine.close(),
        }
    }

    /// Evidence kept now, as far as the engine knows without asking.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Embedded(engine) => engine.len(),
        }
    }
}
