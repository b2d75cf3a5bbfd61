use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use guard::{Fault, PopSource};

use super::*;

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
    PopLogin { addr: ip("192.0.2.7"), subject: account("alice@example.test"), source: PopSource::Pop3 }
}

fn limits() -> PopLimits {
    PopLimits { messages: 3, recipients: 10, window: Duration::from_hours(1) }
}

fn key() -> PopCharge {
    PopCharge { addr: ip("192.0.2.7"), subject: account("alice@example.test"), messages: 1, recipients: 1 }
}

fn state_journal(dir: &Path) -> PathBuf {
    dir.join("state.journal")
}

/// The engine of a folder whose journal cannot be written, nor anew until the folder `state.journal.new` is gone.
fn open_full(dir: &Path) -> Embedded {
    let table = Table::new(1_000, 10);
    let (mut disk, fresh) = Disk::open(dir, &table).unwrap();
    disk.write_into(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    fs::create_dir(dir.join("state.journal.new")).unwrap();
    Embedded::start((disk, table), StateConfig::default(), fresh).unwrap()
}

#[tokio::test]
async fn changes_are_counted_before_they_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    let mut changes = state.changes();
    let mut is_told = || {
        let is = changes.has_changed().unwrap();
        changes.mark_unchanged();
        is
    };
    assert!(!is_told());
    for (what, later) in [("new", 0), ("renewed in memory", 1), ("renewed on disk", 300)] {
        state.record_pop_login(alice(), LIFE, noon() + Duration::from_secs(later)).await.unwrap();
        assert!(is_told(), "{what}");
    }
    state.pop_evidence(alice().addr, noon()).await.unwrap();
    assert!(!is_told(), "who only asks changes nothing");
    state.revoke(Revoke::All, noon()).await.unwrap();
    assert!(is_told(), "revoked");
    for (what, later) in [("new", 0), ("renewed in memory", 1)] {
        let many = state.record_many(vec![alice()], LIFE, noon() + Duration::from_secs(later)).await;
        assert!(many[0].is_ok() && is_told(), "{what}, of many");
    }
    drop(state);
    let state = open_full(dir.path());
    let mut changes = state.changes();
    let bob = PopLogin { addr: ip("192.0.2.8"), subject: account("bob@example.test"), source: PopSource::Pop3 };
    state.record_pop_login(bob, LIFE, noon()).await.unwrap_err();
    assert!(changes.has_changed().unwrap(), "nothing counts now");
    changes.mark_unchanged();
    fs::remove_dir(dir.path().join("state.journal.new")).unwrap();
    until_it_answers(&state).await;
    assert!(changes.has_changed().unwrap(), "it counts again");
}

#[tokio::test]
async fn many_at_once_are_answered_each_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    assert!(state.record_many(Vec::new(), LIFE, noon()).await.is_empty());
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    let later = noon() + Duration::from_mins(5);
    let of = |n: u32| PopLogin { addr: IpAddr::V4((0x0a00_0000 + n).into()), ..alice() };
    let mut logins: Vec<PopLogin> = (0..3 * u32::try_from(GROUP_MAX).unwrap() / 2).map(of).collect();
    logins[7] = alice();
    logins[8] = PopLogin { subject: account(""), ..alice() };
    logins[9] = of(10);
    let recorded = state.record_many(logins.clone(), LIFE, later).await;
    assert_eq!(recorded.len(), logins.len());
    for (n, recorded) in recorded.into_iter().enumerate() {
        if n == 8 {
            assert!(matches!(recorded, Err(StateError::BadLogin)));
        } else {
            let expected = Recorded { expires_at: later + LIFE, renewed: n == 7 || n == 10, shared: false };
            assert_eq!(recorded.unwrap(), expected, "{n}");
        }
    }
    let memory = state.record_many(vec![of(1), of(2)], LIFE, later + Duration::from_secs(1)).await;
    assert!(memory.into_iter().all(|one| one.unwrap().renewed));
    drop(state);
    let grants = Embedded::open(dir.path()).unwrap().grants(later).await.unwrap();
    assert_eq!(grants.len(), logins.len() - 2);
}

