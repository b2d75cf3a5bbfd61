//! Bans, as they come and go, also over restarts.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use state::{Ban, ManualClock, Offence, Offender, State, StateConfig};

/// What the first ban lasts, and the longest that comes by offences.
const SPAN_FIRST: Duration = Duration::from_hours(1);
const SPAN_MAX: Duration = Duration::from_hours(24);

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn config(clock: &ManualClock) -> StateConfig {
    StateConfig { clock: clock.clone().into(), ..StateConfig::default() }
}

fn ban_of(ban: Option<Ban>) -> Option<u64> {
    ban.map(|ban| ban.ends.duration_since(ban.since).unwrap().as_secs() / 3_600)
}

async fn offended(state: &State, addr: &str, times: u32) -> Option<u64> {
    ban_of(state.offended(&Offender { addr: ip(addr), offence: Offence::Connection, times }).await.unwrap())
}

#[tokio::test]
async fn a_ban_outlasts_a_restart_and_so_does_its_lifting() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(noon());
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    for addr in ["192.0.2.1", "192.0.2.2", "2001:db8::1"] {
        assert_eq!(offended(&state, addr, Offence::Connection.per_hour()).await, Some(1));
    }
    assert!(state.ban_of(ip("2001:db8::ffff")).await.unwrap().is_some(), "all of its /64");
    assert_eq!(state.lift(Some(ip("192.0.2.2"))).await.unwrap(), 1);
    drop(state);
    clock.advance(SPAN_FIRST / 2);
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert_eq!(state.bans_count(), 2);
    assert!(state.ban_of(ip("192.0.2.2")).await.unwrap().is_none());
    assert!(state.ban_of(ip("192.0.2.1")).await.unwrap().is_some());
    clock.advance(SPAN_FIRST / 2);
    assert!(state.ban_of(ip("192.0.2.1")).await.unwrap().is_none());
    assert_eq!(offended(&state, "192.0.2.1", 9_999).await, Some(2), "again");
    assert_eq!(state.lift(None).await.unwrap(), 1);
    drop(state);
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert_eq!((state.bans_count(), state.bans().await.unwrap().len()), (0, 0));
}

#[tokio::test]
async fn t56_a_ban_made_a_year_ahead_ends_after_its_own_span() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(noon() + Duration::from_hours(9_000));
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert_eq!(offended(&state, "192.0.2.1", 9_999).await, Some(1));
    drop(state);
    clock.set(noon());
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert!(state.ban_of(ip("192.0.2.1")).await.unwrap().is_some());
    clock.advance(SPAN_MAX);
    assert!(state.ban_of(ip("192.0.2.1")).await.unwrap().is_none());
}

#[tokio::test]
async fn offences_of_one_kind_within_an_hour_bring_a_ban() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(noon());
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    for offence in Offence::ALL {
        let by = |times| Offender { addr: ip("192.0.2.1"), offence, times };
        assert!(state.offended(&by(offence.per_hour() - 1)).await.unwrap().is_none(), "{offence:?}");
    }
    clock.advance(Duration::from_hours(2));
    for offence in Offence::ALL {
        let by = |times| Offender { addr: ip("192.0.2.1"), offence, times };
        assert!(state.offended(&by(1)).await.unwrap().is_none(), "{offence:?} of two hours ago");
        assert!(state.offended(&by(0)).await.unwrap().is_none());
        let ban = state.offended(&by(offence.per_hour())).await.unwrap().unwrap();
        assert_eq!(ban.reason, offence.code());
        state.lift(None).await.unwrap();
    }
}
