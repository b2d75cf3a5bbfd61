use std::sync::Arc;
use std::time::Duration;

use guard::{PopSource, Subject};
use proptest::prelude::*;

use super::*;
use crate::charge::PopLimits;
use crate::embedded::shard::STEP_BITS;

const SECOND: u64 = 1_000_000;
const START: u64 = 1_790_000_000 * SECOND;
const LIFE: u64 = 1_800 * SECOND;

fn ip(n: u32) -> IpAddr {
    IpAddr::V4((0xc633_6400 + n).into())
}

fn login(addr: IpAddr, login: &str, now: u64) -> Record {
    let (granted, expires) = (now, now + LIFE);
    let (window_until, messages, recipients) = (0, 0, 0);
    Record {
        addr,
        login: login.into(),
        source: PopSource::Pop3,
        devices: None,
        granted,
        expires,
        window_until,
        messages,
        recipients,
    }
}

fn insert(table: &Table, record: &Record) -> Vec<Key> {
    let mut gone = Vec::new();
    table.insert(record, &mut gone);
    gone
}

/// As the writer records it.
fn login_again(table: &Table, now: u64) {
    let mut record = login(ip(1), "alice", now);
    table.add_quota(&mut record);
    insert(table, &record);
}

fn write_dirty(table: &Table) -> Vec<Change> {
    table.take_dirty().into_iter().map(|key| table.change(key)).collect()
}

/// Reserves and commits: why there is no room.
fn charge(table: &Table, limits: PopLimits, now: u64) -> Option<Cause> {
    let subject = Subject::Account("alice".to_owned());
    let charge = PopCharge { addr: ip(1), subject: &subject, messages: 1, recipients: 2, limits };
    table.reserve(&charge, now).map(|place| table.commit(&place, now)).err()
}

fn key(addr: u32, login: &str) -> Key {
    Key { addr: ip(addr), login: Arc::from(login) }
}

fn logins(kept: &[KeptLogin]) -> Vec<String> {
    let mut logins: Vec<_> = kept.iter().map(|one| one.subject.to_string()).collect();
    logins.sort();
    logins
}

fn limits(messages: u32) -> PopLimits {
    PopLimits { messages, recipients: 1_000, window: Duration::from_hours(1) }
}

#[test]
fn evidence_ends_to_the_microsecond_and_is_swept_later() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    assert_eq!(table.at(ip(1), START + LIFE - 1).len(), 1);
    assert!(table.at(ip(1), START + LIFE).is_empty());
    assert!(table.at(ip(2), START).is_empty());
    assert_eq!(table.len(), 1);
    assert!(table.sweep(START + LIFE - 1, 100).is_empty());
    assert_eq!(table.sweep(START + LIFE + (2 << STEP_BITS), 100).len(), 1);
    assert_eq!(table.len(), 0);
}

#[test]
fn a_renewed_one_is_not_swept() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    insert(&table, &login(ip(1), "alice", START + LIFE - 1));
    assert!(table.sweep(START + LIFE + (2 << STEP_BITS), 100).is_empty());
    assert_eq!(table.at(ip(1), START + LIFE + 1).len(), 1);
    assert_eq!(table.sweep(START + 3 * LIFE, 100).len(), 1, "it is indexed anew");
}

#[test]
fn an_address_is_shared_while_two_accounts_are_alive() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    assert!(!table.at(ip(1), START)[0].shared);
    insert(&table, &login(ip(1), "bob", START + 60 * SECOND));
    assert!(table.at(ip(1), START + 60 * SECOND).iter().all(|one| one.shared));
    assert!(!table.at(ip(1), START + LIFE)[0].shared);
}

#[test]
fn only_a_near_renewal_stays_off_the_disk() {
    let table = Table::new(100, 10);
    assert!(table.renew(&login(ip(1), "alice", START), START).is_none(), "unknown");
    insert(&table, &login(ip(1), "alice", START));
    let later = |seconds| START + seconds * SECOND;
    assert!(table.renew(&login(ip(1), "alice", later(59)), later(59)).is_some());
    assert!(table.renew(&login(ip(1), "alice", later(60)), later(60)).is_none(), "measured from the last write");
    assert!(table.renew(&login(ip(1), "bob", later(1)), later(1)).is_none());
    let shorter = Record { expires: START + 10 * SECOND, ..login(ip(1), "alice", later(1)) };
    assert!(table.renew(&shorter, later(1)).is_none(), "the disk must not keep the longer one");
    let dead = START + 2 * LIFE;
    assert!(table.renew(&login(ip(1), "alice", dead), dead).is_none());
}

