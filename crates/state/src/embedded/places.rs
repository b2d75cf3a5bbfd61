//! Places that were reserved together, for one holder. Dropped, they are given back: none outlives its holder, and all
//! end with the process, since nothing is written before it is committed.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::rates::{RatePlace, Rates};
use super::shard::PopPlace;
use super::writer::Shared;
use crate::charge::{Cause, Charge, NoRoom};
use crate::clock::{Answer, duration_micros, time};

/// As good as never.
const FAR: Duration = Duration::from_hours(100 * 366 * 24);

/// What one holder has reserved.
pub(crate) struct Places {
    shared: Arc<Shared>,
    rates: Arc<Rates>,
    held: Vec<Place>,
}

enum Place {
    Pop(PopPlace),
    Rate(RatePlace),
}

impl Places {
    /// None yet.
    pub(super) fn new(shared: &Arc<Shared>, rates: &Arc<Rates>) -> Self {
        Self { shared: Arc::clone(shared), rates: Arc::clone(rates), held: Vec::new() }
    }

    /// Takes one for each charge. After an error the whole is to be dropped. Each is taken for itself: what somebody else
    /// reserves and gives back in the same instant may be in the way.
    pub(super) fn reserve(&mut self, charges: &[Charge<'_>], now: u64) -> Result<(), NoRoom> {
        for (number, charge) in charges.iter().enumerate() {
            let place = self.place(charge, now).map_err(|cause| NoRoom { charge: number, cause })?;
            self.held.push(place);
        }
        Ok(())
    }

    fn place(&self, charge: &Charge<'_>, now: u64) -> Result<Place, Cause> {
        match charge {
            Charge::Pop(charge) => self.shared.table.reserve(charge, now).map(Place::Pop),
            Charge::Rate(charge) => self.rates.reserve(charge, now).map(Place::Rate).map_err(|exceeded| {
                let after = duration_micros(exceeded.retry_after.min(FAR));
                Cause::Exceeded { until: time(now.saturating_add(after)) }
            }),
        }
    }

    /// Counts all of them.
    pub(crate) fn commit(mut self) -> Answer<()> {
        let now = self.shared.clock.micros();
        for place in mem::take(&mut self.held) {
            match place {
                Place::Pop(place) => self.shared.table.commit(&place, now),
                Place::Rate(place) => self.rates.commit(&place, now),
            }
        }
        Answer::at(now, ())
    }

    /// Takes over those of another.
    pub(crate) fn join(&mut self, mut other: Self) {
        self.held.append(&mut other.held);
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        for place in &self.held {
            match place {
                Place::Pop(place) => self.shared.table.give_back(place),
                Place::Rate(place) => self.rates.give_back(place),
            }
        }
    }
}

impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places").field("held", &self.held.len()).finish_non_exhaustive()
    }
}
