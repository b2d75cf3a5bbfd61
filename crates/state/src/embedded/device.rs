//! What devices have sent: one rate per device, in memory and bounded. A restart forgives; who floods the table with
//! devices of his own pushes out those that are at rest.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::gcra::{Exceeded, Rate, Tat};
use crate::throttle::Table;

const HOUR: Duration = Duration::from_hours(1);
/// Devices kept.
const DEVICES_MAX: usize = 100_000;

/// The devices that have sent lately.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    hasher: RandomState,
    tats: Table<Tat>,
}

impl Devices {
    /// Counts one message of a device that may send so many an hour: that many at once, then evenly.
    pub(crate) fn charge(&mut self, login: &str, per_hour: u32, now_micros: u64) -> Result<(), Exceeded> {
        if per_hour == 0 {
            return Err(Exceeded { retry_after: Duration::MAX });
        }
        let rate = Rate::new(HOUR / per_hour, per_hour);
        let tat = self.tats.entry(self.hasher.hash_one(login), DEVICES_MAX, |tat| tat.is_ahead(now_micros));
        *tat = rate.charge(*tat, now_micros, 1)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;

    #[test]
    fn so_many_an_hour_each_device_for_itself() {
        let mut devices = Devices::default();
        let mut charge = |login: &str, now| devices.charge(login, 3, now);
        for _ in 0..3 {
            assert!(charge("alice-plc@d.test", 600 * MINUTE).is_ok());
        }
        let exceeded = charge("alice-plc@d.test", 600 * MINUTE).unwrap_err();
        assert_eq!(exceeded.retry_after, Duration::from_mins(20));
        assert!(charge("bob-plc@d.test", 600 * MINUTE).is_ok());
        assert!(charge("alice-plc@d.test", 619 * MINUTE).is_err());
        assert!(charge("alice-plc@d.test", 620 * MINUTE).is_ok());
    }

    #[test]
    fn none_an_hour_is_none() {
        assert!(Devices::default().charge("alice-plc@d.test", 0, MINUTE).is_err());
    }

    #[test]
    fn a_limit_that_was_changed_counts_at_once() {
        let mut devices = Devices::default();
        assert!(devices.charge("alice-plc@d.test", 1, MINUTE).is_ok());
        assert!(devices.charge("alice-plc@d.test", 1, MINUTE).is_err());
        assert!(devices.charge("alice-plc@d.test", 1_000, 61 * MINUTE).is_ok());
    }
}