#[test]
fn t20_the_quota_survives_renewal_expiry_and_revocation() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    assert_eq!(charge(&table, limits(2), START), None);
    login_again(&table, START + SECOND);
    assert_eq!(charge(&table, limits(2), START + SECOND), None);
    let exceeded = Some(Cause::Exceeded { until: time(START + 3_600 * SECOND) });
    assert_eq!(charge(&table, limits(2), START + 2 * SECOND), exceeded);
    table.revoke(&Revoke::All, START + 3 * SECOND);
    assert_eq!(charge(&table, limits(2), START + 4 * SECOND), Some(Cause::NoEvidence));
    let again = START + LIFE + 600 * SECOND;
    table.sweep(again, 100);
    login_again(&table, again);
    assert_eq!(charge(&table, limits(2), again), exceeded, "a new login is no new quota");
    assert_eq!(charge(&table, limits(2), START + 3_600 * SECOND), None);
}

#[test]
fn all_or_nothing_is_charged() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    let narrow = PopLimits { messages: 100, recipients: 5, window: Duration::from_hours(1) };
    assert_eq!(charge(&table, narrow, START), None);
    assert_eq!(charge(&table, narrow, START), None);
    assert!(matches!(charge(&table, narrow, START), Some(Cause::Exceeded { .. })));
    let Change::Put(record) = write_dirty(&table).remove(0) else { panic!() };
    assert_eq!((record.messages, record.recipients), (2, 4));
    assert!(table.take_dirty().is_empty());
}

/// What is reserved is no part of the record, and begins no window.
#[test]
fn a_place_counts_when_it_is_committed() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    let subject = Subject::Account("alice".to_owned());
    let reserve = |now| {
        table.reserve(&PopCharge { addr: ip(1), subject: &subject, messages: 1, recipients: 2, limits: limits(2) }, now)
    };
    let (first, second) = (reserve(START).unwrap(), reserve(START).unwrap());
    assert_eq!(reserve(START).unwrap_err(), Cause::Exceeded { until: time(START + 3_600 * SECOND) });
    assert!(table.take_dirty().is_empty());
    table.give_back(&second);
    table.commit(&first, START + 60 * SECOND);
    let Change::Put(record) = write_dirty(&table).remove(0) else { panic!() };
    assert_eq!((record.messages, record.recipients), (1, 2));
    assert_eq!(record.window_until, START + 3_660 * SECOND);
    table.give_back(&reserve(START).unwrap());
    // In a window that is over, nothing is used.
    let late = reserve(START + LIFE - 1).unwrap();
    table.commit(&late, START + 4_000 * SECOND);
    let Change::Put(record) = write_dirty(&table).remove(0) else { panic!() };
    assert_eq!((record.messages, record.window_until), (1, START + 7_600 * SECOND));
}

/// One that made room meanwhile, and came again, has a quota anew; what was reserved before is not lost track of.
#[test]
fn a_place_outlives_its_grant() {
    let table = Table::new(1, 10);
    insert(&table, &login(ip(1), "alice", START));
    let subject = Subject::Account("alice".to_owned());
    let charge = PopCharge { addr: ip(1), subject: &subject, messages: 1, recipients: 1, limits: limits(1) };
    let place = table.reserve(&charge, START).unwrap();
    insert(&table, &login(ip(2), "bob", START + 60 * SECOND));
    assert_eq!(table.reserve(&charge, START).unwrap_err(), Cause::NoEvidence);
    insert(&table, &login(ip(1), "alice", START + 120 * SECOND));
    assert!(matches!(table.reserve(&charge, START).unwrap_err(), Cause::Exceeded { .. }));
    table.give_back(&place);
    let place = table.reserve(&charge, START).unwrap();
    insert(&table, &login(ip(2), "bob", START + 180 * SECOND));
    table.commit(&place, START);
    assert!(table.take_dirty().is_empty());
}

/// The ceiling is exact however many ask at once.
#[test]
fn a_concurrent_burst_stops_at_the_ceiling() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    let passed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    if charge(&table, limits(20), START).is_none() {
                        passed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert_eq!(passed.into_inner(), 20);
}

#[test]
fn above_the_bound_the_one_that_expires_first_goes() {
    let table = Table::new(1_000, 10);
    for n in 0..1_000 {
        insert(&table, &login(ip(n), "alice", START + u64::from(n) * 60 * SECOND));
    }
    let gone = insert(&table, &login(ip(5_000), "bob", START + 70_000 * SECOND));
    assert_eq!(gone, [key(0, "alice")]);
    assert_eq!(table.len(), 1_000);
}

