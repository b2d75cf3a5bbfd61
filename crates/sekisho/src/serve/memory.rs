//! Memory for messages on their way to the disk: bounded over all sessions together; what does not fit waits.
//!
//! A message asks once, for all that it will ever have in memory, and only when its first octets are here: so two that
//! have a part each never wait for one another, and who only says that he will send something holds nothing.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What is counted as one, in octets: with it every bound fits a permit's 32 bits.
const UNIT_OCTETS: u64 = 1_024;

/// The memory there is.
pub struct Memory {
    /// Replaced whole by a reload; what is held of the old one stays held.
    units: ArcSwap<Units>,
}

struct Units {
    free: Arc<Semaphore>,
    all: u32,
}

/// A part of the memory, given back when dropped.
pub struct Held(OwnedSemaphorePermit);

impl Units {
    fn new(octets: u64) -> Self {
        let all = units(octets).max(1);
        Self { free: Arc::new(Semaphore::new(all as usize)), all }
    }
}

impl Memory {
    /// So many octets.
    pub fn new(octets: u64) -> Self {
        Self { units: ArcSwap::from_pointee(Units::new(octets)) }
    }

    /// From now on so many.
    pub fn resize(&self, octets: u64) {
        if self.units.load().all != units(octets) {
            self.units.store(Arc::new(Units::new(octets)));
        }
    }

    /// Takes so many octets, or all there are if that is less, as soon as they are free; first come, first served.
    /// `None`: not within `wait`. Cancel-safe.
    pub async fn hold(&self, octets: u64, wait: Duration) -> Option<Held> {
        let (free, wanted) = {
            let units_now = self.units.load();
            (Arc::clone(&units_now.free), units(octets).clamp(1, units_now.all))
        };
        if let Ok(permit) = Arc::clone(&free).try_acquire_many_owned(wanted) {
            return Some(Held(permit));
        }
        let permit = tokio::time::timeout(wait, free.acquire_many_owned(wanted)).await;
        permit.ok()?.ok().map(Held)
    }
}

impl Held {
    /// Gives back what is beyond so many octets.
    pub fn shrink_to(&mut self, octets: u64) {
        let beyond = self.0.num_permits().saturating_sub(units(octets) as usize);
        drop(self.0.split(beyond));
    }
}

fn units(octets: u64) -> u32 {
    u32::try_from(octets.div_ceil(UNIT_OCTETS)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn what_does_not_fit_waits_until_it_does() {
        let memory = Memory::new(10 * 1_024);
        let mut first = memory.hold(6_000, NOW).await.expect("there is room");
        let second = memory.hold(4_096, NOW).await.expect("6 units and 4");
        assert!(memory.hold(1, NOW).await.is_none(), "all of it is held");
        first.shrink_to(1_024);
        assert!(memory.hold(5 * 1_024, NOW).await.is_some());
        assert!(memory.hold(6 * 1_024, NOW).await.is_none());
        let (third, ()) = tokio::join!(memory.hold(9 * 1_024, LONG), async { drop(second) });
        assert!(third.is_some(), "it waited for the second");
    }

    #[tokio::test]
    async fn more_than_all_is_all() {
        let memory = Memory::new(4_096);
        let all = memory.hold(u64::MAX, NOW).await.expect("as much as there is");
        assert!(memory.hold(1, NOW).await.is_none());
        memory.resize(8_192);
        assert!(memory.hold(8_192, NOW).await.is_some(), "a reload gave more");
        drop(all);
    }
}
