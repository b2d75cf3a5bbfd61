use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use guard::{Fault, PopSource, Subject};

use super::*;
use crate::charge::{Cause, NoRoom, PopCharge, PopLimits, RateCharge, RateKey};
use crate::clock::{ManualClock, duration_micros, micros};
use crate::embedded::disk::Disk;
use crate::embedded::table::Table;
use crate::embedded::writer::GROUP_MAX;
use crate::embedded::{Folder, record};
use crate::gcra::Rate;

mod budget;
mod charge;

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
fn open(dir: impl AsRef<Path>) -> State {
    try_open(dir).unwrap()
}

fn try_open(dir: impl AsRef<Path>) -> Result<State, StateError> {
    State::open_with(dir, config(&ManualClock::at(noon())))
}

fn config(clock: &ManualClock) -> StateConfig {
    StateConfig { clock: clock.clone().into(), ..StateConfig::default() }
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

async fn all(state: &State) -> Vec<PopEvidence> {
    state.evidence().await.unwrap().value
}

async fn at(state: &State, addr: &str) -> Vec<PopEvidence> {
    state.evidence_at(ip(addr)).await.unwrap().value
}

fn state_journal(dir: &Path) -> PathBuf {
    dir.join("state.journal")
}

/// The engine of a folder whose journal cannot be written, nor anew until the folder `state.journal.new` is gone.
fn open_full(dir: &Path) -> State {
    started(dir, |disk| {
        disk.write_into(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        fs::create_dir(dir.join("state.journal.new")).unwrap();
    })
}

/// The engine of a folder to which something was done before it begins to write.
fn started(dir: &Path, prepare: impl FnOnce(&mut Disk)) -> State {
    let table = Table::new(100_000, 10);
    let (mut disk, is_fresh) = Disk::open(dir, &table).unwrap();
    prepare(&mut disk);
    let clock = ManualClock::at(noon()).into();
    let engine = Embedded::start(Folder { disk, table, is_fresh }, 1_000, clock).unwrap();
    State::of(engine, AuthLimits::default())
}

#[tokio::test]
async fn changes_are_counted_before_they_are_answered() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(noon()));
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    let mut changes = state.changes();
    let mut is_told = || {
        let is = changes.has_changed().unwrap();
        changes.mark_unchanged();
        is
    };
    assert!(!is_told());
    for (what, later) in [("new", 0), ("renewed in memory", 1), ("renewed on disk", 300)] {
        clock.set(noon() + Duration::from_secs(later));
        state.record(alice(), LIFE).await.unwrap();
        assert!(is_told(), "{what}");
    }
    state.evidence_at(alice().addr).await.unwrap();
    assert!(!is_told(), "who only asks changes nothing");
    clock.set(noon());
    state.revoke(Revoke::All).await.unwrap();
    assert!(is_told(), "revoked");
    for (what, later) in [("new", 0), ("renewed in memory", 1)] {
        clock.set(noon() + Duration::from_secs(later));
        let many = state.record_many(vec![alice()], LIFE).await;
        assert!(many[0].is_ok() && is_told(), "{what}, of many");
    }
    drop(state);
    let state = open_full(dir.path());
    let mut changes = state.changes();
    let bob =
        PopLogin { addr: ip("192.0.2.8"), subject: account("bob@example.test"), source: PopSource::Pop3, device: None };
    state.record(bob, LIFE).await.unwrap_err();
    assert!(changes.has_changed().unwrap(), "nothing counts now");
    changes.mark_unchanged();
    fs::remove_dir(dir.path().join("state.journal.new")).unwrap();
    until_it_answers(&state).await;
    assert!(changes.has_changed().unwrap(), "it counts again");
}

#[tokio::test]
async fn many_at_once_are_answered_each_in_its_place() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(noon()));
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert!(state.record_many(Vec::new(), LIFE).await.is_empty());
    state.record(alice(), LIFE).await.unwrap();
    let later = noon() + Duration::from_mins(5);
    clock.set(later);
    // An account has its share of the table; here are many.
    let of = |n: u32| PopLogin {
        addr: IpAddr::V4((0x0a00_0000 + n).into()),
        subject: account(&format!("user{n}@example.test")),
        ..alice()
    };
    let mut logins: Vec<PopLogin> = (0..3 * u32::try_from(GROUP_MAX).unwrap() / 2).map(of).collect();
    logins[7] = alice();
    logins[8] = PopLogin { subject: account(""), ..alice() };
    logins[9] = of(10);
    let recorded = state.record_many(logins.clone(), LIFE).await;
    assert_eq!(recorded.len(), logins.len());
    for (n, recorded) in recorded.into_iter().enumerate() {
        if n == 8 {
            assert!(matches!(recorded, Err(StateError::BadLogin)));
        } else {
            let renewed = n == 7 || n == 10;
            let expected = Recorded { granted_at: later, expires_at: later + LIFE, renewed, shared: false };
            assert_eq!(recorded.unwrap(), expected, "{n}");
        }
    }
    clock.advance(Duration::from_secs(1));
    let memory = state.record_many(vec![of(1), of(2)], LIFE).await;
    assert!(memory.into_iter().all(|one| one.unwrap().renewed));
    drop(state);
    clock.set(later);
    let state = State::open_with(dir.path(), config(&clock)).unwrap();
    assert_eq!(all(&state).await.len(), logins.len() - 2);
}