#[test]
fn at_one_address_the_accounts_are_bounded() {
    let table = Table::new(1_000, 3);
    for n in 0..3 {
        insert(&table, &login(ip(1), &format!("user{n}"), START + n));
    }
    assert_eq!(insert(&table, &login(ip(1), "user3", START + 3)), [key(1, "user0")]);
    assert_eq!(table.at(ip(1), START + 4).len(), 3);
    assert_eq!(table.len(), 3);
}

#[test]
fn revocation_takes_what_it_names() {
    let table = Table::new(1_000, 10);
    for (addr, name) in [(1, "alice"), (1, "bob"), (2, "alice"), (3, "carol")] {
        insert(&table, &login(ip(addr), name, START));
    }
    assert_eq!(table.revoke(&Revoke::Both(ip(1), "bob".to_owned()), START), 1);
    assert_eq!(table.revoke(&Revoke::Login("alice".to_owned()), START), 2);
    assert_eq!(table.revoke(&Revoke::Addr(ip(1)), START), 0, "taken already");
    assert_eq!(table.all(START).len(), 1);
    assert_eq!(write_dirty(&table).len(), 3);
    assert_eq!(table.revoke(&Revoke::All, START), 1);
}

#[test]
fn what_made_room_and_came_again_is_not_deleted() {
    let table = Table::new(2, 10);
    insert(&table, &login(ip(1), "alice", START));
    insert(&table, &login(ip(2), "bob", START + 60 * SECOND));
    let gone = insert(&table, &login(ip(3), "carol", START + 120 * SECOND));
    assert_eq!(gone, [key(1, "alice")]);
    insert(&table, &login(ip(1), "alice", START + 180 * SECOND));
    let changes: Vec<_> = gone.into_iter().map(|key| table.change(key)).collect();
    assert_eq!(changes, [Change::Put(login(ip(1), "alice", START + 180 * SECOND))]);
}

#[test]
fn a_new_journal_has_the_expiry_that_the_next_renewal_is_measured_from() {
    let table = Table::new(100, 10);
    insert(&table, &login(ip(1), "alice", START));
    assert!(table.renew(&login(ip(1), "alice", START + 50 * SECOND), START + 50 * SECOND).is_some());
    let written: Vec<_> = (0..SHARDS).flat_map(|shard| table.shard_records(shard)).collect();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0].expires, START + LIFE);
}

#[test]
fn what_is_restored_is_bounded_and_swept_like_the_rest() {
    let table = Table::new(3, 2);
    for (addr, name, now) in [(1, "a", 0), (1, "b", 60), (1, "c", 120), (2, "d", 180), (3, "e", 240), (4, "f", 300)] {
        table.restore(Change::Put(login(ip(addr), name, START + now * SECOND)));
    }
    table.restore(Change::Put(Record { messages: 7, ..login(ip(4), "f", START + 360 * SECOND) }));
    table.restore(Change::Delete(key(3, "e")));
    table.restore(Change::Delete(key(9, "nobody")));
    assert_eq!(table.settle(), [key(1, "a"), key(1, "b")]);
    assert_eq!(table.len(), 3);
    assert_eq!(logins(&table.all(START + 360 * SECOND)), ["c", "d", "f"]);
    assert_eq!(table.sweep(START + 400 * SECOND + LIFE + (2 << STEP_BITS), 100).len(), 3);
}

/// A model without shards and index.
type Model = std::collections::BTreeMap<(u32, u8), u64>;

proptest! {
    /// Against the plain model: after any run of logins, revocations and sweeps the same evidence is alive.
    #[test]
    fn like_a_plain_map(steps in prop::collection::vec((0u8..4, 0u32..6, 0u8..3, 0u64..1_200), 1..120)) {
        let (table, mut model, mut now) = (Table::new(1_000, 10), Model::new(), START);
        for (what, addr, name, pause) in steps {
            now += pause * SECOND;
            match what {
                0 | 1 => {
                    insert(&table, &login(ip(addr), &name.to_string(), now));
                    model.insert((addr, name), now + LIFE);
                }
                2 => {
                    table.revoke(&Revoke::Addr(ip(addr)), now);
                    model.retain(|(at, _), _| *at != addr);
                }
                _ => drop(table.sweep(now, 1_000)),
            }
            for addr in 0..6 {
                let found = logins(&table.at(ip(addr), now));
                let alive = model.iter().filter(|((at, _), expires)| *at == addr && now < **expires);
                let expected: Vec<_> = alive.map(|((_, name), _)| name.to_string()).collect();
                prop_assert_eq!(found, expected);
            }
        }
        table.sweep(now + 2 * LIFE + (2 << STEP_BITS), 1_000);
        prop_assert_eq!(table.len(), 0);
    }
}

