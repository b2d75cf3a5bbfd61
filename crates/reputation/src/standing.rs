//! The test points of a list (RFC 5782 §5): one entry that each list has, and one that none has. A list that fails them is dead, was
//! sold, refuses our resolver or lists everything, and weighs nothing until it passes.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use config::is_listing;
use dns::Answer;

use crate::question::{by_ipv4, by_ipv6};

/// A list that passed is tested again after so long.
const EVERY: Duration = Duration::from_hours(24);
/// One that failed.
const AFTER_FAILURE: Duration = Duration::from_mins(10);
/// One that gave no answer.
const AFTER_SILENCE: Duration = Duration::from_mins(1);

/// What the test points say of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They were not answered yet: it weighs nothing.
    Untested,
    /// It lists what it must, and not what it must not.
    Sound,
    /// It has no such addresses at all, as many lists have none of IPv6.
    Absent,
    /// It weighs nothing.
    Unsound(Fault),
}

/// Why a list is not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The entry that each list has is missing: the list was emptied or is gone.
    Empty,
    /// The entry that none has is there.
    ListsEverything,
    /// It says that it does not answer our resolver.
    Refuses(Ipv4Addr),
    /// It answers with addresses of hosts: its domain was sold, or the resolver answers for what is not there.
    Elsewhere(Ipv4Addr),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("its test entry is missing"),
            Self::ListsEverything => f.write_str("it lists what no list has"),
            Self::Refuses(code) => write!(f, "it does not answer this resolver ({code})"),
            Self::Elsewhere(address) => write!(f, "it answers with {address}, which is no listing"),
        }
    }
}

impl Standing {
    /// Whether what it lists counts.
    pub fn is_sound(self) -> bool {
        self == Self::Sound
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untested => f.write_str("untested"),
            Self::Sound => f.write_str("sound"),
            Self::Absent => f.write_str("absent"),
            Self::Unsound(fault) => write!(f, "unsound ({fault})"),
        }
    }
}

/// The test points of one family, and what they said last.
#[derive(Debug)]
pub(crate) struct Tested {
    pub(crate) family: Family,
    pub(crate) standing: Standing,
    due: Instant,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Addresses of IPv4.
    Ipv4,
    /// Addresses of IPv6.
    Ipv6,
    /// Domains.
    Domain,
}

/// Names to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Points {
    /// What is listed there.
    pub family: Family,
    /// The entry that each list has.
    pub listed: String,
    /// The entry that none has.
    pub unlisted: String,
}

impl Family {
    /// Where the test points of a list stand.
    pub fn points(self, zone: &str) -> Points {
        let mapped = |last| Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0x7f00, last);
        let (listed, unlisted) = match self {
            Self::Ipv4 => (by_ipv4(Ipv4Addr::new(127, 0, 0, 2), zone), by_ipv4(Ipv4Addr::LOCALHOST, zone)),
            Self::Ipv6 => (by_ipv6(mapped(2), zone), by_ipv6(mapped(1), zone)),
            Self::Domain => (format!("test.{zone}"), format!("invalid.{zone}")),
        };
        Points { family: self, listed, unlisted }
    }
}

impl Tested {
    pub(crate) fn new(family: Family, now: Instant) -> Self {
        Self { family, standing: Standing::Untested, due: now }
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// To be tested as soon as may be.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.due = self.due.min(now);
    }

    /// Takes what the points answered; the standing before, if it is another now. A list that does not answer keeps its standing: what
    /// it does not answer weighs nothing anyhow.
    pub(crate) fn learn(&mut self, found: Option<Standing>, now: Instant) -> Option<Standing> {
        let Some(found) = found else {
            self.due = now + AFTER_SILENCE;
            return None;
        };
        let found = match (self.family, found) {
            (Family::Ipv6, Standing::Unsound(Fault::Empty)) => Standing::Absent,
            (_, found) => found,
        };
        self.due = now + if matches!(found, Standing::Unsound(_)) { AFTER_FAILURE } else { EVERY };
        let before = std::mem::replace(&mut self.standing, found);
        (before != found).then_some(before)
    }
}

