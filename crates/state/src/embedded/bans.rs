//! Who is banned, and was lately, so that the next ban is longer: bounded, and kept in the journal. No end lies further ahead
//! than its own span.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::BanRecord;
use crate::ban::{Ban, Begun, NewBan, REASON_OCTETS_MAX, REMEMBERED, SPAN_FIRST, SPAN_MAX, Span};
use crate::clock::{duration_micros, time};

/// Bans that are kept, the ended ones that are remembered included; one more pushes out the one that ends first.
const BANS_MAX: usize = 100_000;

/// All of them.
#[derive(Debug)]
pub(crate) struct Bans {
    kept: Mutex<Kept>,
    bans_max: usize,
}

#[derive(Debug, Default)]
struct Kept {
    by_addr: HashMap<IpAddr, BanRecord>,
    /// The same by their ends.
    by_end: BTreeSet<Ending>,
    /// To be written; who is not kept any more was lifted.
    noted: Vec<IpAddr>,
}

/// Ordered by the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ending {
    ends: u64,
    addr: IpAddr,
}

impl Bans {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self::bounded(BANS_MAX)
    }

    fn bounded(bans_max: usize) -> Self {
        Self { kept: Mutex::default(), bans_max }
    }

    // Each change is made whole before the lock is given back, and a panic in between loses one ban at worst.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a ban.
    pub(crate) fn begin(&self, new: &NewBan<'_>, now: u64) -> Begun {
        let kept = &mut *self.kept();
        let known = kept.by_addr.get(&new.addr).filter(|known| known.since <= now);
        if let (Some(known), Span::ByHistory) = (known, new.span)
            && now < known.ends
        {
            return Begun::Before(told(known));
        }
        let before = known.filter(|known| is_remembered(known, now)).map_or(0, |known| known.before.saturating_add(1));
        let span = match new.span {
            Span::ByHistory => SPAN_FIRST.saturating_mul(1 << before.min(8)).min(SPAN_MAX),
            Span::Given(span) => span,
        };
        let ends = now.saturating_add(duration_micros(span)).max(1);
        let record = BanRecord { addr: new.addr, reason: reason(new.reason), since: now, ends, before };
        let ban = told(&record);
        kept.put(record);
        kept.noted.push(new.addr);
        while kept.by_addr.len() > self.bans_max {
            let Some(first) = kept.by_end.first().copied() else { break };
            kept.remove(first.addr);
            kept.noted.push(first.addr);
        }
        Begun::Now(ban)
    }

    /// The ban of an address that has not ended.
    pub(crate) fn of(&self, addr: IpAddr, now: u64) -> Option<Ban> {
        self.kept().by_addr.get(&addr).filter(|ban| now < ban.ends).map(told)
    }

    /// All that have not ended, those that end first before the others.
    pub(crate) fn all(&self, now: u64) -> Vec<Ban> {
        let kept = self.kept();
        let alive = kept.by_end.iter().filter(|ending| now < ending.ends);
        alive.filter_map(|ending| kept.by_addr.get(&ending.addr)).map(told).collect()
    }

    /// How many have not ended.
    pub(crate) fn count(&self, now: u64) -> usize {
        self.kept().by_end.iter().rev().take_while(|ending| now < ending.ends).count()
    }

    /// Ends that of an address, or all, and forgets that they were; how many had not ended.
    pub(crate) fn lift(&self, which: Option<IpAddr>, now: u64) -> usize {
        let kept = &mut *self.kept();
        let addresses: Vec<IpAddr> = match which {
            Some(addr) => vec![addr],
            None => kept.by_addr.keys().copied().collect(),
        };
        let mut lifted = 0;
        for addr in addresses {
            let Some(record) = kept.remove(addr) else { continue };
            lifted += usize::from(now < record.ends);
            kept.noted.push(addr);
        }
        lifted
    }

    /// Takes what was read from the journal.
    pub(crate) fn restore(&self, record: BanRecord) {
        let kept = &mut *self.kept();
        if record.ends == 0 {
            kept.remove(record.addr);
        } else {
            kept.put(record);
        }
    }

    /// What was changed since the last call, to be written.
    pub(crate) fn take_noted(&self) -> Vec<BanRecord> {
        let kept = &mut *self.kept();
        let mut noted = std::mem::take(&mut kept.noted);
        noted.sort_unstable();
        noted.dedup();
        let lifted = |addr| BanRecord { addr, reason: "lifted".into(), since: 0, ends: 0, before: 0 };
        noted.into_iter().map(|addr| kept.by_addr.get(&addr).cloned().unwrap_or_else(|| lifted(addr))).collect()
    }

    /// All that is kept, as it must lie on disk.
    pub(crate) fn records(&self) -> Vec<BanRecord> {
        self.kept().by_addr.values().cloned().collect()
    }

    /// How long a journal of all of it is.
    pub(crate) fn octets(&self) -> u64 {
        self.kept().by_addr.values().map(|ban| BanRecord::octets(&ban.reason) as u64).sum()
    }

    /// No end lies further ahead than its own span: what a clock that was wrong has written does not outlast it. What is not
    /// remembered any more goes.
    pub(crate) fn clamp(&self, now: u64) {
        let kept = &mut *self.kept();
        let all: Vec<BanRecord> = kept.by_addr.values().cloned().collect();
        for mut ban in all {
            if ban.since > now {
                ban.ends = ban.ends.min(now.saturating_add(ban.ends.saturating_sub(ban.since)));
                ban.since = now;
                kept.noted.push(ban.addr);
                kept.put(ban);
            } else if !is_remembered(&ban, now) {
                kept.remove(ban.addr);
                kept.noted.push(ban.addr);
            }
        }
    }
}

