//! A place in quotas and rates, kept for one mail until its fate is known.

use crate::charge::NoRoom;
use crate::clock::Answer;
use crate::embedded::Places;
use crate::error::StateError;

/// Whether there was room.
#[derive(Debug)]
pub enum Reserved {
    /// All charges have a place.
    Within(Reservation),
    /// None has.
    NoRoom(NoRoom),
}

/// Places that are kept until [`Reservation::commit`] or [`Reservation::give_back`]. Dropped, they are given back; if the
/// process dies, they end with it. There is no `Clone`: what is reserved once is counted once.
/// ```compile_fail,E0382
/// async fn twice(reservation: state::Reservation) {
///     let _ = reservation.commit().await;
///     let _ = reservation.commit().await;
/// }
/// ```
/// ```compile_fail,E0599
/// fn copy(reservation: state::Reservation) -> (state::Reservation, state::Reservation) {
///     (reservation.clone(), reservation)
/// }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub struct Reservation {
    places: Places,
}

#[expect(clippy::unused_async, reason = "an engine that several hosts share is asked over the network")]
impl Reservation {
    pub(crate) fn new(places: Places) -> Self {
        Self { places }
    }

    /// Counts what was reserved: the mail was taken. A quota is written within a second, not before the answer: after a
    /// crash at most that much is forgotten. After an error it is not known whether it counts.
    pub async fn commit(self) -> Result<Answer<()>, StateError> {
        Ok(self.places.commit())
    }

    /// As if it had never been reserved: the mail was refused, or taken back. Dropping it does the same; but what an
    /// engine elsewhere has reserved may then be in the way until it ends by itself.
    pub async fn give_back(self) -> Result<(), StateError> {
        drop(self.places);
        Ok(())
    }

    /// Takes another into this one, so that both have one fate.
    pub fn join(&mut self, other: Self) {
        self.places.join(other.places);
    }
}