/// What an answer says that is no listing, whatever the list declares; `None`: there is nothing of that kind in it.
pub fn odd(answer: &[Ipv4Addr]) -> Option<Fault> {
    let odd = *answer.iter().find(|answer| !is_listing(**answer))?;
    Some(if odd.octets()[0] == 127 { Fault::Refuses(odd) } else { Fault::Elsewhere(odd) })
}

/// What the answers to both points say; `None`: one is missing.
pub fn judged(listed: &Answer<Vec<Ipv4Addr>>, unlisted: &Answer<Vec<Ipv4Addr>>) -> Option<Standing> {
    let (listed, unlisted) = (codes(listed)?, codes(unlisted)?);
    let fault = match odd(listed).or_else(|| odd(unlisted)) {
        Some(odd) => odd,
        None if !unlisted.is_empty() => Fault::ListsEverything,
        None if listed.is_empty() => Fault::Empty,
        None => return Some(Standing::Sound),
    };
    Some(Standing::Unsound(fault))
}

fn codes(answer: &Answer<Vec<Ipv4Addr>>) -> Option<&[Ipv4Addr]> {
    match answer {
        Answer::Found(codes) => Some(codes),
        Answer::None => Some(&[]),
        Answer::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dns::Failure;

    fn found(codes: &[[u8; 4]]) -> Answer<Vec<Ipv4Addr>> {
        Answer::Found(codes.iter().copied().map(Ipv4Addr::from).collect())
    }

    #[test]
    fn two_points_tell_sound_from_dead_and_from_everything() {
        let (two, ten) = (found(&[[127, 0, 0, 2]]), found(&[[127, 0, 0, 4], [127, 0, 0, 10]]));
        let (none, late) = (Answer::None, Answer::Failed(Failure::TimedOut));
        let (refused, sold) = (found(&[[127, 255, 255, 254]]), found(&[[192, 0, 2, 80]]));
        let unsound = |fault| Some(Standing::Unsound(fault));
        let table = [
            (&two, &none, Some(Standing::Sound)),
            (&ten, &none, Some(Standing::Sound)),
            (&none, &none, unsound(Fault::Empty)),
            (&two, &two, unsound(Fault::ListsEverything)),
            (&refused, &refused, unsound(Fault::Refuses(Ipv4Addr::new(127, 255, 255, 254)))),
            (&sold, &sold, unsound(Fault::Elsewhere(Ipv4Addr::new(192, 0, 2, 80)))),
            (&two, &late, None),
            (&late, &none, None),
        ];
        for (listed, unlisted, expected) in table {
            assert_eq!(judged(listed, unlisted), expected, "{listed:?} {unlisted:?}");
        }
    }

    #[test]
    fn a_list_is_tested_daily_and_sooner_when_it_failed() {
        let now = Instant::now();
        let mut tested = Tested::new(Family::Ipv4, now);
        assert!(tested.is_due(now) && !tested.standing.is_sound());
        assert_eq!(tested.learn(None, now), None);
        assert!(tested.is_due(now + AFTER_SILENCE) && !tested.standing.is_sound());
        assert_eq!(tested.learn(Some(Standing::Sound), now), Some(Standing::Untested));
        assert!(!tested.is_due(now + EVERY / 2) && tested.is_due(now + EVERY));
        let everything = Standing::Unsound(Fault::ListsEverything);
        assert_eq!(tested.learn(Some(everything), now), Some(Standing::Sound));
        assert!(tested.is_due(now + AFTER_FAILURE));
        assert_eq!(tested.learn(Some(everything), now), None);
        let mut v6 = Tested::new(Family::Ipv6, now);
        v6.learn(Some(Standing::Unsound(Fault::Empty)), now);
        assert_eq!(v6.standing, Standing::Absent);
    }
}
