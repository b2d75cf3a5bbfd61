//! What is reserved, counted and given back.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guard::{PopSource, Subject};
use state::gcra::Rate;
use state::{
    Cause, Charge, ManualClock, NoRoom, PopCharge, PopLimits, PopLogin, RateCharge, RateKey, Reserved, State,
    StateConfig, StateError,
};

const LIFE: Duration = Duration::from_mins(30);

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn account(login: &str) -> Subject {
    Subject::Account(login.to_owned())
}

fn alice() -> PopLogin {
    PopLogin { addr: ip("192.0.2.7"), subject: account("alice@example.test"), source: PopSource::Pop3, device: None }
}

/// An engine whose clock stands at noon.
fn open(dir: &Path) -> State {
    State::open_with(dir, StateConfig { clock: ManualClock::at(noon()).into(), ..StateConfig::default() }).unwrap()
}

/// Reserves one message to one recipient of alice's.
async fn reserve(state: &State) -> Result<Reserved, StateError> {
    let subject = account("alice@example.test");
    let limits = PopLimits { messages: 3, recipients: 10, window: Duration::from_hours(1) };
    let charge = PopCharge { addr: ip("192.0.2.7"), subject: &subject, messages: 1, recipients: 1, limits };
    Ok(state.reserve(&[Charge::Pop(charge)]).await?.value)
}

/// Charges it: why there is no room.
async fn charge(state: &State) -> Result<Option<Cause>, StateError> {
    match reserve(state).await? {
        Reserved::Within(reservation) => reservation.commit().await.map(|_| None),
        Reserved::NoRoom(NoRoom { cause, .. }) => Ok(Some(cause)),
    }
}

#[tokio::test]
async fn what_is_given_back_or_dropped_was_never_there() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    for _ in 0..10 {
        let Reserved::Within(reservation) = reserve(&state).await.unwrap() else { panic!() };
        reservation.give_back().await.unwrap();
        drop(reserve(&state).await.unwrap());
    }
    let mut held = Vec::new();
    while let Reserved::Within(reservation) = reserve(&state).await.unwrap() {
        held.push(reservation);
    }
    assert_eq!(held.len(), 3, "a place that is held is in the way of others");
    let mut first = held.remove(0);
    first.join(held.remove(0));
    drop(held);
    assert_eq!(first.commit().await.unwrap().now, noon());
    assert_eq!(charge(&state).await.unwrap(), None, "two are counted");
    let until = noon() + Duration::from_hours(1);
    assert_eq!(charge(&state).await.unwrap(), Some(Cause::Exceeded { until }));
    drop(state);
    let state = open(dir.path());
    assert_eq!(charge(&state).await.unwrap(), Some(Cause::Exceeded { until }), "what was committed is written");
}

#[tokio::test]
async fn what_was_held_when_the_engine_ended_is_not_counted() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    let held: Vec<_> = [reserve(&state).await.unwrap(), reserve(&state).await.unwrap()].into();
    drop(state);
    let state = open(dir.path());
    drop(held);
    for _ in 0..3 {
        assert_eq!(charge(&state).await.unwrap(), None);
    }
}

#[tokio::test]
async fn all_charges_have_room_or_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    let (alice, bob) = (account("alice@example.test"), account("bob@example.test"));
    let limits = PopLimits { messages: 3, recipients: 10, window: Duration::from_hours(1) };
    let pop = |subject| Charge::Pop(PopCharge { addr: ip("192.0.2.7"), subject, messages: 1, recipients: 1, limits });
    let device = |count| {
        let rate = Rate::per(Duration::from_hours(1), count);
        Charge::Rate(RateCharge { key: RateKey::Device("alice-plc@d.test"), rate, cost: 1 })
    };
    let until = noon() + Duration::from_mins(30);
    for _ in 0..10 {
        let Reserved::NoRoom(none) =
            state.reserve(&[pop(&alice), device(2), device(2), device(2)]).await.unwrap().value
        else {
            panic!()
        };
        assert_eq!(none, NoRoom { charge: 3, cause: Cause::Exceeded { until } });
        let Reserved::NoRoom(none) = state.reserve(&[device(2), pop(&bob)]).await.unwrap().value else { panic!() };
        assert_eq!(none, NoRoom { charge: 1, cause: Cause::NoEvidence });
    }
    let Reserved::Within(both) = state.reserve(&[pop(&alice), device(2), device(2)]).await.unwrap().value else {
        panic!()
    };
    let Reserved::NoRoom(none) = state.reserve(&[device(2)]).await.unwrap().value else { panic!() };
    assert_eq!(none, NoRoom { charge: 0, cause: Cause::Exceeded { until } }, "as if what is reserved were committed");
    let never = noon() + Duration::from_hours(100 * 366 * 24);
    let Reserved::NoRoom(none) = state.reserve(&[device(0)]).await.unwrap().value else { panic!() };
    assert_eq!(none, NoRoom { charge: 0, cause: Cause::Exceeded { until: never } });
    both.commit().await.unwrap();
    let Reserved::NoRoom(none) = state.reserve(&[device(2)]).await.unwrap().value else { panic!() };
    assert_eq!(none, NoRoom { charge: 0, cause: Cause::Exceeded { until } });
}
