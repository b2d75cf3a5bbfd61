use std::future::Future;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;
use crate::clock::{ManualClock, time};
use crate::embedded::{Bounds, Embedded};

const SECOND: u64 = 1_000_000;
const START: u64 = 1_790_000_000 * SECOND;

/// A throttle above an engine of its own, whose clock each call sets.
struct World {
    throttle: Throttle,
    engine: Engine,
    clock: ManualClock,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::with_keys(100_000)
    }

    fn with_keys(keys_max: usize) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(time(START)));
        let bounds = Bounds { grants: 1, logins_per_address: 1, keys: keys_max };
        let engine = Engine::Embedded(Embedded::open(dir.path(), bounds, clock.clone().into()).unwrap());
        Self { throttle: Throttle::new(AuthLimits::default()), engine, clock, dir }
    }

    fn check(&self, addr: IpAddr, login: &str, now: u64) -> AuthGate {
        self.clock.set(time(now));
        at_once(self.throttle.check(&self.engine, addr, login))
    }

    fn failed(&self, failed: &TriedLogin<'_>, now: u64) -> Counted {
        self.clock.set(time(now));
        at_once(self.throttle.failed(&self.engine, failed))
    }

    fn abused(&self, addr: IpAddr, now: u64) {
        self.clock.set(time(now));
        at_once(self.throttle.abused(&self.engine, addr));
    }

    fn succeeded(&self, addr: IpAddr, login: &str, now: u64) {
        self.clock.set(time(now));
        at_once(self.throttle.succeeded(&self.engine, addr, login));
    }

    /// Guessed `n` from an address at an account.
    fn fail(&self, addr: &str, login: &str, attempt: Guessed) -> Counted {
        self.failed(&TriedLogin { addr: ip(addr), login, guess: [attempt.guess; 16] }, attempt.now)
    }
}

#[derive(Clone, Copy)]
struct Guessed {
    guess: u8,
    now: u64,
}

fn at_start(guess: u8) -> Guessed {
    Guessed { guess, now: START }
}

