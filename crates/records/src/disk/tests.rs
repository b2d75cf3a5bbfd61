use super::*;
use crate::frame::put;
use crate::keys::{Key, Kind, Named};
use crate::read::Reader;
use crate::search::Search;

const BOUNDS: Bounds = Bounds { keep: Duration::from_hours(24 * 30), octets_max: 2 << 20, free_octets_min: 0 };

/// A record that the index is made of again.
fn record(id: &str, at: u64, more: usize) -> Vec<u8> {
    let text = "x".repeat(more);
    let written = serde_json::json!({
        "form": 1, "id": id, "of": { "session": "s", "listener": "smtp" }, "policy": 0, "at": at, "stage": "rcpt",
        "client": "192.0.2.7", "outcome": "refuse", "trace": text,
    });
    written.to_string().into_bytes()
}

fn named(id: &str) -> Named<'_> {
    let client = Some([192, 0, 2, 7].into());
    Named { id, session: "s", client, login: None, paths: [None, None], reason: None }
}

fn append(disk: &mut Disk, id: &str, at: u64, more: usize) {
    disk.seal_if_full().unwrap();
    let mut frames = Vec::new();
    assert!(put(&mut frames, at, |out| {
        out.extend_from_slice(&record(id, at, more));
        true
    }));
    disk.index.add(at, &named(id));
    disk.append(&frames).unwrap();
}

fn now() -> u64 {
    micros(SystemTime::now())
}

fn ids(dir: &Path) -> Vec<String> {
    let reader = Reader::new(dir, BOUNDS.keep);
    reader.since(std::time::UNIX_EPOCH).unwrap().map(|kept| kept.unwrap().id).collect()
}

fn octets_in(dir: &Path) -> u64 {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn the_bound_on_octets_is_never_passed_and_the_oldest_goes_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    for n in 0..400 {
        append(&mut disk, &format!("{n:08}"), now(), 10_000);
        assert!(octets_in(dir.path()) <= BOUNDS.octets_max);
        assert!(disk.octets() <= BOUNDS.octets_max);
    }
    let found = ids(dir.path());
    assert!(found.len() > 100, "{}", found.len());
    let expected: Vec<String> = (400 - found.len()..400).map(|n| format!("{n:08}")).collect();
    assert_eq!(found, expected);
    assert_eq!(disk.records(), found.len() as u64);
    // Sealed segments have an index that tells which ids are there.
    let first = segment::list(dir.path()).unwrap()[0];
    let octets = fs::metadata(first.segment(dir.path())).unwrap().len();
    let index = Index::read(dir.path(), first, octets).unwrap();
    assert!(index.filter.may_have(Key::new(Kind::Id, &found[0])));
    disk.set_bounds(Bounds { octets_max: 512 << 10, ..BOUNDS });
    disk.retain(SystemTime::now()).unwrap();
    assert!(octets_in(dir.path()) <= 512 << 10);
    // After a restart all is as it was.
    let (before, records) = (ids(dir.path()), disk.records());
    drop(disk);
    let again = Disk::open(dir.path(), BOUNDS).unwrap();
    assert_eq!((ids(dir.path()), again.records()), (before, records));
}

#[test]
fn what_is_older_than_it_may_be_goes() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    let day = 86_400_000_000;
    append(&mut disk, "oldest", now() - 40 * day, 0);
    disk.retain(SystemTime::now()).unwrap();
    append(&mut disk, "older", now() - 29 * day, 0);
    disk.retain(SystemTime::now()).unwrap();
    append(&mut disk, "new", now(), 0);
    assert_eq!(ids(dir.path()), ["older", "new"]);
    assert_eq!(segment::list(dir.path()).unwrap().len(), 2, "the file of the oldest is gone");
    disk.retain(SystemTime::now() + Duration::from_hours(48)).unwrap();
    assert_eq!(ids(dir.path()), ["new"]);
}

