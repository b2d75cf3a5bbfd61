//! Journals as they were written before this version are read: `tests/journals` has one that was closed in order and one
//! as a crash leaves it, both of the format "sekisho state 2". They are never made anew.

#![allow(clippy::unwrap_used, reason = "a test may")]

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use guard::{PopEvidence, PopSource, Subject};
use state::{Cause, Charge, ManualClock, PopCharge, PopLimits, Reserved, State, StateConfig};

fn noon() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn account(login: &str) -> Subject {
    Subject::Account(login.to_owned())
}

fn only(evidence: &[PopEvidence], addr: &str) -> PopEvidence {
    let mut found = evidence.iter().filter(|one| one.addr() == ip(addr));
    let one = found.next().unwrap().clone();
    assert!(found.next().is_none());
    one
}

/// Why there is no room for one more message to two recipients.
async fn charge(state: &State) -> Option<Cause> {
    let subject = account("user0@example.test");
    let limits = PopLimits { messages: 3, recipients: 10, window: Duration::from_hours(1) };
    let charge = PopCharge { addr: ip("192.0.2.1"), subject: &subject, messages: 1, recipients: 2, limits };
    match state.reserve(&[Charge::Pop(charge)]).await.unwrap().value {
        Reserved::Within(reservation) => reservation.commit().await.map(|_| None).unwrap(),
        Reserved::NoRoom(none) => Some(none.cause),
    }
}

#[tokio::test]
async fn journals_of_the_second_format_are_read() {
    for name in ["closed.journal", "crashed.journal"] {
        let dir = tempfile::tempdir().unwrap();
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals").join(name);
        fs::copy(kept, dir.path().join("state.journal")).unwrap();
        let clock = ManualClock::at(noon() + Duration::from_mins(2));
        let config = StateConfig { clock: clock.into(), ..StateConfig::default() };
        let state = State::open_with(dir.path(), config.clone()).unwrap();
        check(&state).await;
        drop(state);
        // And what is written behind it, too.
        let state = State::open_with(dir.path(), config).unwrap();
        let until = noon() + Duration::from_hours(1);
        assert_eq!(charge(&state).await, Some(Cause::Exceeded { until }), "{name}");
    }
}

async fn check(state: &State) {
    let evidence = state.evidence().await.unwrap().value;
    assert_eq!(evidence.len(), 46);
    let sources = [PopSource::Pop3, PopSource::Operator, PopSource::AuthPolicy, PopSource::DovecotAuth];
    for (number, source) in sources.into_iter().enumerate() {
        let one = only(&evidence, &format!("192.0.2.{}", number + 1));
        assert_eq!((one.subject(), one.source()), (&account(&format!("user{number}@example.test")), source));
        assert_eq!((one.granted_at(), one.expires_at()), (noon(), noon() + Duration::from_mins(30)));
    }
    assert!(evidence.iter().all(|one| one.login() != Some("user4@example.test")), "it was revoked");
    assert_eq!(only(&evidence, "2001:db8:7::").subject(), &account("jos\u{e9}@example.test"));
    let server = only(&evidence, "198.51.100.9");
    assert_eq!((server.subject(), server.source()), (&Subject::Server(ip("203.0.113.5")), PopSource::Drac));
    for number in 1..40 {
        let one = only(&evidence, &format!("198.51.100.{}", 100 + number));
        assert_eq!(one.login(), Some("alice@example.test"));
        assert_eq!(one.granted_at(), noon() + Duration::from_secs(number));
    }
    assert_eq!(only(&evidence, "192.0.2.99").login(), Some("late@example.test"), "the last that was written");
    assert_eq!(charge(state).await, None, "the last of three");
}
