//! Which engine it is. Its operations are whole: what one does is done at once, for all who ask, or not at all.
#![expect(clippy::unused_async, reason = "an engine that several hosts share is asked over the network")]

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::watch;

use crate::charge::{Charge, Counted, Failure, Level, NoRoom, RateCharge, RateKey};
use crate::clock::Answer;
use crate::embedded::{Embedded, Places};
use crate::error::StateError;
use crate::evidence::{KeptLogin, PopLogin, Recorded, Revoke};
use crate::gcra::Rate;
use crate::memory::{MemoryKey, Remembered};

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

    /// Remembers an answer for so long, by the engine's clock. If it is remembered already, only its end changes.
    pub(crate) async fn remember(
        &self,
        key: MemoryKey<'_>,
        answer: &[u8],
        span: Duration,
    ) -> Result<Remembered, StateError> {
        match self {
            Self::Embedded(engine) => engine.remember(key, answer, span),
        }
    }

    /// The answers remembered under a key that have not ended, in no order.
    pub(crate) async fn recall(&self, key: MemoryKey<'_>) -> Result<Vec<Box<[u8]>>, StateError> {
        match self {
            Self::Embedded(engine) => engine.recall(key),
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
