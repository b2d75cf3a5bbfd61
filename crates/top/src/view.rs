//! What was seen of the server lately, and the rates that come of it.

use std::collections::{BTreeMap, VecDeque};

use admin::wire::{Activity, Counter};
use records::Kept;

/// How far back the mean rate goes, in milliseconds.
const MEAN_MILLIS: u64 = 60_000;
/// Moments that are remembered; at one a second more than the mean needs.
const MOMENTS_MAX: usize = 120;
/// Steps of a curve.
pub(crate) const CURVE: usize = 24;

/// What has a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rate {
    Connections,
    TurnedAway,
    FromOutside,
    FromOwn,
    Refused,
    Deferred,
    Logins,
    LoginsFailed,
    Delivered,
    NotDelivered,
}

impl Rate {
    /// In the order in which they are shown.
    pub(crate) const ALL: [Self; 10] = [
        Self::Connections,
        Self::TurnedAway,
        Self::FromOutside,
        Self::FromOwn,
        Self::Refused,
        Self::Deferred,
        Self::Logins,
        Self::LoginsFailed,
        Self::Delivered,
        Self::NotDelivered,
    ];

    fn count(self, of: &Activity) -> u64 {
        let named = |counters: &[Counter], names: &[&str]| {
            let meant = counters.iter().filter(|it| names.contains(&it.name.as_str()));
            meant.map(|it| it.count).sum()
        };
        match self {
            Self::Connections => of.listeners.iter().map(|it| it.served).sum(),
            Self::TurnedAway => of.listeners.iter().map(|it| it.turned_away).sum(),
            Self::FromOutside => of.messages_outside,
            Self::FromOwn => of.messages_trusted,
            Self::Refused => named(&of.decisions, &["refuse"]),
            Self::Deferred => named(&of.decisions, &["defer"]),
            Self::Logins => named(&of.logins, &["proved"]),
            Self::LoginsFailed => named(&of.logins, &["denied", "throttled", "unavailable"]),
            Self::Delivered => named(&of.deliveries, &["delivered"]),
            Self::NotDelivered => named(&of.deliveries, &["deferred", "bounced", "held", "dropped"]),
        }
    }
}

/// One moment, as far as rates need it.
#[derive(Debug, Clone)]
struct Moment {
    millis: u64,
    counts: [u64; Rate::ALL.len()],
    refusals: BTreeMap<String, u64>,
}

impl Moment {
    fn of(activity: &Activity) -> Self {
        Self {
            millis: activity.uptime_millis,
            counts: Rate::ALL.map(|rate| rate.count(activity)),
            refusals: activity.refusals.iter().map(|it| (it.name.clone(), it.count)).collect(),
        }
    }
}

/// What there is to be shown.
#[derive(Debug, Default)]
pub struct View {
    /// The server's name.
    pub host: String,
    /// The last answer.
    pub activity: Activity,
    /// The latest decisions, the newest first; `None`: none are kept, or they could not be read.
    pub decisions: Option<Vec<Kept>>,
    /// Why the server does not answer now.
    pub fault: Option<String>,
    /// It stands still, since the user wants to read.
    pub paused: bool,
    moments: VecDeque<Moment>,
}