/// The embedded engine never lets anybody wait.
fn at_once<T>(future: impl Future<Output = Result<T, StateError>>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done.unwrap(),
        Poll::Pending => panic!("it waits"),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn one_wrong_password_repeated_bans_nobody() {
    let throttle = World::new();
    assert_eq!(throttle.fail("192.0.2.7", "alice", at_start(1)), Counted::New);
    for n in 0..10_000 {
        assert_eq!(throttle.fail("192.0.2.7", "alice", Guessed { guess: 1, now: START + n }), Counted::Repeated);
    }
    let gate = throttle.check(ip("192.0.2.7"), "alice", START + 10_000);
    assert_eq!(gate, AuthGate::Wait(Duration::from_millis(250)));
}

#[test]
fn delays_double_up_to_their_bound() {
    let throttle = World::new();
    let mut seen = Vec::new();
    for guess in 1..=8 {
        throttle.fail("192.0.2.7", "alice", at_start(guess));
        seen.push(throttle.check(ip("192.0.2.7"), "bob", START));
    }
    let expected =
        [250, 500, 1_000, 2_000, 2_500, 2_500, 2_500, 2_500].map(|ms| AuthGate::Wait(Duration::from_millis(ms)));
    assert_eq!(seen, expected);
}

/// However many connections hold on and try: after the burst no password is looked at until time has passed.
#[test]
fn t15_guessing_from_one_address_is_locked() {
    let throttle = World::new();
    for guess in 1..=10 {
        assert!(!matches!(throttle.check(ip("192.0.2.7"), "alice", START), AuthGate::Locked(_)));
        throttle.fail("192.0.2.7", &format!("user{guess}"), at_start(guess));
    }
    assert_eq!(throttle.check(ip("192.0.2.7"), "alice", START), AuthGate::Locked(Duration::from_mins(1)));
    assert_eq!(throttle.check(ip("192.0.2.8"), "alice", START), AuthGate::Go, "others are not touched");
    assert!(!matches!(throttle.check(ip("192.0.2.7"), "alice", START + 60 * SECOND), AuthGate::Locked(_)));
}

/// AUTH where none is offered counts like a failure, each time.
#[test]
fn t16_auth_not_offered_counts() {
    let throttle = World::new();
    for _ in 0..10 {
        throttle.abused(ip("192.0.2.7"), START);
    }
    assert!(matches!(throttle.check(ip("192.0.2.7"), "alice", START), AuthGate::Locked(_)));
}

#[test]
fn an_attack_from_many_addresses_is_stopped_at_the_account_and_the_owner_gets_in() {
    let throttle = World::new();
    throttle.succeeded(ip("198.51.100.20"), "alice", START);
    for n in 0..100u8 {
        throttle.fail(&format!("203.0.113.{n}"), "alice", at_start(n.wrapping_add(1)));
    }
    assert!(matches!(throttle.check(ip("203.0.113.200"), "alice", START), AuthGate::Locked(_)));
    assert_eq!(throttle.check(ip("203.0.113.200"), "bob", START), AuthGate::Go);
    assert_eq!(throttle.check(ip("198.51.100.99"), "alice", START), AuthGate::Go, "the owner's network");
    let month = 31 * 24 * 3_600 * SECOND;
    assert_eq!(throttle.check(ip("198.51.100.20"), "alice", START + month), AuthGate::Go, "the attack is forgiven");
}

#[test]
fn the_owner_s_network_is_no_free_pass() {
    let throttle = World::new();
    throttle.succeeded(ip("198.51.100.20"), "alice", START);
    for guess in 1..=20 {
        throttle.fail("198.51.100.21", "alice", at_start(guess));
    }
    assert!(matches!(throttle.check(ip("198.51.100.20"), "alice", START), AuthGate::Locked(_)));
    assert_eq!(throttle.check(ip("192.0.2.1"), "alice", START), AuthGate::Go, "the account itself is not locked by it");
}

/// With an account of his own an attacker does not clear his failures.
#[test]
fn a_success_forgives_no_failures_on_other_accounts() {
    let throttle = World::new();
    for guess in 1..=10 {
        throttle.fail("192.0.2.7", "alice", at_start(guess));
        throttle.succeeded(ip("192.0.2.7"), "mallory", START);
    }
    assert!(matches!(throttle.check(ip("192.0.2.7"), "alice", START), AuthGate::Locked(_)));
}

#[test]
fn an_ipv6_subscriber_is_one() {
    let throttle = World::new();
    for guess in 1..=10 {
        throttle.fail(&format!("2001:db8:1:2::{guess}"), "x", at_start(guess));
    }
    assert!(matches!(throttle.check(ip("2001:db8:1:2:ffff::1"), "y", START), AuthGate::Locked(_)));
    assert_eq!(throttle.check(ip("2001:db8:1:3::1"), "y", START), AuthGate::Go);
}

/// A flood of new keys neither grows the tables nor washes out who is locked.
#[test]
fn tables_are_bounded_and_the_worst_stay() {
    let throttle = World::with_keys(1_000);
    for guess in 1..=10 {
        throttle.fail("192.0.2.7", "alice", at_start(guess));
    }
    for n in 0..20_000u32 {
        let addr = IpAddr::V4((0x0a00_0000 + n).into()).to_string();
        throttle.fail(&addr, &format!("u{n}"), at_start(1));
    }
    let Engine::Embedded(engine) = &throttle.engine;
    assert!(engine.keys(RateKey::LoginsFrom(ip("192.0.2.7"))) <= 1_000);
    assert!(engine.keys(RateKey::LoginsAt("alice")) <= 1_000);
    assert!(matches!(throttle.check(ip("192.0.2.7"), "x", START), AuthGate::Locked(_)));
}

proptest! {
    /// Distinct guesses at one account, from anywhere but the owner's network, pass at most at the account's rate.
    #[test]
    fn never_more_guesses_than_the_rate(tries in prop::collection::vec((0u8..40, 0u64..120), 1..400)) {
        let throttle = World::new();
        let (mut now, mut passed, mut n) = (START, 0u64, 0u32);
        for (addr, pause) in tries {
            now += pause * SECOND;
            n += 1;
            let addr = IpAddr::V4([203, 0, 113, addr].into());
            if !matches!(throttle.check(addr, "alice", now), AuthGate::Locked(_)) {
                let mut guess = [0; 16];
                guess[..4].copy_from_slice(&n.to_le_bytes());
                throttle.failed(&TriedLogin { addr, login: "alice", guess }, now);
                passed += 1;
            }
            prop_assert!(passed <= 20 + (now - START) / (180 * SECOND));
        }
    }
}

/// Behind a webmail are many users; one who types rubbish, or attacks, locks the accounts that he names and nobody else.
#[test]
fn t35_a_shared_address_is_not_locked() {
    let webmail = IpAddr::from([192, 0, 2, 80]);
    for shared in [false, true] {
        let throttle = World::new();
        throttle.throttle.share(shared.then_some(webmail));
        for n in 0..200_u8 {
            let login = format!("user{n}@example.test");
            throttle.failed(&TriedLogin { addr: webmail, login: &login, guess: [n; 16] }, 1_000_000);
            throttle.abused(webmail, 1_000_000);
        }
        let gate = throttle.check(webmail, "dave@example.test", 1_000_000);
        assert_eq!(gate == AuthGate::Go, shared, "{gate:?}");
        for n in 0..200_u8 {
            throttle.failed(&TriedLogin { addr: webmail, login: "victim@example.test", guess: [n; 16] }, 1_000_000);
        }
        assert!(matches!(throttle.check(webmail, "victim@example.test", 1_000_000), AuthGate::Locked(_)));
    }
}

/// Of an owner's networks the last four count, and one that comes again begins anew.
#[test]
fn an_owner_has_few_networks_and_each_begins_without_failures() {
    let throttle = World::new();
    throttle.succeeded(ip("198.51.100.20"), "alice", START);
    for guess in 1..=20 {
        throttle.fail("198.51.100.21", "alice", at_start(guess));
    }
    throttle.succeeded(ip("198.51.100.20"), "alice", START + 1);
    assert!(matches!(throttle.check(ip("198.51.100.20"), "alice", START + 1), AuthGate::Locked(_)), "no new beginning");
    for network in 1..=4_u8 {
        throttle.succeeded([203, 0, network, 1].into(), "alice", START + 1 + u64::from(network));
    }
    assert_eq!(
        throttle.check(ip("198.51.100.20"), "alice", START + 6),
        AuthGate::Go,
        "nobody failed from anywhere else"
    );
    throttle.succeeded(ip("198.51.100.20"), "alice", START + 7);
    assert_eq!(throttle.check(ip("198.51.100.20"), "alice", START + 7), AuthGate::Go);
}

impl World {
    fn attempt(&self, addr: &str, login: &str, guess: u8) -> Admission {
        let tried = TriedLogin { addr: ip(addr), login, guess: [guess; 16] };
        at_once(self.throttle.attempt(&self.engine, &tried))
    }

    fn admitted(&self, addr: &str, login: &str, guess: u8) -> Attempt {
        match self.attempt(addr, login, guess) {
            Admission::Admitted(attempt) => attempt,
            Admission::Locked(wait) => panic!("locked for {wait:?}"),
        }
    }

    /// Another process on the same folder.
    fn restarted(self) -> Self {
        let Self { throttle, engine, clock, dir } = self;
        engine.close();
        drop(engine);
        let bounds = Bounds { grants: 1, logins_per_address: 1, keys: 100_000 };
        let engine = Engine::Embedded(Embedded::open(dir.path(), bounds, clock.clone().into()).unwrap());
        Self { throttle, engine, clock, dir }
    }
}

/// However many guess at once, over however many connections: so many are looked at and not one more. Who waits gets in as
/// soon as one was right, and is told to come back once all were wrong.
#[tokio::test]
async fn t48_guesses_made_at_once_are_as_many_as_one_after_the_other() {
    for (sources, expected) in [(1, 10), (200, 20)] {
        let world = std::sync::Arc::new(World::new());
        let looked_at = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let guess = |n: u8| {
            let (world, looked_at) = (std::sync::Arc::clone(&world), std::sync::Arc::clone(&looked_at));
            tokio::spawn(async move {
                let addr = IpAddr::from([203, 0, 113, n % sources]);
                let tried = TriedLogin { addr, login: "alice", guess: [n; 16] };
                if let Admission::Admitted(attempt) = world.throttle.attempt(&world.engine, &tried).await.unwrap() {
                    looked_at.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    tokio::task::yield_now().await;
                    // Some say so, the others break off.
                    if n.is_multiple_of(2) {
                        attempt.failed();
                    }
                }
            })
        };
        for one in (0..200).map(guess).collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert_eq!(looked_at.load(std::sync::atomic::Ordering::Relaxed), expected, "{sources}");
    }
}

#[tokio::test]
async fn who_finds_all_places_held_waits_until_one_is_given_back() {
    let world = World::new();
    let mut held: Vec<Attempt> = (0..10).map(|n| world.admitted("192.0.2.7", "alice", n)).collect();
    let tried = TriedLogin { addr: ip("192.0.2.7"), login: "bob", guess: [77; 16] };
    let mut waiting = std::pin::pin!(world.throttle.attempt(&world.engine, &tried));
    let mut look = || waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(look().is_pending());
    held.pop().unwrap().give_back();
    let Poll::Ready(Ok(Admission::Admitted(last))) = look() else { panic!("there is room") };
    assert_eq!(last.wait(), Duration::ZERO, "nothing has failed yet");
    last.give_back();
    // One is enough to be put off: there is no room for it, whatever becomes of the others.
    for attempt in held {
        attempt.failed();
    }
    assert!(matches!(world.attempt("192.0.2.7", "bob", 21), Admission::Admitted(_)), "nine have failed");
    assert!(matches!(world.attempt("192.0.2.7", "bob", 22), Admission::Locked(_)), "and one was broken off");
}

#[test]
fn one_wrong_password_at_once_over_many_connections_counts_once() {
    let world = World::new();
    let held: Vec<Attempt> = (0..8).map(|_| world.admitted("192.0.2.7", "alice", 1)).collect();
    let counted: Vec<Counted> = held.into_iter().map(Attempt::failed).collect();
    assert_eq!(counted.iter().filter(|counted| **counted == Counted::New).count(), 1);
    let next = world.admitted("192.0.2.7", "alice", 1);
    assert_eq!(next.wait(), Duration::from_millis(250), "the tax on one failure");
    next.give_back();
}

/// From the network of his last logins an owner has a place of his own, whatever is guessed elsewhere, over a restart as well.
#[test]
fn an_owner_s_network_has_its_own_place_also_after_a_restart() {
    let world = World::new();
    world.succeeded(ip("198.51.100.20"), "alice", START);
    let world = world.restarted();
    let strangers: Vec<Attempt> = (0..20).map(|n| world.admitted(&format!("203.0.113.{n}"), "alice", n)).collect();
    let owner = world.admitted("198.51.100.99", "alice", 77);
    assert_eq!((owner.whence(), strangers[0].whence()), (Whence::Owners, Whence::Elsewhere));
    drop(strangers);
    assert!(matches!(world.attempt("203.0.113.200", "alice", 1), Admission::Locked(_)));
    owner.give_back();
    world.admitted("198.51.100.99", "alice", 78).give_back();
    // What fails there counts there, and at the address for all accounts.
    for guess in 0..20 {
        world.admitted("198.51.100.99", "alice", guess).failed();
    }
    assert!(matches!(world.attempt("198.51.100.99", "alice", 99), Admission::Locked(_)));
    assert!(matches!(world.attempt("198.51.100.99", "bob", 99), Admission::Locked(_)));
}

/// Where many are behind one address only the accounts have ceilings.
#[test]
fn a_shared_address_needs_no_place() {
    let world = World::new();
    world.throttle.share([ip("192.0.2.80")]);
    let held: Vec<Attempt> = (0..100).map(|n| world.admitted("192.0.2.80", &format!("user{n}"), n)).collect();
    drop(held);
    world.admitted("192.0.2.80", "alice", 1).give_back();
}

/// A forgotten device guesses at its account; others behind the same address wait as long as it does, right or wrong, and not
/// longer than they bear. Who logged in from there lately does not wait.
#[test]
fn guesses_at_one_account_hold_nobody_else_up_for_long() {
    let world = World::new();
    world.succeeded(ip("192.0.2.200"), "carol", START);
    for guess in 1..=6 {
        world.admitted("192.0.2.7", "alice", guess).failed();
    }
    let long = Duration::from_millis(2_500);
    for (login, guess) in [("alice", 7), ("bob", 8), ("bob", 9), ("nobody", 10)] {
        let attempt = world.admitted("192.0.2.7", login, guess);
        assert_eq!((attempt.wait().as_millis().div_ceil(100), attempt.whence()), (25, Whence::Elsewhere), "{login}");
        attempt.give_back();
    }
    assert_eq!(world.check(ip("192.0.2.7"), "bob", START), AuthGate::Wait(long));
    let owner = world.admitted("192.0.2.7", "carol", 11);
    assert_eq!((owner.wait(), owner.whence()), (Duration::ZERO, Whence::Owners));
    owner.give_back();
    // Also after some mistakes of their own, until the ceiling of the place that is theirs.
    for guess in 12..=20 {
        world.admitted("192.0.2.8", "carol", guess).failed();
    }
    let owner = world.admitted("192.0.2.8", "carol", 21);
    assert_eq!((owner.wait(), world.check(ip("192.0.2.8"), "carol", START)), (Duration::ZERO, AuthGate::Go));
    owner.give_back();
}

/// Who waits for a place first waits so much less for what failed before; without a place by then the answer is "later".
#[tokio::test]
async fn an_attempt_waits_two_and_a_half_seconds_in_all() {
    let world = World::new();
    for guess in 1..=6 {
        world.admitted("192.0.2.7", "alice", guess).failed();
    }
    let tried = TriedLogin { addr: ip("192.0.2.7"), login: "bob", guess: [77; 16] };
    let within = async |wait| world.throttle.attempt_until(&world.engine, &tried, Instant::now() + wait).await.unwrap();
    for left in [Duration::from_secs(1), Duration::ZERO] {
        let Admission::Admitted(attempt) = within(left).await else { panic!("there is room") };
        assert!(attempt.wait() <= left, "{:?}", attempt.wait());
        attempt.give_back();
    }
    let held: Vec<Attempt> = (7..=10).map(|guess| world.admitted("192.0.2.7", "alice", guess)).collect();
    assert!(matches!(within(Duration::ZERO).await, Admission::Locked(_)));
    held.into_iter().for_each(Attempt::give_back);
    assert_eq!(WAIT_MAX, Duration::from_millis(2_500));
}