fn of_server(addr: IpAddr, now: u64) -> Record {
    Record { source: PopSource::Drac, ..login(addr, "[203.0.113.5]", now) }
}

fn in_a_64(n: u32) -> IpAddr {
    IpAddr::V6((0x2001_0db8_0000_0001_u128 << 64 | u128::from(n)).into())
}

/// One account walks about, one subscriber walks his /64 at a server that tells, another server tells of everybody: each
/// makes room in what is his, the oldest first, and all the others stay.
#[test]
fn t55_who_fills_the_table_makes_room_in_what_is_his() {
    let table = Table::new(20_000, 10);
    insert(&table, &login(ip(1), "alice", START));
    insert(&table, &of_server(ip(2), START));
    for n in 0..10_000 {
        let now = START + 60 * SECOND + u64::from(n);
        let gone = insert(&table, &login(ip(10_000 + n), "walker", now));
        assert_eq!(gone, (n >= 1_024).then(|| key(10_000 + n - 1_024, "walker")).into_iter().collect::<Vec<_>>());
        insert(&table, &of_server(in_a_64(n), now));
    }
    assert_eq!(table.len(), 2 + 1_024 + 4_096);
    assert_eq!(table.at(in_a_64(9_999), START + 61 * SECOND).len(), 1);
    assert_eq!((table.at(ip(1), START).len(), table.at(ip(2), START).len()), (1, 1));
    let other =
        |n: u32| Record { source: PopSource::Drac, ..login(ip(1_000_000 + n), "[203.0.113.6]", START + 70 * SECOND) };
    for n in 0..30_000 {
        insert(&table, &other(n));
    }
    assert_eq!(table.len(), 2 + 1_024 + 4_096 + 10_000, "half of all");
    assert_eq!((table.at(ip(1), START).len(), table.at(ip(2), START).len()), (1, 1));
}

/// Where many fill it together, those who have most make room first.
#[test]
fn t55_above_the_bound_of_all_whoever_has_most_makes_room() {
    let table = Table::new(1_000, 10);
    insert(&table, &login(ip(1), "alice", START));
    for n in 0..5_000 {
        let account = format!("account{}", n % 10);
        insert(&table, &login(ip(10_000 + n), &account, START + 60 * SECOND));
    }
    assert_eq!(table.len(), 1_000);
    assert_eq!(table.at(ip(1), START).len(), 1);
}

#[test]
fn what_is_renewed_is_not_the_oldest() {
    let table = Table::new(10_000, 10);
    insert(&table, &login(ip(1), "alice", START));
    for n in 0..1_023 {
        insert(&table, &login(ip(100 + n), "alice", START + 60 * SECOND));
    }
    insert(&table, &login(ip(1), "alice", START + 90 * SECOND));
    assert_eq!(insert(&table, &login(ip(5_000), "alice", START + 100 * SECOND)), [key(100, "alice")]);
    // What expired and came again is counted once.
    for round in 1..50 {
        let now = START + round * 3 * LIFE;
        table.sweep(now, 10_000);
        assert!(insert(&table, &login(ip(1), "alice", now)).is_empty());
    }
    assert_eq!(table.len(), 1);
}

const YEAR: u64 = 365 * 24 * 3_600 * SECOND;

/// The clock was a year ahead for a while: what it granted does not count, also not in a year, and what was charged then is
/// used up for one window and no longer.
#[test]
fn t56_evidence_and_quotas_of_a_clock_that_was_ahead_end_after_their_own_spans() {
    for is_noticed in [false, true] {
        let table = Table::new(100, 10);
        insert(&table, &login(ip(1), "alice", START + YEAR));
        assert_eq!(charge(&table, limits(1), START + YEAR), None);
        assert!(table.at(ip(1), START).is_empty());
        if is_noticed {
            table.clamp(START);
            assert!(table.at(ip(1), START + YEAR + SECOND).is_empty());
        }
        login_again(&table, START + SECOND);
        assert_eq!(table.at(ip(1), START + SECOND).len(), 1);
        let until = time(START + 3_600 * SECOND + if is_noticed { 0 } else { SECOND });
        assert_eq!(charge(&table, limits(1), START + SECOND), Some(Cause::Exceeded { until }));
        login_again(&table, START + 3_602 * SECOND);
        assert_eq!(charge(&table, limits(1), START + 3_602 * SECOND), None);
    }
}
