use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use guard::{Fault, PopSource};
use redb::StorageBackend;
use redb::backends::FileBackend;

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

fn key() -> ChargeKey {
    ChargeKey { addr: ip("192.0.2.7"), subject: account("alice@example.test"), messages: 1, recipients: 1 }
}

/// A file whose writes fail while told so.
#[derive(Debug)]
struct Faulty {
    file: FileBackend,
    broken: Arc<AtomicBool>,
}

impl Faulty {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn open_faulty(dir: &Path, broken: &Arc<AtomicBool>) -> Embedded {
    let (path, fresh) = disk::prepare(dir).unwrap();
    let (file, broken) = (path.clone(), Arc::clone(broken));
    let opener: Opener = Box::new(move || {
        let backend = FileBackend::new(disk::private_file(&file).unwrap()).unwrap();
        disk::open_backend(&file, Faulty { file: backend, broken: Arc::clone(&broken) })
    });
    Embedded::start(Disk::open(path, opener).unwrap(), StateConfig::default(), fresh).unwrap()
}

#[tokio::test]
async fn changes_are_counted_before_they_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let state = open_faulty(dir.path(), &broken);
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
    broken.store(true, Ordering::SeqCst);
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap_err();
    assert!(is_told(), "nothing counts now");
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
            fs::copy(dir.path().join("live/state.redb"), crashed.join("state.redb")).unwrap();
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
    let broken = Arc::new(AtomicBool::new(false));
    let state = open_faulty(dir.path(), &broken);
    state.record_pop_login(alice(), LIFE, noon()).await.unwrap();
    broken.store(true, Ordering::SeqCst);
    let bob = PopLogin { addr: ip("192.0.2.8"), subject: account("bob@example.test"), source: PopSource::Pop3 };
    assert!(matches!(state.record_pop_login(bob.clone(), LIFE, noon()).await, Err(StateError::WriteFailed)));
    let unknown = |error: StateError| Fault::from(error) == Fault::Unavailable("state");
    assert!(unknown(state.pop_evidence(ip("192.0.2.7"), noon()).await.unwrap_err()));
    assert!(unknown(state.charge_pop(&key(), limits(), noon()).await.unwrap_err()));
    assert!(unknown(state.grants(noon()).await.unwrap_err()));
    assert!(unknown(state.revoke(Revoke::Login("alice@example.test".to_owned()), noon()).await.unwrap_err()));
    broken.store(false, Ordering::SeqCst);
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
    let path: PathBuf = dir.path().join("state.redb");
    let whole = fs::read(&path).unwrap();
    let hit = whole.windows(18).position(|octets| octets == b"alice@example.test").unwrap();
    let mut flipped = whole.clone();
    flipped[hit] ^= 1;
    for damaged in [flipped, whole[..whole.len() / 2].to_vec(), vec![0; 4096], b"not a database".to_vec()] {
        fs::write(&path, &damaged).unwrap();
        let error = Embedded::open(dir.path()).expect_err("damaged");
        assert!(matches!(error, StateError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("move the file away"), "{error}");
    }
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
    assert_eq!((mode("a/b"), mode("a/b/state.redb")), (0o700, 0o600));
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
