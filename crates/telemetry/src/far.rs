//! What other servers say no to: by domain, for the operator who wants to know where mail is stuck. Bounded, in memory, of the last
//! hours only. A word is left here only by an attempt that failed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keep::BoundedMap;

/// Domains remembered.
const DOMAINS_MAX: usize = 1_000;
/// Longest domain that is kept, in octets (RFC 1035 §2.3.4).
const DOMAIN_OCTETS_MAX: usize = 255;
/// After so long without a refusal a domain begins anew.
const FORGOTTEN: Duration = Duration::from_hours(24);

#[derive(Debug, Clone, Copy)]
struct Refusals {
    temporary: u64,
    permanent: u64,
    last: Instant,
}

/// Refusals by domain.
#[derive(Debug)]
pub struct FarSides(Mutex<BoundedMap<String, Refusals>>);

/// What one domain refused lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarSide {
    /// The recipients' domain.
    pub domain: String,
    /// Refusals for the time being: 4xx.
    pub temporary: u64,
    /// Refusals for good: 5xx.
    pub permanent: u64,
}

impl Default for FarSides {
    fn default() -> Self {
        Self(Mutex::new(BoundedMap::new(DOMAINS_MAX)))
    }
}

impl FarSides {
    /// A recipient was refused with a reply of this class, 4 or 5.
    pub fn refused(&self, forward_path: &str, class: u16, now: Instant) {
        let domain = forward_path.rsplit_once('@').map_or("", |(_, domain)| domain).to_ascii_lowercase();
        if domain.is_empty() || domain.len() > DOMAIN_OCTETS_MAX {
            return;
        }
        let mut sides = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = Refusals { temporary: 0, permanent: 0, last: now };
        let mut side = sides.get_mut(&domain).copied().unwrap_or(nothing);
        if now.saturating_duration_since(side.last) > FORGOTTEN {
            side = nothing;
        }
        match class {
            5 => side.permanent += 1,
            _ => side.temporary += 1,
        }
        side.last = now;
        sides.insert(domain, side);
    }

    /// Those that refused most within a day or so, most first.
    pub fn top(&self, most: usize, now: Instant) -> Vec<FarSide> {
        let sides = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = sides.iter().filter(|(_, side)| now.saturating_duration_since(side.last) <= FORGOTTEN);
        let told = |(domain, side): (&String, &Refusals)| FarSide {
            domain: domain.clone(),
            temporary: side.temporary,
            permanent: side.permanent,
        };
        let mut told: Vec<FarSide> = recent.map(told).collect();
        told.sort_by(|a, b| {
            (b.temporary + b.permanent).cmp(&(a.temporary + a.permanent)).then(a.domain.cmp(&b.domain))
        });
        told.truncate(most);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_domain_and_forgotten() {
        let (sides, start) = (FarSides::default(), Instant::now());
        for (path, class) in [("a@One.example", 5), ("b@one.example", 4), ("c@two.example", 5), ("postmaster", 5)] {
            sides.refused(path, class, start);
        }
        let top = sides.top(10, start);
        let side = |domain: &str, temporary, permanent| FarSide { domain: domain.to_owned(), temporary, permanent };
        assert_eq!(top, [side("one.example", 1, 1), side("two.example", 0, 1)]);
        assert_eq!(sides.top(1, start).len(), 1);
        assert!(sides.top(10, start + FORGOTTEN * 2).is_empty());
        for n in 0..3 * DOMAINS_MAX {
            sides.refused(&format!("a@{n}.example"), 5, start);
        }
        assert!(sides.top(usize::MAX, start).len() <= DOMAINS_MAX);
    }
}