#[tokio::test]
async fn more_than_may_wait_are_refused_but_not_those_before() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    let of = |n: u32| PopLogin { subject: account(&format!("user{n}@example.test")), ..alice() };
    let logins = (0..100_000).map(|n: u32| PopLogin { addr: IpAddr::V4((0x0a00_0000 + n).into()), ..of(n) });
    let recorded = state.record_many(logins.collect(), LIFE).await;
    let done = recorded.iter().take_while(|one| one.is_ok()).count();
    assert!((65_536..=100_000).contains(&done), "{done}");
    assert!(recorded[done..].iter().all(|one| matches!(one, Err(StateError::Overloaded))));
    assert_eq!(state.engine.len(), done);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(noon()));
    let state = open(dir.path().join("state"));
    assert_eq!(state.opened(), Opened { fresh: true, grants: 0 });
    let recorded = state.record(alice(), LIFE).await.unwrap();
    let expected = Recorded { granted_at: noon(), expires_at: noon() + LIFE, renewed: false, shared: false };
    assert_eq!(recorded, expected);
    assert_eq!(charge(&state).await.unwrap(), None);
    drop(state);
    let state = State::open_with(dir.path().join("state"), config(&clock)).unwrap();
    assert_eq!(state.opened(), Opened { fresh: false, grants: 1 });
    let evidence = at(&state, "::ffff:192.0.2.7").await;
    assert_eq!(evidence.len(), 1);
    assert_eq!((evidence[0].login(), evidence[0].expires_at()), (Some("alice@example.test"), noon() + LIFE));
    for _ in 0..2 {
        assert_eq!(charge(&state).await.unwrap(), None);
    }
    let until = noon() + Duration::from_hours(1);
    assert_eq!(charge(&state).await.unwrap(), Some(Cause::Exceeded { until }));
    clock.advance(LIFE);
    assert!(at(&state, "192.0.2.7").await.is_empty());
}

#[tokio::test]
async fn a_copy_of_the_file_as_a_crash_leaves_it_holds_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path().join("live"));
    for n in 0..50u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        state.record(login, LIFE).await.unwrap();
        if n % 10 == 9 {
            // Nothing writes now, so the copy is what a power cut would leave.
            let crashed = dir.path().join(format!("crashed-{n}"));
            fs::create_dir(&crashed).unwrap();
            fs::copy(state_journal(&dir.path().join("live")), state_journal(&crashed)).unwrap();
            let after = open(&crashed);
            assert_eq!(all(&after).await.len(), usize::from(n) + 1);
        }
    }
}

#[tokio::test]
async fn a_revoked_login_stays_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    assert_eq!(state.revoke(Revoke::Addr(ip("::ffff:192.0.2.7"))).await.unwrap(), 1);
    assert!(at(&state, "192.0.2.7").await.is_empty());
    drop(state);
    let state = open(dir.path());
    assert!(all(&state).await.is_empty());
    let again = state.record(alice(), LIFE).await.unwrap();
    assert!(!again.renewed);
    assert_eq!(all(&state).await.len(), 1);
}

#[tokio::test]
async fn after_a_failed_write_everything_is_unknown_until_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    drop(state);
    let state = open_full(dir.path());
    let bob =
        PopLogin { addr: ip("192.0.2.8"), subject: account("bob@example.test"), source: PopSource::Pop3, device: None };
    assert!(matches!(state.record(bob.clone(), LIFE).await, Err(StateError::WriteFailed)));
    let unknown = |error: StateError| Fault::from(error) == Fault::Unavailable("state");
    assert!(unknown(state.evidence_at(ip("192.0.2.7")).await.unwrap_err()));
    assert!(unknown(charge(&state).await.unwrap_err()));
    assert!(unknown(state.evidence().await.unwrap_err()));
    assert!(unknown(state.revoke(Revoke::Login("alice@example.test".to_owned())).await.unwrap_err()));
    let many = state.record_many(vec![bob.clone(), alice()], LIFE).await;
    assert!(many.iter().all(|one| matches!(one, Err(StateError::WriteFailed))));
    fs::remove_dir(dir.path().join("state.journal.new")).unwrap();
    let back = until_it_answers(&state).await;
    assert!(back.is_empty(), "alice was revoked meanwhile, bob never recorded");
    state.record(bob, LIFE).await.unwrap();
    drop(state);
    let state = open(dir.path());
    let logins: Vec<_> = all(&state).await.iter().map(|one| one.subject().to_string()).collect();
    assert_eq!(logins, ["bob@example.test"], "the file was made equal to the memory");
}

