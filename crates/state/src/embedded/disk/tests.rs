use std::net::IpAddr;

use guard::PopSource;

use super::*;
use crate::embedded::table::SHARDS;

impl Disk {
    /// Lets all that follows go elsewhere.
    pub(crate) fn write_into(&mut self, file: File) {
        self.journal.as_mut().unwrap().write_into(file);
    }

    /// Lets a new journal be begun with the next group.
    pub(crate) fn compact_soon(&mut self) {
        self.compact_above = 0;
    }
}

const LIFE: u64 = 1_800_000_000;

fn table() -> Table {
    Table::new(100_000, 10)
}

fn record(n: u32) -> Record {
    let addr = IpAddr::V4((0x0a00_0000 + n).into());
    let (granted, expires) = (u64::from(n) + 1, u64::from(n) + 1 + LIFE);
    let (window_until, messages, recipients) = (0, 0, 0);
    let login = format!("user{n}@example.test").into();
    Record { addr, login, source: PopSource::Pop3, devices: None, granted, expires, window_until, messages, recipients }
}

/// As the writer does it.
fn add(disk: &mut Disk, table: &Table, numbers: std::ops::Range<u32>) {
    numbers.clone().for_each(|n| disk.put(&record(n)));
    disk.commit().unwrap();
    for n in numbers {
        table.insert(&record(n), &mut Vec::new());
    }
}

fn revoke(disk: &mut Disk, table: &Table, which: &crate::evidence::Revoke) {
    table.revoke(which, 1);
    table.take_dirty().into_iter().for_each(|key| disk.change(&table.change(key)));
    disk.commit().unwrap();
}

fn records(table: &Table) -> Vec<Record> {
    let mut records: Vec<Record> = (0..SHARDS).flat_map(|shard| table.shard_records(shard)).collect();
    records.sort_by_key(|record| (record.addr, record.login.clone()));
    records
}

/// What a restart finds.
fn again(dir: &Path) -> Vec<Record> {
    let table = table();
    let (_disk, fresh) = Disk::open(dir, &table).unwrap();
    assert!(!fresh);
    records(&table)
}

fn copied(dir: &Path) -> tempfile::TempDir {
    let crashed = tempfile::tempdir().unwrap();
    fs::copy(dir.join(FILE_NAME), crashed.path().join(FILE_NAME)).unwrap();
    crashed
}

#[test]
fn a_long_journal_is_written_anew_between_the_groups() {
    let dir = tempfile::tempdir().unwrap();
    let table = table();
    let (mut disk, fresh) = Disk::open(dir.path(), &table).unwrap();
    assert!(fresh);
    for round in 0..20 {
        // The same ones again and again, and every time some new.
        add(&mut disk, &table, 0..500 + round);
    }
    assert!(!disk.compact(&table).unwrap(), "it is not long yet");
    disk.compact_above = 1 << 16;
    let before = disk.journal.as_ref().unwrap().octets();
    let mut steps = 0;
    while disk.compact(&table).unwrap() {
        steps += 1;
        // Into shards that are copied already, and into others.
        add(&mut disk, &table, 10_000 + steps * 10..10_005 + steps * 10);
        revoke(&mut disk, &table, &crate::evidence::Revoke::Addr(record(steps * 7).addr));
        if steps % 8 == 1 {
            assert_eq!(again(copied(dir.path()).path()), records(&table), "a crash in step {steps}");
        }
    }
    // The shards, the owners' networks, the bans, who is not greylisted, and the end.
    assert_eq!(steps as usize, SHARDS + 4);
    let after = disk.journal.as_ref().unwrap().octets();
    assert!(after < before / 4, "{before} octets became {after}");
    add(&mut disk, &table, 50_000..50_001);
    drop(disk);
    assert_eq!(again(dir.path()), records(&table));
    assert!(!dir.path().join(NEW_NAME).exists());
}

#[test]
fn a_new_journal_that_cannot_be_written_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let table = table();
    let (mut disk, _) = Disk::open(dir.path(), &table).unwrap();
    add(&mut disk, &table, 0..1_000);
    disk.compact_above = 1;
    fs::create_dir(dir.path().join(NEW_NAME)).unwrap();
    assert!(!disk.compact(&table).unwrap());
    assert!(disk.compact_above > SLACK_OCTETS, "not tried again at once");
    fs::remove_dir(dir.path().join(NEW_NAME)).unwrap();
    disk.compact_above = 1;
    assert!(disk.compact(&table).unwrap());
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    disk.copy.as_mut().unwrap().journal.write_into(full());
    add(&mut disk, &table, 1_000..1_001);
    assert!(disk.copy.is_none(), "the group was answered all the same");
    disk.compact_above = 1;
    assert!(disk.compact(&table).unwrap());
    disk.copy.as_mut().unwrap().journal.write_into(full());
    while disk.compact(&table).unwrap() {}
    drop(disk);
    assert_eq!(again(dir.path()), records(&table));
}

#[test]
fn after_a_failure_nothing_is_written_until_all_is() {
    let dir = tempfile::tempdir().unwrap();
    let table = table();
    let (mut disk, _) = Disk::open(dir.path(), &table).unwrap();
    add(&mut disk, &table, 0..10);
    disk.write_into(OpenOptions::new().write(true).open("/dev/full").unwrap());
    disk.put(&record(10));
    assert!(matches!(disk.commit(), Err(StateError::Io { op: "writing", .. })));
    disk.put(&record(11));
    assert!(matches!(disk.commit(), Err(StateError::WriteFailed)));
    assert!(matches!(disk.seal_durably(), Err(StateError::WriteFailed)));
    disk.rewrite(&table).unwrap();
    add(&mut disk, &table, 12..13);
    drop(disk);
    assert_eq!(again(dir.path()), records(&table));
    assert_eq!(records(&table).len(), 11);
}

#[test]
fn what_a_killed_process_left_beside_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(NEW_NAME), "half a journal").unwrap();
    fs::write(dir.path().join(FORMER_NAME), "of an earlier version").unwrap();
    let (_disk, fresh) = Disk::open(dir.path(), &table()).unwrap();
    assert!(fresh);
    assert!(!dir.path().join(NEW_NAME).exists());
    assert_eq!(fs::read(dir.path().join(FORMER_NAME)).unwrap(), b"of an earlier version");
}

#[test]
fn the_end_leaves_no_half_a_journal() {
    let dir = tempfile::tempdir().unwrap();
    let table = table();
    let (mut disk, _) = Disk::open(dir.path(), &table).unwrap();
    add(&mut disk, &table, 0..100);
    disk.compact_soon();
    assert!(disk.compact(&table).unwrap());
    assert!(dir.path().join(NEW_NAME).exists());
    disk.close().unwrap();
    assert!(!dir.path().join(NEW_NAME).exists());
    drop(disk);
    assert_eq!(again(dir.path()), records(&table));
}

#[test]
fn an_empty_journal_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE_NAME), "").unwrap();
    assert!(matches!(Disk::open(dir.path(), &table()), Err(StateError::Damaged { .. })));
}
