//! Which alarms are in force, and which of them are worth a word: each begins once, ends once, and is quiet in between.
//!
//! An alarm that comes back within its quiet time is not told again, and neither is its end; so what comes and goes all day costs one
//! message and one end in that time. Pure: the clock is handed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::alarm::{Alarm, Ends, Kind, Turn};

/// Alarms remembered. More than that at once are still told, but over and over.
const ALARMS_MAX: usize = 1_000;
/// What ends by itself has to be gone for so long.
const SETTLES: Duration = Duration::from_mins(1);

/// What is known of an alarm that was raised.
#[derive(Debug, Clone)]
struct Known {
    alarm: Alarm,
    since: Instant,
    seen: Instant,
    told: Instant,
    in_force: bool,
    /// Its beginning was told, and its end was not.
    owes_end: bool,
}

/// All alarms of late.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    known: BTreeMap<(Kind, String), Known>,
}

impl Desk {
    /// Something is so, or has happened, now. Gives what is to be told.
    pub(crate) fn raise(&mut self, alarm: Alarm, quiet: Duration, now: Instant) -> Option<(Turn, Alarm)> {
        self.make_room();
        let key = (alarm.kind, alarm.subject.clone());
        let Some(known) = self.known.get_mut(&key) else {
            if self.known.len() < ALARMS_MAX {
                let known =
                    Known { alarm: alarm.clone(), since: now, seen: now, told: now, in_force: true, owes_end: true };
                self.known.insert(key, known);
            }
            return Some((Turn::Raised, alarm));
        };
        known.seen = now;
        known.alarm = alarm;
        if !known.in_force {
            (known.in_force, known.since) = (true, now);
        }
        if now.saturating_duration_since(known.told) < quiet {
            return None;
        }
        (known.told, known.owes_end) = (now, true);
        Some((Turn::Raised, known.alarm.clone()))
    }

    /// All that is so now, of the kinds that end by themselves, was raised: the others of them are over.
    pub(crate) fn settle(&mut self, quiet: Duration, now: Instant) -> Vec<(Turn, Alarm)> {
        let mut over = Vec::new();
        for known in self.known.values_mut().filter(|known| known.in_force) {
            let unseen = now.saturating_duration_since(known.seen);
            match known.alarm.kind.about().ends {
                Ends::WhenOver if unseen >= SETTLES => {
                    known.in_force = false;
                    if std::mem::take(&mut known.owes_end) {
                        over.push((Turn::Over, known.alarm.clone()));
                    }
                }
                Ends::AfterAWhile if unseen >= quiet => known.in_force = false,
                Ends::WhenOver | Ends::AfterAWhile => {}
            }
        }
        self.known.retain(|_, known| known.in_force || now.saturating_duration_since(known.told) < quiet);
        over
    }

    /// What is in force, the worst first, and for how long.
    pub(crate) fn in_force(&self, now: Instant) -> Vec<(Alarm, Duration)> {
        let in_force = self.known.values().filter(|known| known.in_force);
        let mut told: Vec<_> =
            in_force.map(|known| (known.alarm.clone(), now.saturating_duration_since(known.since))).collect();
        told.sort_by_key(|(alarm, _)| std::cmp::Reverse(alarm.kind.about().level));
        told
    }

    /// Of what is not in force the one that was told first goes.
    fn make_room(&mut self) {
        if self.known.len() < ALARMS_MAX {
            return;
        }
        let idle = self.known.iter().filter(|(_, known)| !known.in_force);
        let oldest = idle.min_by_key(|(_, known)| known.told).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIET: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);

    fn alarm(detail: &str) -> Alarm {
        Alarm::new(Kind::QueueAge, "", detail)
    }

    #[test]
    fn an_alarm_is_told_once_in_its_quiet_time_and_once_when_it_is_over() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        assert_eq!(desk.raise(alarm("1"), QUIET, start).unwrap().0, Turn::Raised);
        for minute in 1..60 {
            assert!(desk.raise(alarm("2"), QUIET, start + minute * MINUTE).is_none());
            assert!(desk.settle(QUIET, start + minute * MINUTE).is_empty());
        }
        let (alarms, since) = (desk.in_force(start + 59 * MINUTE), 59 * MINUTE);
        assert_eq!(alarms, [(alarm("2"), since)], "with the numbers of now");
        let again = desk.raise(alarm("3"), QUIET, start + 60 * MINUTE).unwrap();
        assert_eq!(again, (Turn::Raised, alarm("3")));
        assert!(desk.settle(QUIET, start + 60 * MINUTE + MINUTE / 2).is_empty(), "it may come back at once");
        assert_eq!(desk.settle(QUIET, start + 61 * MINUTE), [(Turn::Over, alarm("3"))]);
        assert!(desk.settle(QUIET, start + 62 * MINUTE).is_empty() && desk.in_force(start).is_empty());
    }

    #[test]
    fn what_comes_and_goes_is_told_once() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        let mut told = Vec::new();
        for round in 0..10 {
            let at = start + round * 5 * MINUTE;
            told.extend(desk.raise(alarm("x"), QUIET, at));
            told.extend(desk.settle(QUIET, at + 2 * MINUTE));
        }
        assert_eq!(told, [(Turn::Raised, alarm("x")), (Turn::Over, alarm("x"))]);
        assert!(desk.raise(alarm("x"), QUIET, start + 61 * MINUTE).is_some());
    }

    #[test]
    fn what_happened_once_is_in_force_for_a_while_and_has_no_end_to_be_told() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        desk.raise(Alarm::new(Kind::TrustCollapsed, "192.0.2.1", ""), QUIET, start);
        assert!(desk.settle(QUIET, start + 59 * MINUTE).is_empty());
        assert_eq!(desk.in_force(start).len(), 1);
        assert!(desk.settle(QUIET, start + 60 * MINUTE).is_empty());
        assert!(desk.in_force(start).is_empty());
    }

    #[test]
    fn subjects_are_told_apart_and_bounded() {
        let (mut desk, start) = (Desk::default(), Instant::now());
        for n in 0..3 * ALARMS_MAX {
            let alarm = Alarm::new(Kind::LaunchingPad, n.to_string(), "");
            assert!(desk.raise(alarm, QUIET, start).is_some(), "what is not remembered is told all the same");
        }
        assert_eq!(desk.in_force(start).len(), ALARMS_MAX);
        assert_eq!(desk.settle(QUIET, start + 2 * MINUTE).len(), ALARMS_MAX);
        assert!(desk.raise(alarm("new"), QUIET, start + 2 * MINUTE).is_some());
        assert!(desk.raise(alarm("new"), QUIET, start + 2 * MINUTE).is_none(), "there was room");
    }
}
