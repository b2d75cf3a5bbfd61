//! One list: its settings, how it stands, and what it answered.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use config::{Dnsbl, ListKind, is_listing};
use dns::Answer;
use guard::{Listing, cut_ipv6};
use tracing::{info, warn};

use crate::amends::Amends;
use crate::breaker::{Breaker, Change, Listed};
use crate::question::{by_address, by_domain};
use crate::standing::{Family, Points, Standing, Tested, odd};

/// Failures in a row after which a list is not asked for a while.
const FAILURES_MAX: u32 = 5;
/// The first rest of a list that does not answer; each next one is twice as long.
const REST: Duration = Duration::from_mins(1);
/// The longest.
const REST_MAX: Duration = Duration::from_hours(1);

/// One list.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) settings: Dnsbl,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tested: Vec<Tested>,
    breaker: Breaker,
    amends: Amends,
    failures_in_a_row: u32,
    rests_until: Option<Instant>,
    counts: Counts,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    asked: u64,
    listed: u64,
    failed: u64,
    errors: u64,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum About<'a> {
    Address(IpAddr),
    Domain(&'a str),
}

/// How a list stands, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStatus {
    /// What it is called.
    pub name: Arc<str>,
    /// Its settings.
    pub settings: Dnsbl,
    /// What its test points say; of a list of addresses for IPv4 and for IPv6.
    pub standings: Vec<Standing>,
    /// Whether it lists far more than it used to, and weighs nothing.
    pub tripped: bool,
    /// Whether it does not answer, and is not asked for a while.
    pub rests: bool,
    /// Questions put to it since the start.
    pub asked: u64,
    /// Of these, listings.
    pub listed: u64,
    /// Of these, not answered.
    pub failed: u64,
    /// Of these, answered by what is no listing.
    pub errors: u64,
    /// Whom it listed wrongly and who passes by it now, as many as are told.
    pub amends: Vec<String>,
    /// How many that are.
    pub amends_count: usize,
}

impl ListStatus {
    /// Whether what it lists counts now.
    pub fn counts(&self) -> bool {
        !self.tripped && self.standings.iter().any(|standing| standing.is_sound())
    }
}

/// Those who pass that are told at once.
const AMENDS_TOLD_MAX: usize = 100;

impl List {
    pub(crate) fn new(settings: &Dnsbl, now: Instant) -> Self {
        let families: &[Family] = match settings.kind {
            ListKind::Ip => &[Family::Ipv4, Family::Ipv6],
            ListKind::Domain => &[Family::Domain],
        };
        let state = State {
            tested: families.iter().map(|family| Tested::new(*family, now)).collect(),
            breaker: Breaker::new(now),
            amends: Amends::new(),
            failures_in_a_row: 0,
            rests_until: None,
            counts: Counts::default(),
        };
        Self { settings: settings.clone(), state: Mutex::new(state) }
    }

    /// The name to be asked for; `None`: the list is not asked, since it weighs nothing.
    pub(crate) fn question(&self, about: About<'_>, now: Instant) -> Option<String> {
        let state = self.lock();
        if state.rests_until.is_some_and(|until| now < until) || !state.is_sound(about.family()) {
            return None;
        }
        let zone = &self.settings.zone;
        match about {
            About::Address(address) => Some(by_address(address, zone)),
            About::Domain(domain) => by_domain(domain, zone),
        }
    }

    /// What the answer comes to.
    pub(crate) fn answered(&self, about: About<'_>, answer: &Answer<Vec<Ipv4Addr>>, now: Instant) -> Option<Listing> {
        let mut state = self.lock();
        state.counts.asked += 1;
        let codes: &[Ipv4Addr] = match answer {
            Answer::Failed(_) => {
                self.failed(&mut state, now);
                return None;
            }
            Answer::Found(codes) => codes,
            Answer::None => &[],
        };
        state.failures_in_a_row = 0;
        state.rests_until = None;
        if odd(codes).is_some() {
            // It may have been sold, or have had enough of us: its test points tell.
            state.counts.errors += 1;
            state.hurry(now);
            return None;
        }
        let listing = self.heaviest(codes);
        let counted = if listing.is_some() { Listed::Yes } else { Listed::No };
        let change = state.breaker.count(about.network(), counted, now);
        self.tell(&mut state, change, now);
        let listing = listing?;
        state.counts.listed += 1;
        let subject = about.subject();
        if state.breaker.is_tripped() || state.amends.passes(&subject, now) {
            return None;
        }
        if listing.weight > 0 {
            state.amends.listed(&subject, now);
        }
        Some(listing)
    }

    /// What the answer comes to for who only wants to know: nothing is counted.
    pub(crate) fn looked_at(&self, about: About<'_>, answer: &Answer<Vec<Ipv4Addr>>, now: Instant) -> Option<Listing> {
        let Answer::Found(codes) = answer else { return None };
        let listing = self.heaviest(codes).filter(|_| codes.iter().all(|code| is_listing(*code)))?;
        let mut state = self.lock();
        let passes = state.breaker.is_tripped() || state.amends.passes(&about.subject(), now);
        (!passes).then_some(listing)
    }