/// Killed after any octet: what was whole is there, and the next record follows it.
#[test]
fn a_torn_end_is_cut_off_at_any_octet() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    let at = now();
    append(&mut disk, "first", at, 0);
    let one = disk.index.octets;
    append(&mut disk, "second", at, 0);
    let path = Number(1).segment(dir.path());
    let whole = fs::read(&path).unwrap();
    drop(disk);
    for cut in 0..whole.len() {
        fs::remove_dir_all(dir.path()).unwrap();
        fs::create_dir(dir.path()).unwrap();
        fs::write(&path, &whole[..cut]).unwrap();
        let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
        append(&mut disk, "third", at, 0);
        let expected: &[&str] = if cut as u64 >= one { &["first", "third"] } else { &["third"] };
        assert_eq!(ids(dir.path()), expected, "cut at {cut}");
        assert_eq!(disk.records(), expected.len() as u64);
    }
}

#[test]
fn what_is_damaged_is_skipped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    let at = now();
    append(&mut disk, "first", at, 0);
    let one = usize::try_from(disk.index.octets).unwrap();
    append(&mut disk, "second", at, 0);
    append(&mut disk, "third", at, 0);
    drop(disk);
    let path = Number(1).segment(dir.path());
    let mut octets = fs::read(&path).unwrap();
    octets[one + 4] ^= 0xff;
    fs::write(&path, &octets).unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    assert_eq!((disk.damaged(), disk.records()), (1, 2));
    append(&mut disk, "fourth", at, 0);
    assert_eq!(ids(dir.path()), ["first", "third", "fourth"]);
    let found = Reader::new(dir.path(), BOUNDS.keep).search(Search { limit: 10, ..Search::default() }).unwrap();
    assert_eq!((found.records.len(), found.damaged, found.more), (3, 1, false));
}

#[test]
fn a_segment_of_another_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut head = frame::head();
    head[8] = 9;
    let path = Number(4).segment(dir.path());
    fs::write(&path, head).unwrap();
    let orphan = Number(2).index(dir.path());
    fs::write(&orphan, b"left").unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    append(&mut disk, "first", now(), 0);
    assert_eq!(ids(dir.path()), ["first"]);
    assert_eq!(fs::read(&path).unwrap(), head);
    assert!(!orphan.exists());
}

#[test]
fn a_disk_that_is_nearly_full_is_left_to_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), Bounds { free_octets_min: u64::MAX / 2, ..BOUNDS }).unwrap();
    assert_eq!(disk.append(b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.index.octets, fs::metadata(Number(1).segment(dir.path())).unwrap().len());
}

/// What cannot be read is missing, and whoever reads is told so; a segment that is only begun lacks nothing.
#[test]
fn a_segment_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut disk = Disk::open(dir.path(), BOUNDS).unwrap();
    append(&mut disk, "00000001", now(), 10);
    drop(disk);
    fs::write(Number(8).segment(dir.path()), b"SKREC").unwrap();
    let reader = Reader::new(dir.path(), BOUNDS.keep);
    let damaged = |reader: &Reader| {
        let mut since = reader.since(std::time::UNIX_EPOCH).unwrap();
        assert_eq!(since.by_ref().filter_map(Result::ok).count(), 1);
        let found = reader.search(Search { limit: 9, ..Search::default() }).unwrap();
        assert_eq!(found.records.len(), 1);
        [since.damaged(), found.damaged, reader.of_id("00000001").unwrap().damaged]
    };
    assert_eq!(damaged(&reader), [0, 0, 0]);
    fs::write(Number(9).segment(dir.path()), b"SKRECORD\x09\0\0\0\0\0\0\0").unwrap();
    assert_eq!(damaged(&reader), [1, 1, 1], "another version wrote it");
    fs::write(Number(9).segment(dir.path()), [0; 64]).unwrap();
    assert_eq!(damaged(&reader), [1, 1, 1], "its head is damaged");
}