#[tokio::test]
async fn more_than_may_wait_are_refused_but_not_those_before() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    let logins = (0..100_000).map(|n: u32| PopLogin { addr: IpAddr::V4((0x0a00_0000 + n).into()), ..alice() });
    let recorded = state.record_many(logins.collect(), LIFE, noon()).await;
    let done = recorded.iter().take_while(|one| one.is_ok()).count();
    assert!((65_536..=100_000).contains(&done), "{done}");
    assert!(recorded[done..].iter().all(|one| matches!(one, Err(StateError::Overloaded))));
    assert_eq!(state.len(), done);
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path().join("state")).unwrap();
    assert_eq!(state.opened(), Opened { fresh: true, grants: 0 });
    let recorded = state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    assert_eq!(recorded, Recorded { expires_at: noon() + LIFE, renewed: false, shared: false });
    assert_eq!(state.charge_pop(&key(), limits(), noon()).await.unwrap(), ChargeOutcome::Within);
    drop(state);
    let state = Embedded::open(dir.path().join("state")).unwrap();
    assert_eq!(state.opened(), Opened { fresh: false, grants: 1 });
    let evidence = state.pop_evidence(ip("::ffff:192.0.2.7"), noon()).await.unwrap();
    assert_eq!(evidence.len(), 1);
    assert_eq!((evidence[0].login(), evidence[0].expires_at()), (Some("alice@example.test"), noon() + LIFE));
    for _ in 0..2 {
        assert_eq!(state.charge_pop(&key(), limits(), noon()).await.unwrap(), ChargeOutcome::Within);
    }
    let until = noon() + Duration::from_hours(1);
    assert_eq!(state.charge_pop(&key(), limits(), noon()).await.unwrap(), ChargeOutcome::Exceeded { until });
    assert!(state.pop_evidence(ip("192.0.2.7"), noon() + LIFE).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_of_the_file_as_a_crash_leaves_it_holds_every_answer() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path().join("live")).unwrap();
    for n in 0..50u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        state.record_pop_login(login, LIFE, noon()).await.unwrap();
        if n % 10 == 9 {
            // Nothing writes now, so the copy is what a power cut would leave.
            let crashed = dir.path().join(format!("crashed-{n}"));
            fs::create_dir(&crashed).unwrap();
            fs::copy(state_journal(&dir.path().join("live")), state_journal(&crashed)).unwrap();
            let after = Embedded::open(&crashed).unwrap();
            assert_eq!(after.grants(noon()).await.unwrap().len(), usize::from(n) + 1);
        }
    }
}

#[tokio::test]
async fn a_revoked_login_stays_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    assert_eq!(state.revoke(Revoke::Addr(ip("::ffff:192.0.2.7")), noon()).await.unwrap(), 1);
    assert!(state.pop_evidence(ip("192.0.2.7"), noon()).await.unwrap().is_empty());
    drop(state);
    let state = Embedded::open(dir.path()).unwrap();
    assert!(state.grants(noon()).await.unwrap().is_empty());
    let again = state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    assert!(!again.renewed);
    assert_eq!(state.grants(noon()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn after_a_failed_write_everything_is_unknown_until_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    drop(state);
    let state = open_full(dir.path());
    let bob = PopLogin { addr: ip("192.0.2.8"), subject: account("bob@example.test"), source: PopSource::Pop3 };
    assert!(matches!(state.record_pop_login(bob.clone(), LIFE, noon()).await, Err(StateError::WriteFailed)));
    let unknown = |error: StateError| Fault::from(error) == Fault::Unavailable("state");
    assert!(unknown(state.pop_evidence(ip("192.0.2.7"), noon()).await.unwrap_err()));
    assert!(unknown(state.charge_pop(&key(), limits(), noon()).await.unwrap_err()));
    assert!(unknown(state.grants(noon()).await.unwrap_err()));
    assert!(unknown(state.revoke(Revoke::Login("alice@example.test".to_owned()), noon()).await.unwrap_err()));
    let many = state.record_many(vec![bob.clone(), alice()], LIFE, noon()).await;
    assert!(many.iter().all(|one| matches!(one, Err(StateError::WriteFailed))));
    fs::remove_dir(dir.path().join("state.journal.new")).unwrap();
    let back = until_it_answers(&state).await;
    assert!(back.is_empty(), "alice was revoked meanwhile, bob never recorded");
    state.record_pop_login(bob, LIFE, noon()).await.unwrap();
    drop(state);
    let state = Embedded::open(dir.path()).unwrap();
    let logins: Vec<_> = state.grants(noon()).await.unwrap().iter().map(|one| one.subject().to_string()).collect();
    assert_eq!(logins, ["bob@example.test"], "the file was made equal to the memory");
}

/// Waits for the writer's next attempt, which it makes by itself.
async fn until_it_answers(state: &Embedded) -> Vec<PopEvidence> {
    loop {
        match state.grants(noon()).await {
            Ok(grants) => return grants,
            Err(StateError::WriteFailed) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn closed_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    state.close();
    state.close();
    let closed = |error: StateError| error.fault() == Fault::Closed("state");
    assert!(closed(state.pop_evidence(ip("192.0.2.7"), noon()).await.unwrap_err()));
    assert!(closed(state.record_pop_login(alice(), LIFE, noon()).await.unwrap_err()));
    assert!(closed(state.charge_pop(&key(), limits(), noon()).await.unwrap_err()));
    assert!(closed(state.revoke(Revoke::All, noon()).await.unwrap_err()));
    assert!(closed(state.flush().await.unwrap_err()));
}

#[tokio::test]
async fn a_damaged_file_says_what_to_do_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    for n in 0..200u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        state.record_pop_login(login, LIFE, noon()).await.unwrap();
    }
    drop(state);
    let path = state_journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let hit = whole.windows(18).position(|octets| octets == b"alice@example.test").unwrap();
    let mut flipped = whole.clone();
    flipped[hit] ^= 1;
    for damaged in [flipped, whole[..whole.len() / 2].to_vec(), vec![0; 4096], b"not a database".to_vec()] {
        fs::write(&path, &damaged).unwrap();
        let error = Embedded::open(dir.path()).expect_err("damaged");
        assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("move the file away"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), damaged, "it is left as it is");
    }
}