/// Waits for the writer's next attempt, which it makes by itself.
async fn until_it_answers(state: &State) -> Vec<PopEvidence> {
    loop {
        match state.evidence().await {
            Ok(grants) => return grants.value,
            Err(StateError::WriteFailed) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn closed_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    state.record(alice(), LIFE).await.unwrap();
    state.close();
    state.close();
    let closed = |error: StateError| error.fault() == Fault::Closed("state");
    assert!(closed(state.evidence_at(ip("192.0.2.7")).await.unwrap_err()));
    assert!(closed(state.record(alice(), LIFE).await.unwrap_err()));
    assert!(closed(charge(&state).await.unwrap_err()));
    assert!(closed(state.revoke(Revoke::All).await.unwrap_err()));
    let rate = RateCharge { key: RateKey::Device("alice-plc@d.test"), rate: Rate::per(LIFE, 1), cost: 1 };
    assert!(closed(state.reserve(&[Charge::Rate(rate)]).await.unwrap_err()));
    assert!(closed(state.check_auth(ip("192.0.2.7"), "alice").await.unwrap_err()));
    assert!(closed(state.auth_abused(ip("192.0.2.7")).await.unwrap_err()));
    assert!(closed(state.auth_succeeded(ip("192.0.2.7"), "alice").await.unwrap_err()));
}

#[tokio::test]
async fn a_damaged_file_says_what_to_do_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    for n in 0..200u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        state.record(login, LIFE).await.unwrap();
    }
    drop(state);
    let path = state_journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let hit = whole.windows(18).position(|octets| octets == b"alice@example.test").unwrap();
    let mut flipped = whole.clone();
    flipped[hit] ^= 1;
    for damaged in [flipped, whole[..whole.len() / 2].to_vec(), vec![0; 4096], b"not a database".to_vec()] {
        fs::write(&path, &damaged).unwrap();
        let error = try_open(dir.path()).expect_err("damaged");
        assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("move the file away"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is left as it is");
    }
}

#[tokio::test]
async fn a_revocation_that_was_answered_is_never_lost_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path().join("live"));
    state.record(alice(), LIFE).await.unwrap();
    let before = fs::read(state_journal(&dir.path().join("live"))).unwrap().len();
    state.revoke(Revoke::All).await.unwrap();
    let whole = fs::read(state_journal(&dir.path().join("live"))).unwrap();
    assert!(before < whole.len());
    // It is the last that was written, and would pass for a torn end but for its seal.
    for at in before..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for damaged in [&flipped, &whole[..at]] {
            fs::write(state_journal(dir.path()), damaged).unwrap();
            let error = try_open(dir.path()).expect_err("damaged");
            assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        }
    }
    fs::write(state_journal(dir.path()), &whole).unwrap();
    assert!(all(&open(dir.path())).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_revocations_go_on_while_a_new_journal_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(started(dir.path(), Disk::compact_soon));
    // An account has its share of the table; here are many.
    let of = |n: u32| PopLogin {
        addr: IpAddr::V4((0x0a00_0000 + n).into()),
        subject: account(&format!("user{n}@example.test")),
        ..alice()
    };
    let workers = (0..4u32).map(|worker| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for n in (worker * 1_000..).take(60) {
                state.record(of(n), LIFE).await.unwrap();
                if n % 3 == 0 {
                    assert_eq!(state.revoke(Revoke::Addr(of(n).addr)).await.unwrap(), 1);
                }
            }
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let addrs = |mut grants: Vec<PopEvidence>| {
        grants.sort_by_key(PopEvidence::addr);
        grants.iter().map(PopEvidence::addr).collect::<Vec<_>>()
    };
    let before = addrs(all(&state).await);
    assert_eq!(before.len(), 160);
    drop(state);
    assert_eq!(addrs(all(&open(dir.path())).await), before);
}

#[test]
fn only_one_process_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(dir.path());
    assert!(matches!(try_open(dir.path()), Err(StateError::InUse { .. })));
}

#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let _state = open(dir.path().join("a/b"));
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a/b"), mode("a/b/state.journal"), mode("a/b/state.lock")), (0o700, 0o600, 0o600));
}

#[tokio::test]
async fn a_login_has_a_name_of_bounded_length() {
    let dir = tempfile::tempdir().unwrap();
    let state = open(dir.path());
    for login in [String::new(), "x".repeat(321)] {
        let result = state.record(PopLogin { subject: account(&login), ..alice() }, LIFE).await;
        assert!(matches!(result, Err(StateError::BadLogin)));
    }
}

#[tokio::test]
async fn what_had_to_make_room_is_gone_from_the_file_too() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(noon()));
    let config = StateConfig { grants_max: 10, ..config(&clock) };
    let state = State::open_with(dir.path(), config.clone()).unwrap();
    for n in 0..40u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        clock.set(noon() + Duration::from_mins(u64::from(n)));
        state.record(login, LIFE).await.unwrap();
    }
    assert_eq!(state.engine.len(), 10);
    drop(state);
    assert_eq!(State::open_with(dir.path(), config).unwrap().opened().grants, 10);
}