impl Kept {
    fn put(&mut self, record: BanRecord) {
        self.remove(record.addr);
        self.by_end.insert(Ending { ends: record.ends, addr: record.addr });
        self.by_addr.insert(record.addr, record);
    }

    fn remove(&mut self, addr: IpAddr) -> Option<BanRecord> {
        let record = self.by_addr.remove(&addr)?;
        self.by_end.remove(&Ending { ends: record.ends, addr });
        Some(record)
    }
}

fn is_remembered(ban: &BanRecord, now: u64) -> bool {
    now < ban.ends.saturating_add(duration_micros(REMEMBERED))
}

fn told(record: &BanRecord) -> Ban {
    let BanRecord { addr, reason, since, ends, before } = record;
    Ban { addr: *addr, reason: reason.to_string(), since: time(*since), ends: time(*ends), before: *before }
}

/// A reason as it can be kept: never empty, never too long, on one line.
fn reason(text: &str) -> Arc<str> {
    let mut kept = String::new();
    for one in text.chars().map(|one| if one.is_control() { ' ' } else { one }) {
        if kept.len() + one.len_utf8() > REASON_OCTETS_MAX {
            break;
        }
        kept.push(one);
    }
    let kept = kept.trim();
    if kept.is_empty() { "unsaid".into() } else { kept.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000_000;
    const START: u64 = 480_000 * HOUR;

    fn addr(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn again(bans: &Bans, last: u8, now: u64) -> u64 {
        let new = NewBan { addr: addr(last), reason: "connections", span: Span::ByHistory };
        match bans.begin(&new, now) {
            Begun::Now(ban) => ban.ends.duration_since(ban.since).unwrap().as_secs() / 3_600,
            Begun::Before(_) => 0,
        }
    }

    #[test]
    fn a_ban_is_an_hour_and_doubles_while_it_is_remembered() {
        let bans = Bans::new();
        let mut now = START;
        for hours in [1, 2, 4, 8, 16, 24, 24] {
            assert_eq!(again(&bans, 1, now), hours);
            assert_eq!(again(&bans, 1, now), 0, "there is one");
            assert!(
                bans.of(addr(1), now + hours * HOUR - 1).is_some() && bans.of(addr(1), now + hours * HOUR).is_none()
            );
            now += hours * HOUR;
        }
        assert_eq!(again(&bans, 1, now + 24 * HOUR), 1, "forgotten");
    }

    #[test]
    fn who_ends_first_makes_room() {
        let bans = Bans::bounded(3);
        for (last, at) in [(1, 3), (2, 1), (3, 2), (4, 4)] {
            again(&bans, last, START + at);
        }
        let left: Vec<IpAddr> = bans.all(START).into_iter().map(|ban| ban.addr).collect();
        assert_eq!(left, [addr(3), addr(1), addr(4)]);
    }

    #[test]
    fn what_is_noted_makes_the_same_again() {
        let (bans, copy) = (Bans::new(), Bans::new());
        for last in 1..6 {
            again(&bans, last, START);
        }
        bans.take_noted().into_iter().for_each(|record| copy.restore(record));
        assert_eq!(copy.all(START), bans.all(START));
        assert_eq!((bans.lift(Some(addr(2)), START), bans.lift(Some(addr(2)), START)), (1, 0));
        bans.take_noted().into_iter().for_each(|record| copy.restore(record));
        assert_eq!(copy.all(START), bans.all(START));
        assert_eq!(bans.lift(None, START), 4);
        bans.take_noted().into_iter().for_each(|record| copy.restore(record));
        assert!(copy.all(START).is_empty() && bans.take_noted().is_empty());
        assert_eq!(again(&bans, 2, START), 1, "who was lifted begins anew");
    }

    #[test]
    fn t56_a_ban_of_the_future_ends_after_its_own_span() {
        let bans = Bans::new();
        again(&bans, 1, START + 9_000 * HOUR);
        again(&bans, 2, START);
        bans.clamp(START);
        assert_eq!(bans.all(START + HOUR - 1).len(), 2);
        assert!(bans.all(START + HOUR).is_empty());
        bans.clamp(START + 25 * HOUR);
        assert!(bans.records().is_empty(), "nothing is remembered any more");
    }

    #[test]
    fn a_reason_is_one_short_line() {
        assert_eq!(&*reason(" spam\r\nX: y "), "spam  X: y");
        assert_eq!((&*reason(""), reason(&"ä".repeat(999)).len()), ("unsaid", REASON_OCTETS_MAX));
    }
}