impl View {
    /// Nothing seen yet.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), ..Self::default() }
    }

    /// The server has answered.
    pub fn see(&mut self, activity: Activity, decisions: Option<Vec<Kept>>) {
        let moment = Moment::of(&activity);
        // A server that was started anew has counted from nothing: rates over the two would be none.
        if self.moments.back().is_some_and(|last| last.millis >= moment.millis) {
            self.moments.clear();
        }
        self.moments.push_back(moment);
        if self.moments.len() > MOMENTS_MAX {
            self.moments.pop_front();
        }
        (self.activity, self.decisions, self.fault) = (activity, decisions, None);
    }

    /// How often a second, since the moment before; `None`: there is none.
    pub(crate) fn now(&self, rate: Rate) -> Option<f64> {
        let mut latest = self.moments.iter().rev();
        per_second(latest.next()?, latest.next()?, rate)
    }

    /// The same over the last minute, or since this began.
    pub(crate) fn mean(&self, rate: Rate) -> Option<f64> {
        per_second(self.moments.back()?, self.minute_ago()?, rate)
    }

    /// How many since the start.
    pub(crate) fn count(&self, rate: Rate) -> u64 {
        self.moments.back().map_or(0, |it| it.counts[rate as usize])
    }

    /// The rate at the latest moments, the newest last.
    pub(crate) fn curve(&self, rate: Rate) -> Vec<f64> {
        let pairs = self.moments.iter().zip(self.moments.iter().skip(1));
        let all: Vec<f64> = pairs.filter_map(|(before, after)| per_second(after, before, rate)).collect();
        all[all.len().saturating_sub(CURVE)..].to_vec()
    }

    /// Reasons of refusals, those of the last minute first: how many then, and since the start.
    pub(crate) fn reasons(&self) -> Vec<(&str, u64, u64)> {
        let Some(last) = self.moments.back() else { return Vec::new() };
        let before = self.minute_ago().map(|it| &it.refusals);
        let lately = |name: &String, count: u64| {
            count.saturating_sub(before.map_or(count, |before| before.get(name).copied().unwrap_or(0)))
        };
        let told = last.refusals.iter().map(|(name, count)| (name.as_str(), lately(name, *count), *count));
        let mut told: Vec<_> = told.collect();
        told.sort_by(|a, b| (b.1, b.2, a.0).cmp(&(a.1, a.2, b.0)));
        told
    }

    /// The first moment of the last minute that is not the newest.
    fn minute_ago(&self) -> Option<&Moment> {
        let last = self.moments.back()?;
        let within = |it: &&Moment| it.millis < last.millis && last.millis - it.millis <= MEAN_MILLIS;
        self.moments.iter().find(within)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts for people, far below 2^52")]
fn per_second(after: &Moment, before: &Moment, rate: Rate) -> Option<f64> {
    let millis = after.millis.checked_sub(before.millis).filter(|millis| *millis > 0)?;
    let more = after.counts[rate as usize].saturating_sub(before.counts[rate as usize]);
    Some(more as f64 * 1_000.0 / millis as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64, outside: u64, listed: u64) -> Activity {
        let refusals = vec![Counter { name: "listed".to_owned(), count: listed }];
        Activity { uptime_millis: millis, messages_outside: outside, refusals, ..Activity::default() }
    }

    #[test]
    fn rates_come_of_two_moments() {
        let mut view = View::new("h");
        assert_eq!((view.now(Rate::FromOutside), view.mean(Rate::FromOutside)), (None, None));
        view.see(at(1_000, 10, 0), None);
        assert_eq!(view.now(Rate::FromOutside), None);
        view.see(at(3_000, 20, 4), None);
        view.see(at(5_000, 20, 5), None);
        assert_eq!((view.now(Rate::FromOutside), view.mean(Rate::FromOutside)), (Some(0.0), Some(2.5)));
        assert_eq!((view.count(Rate::FromOutside), view.curve(Rate::FromOutside)), (20, vec![5.0, 0.0]));
        assert_eq!(view.reasons(), [("listed", 5, 5)]);
    }

    #[test]
    fn the_mean_forgets_what_is_older_than_a_minute() {
        let mut view = View::new("h");
        view.see(at(0, 0, 0), None);
        view.see(at(10_000, 1_000, 7), None);
        view.see(at(70_000, 1_060, 7), None);
        assert_eq!(view.mean(Rate::FromOutside), Some(1.0));
        assert_eq!(view.reasons(), [("listed", 0, 7)]);
    }

    #[test]
    fn a_server_that_was_started_anew_has_no_rate_at_first() {
        let mut view = View::new("h");
        view.see(at(9_000, 10, 0), None);
        view.see(at(100, 2, 0), None);
        assert_eq!((view.now(Rate::FromOutside), view.count(Rate::FromOutside)), (None, 2));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut view = View::new("h");
        for n in 0..10_000 {
            view.see(at(n + 1, n, 0), None);
        }
        assert_eq!((view.moments.len(), view.curve(Rate::FromOutside).len()), (MOMENTS_MAX, CURVE));
    }
}
