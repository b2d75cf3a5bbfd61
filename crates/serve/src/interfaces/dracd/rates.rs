//! How many adds a second one server may make.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use state::gcra::{Rate, Tat};

/// Servers counted at once. They stand on the list of those that may add, so there are few; one more waits a second.
const SERVERS_MAX: usize = 16_384;

/// The count of each server that has added something lately.
#[derive(Debug, Default)]
pub struct Rates {
    servers: Mutex<HashMap<IpAddr, Tat>>,
}

impl Rates {
    /// Counts an add of `server`, of which `per_second` may come; `false`: it is one too many.
    pub fn admits(&self, server: IpAddr, per_second: u32, now: SystemTime) -> bool {
        let rate = Rate::new(Duration::from_secs(1) / per_second.max(1), per_second);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let known = servers.get(&server).copied();
        if known.is_none() && servers.len() >= SERVERS_MAX {
            servers.retain(|_, tat| tat.ahead(now) > 0);
            if servers.len() >= SERVERS_MAX {
                return false;
            }
        }
        // Clamped, and kept so: a clock that was ahead stops nobody for longer than a second.
        let counted = rate.clamp(known.unwrap_or_default(), now);
        let charged = rate.charge(counted, now, 1);
        servers.insert(server, charged.unwrap_or(counted));
        charged.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn each_server_has_its_own_count() {
        let (rates, now) = (Rates::default(), SystemTime::now());
        let admitted = |server, at| (0..500).filter(|_| rates.admits(ip(server), 100, at)).count();
        assert_eq!(admitted(1, now), 100);
        assert_eq!(admitted(2, now), 100);
        assert_eq!(admitted(1, now), 0);
        assert_eq!(admitted(1, now + Duration::from_millis(500)), 50);
    }

    #[test]
    fn a_clock_set_back_lets_nobody_add_more() {
        let (rates, now) = (Rates::default(), SystemTime::now());
        assert!(rates.admits(ip(1), 1, now));
        assert!(!rates.admits(ip(1), 1, now - Duration::from_hours(1)));
    }

    #[test]
    fn the_table_is_bounded() {
        let (rates, now) = (Rates::default(), SystemTime::now());
        let all = u32::try_from(SERVERS_MAX).unwrap();
        assert_eq!((0..all + 100).filter(|n| rates.admits(ip(*n), 1, now)).count(), SERVERS_MAX);
        let later = now + Duration::from_secs(2);
        assert!(rates.admits(ip(all + 1), 1, later), "those that were quiet are forgotten");
        assert_eq!(rates.servers.lock().unwrap().len(), 1);
    }
}
