//! The places of one login attempt. A mail's are given back when nobody says what became of it; these are counted then,
//! since who breaks off has guessed.

use std::mem;
use std::sync::Arc;

use tokio::sync::watch;

use super::rates::{RatePlace, Rates};
use super::writer::Shared;
use crate::charge::{AttemptCharges, Counted, Failure, Full, RateCharge};

/// What one attempt holds until its end is known.
pub(crate) struct AttemptPlaces {
    shared: Arc<Shared>,
    rates: Arc<Rates>,
    held: Vec<RatePlace>,
    /// Counted when the attempt fails, though it needs no room there.
    beside: Option<RatePlace>,
    failure: Failure,
}

impl AttemptPlaces {
    /// Takes a place for each charge, or for none.
    pub(super) fn take(
        shared: &Arc<Shared>,
        rates: &Arc<Rates>,
        charges: &AttemptCharges<'_>,
        now: u64,
    ) -> Result<Self, Full> {
        let AttemptCharges { asked, beside, failure } = charges;
        let mut heard: Option<Heard> = None;
        let held = loop {
            let number = match rates.reserve_together(asked, now) {
                Ok(held) => break held,
                Err(number) => number,
            };
            match heard {
                Some(heard) if heard.number == number => return Err(full(rates, &asked[number], now, heard.bell)),
                // Once more, or what ended before the bell was heard would be missed.
                _ => heard = Some(Heard { number, bell: rates.bell(asked[number].key) }),
            }
        };
        let beside = beside.as_ref().map(|charge| rates.place(charge));
        Ok(Self { shared: Arc::clone(shared), rates: Arc::clone(rates), held, beside, failure: *failure })
    }

    /// The attempt failed.
    pub(crate) fn fail(mut self) -> Counted {
        self.lose()
    }

    /// As if it had never been: it succeeded, or nothing was looked at.
    pub(crate) fn give_back(mut self) {
        self.beside = None;
        for place in mem::take(&mut self.held) {
            self.rates.give_back(&place);
        }
    }

    /// New, if it is so at any of its places.
    fn lose(&mut self) -> Counted {
        let now = self.shared.clock.micros();
        let held = mem::take(&mut self.held);
        let mut all: Vec<Counted> = held.iter().map(|place| self.rates.lose(place, self.failure, now)).collect();
        all.extend(self.beside.take().map(|place| self.rates.count(&place, self.failure, now)));
        if all.contains(&Counted::New) { Counted::New } else { Counted::Repeated }
    }
}

/// The bell of a charge that had no room.
struct Heard {
    number: usize,
    bell: watch::Receiver<()>,
}

/// Whether waiting for others helps.
fn full(rates: &Rates, charge: &RateCharge<'_>, now: u64, bell: watch::Receiver<()>) -> Full {
    // What is counted alone leaves no room: nothing that ends now makes any.
    rates.peek(charge.key, &charge.rate, now).retry_after.map_or(Full::Held(bell), Full::Used)
}

impl Drop for AttemptPlaces {
    fn drop(&mut self) {
        self.lose();
    }
}

impl std::fmt::Debug for AttemptPlaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AttemptPlaces").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
