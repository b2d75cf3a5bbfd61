//! What is reserved, counted and given back, and who must wait.

use super::*;

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
