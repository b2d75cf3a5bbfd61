//! Identity collapse: an address that is trusted by itself (a relay network, a client that is listed by address) shows more names and
//! more sender domains than one site has. Then many strangers stand behind it: a container's bridge, a proxy, a translator of
//! addresses, or a host that relays for others. It is told, and with `relay.identity_collapse = "enforce"` the right of the address is
//! taken away at the next command, until it has been quiet for an hour or the configuration is read again.
//!
//! An office of many behind one address shows many names and few domains, a list server few names and many domains: neither is one.
//! Only trusted addresses are looked at, so strangers fill nothing here. What is kept of each is a few hashes.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use keep::BoundedMap;

/// Trusted addresses that are looked at; of more, those that were quiet longest are forgotten.
const ADDRESSES_MAX: usize = 4_096;
/// More HELO names, and more unrelated sender domains, than this within the window are a collapse.
const NAMES_MAX: usize = 10;
/// In what time; and how long an address must be quiet until it is trusted again.
const WINDOW: Duration = Duration::from_hours(1);

/// What trusted addresses have shown lately.
#[derive(Debug)]
pub struct Identities {
    shown: Mutex<BoundedMap<IpAddr, Shown>>,
    hasher: RandomState,
}

/// What one address has shown in its window.
#[derive(Debug, Default)]
struct Shown {
    since: Option<Instant>,
    /// Hashes, one more than [`NAMES_MAX`] at most.
    helos: HashSet<u64>,
    domains: HashSet<u64>,
    /// It was told.
    is_told: bool,
    collapsed_until: Option<Instant>,
}

/// What an address shows with one command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Showing<'a> {
    pub(super) client: IpAddr,
    pub(super) helo: Option<&'a str>,
    pub(super) domain: Option<&'a str>,
}

/// What that comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// One site's.
    Whole,
    /// Too many, and this is the first to say so.
    CollapsedNow,
    /// Too many.
    Collapsed,
}

impl Default for Identities {
    fn default() -> Self {
        Self { shown: Mutex::new(BoundedMap::new(ADDRESSES_MAX)), hasher: RandomState::new() }
    }
}

impl Identities {
    /// Trusts all again.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// Trusted addresses behind which many seem to be now.
    pub fn collapsed(&self, now: Instant) -> Vec<IpAddr> {
        let is_collapsed = |shown: &Shown| shown.collapsed_until.is_some_and(|until| now < until);
        self.lock().iter().filter(|(_, shown)| is_collapsed(shown)).map(|(address, _)| *address).collect()
    }

    // Hashes of a few names: whole after a panic, too.
    fn lock(&self) -> MutexGuard<'_, BoundedMap<IpAddr, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the address comes to with this.
    pub(super) fn show(&self, showing: Showing<'_>, now: Instant) -> Identity {
        let mut all = self.lock();
        let is_collapsed = |shown: &Shown| u64::from(shown.collapsed_until.is_some_and(|until| now < until));
        let shown = all.entry(showing.client, is_collapsed);
        if shown.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            *shown = Shown { since: Some(now), collapsed_until: shown.collapsed_until, ..Shown::default() };
        }
        let note = |names: &mut HashSet<u64>, name: Option<&str>| {
            if let Some(name) = name
                && names.len() <= NAMES_MAX
            {
                names.insert(self.hasher.hash_one(name.to_ascii_lowercase()));
            }
        };
        note(&mut shown.helos, showing.helo);
        note(&mut shown.domains, showing.domain.map(organization));
        if shown.helos.len() > NAMES_MAX && shown.domains.len() > NAMES_MAX {
            shown.collapsed_until = Some(now + WINDOW);
            if !std::mem::replace(&mut shown.is_told, true) {
                return Identity::CollapsedNow;
            }
        }
        if shown.collapsed_until.is_some_and(|until| now < until) { Identity::Collapsed } else { Identity::Whole }
    }
}

/// The part of a domain that one owner has, roughly: two labels, three below a country's `co`, `ne` and the like. To be wrong here
/// means to count one owner more or less.
fn organization(domain: &str) -> &str {
    let mut dots = domain.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else { return domain };
    let is_below_country = domain.len() - last - 1 == 2 && last - second - 1 <= 3;
    let before = if is_below_country { dots.next() } else { Some(second) };
    before.map_or(domain, |at| &domain[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    /// What comes of so many names and domains.
    fn shows(identities: &Identities, counts: Counts, now: Instant) -> Identity {
        let mut last = Identity::Whole;
        for number in 0..counts.helos.max(counts.domains) {
            let helo = format!("pc{}.example", number % counts.helos);
            let domain = format!("mail.site{}.example", number % counts.domains);
            last = identities.show(Showing { client: CLIENT, helo: Some(&helo), domain: Some(&domain) }, now);
        }
        last
    }

    #[derive(Clone, Copy)]
    struct Counts {
        helos: usize,
        domains: usize,
    }

    #[test]
    fn an_office_and_a_list_server_are_one_and_a_crowd_is_not() {
        let now = Instant::now();
        let table = [
            (50, 1, Identity::Whole),
            (1, 500, Identity::Whole),
            (10, 500, Identity::Whole),
            (11, 11, Identity::CollapsedNow),
        ];
        for (helos, domains, expected) in table {
            assert_eq!(shows(&Identities::default(), Counts { helos, domains }, now), expected, "{helos} {domains}");
        }
    }

    #[test]
    fn an_hour_of_quiet_or_a_reload_gives_the_trust_back() {
        let (identities, now) = (Identities::default(), Instant::now());
        let one = |secs: u64| shows(&identities, Counts { helos: 1, domains: 1 }, now + Duration::from_secs(secs));
        shows(&identities, Counts { helos: 20, domains: 20 }, now);
        assert_eq!((one(1), one(3_599)), (Identity::Collapsed, Identity::Collapsed));
        // It was in its first window at that moment, and so has an hour from there.
        assert_eq!((one(3_600), one(7_198)), (Identity::Collapsed, Identity::Collapsed));
        assert_eq!(one(7_200), Identity::Whole);
        shows(&identities, Counts { helos: 20, domains: 20 }, now + Duration::from_secs(7_300));
        identities.forget();
        assert_eq!(one(7_301), Identity::Whole);
    }

    #[test]
    fn what_is_kept_is_little() {
        let identities = Identities::default();
        shows(&identities, Counts { helos: 9_999, domains: 9_998 }, Instant::now());
        let all = identities.lock();
        assert!(
            all.iter().all(|(_, shown)| shown.helos.len() == NAMES_MAX + 1 && shown.domains.len() == NAMES_MAX + 1)
        );
    }

    #[test]
    fn an_owner_s_part_of_a_domain() {
        for (domain, owner) in [
            ("example.com", "example.com"),
            ("a.b.example.com", "example.com"),
            ("www.example.co.jp", "example.co.jp"),
            ("example.co.jp", "example.co.jp"),
            ("mail.example.de", "example.de"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(organization(domain), owner);
        }
    }
}