    fn heaviest(&self, codes: &[Ipv4Addr]) -> Option<Listing> {
        let weighed = codes.iter().filter_map(|code| Some((*code, self.weight(*code)?)));
        let (code, weight) = weighed.max_by_key(|(_, weight)| weight.abs())?;
        Some(Listing { zone: Arc::clone(&self.settings.name), code, weight, mode: self.settings.mode })
    }

    /// What an answer weighs; `None`: it is no listing.
    fn weight(&self, answer: Ipv4Addr) -> Option<i32> {
        let code = self.settings.codes.iter().find(|code| code.which.has(answer));
        code.filter(|_| is_listing(answer)).map(|code| code.weight)
    }

    fn failed(&self, state: &mut State, now: Instant) {
        state.counts.failed += 1;
        state.failures_in_a_row += 1;
        let Some(over) = state.failures_in_a_row.checked_sub(FAILURES_MAX) else { return };
        if state.rests_until.is_some_and(|until| now < until) {
            return;
        }
        let rest = REST.saturating_mul(1 << over.min(10)).min(REST_MAX);
        state.rests_until = Some(now + rest);
        if over == 0 {
            let name = &*self.settings.name;
            info!(list = name, secs = rest.as_secs(), note = "it is not asked until then", "dnsbl silent");
        }
    }

    fn tell(&self, state: &mut State, change: Option<Change>, now: Instant) {
        let list = &*self.settings.name;
        match change {
            Some(Change::Tripped { share, usual }) => {
                state.hurry(now);
                let amends = state.amends.make(now);
                let note = "it weighs nothing until its share is usual again; whom it listed passes by it";
                warn!(list, percent = share / 10, usual_percent = usual / 10, amends, note, "dnsbl tripped");
            }
            Some(Change::Recovered) => info!(list, "dnsbl recovered"),
            None => {}
        }
    }

    /// The test points that are due.
    pub(crate) fn due(&self, now: Instant) -> Vec<Points> {
        let state = self.lock();
        let due = state.tested.iter().filter(|tested| tested.is_due(now));
        due.map(|tested| tested.family.points(&self.settings.zone)).collect()
    }

    /// What they said.
    pub(crate) fn tested(&self, family: Family, found: Option<Standing>, now: Instant) {
        let mut state = self.lock();
        let Some(tested) = state.tested.iter_mut().find(|tested| tested.family == family) else { return };
        let Some(before) = tested.learn(found, now) else { return };
        let list = &*self.settings.name;
        match tested.standing {
            Standing::Unsound(fault) => {
                let amends = state.amends.make(now);
                let note = "it weighs nothing until it passes its test points";
                warn!(list, %fault, amends, note, "dnsbl unsound");
            }
            Standing::Sound if matches!(before, Standing::Unsound(_)) => info!(list, "dnsbl sound"),
            Standing::Sound | Standing::Absent | Standing::Untested => {}
        }
    }

    pub(crate) fn status(&self, now: Instant) -> ListStatus {
        let state = self.lock();
        let Counts { asked, listed, failed, errors } = state.counts;
        ListStatus {
            name: Arc::clone(&self.settings.name),
            settings: self.settings.clone(),
            standings: state.tested.iter().map(|tested| tested.standing).collect(),
            tripped: state.breaker.is_tripped(),
            rests: state.rests_until.is_some_and(|until| now < until),
            asked,
            listed,
            failed,
            errors,
            amends: state.amends.iter(now).take(AMENDS_TOLD_MAX).map(str::to_owned).collect(),
            amends_count: state.amends.count(now),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_sound(&self, family: Family) -> bool {
        self.tested.iter().any(|tested| tested.family == family && tested.standing.is_sound())
    }

    fn hurry(&mut self, now: Instant) {
        self.tested.iter_mut().for_each(|tested| tested.hurry(now));
    }
}

impl About<'_> {
    fn family(self) -> Family {
        match self {
            Self::Address(IpAddr::V4(_)) => Family::Ipv4,
            Self::Address(IpAddr::V6(_)) => Family::Ipv6,
            Self::Domain(_) => Family::Domain,
        }
    }

    fn subject(self) -> String {
        match self {
            Self::Address(address) => address.to_string(),
            Self::Domain(domain) => domain.to_ascii_lowercase(),
        }
    }

    /// By what the breaker tells one from another: neighbours are mostly one.
    fn network(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Address(IpAddr::V4(v4)) => (v4.to_bits() & 0xffff_ff00).hash(&mut hasher),
            Self::Address(v6) => cut_ipv6(v6, 48).hash(&mut hasher),
            Self::Domain(domain) => domain.to_ascii_lowercase().hash(&mut hasher),
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests;
