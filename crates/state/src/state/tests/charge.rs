//! What is reserved, counted and given back, and who must wait.

use super::*;

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

/// Who sends is limited also while nothing can be written, and not locked out by it.
#[tokio::test]
async fn rates_and_failed_logins_go_on_while_the_disk_fails() {
    let dir = tempfile::tempdir().unwrap();
    let state = open_full(dir.path());
    state.record(alice(), LIFE).await.unwrap_err();
    let device = RateCharge { key: RateKey::Device("alice-plc@d.test"), rate: Rate::per(LIFE, 1), cost: 1 };
    assert!(matches!(state.reserve(&[Charge::Rate(device)]).await.unwrap().value, Reserved::Within(_)));
    assert_eq!(state.check_auth(ip("192.0.2.7"), "alice").await.unwrap(), AuthGate::Go);
}

fn tried(guess: u8) -> TriedLogin<'static> {
    TriedLogin { addr: ip("192.0.2.7"), login: "alice@example.test", guess: [guess; 16] }
}

/// Who looks at passwords itself has as few places, also for what it asks at once; a report ends an attempt, and so does
/// waiting for it too long.
#[tokio::test]
async fn t48_attempts_that_are_looked_at_elsewhere_have_places_until_they_are_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let address = Rate::new(Duration::from_hours(1), 3);
    let limits = AuthLimits { address, delay: Duration::ZERO, ..AuthLimits::default() };
    let state = State::open_with(dir.path(), StateConfig { auth: limits, ..config(&ManualClock::at(noon())) }).unwrap();
    let waits = async |tried: TriedLogin<'static>| {
        tokio::time::timeout(Duration::from_millis(20), state.expect_auth(&tried)).await.is_err()
    };
    for guess in [1, 2, 2, 3, 1] {
        assert_eq!(state.expect_auth(&tried(guess)).await.unwrap(), AuthGate::Go, "the same one is under way once");
    }
    assert!(waits(tried(4)).await);
    state.auth_told_right(&tried(3)).await.unwrap();
    let bob = |guess| TriedLogin { login: "bob@example.test", ..tried(guess) };
    assert_eq!(state.expect_auth(&bob(5)).await.unwrap(), AuthGate::Go);
    assert!(waits(bob(6)).await);
    assert_eq!(state.auth_failed(&tried(1)).await.unwrap(), Counted::New);
    assert_eq!(state.auth_failed(&tried(1)).await.unwrap(), Counted::Repeated, "told of twice");
    assert!(waits(bob(6)).await);
    // The others were never told of.
    state.expected.give_up_the_late(Instant::now() + Duration::from_mins(1));
    for guess in [6, 7] {
        assert_eq!(state.expect_auth(&bob(guess)).await.unwrap(), AuthGate::Go);
    }
    assert!(waits(bob(8)).await, "one has failed");
}
