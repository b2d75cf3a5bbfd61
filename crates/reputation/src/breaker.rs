//! Whether a list suddenly lists far more of our clients than it used to: then somebody there made a mistake, and the list weighs
//! nothing until its share is as it was.
//!
//! The share is measured over windows of at least ten minutes and a hundred networks, each network counted once a window, so that
//! one host which comes often is one. What is usual is learnt from the windows before.

use std::collections::HashSet;
use std::time::{Duration, Instant};

/// A window is at least so long.
const WINDOW: Duration = Duration::from_mins(10);
/// A window that never came by enough networks ends after so long.
const WINDOW_MAX: Duration = Duration::from_hours(6);
/// Networks that make a share.
const NETWORKS_MIN: usize = 100;
/// Networks counted in one window; more tell no more.
const NETWORKS_MAX: usize = 2_048;
/// Windows after which the usual share is known.
const WINDOWS_KNOWN: u32 = 3;
/// While it is not, so many of a thousand are too many.
const SHARE_UNKNOWN_MAX: u32 = 980;
/// Below so many of a thousand nothing is too much.
const SHARE_HARMLESS: u32 = 500;

/// Counts of one list.
#[derive(Debug)]
pub(crate) struct Breaker {
    window: Window,
    /// Of a thousand.
    usual: u32,
    /// How many windows taught it.
    windows: u32,
    tripped: bool,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    /// By their hashes.
    networks: HashSet<u64>,
    listed: usize,
}

/// What a count changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It lists too many, of a thousand networks.
    Tripped { share: u32, usual: u32 },
    /// Its share is usual again.
    Recovered,
}

impl Breaker {
    pub(crate) fn new(now: Instant) -> Self {
        Self { window: Window::new(now), usual: 0, windows: 0, tripped: false }
    }

    pub(crate) fn is_tripped(&self) -> bool {
        self.tripped
    }

    /// An answer about the network or domain with this hash, and whether it was a listing.
    pub(crate) fn count(&mut self, network: u64, listed: Listed, now: Instant) -> Option<Change> {
        let ended = self.turn(now);
        if self.window.networks.len() < NETWORKS_MAX && self.window.networks.insert(network) {
            self.window.listed += usize::from(listed == Listed::Yes);
        }
        if self.tripped || !self.is_abnormal() {
            return ended;
        }
        self.tripped = true;
        Some(Change::Tripped { share: self.window.share(), usual: self.usual })
    }

    /// Ends the window if it is time.
    fn turn(&mut self, now: Instant) -> Option<Change> {
        let age = now.saturating_duration_since(self.window.began);
        let tells = self.window.networks.len() >= NETWORKS_MIN;
        if age < WINDOW || (!tells && age < WINDOW_MAX) {
            return None;
        }
        let recovered = self.tripped && !self.is_abnormal();
        if tells {
            self.learn(self.window.share());
        }
        self.window = Window::new(now);
        self.tripped &= !recovered;
        recovered.then_some(Change::Recovered)
    }

    /// What lasts becomes usual: slowly, while it is held for a mistake.
    fn learn(&mut self, share: u32) {
        self.usual = match self.windows {
            0 => share,
            windows if windows < WINDOWS_KNOWN => u32::midpoint(self.usual, share),
            _ if self.tripped => (self.usual * 31 + share) / 32,
            _ => (self.usual * 7 + share) / 8,
        };
        self.windows = self.windows.saturating_add(1);
    }

    /// Too many, by far more than chance would have it (four standard deviations).
    fn is_abnormal(&self) -> bool {
        let (networks, share, usual) = (self.window.networks.len(), self.window.share(), self.usual);
        if networks < NETWORKS_MIN || share < SHARE_HARMLESS {
            return false;
        }
        if self.windows < WINDOWS_KNOWN {
            return share >= SHARE_UNKNOWN_MAX;
        }
        let above = u64::from(share.saturating_sub(usual));
        let enough = u64::from((1_000 - usual.min(1_000)) * 3 / 4).min(300);
        let spread = u64::from(usual) * u64::from(1_000 - usual.min(1_000));
        above >= enough.max(1) && above * above * networks as u64 >= 16 * spread
    }
}

/// Whether an answer was a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    No,
}

impl Window {
    fn new(now: Instant) -> Self {
        Self { began: now, networks: HashSet::new(), listed: 0 }
    }

    /// Of a thousand.
    fn share(&self) -> u32 {
        u32::try_from(self.listed * 1_000 / self.networks.len().max(1)).unwrap_or(1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Site {
        breaker: Breaker,
        now: Instant,
    }

    impl Site {
        fn new() -> Self {
            let now = Instant::now();
            Self { breaker: Breaker::new(now), now }
        }

        /// A window of 200 networks, so many of a thousand listed.
        fn window(&mut self, share: u32) -> Vec<Change> {
            let mut changes = Vec::new();
            for n in 0..200_u32 {
                self.now += Duration::from_secs(4);
                let listed = if n * 617 % 1_000 < share { Listed::Yes } else { Listed::No };
                let network = u64::from(n);
                // Each comes twice; it is one network.
                for _ in 0..2 {
                    changes.extend(self.breaker.count(network, listed, self.now));
                }
            }
            changes
        }
    }

    #[test]
    fn the_usual_may_be_high_and_may_drift() {
        let mut site = Site::new();
        for share in [700, 720, 690, 750, 780, 800, 820, 850, 830, 860, 600, 400, 650] {
            assert_eq!(site.window(share), [], "{share}");
        }
    }

    #[test]
    fn a_leap_trips_and_the_usual_recovers() {
        let mut site = Site::new();
        for _ in 0..6 {
            assert_eq!(site.window(300), []);
        }
        let tripped = site.window(1_000);
        assert!(matches!(tripped[..], [Change::Tripped { share: 600..=1_000, usual: 250..=350 }]), "{tripped:?}");
        assert!(site.breaker.is_tripped());
        for _ in 0..3 {
            assert_eq!(site.window(1_000), [], "it is told once");
        }
        let mut changes = site.window(300);
        changes.extend(site.window(300));
        assert_eq!(changes, [Change::Recovered]);
        assert!(!site.breaker.is_tripped());
    }

    #[test]
    fn a_list_that_has_everybody_trips_before_anything_is_usual() {
        let mut site = Site::new();
        assert!(matches!(site.window(1_000)[..], [Change::Tripped { .. }]));
    }

    #[test]
    fn one_host_that_comes_often_is_one() {
        let (now, host) = (Instant::now(), 7);
        let mut breaker = Breaker::new(now);
        for n in 0..10_000 {
            assert_eq!(breaker.count(host, Listed::Yes, now + Duration::from_secs(n)), None);
        }
    }

    #[test]
    fn a_quiet_site_gives_the_list_another_try() {
        let mut site = Site::new();
        let _ = site.window(1_000);
        assert!(site.breaker.is_tripped());
        let network = 7;
        let changes: Vec<_> = (0..40)
            .filter_map(|n| site.breaker.count(network, Listed::No, site.now + Duration::from_hours(n)))
            .collect();
        assert_eq!(changes.first(), Some(&Change::Recovered));
    }
}