#[tokio::test]
async fn a_revocation_that_was_answered_is_never_lost_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path().join("live")).unwrap();
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    let before = fs::read(state_journal(&dir.path().join("live"))).unwrap().len();
    state.revoke(Revoke::All, noon()).await.unwrap();
    let whole = fs::read(state_journal(&dir.path().join("live"))).unwrap();
    assert!(before < whole.len());
    // It is the last that was written, and would pass for a torn end but for its seal.
    for at in before..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        for damaged in [&flipped, &whole[..at]] {
            fs::write(state_journal(dir.path()), damaged).unwrap();
            let error = Embedded::open(dir.path()).expect_err("damaged");
            assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        }
    }
    fs::write(state_journal(dir.path()), &whole).unwrap();
    assert!(Embedded::open(dir.path()).unwrap().grants(noon()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_revocations_go_on_while_a_new_journal_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::new(100_000, 10);
    let (mut disk, fresh) = Disk::open(dir.path(), &table).unwrap();
    disk.compact_soon();
    let state = Arc::new(Embedded::start((disk, table), StateConfig::default(), fresh).unwrap());
    let of = |n: u32| PopLogin { addr: IpAddr::V4((0x0a00_0000 + n).into()), ..alice() };
    let workers = (0..4u32).map(|worker| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for n in (worker * 1_000..).take(60) {
                state.record_pop_login(of(n), LIFE, noon()).await.unwrap();
                if n % 3 == 0 {
                    assert_eq!(state.revoke(Revoke::Addr(of(n).addr), noon()).await.unwrap(), 1);
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
    let before = addrs(state.grants(noon()).await.unwrap());
    assert_eq!(before.len(), 160);
    drop(state);
    assert_eq!(addrs(Embedded::open(dir.path()).unwrap().grants(noon()).await.unwrap()), before);
}

#[test]
fn only_one_process_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let _first = Embedded::open(dir.path()).unwrap();
    assert!(matches!(Embedded::open(dir.path()), Err(StateError::InUse { .. })));
}

#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let _state = Embedded::open(dir.path().join("a/b")).unwrap();
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("a/b"), mode("a/b/state.journal"), mode("a/b/state.lock")), (0o700, 0o600, 0o600));
}

#[tokio::test]
async fn a_login_has_a_name_of_bounded_length() {
    let dir = tempfile::tempdir().unwrap();
    let state = Embedded::open(dir.path()).unwrap();
    for login in [String::new(), "x".repeat(321)] {
        let result =
            state.record_pop_login(PopLogin { subject: Subject::Account(login), ..alice() }, LIFE, noon()).await;
        assert!(matches!(result, Err(StateError::BadLogin)));
    }
}

#[tokio::test]
async fn what_had_to_make_room_is_gone_from_the_file_too() {
    let dir = tempfile::tempdir().unwrap();
    let config = StateConfig { grants_max: 10, ..StateConfig::default() };
    let state = Embedded::open_with(dir.path(), config).unwrap();
    for n in 0..40u8 {
        let login = PopLogin { addr: IpAddr::V4([198, 51, 100, n].into()), ..alice() };
        state.record_pop_login(login, LIFE, noon() + Duration::from_mins(u64::from(n))).await.unwrap();
    }
    assert_eq!(state.len(), 10);
    drop(state);
    assert_eq!(Embedded::open_with(dir.path(), config).unwrap().opened().grants, 10);
}

/// `cargo test --release -p state -- --ignored --nocapture budget`: durable logins a second from 64 callers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn budget_of_recording() {
    let dir = tempfile::tempdir().unwrap();
    let state = Arc::new(Embedded::open(dir.path()).unwrap());
    let start = std::time::Instant::now();
    let callers = (0..64u32).map(|caller| {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            for n in 0..2_000u32 {
                let addr = IpAddr::V4((caller << 20 | n).into());
                state.record_pop_login(PopLogin { addr, ..alice() }, LIFE, noon()).await.unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    println!("{:.0} durable logins a second", 128_000.0 / start.elapsed().as_secs_f64());
}

/// The same for look-ups among ten million.
#[test]
#[ignore = "a measurement"]
fn budget_of_looking_up() {
    for count in [1_000u32, 10_000_000] {
        let table = Table::new(20_000_000, 10);
        let mut gone = Vec::new();
        for n in 0..count {
            let login = PopLogin { addr: IpAddr::V4(n.wrapping_mul(2_654_435_761).into()), ..alice() };
            let granted = micros(noon()) + u64::from(n);
            table.insert(&record(&login, granted, granted + duration_micros(LIFE)).unwrap(), &mut gone);
        }
        let (start, mut found) = (std::time::Instant::now(), 0);
        for n in 0..1_000_000u32 {
            let addr = IpAddr::V4((n.wrapping_mul(7_919) % count).wrapping_mul(2_654_435_761).into());
            found += table.evidence(addr, micros(noon())).len();
        }
        println!("{count}: {:?} a look-up, {found} found", start.elapsed() / 1_000_000);
    }
}
