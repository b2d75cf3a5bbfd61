//! Whom a list has listed lately. When it turns out that the list was wrong, they pass by it for a while: who was refused comes again.

use std::time::{Duration, Instant};

use keep::BoundedMap;

/// Listings that are remembered of one list.
const LISTED_MAX: usize = 4_096;
/// How far back a list that is found wrong is held to have been.
const DOUBTED: Duration = Duration::from_hours(24);
/// How long they pass: as long as other servers try a mail again (RFC 5321 §4.5.4.1).
const AMENDS: Duration = Duration::from_hours(5 * 24);

/// Addresses and domains, by what they are asked by.
#[derive(Debug)]
pub(crate) struct Amends {
    /// When it was listed first, of those that the list made suspicious.
    listed: BoundedMap<Box<str>, Instant>,
    /// Until when they pass.
    passing: BoundedMap<Box<str>, Instant>,
}

impl Amends {
    pub(crate) fn new() -> Self {
        Self { listed: BoundedMap::new(LISTED_MAX), passing: BoundedMap::new(LISTED_MAX) }
    }

    /// The list counted against it.
    pub(crate) fn listed(&mut self, subject: &str, now: Instant) {
        self.listed.insert(subject.into(), now);
    }

    /// The list was wrong; says how many pass by it now.
    pub(crate) fn make(&mut self, now: Instant) -> usize {
        let doubted = |at: &Instant| now.saturating_duration_since(*at) <= DOUBTED;
        for (subject, _) in self.listed.iter().filter(|(_, at)| doubted(at)) {
            self.passing.insert(subject.clone(), now + AMENDS);
        }
        self.listed.clear();
        self.count(now)
    }

    /// Whether it passes by the list.
    pub(crate) fn passes(&mut self, subject: &str, now: Instant) -> bool {
        self.passing.get_mut(subject).is_some_and(|until| now < *until)
    }

    /// How many do.
    pub(crate) fn count(&self, now: Instant) -> usize {
        self.iter(now).count()
    }

    /// All that do, in no order.
    pub(crate) fn iter(&self, now: Instant) -> impl Iterator<Item = &str> {
        self.passing.iter().filter(move |(_, until)| now < **until).map(|(subject, _)| &**subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_listed_lately_passes_for_a_while() {
        let now = Instant::now();
        let mut amends = Amends::new();
        amends.listed("192.0.2.1", now);
        amends.listed("192.0.2.2", now + Duration::from_hours(30));
        assert!(!amends.passes("192.0.2.2", now));
        let found_out = now + Duration::from_hours(31);
        assert_eq!(amends.make(found_out), 1);
        assert!(!amends.passes("192.0.2.1", found_out), "that was long ago");
        assert!(amends.passes("192.0.2.2", found_out + AMENDS / 2));
        assert!(!amends.passes("192.0.2.2", found_out + AMENDS));
        assert_eq!(amends.iter(found_out).collect::<Vec<_>>(), ["192.0.2.2"]);
    }

    #[test]
    fn however_many_were_listed_it_has_a_bound() {
        let now = Instant::now();
        let mut amends = Amends::new();
        for n in 0..3 * LISTED_MAX {
            amends.listed(&n.to_string(), now);
        }
        assert!((LISTED_MAX / 2..=LISTED_MAX).contains(&amends.make(now)));
    }
}
