use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use guard::PopSource;
use proptest::prelude::*;

use super::*;
use crate::embedded::record::Record;

impl Journal {
    /// Lets all that follows go elsewhere.
    pub(crate) fn write_into(&mut self, file: File) {
        self.file = file;
    }
}

fn put(n: u32) -> Change {
    let addr = IpAddr::V4((0xc633_6400 + n).into());
    let (granted, expires) = (u64::from(n), u64::from(n) + 1_800_000_000);
    let login = format!("user{n}@example.test").into();
    let (window_until, messages, recipients) = (0, 0, 0);
    Change::Put(Record {
        addr,
        login,
        source: PopSource::Drac,
        devices: None,
        granted,
        expires,
        window_until,
        messages,
        recipients,
    })
}

fn frame(changes: &[Change]) -> Vec<u8> {
    let mut frame = vec![0; HEAD_OCTETS];
    for change in changes {
        record::write(&mut frame, change);
    }
    frame
}

/// A journal with a group of each of these sizes, of which so many are sealed; its groups and where each ends.
struct Written {
    dir: tempfile::TempDir,
    groups: Vec<Vec<Change>>,
    ends: Vec<u64>,
    octets: Vec<u8>,
}

impl Written {
    fn new(sizes: &[usize], sealed: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(&dir.path().join("journal")).unwrap();
        let (mut groups, mut ends, mut n) = (Vec::new(), Vec::new(), 0);
        for (group, size) in sizes.iter().enumerate() {
            if group == sealed {
                journal.seal().unwrap();
            }
            let changes: Vec<Change> = (n..).take(*size).map(put).collect();
            n += u32::try_from(*size).unwrap();
            journal.append(&mut frame(&changes)).unwrap();
            groups.push(changes);
            ends.push(journal.octets());
        }
        if sealed >= sizes.len() {
            journal.seal().unwrap();
        }
        let octets = fs::read(dir.path().join("journal")).unwrap();
        Self { dir, groups, ends, octets }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// What is read from these octets and how much of them is left, without the disk.
    fn scan(&self, octets: &[u8]) -> Result<(Vec<Change>, u64), String> {
        fs::write(self.path(), octets).unwrap();
        let mut read = Vec::new();
        let end = scan(&File::open(self.path()).unwrap(), |change| read.push(change)).unwrap()?;
        assert_eq!(end.octets + end.torn, octets.len() as u64);
        Ok((read, end.octets))
    }

    /// What a start makes of these octets.
    fn read(&self, octets: &[u8]) -> Result<Vec<Change>, StateError> {
        fs::write(self.path(), octets).unwrap();
        let mut read = Vec::new();
        Journal::read(&self.path(), |change| read.push(change)).map(|_| read)
    }

    fn first(&self, groups: usize) -> Vec<Change> {
        self.groups[..groups].concat()
    }
}

fn is_damaged(read: &Result<Vec<Change>, StateError>) -> bool {
    matches!(read, Err(StateError::Damaged { .. }))
}

#[test]
fn whole_it_gives_back_what_was_written_and_goes_on() {
    let written = Written::new(&[1, 3, 2], 3);
    assert_eq!(written.read(&written.octets).unwrap(), written.first(3));
    let mut journal = Journal::read(&written.path(), |_| {}).unwrap();
    journal.append(&mut frame(&[put(77)])).unwrap();
    let octets = fs::read(written.path()).unwrap();
    assert_eq!(written.read(&octets).unwrap(), [written.first(3), vec![put(77)]].concat());
}

#[test]
fn a_longer_group_than_one_window_is_found_behind_damage() {
    let written = Written::new(&[1, 40_000, 1, 1], 0);
    let mut octets = written.octets.clone();
    octets[usize::try_from(written.ends[0]).unwrap() + 40] ^= 1;
    assert!(is_damaged(&written.read(&octets)));
    let torn = &octets[..usize::try_from(written.ends[1]).unwrap()];
    assert_eq!(written.read(torn).unwrap(), written.first(1), "nothing stands behind it");
}

#[test]
fn after_a_torn_end_the_next_group_stands_where_it_was() {
    let written = Written::new(&[2, 2], 0);
    let torn = &written.octets[..written.octets.len() - 1];
    assert_eq!(written.read(torn).unwrap(), written.first(1));
    let mut journal = Journal::read(&written.path(), |_| {}).unwrap();
    assert_eq!(journal.octets(), written.ends[0]);
    journal.append(&mut frame(&[put(9)])).unwrap();
    let octets = fs::read(written.path()).unwrap();
    assert_eq!(written.read(&octets).unwrap(), [written.first(1), vec![put(9)]].concat());
}

#[test]
fn a_whole_group_that_cannot_be_read_is_damage() {
    let written = Written::new(&[1], 0);
    let mut journal = Journal::read(&written.path(), |_| {}).unwrap();
    let mut strange = vec![0; HEAD_OCTETS];
    strange.extend_from_slice(b"\x03of another version");
    journal.append(&mut strange).unwrap();
    let octets = fs::read(written.path()).unwrap();
    let error = written.read(&octets).unwrap_err();
    assert!(error.to_string().contains("this version does not write"), "{error}");
}

#[test]
fn a_failed_append_changes_no_count() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join("journal")).unwrap();
    journal.write_into(OpenOptions::new().write(true).open("/dev/full").unwrap());
    assert_eq!(journal.append(&mut frame(&[put(1)])).unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!((journal.octets(), journal.sequence), (FRONT_OCTETS as u64, 0));
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1usize..5, 1..6)
}

proptest! {
    /// Cut anywhere: behind the seal it is a torn end and the groups before it are there; before it, damage.
    #[test]
    fn cut_anywhere(sizes in sizes(), sealed in 0usize..7, at: prop::sample::Index) {
        let written = Written::new(&sizes, sealed);
        let cut = FRONT_OCTETS + at.index(written.octets.len() - FRONT_OCTETS + 1);
        let whole = written.ends.iter().filter(|end| **end <= cut as u64).count();
        let read = written.scan(&written.octets[..cut]);
        if whole < sealed.min(sizes.len()) {
            prop_assert!(read.is_err());
        } else {
            let end = whole.checked_sub(1).map_or(FRONT_OCTETS as u64, |n| written.ends[n]);
            prop_assert_eq!(read.unwrap(), (written.first(whole), end));
        }
    }

    /// The last group half written: any of its octets another, or zero from there on. Only it is lost, and only when
    /// nobody was answered for it.
    #[test]
    fn torn_anywhere(sizes in sizes(), sealed in 0usize..7, at: prop::sample::Index, zeros: bool) {
        let written = Written::new(&sizes, sealed);
        let last = sizes.len() - 1;
        let start = last.checked_sub(1).map_or(FRONT_OCTETS, |n| usize::try_from(written.ends[n]).unwrap());
        let mut octets = written.octets.clone();
        let at = start + at.index(octets.len() - start);
        octets[at] ^= 0x40;
        if zeros {
            octets[at + 1..].fill(0);
        }
        let read = written.scan(&octets);
        if sealed > last {
            prop_assert!(read.is_err());
        } else {
            prop_assert_eq!(read.unwrap(), (written.first(last), start as u64));
        }
    }

    /// A bit turned in any group but the last: never fewer groups without a word.
    #[test]
    fn damage_in_the_middle_is_never_passed_over(sizes in prop::collection::vec(1usize..5, 2..6), sealed in 0usize..7, at: prop::sample::Index, bit in 0u8..8) {
        let written = Written::new(&sizes, sealed);
        let middle = usize::try_from(written.ends[sizes.len() - 2]).unwrap();
        let mut octets = written.octets.clone();
        octets[FRONT_OCTETS + at.index(middle - FRONT_OCTETS)] ^= 1 << bit;
        prop_assert!(written.scan(&octets).is_err());
    }

    /// Whatever lies there, reading it ends, and gives nothing but what could have been written.
    #[test]
    fn other_octets_are_damage_or_an_empty_journal(tail in prop::collection::vec(any::<u8>(), 0..600), front: bool) {
        let written = Written::new(&[], 0);
        let mut octets = if front { written.octets.clone() } else { Vec::new() };
        octets.extend_from_slice(&tail);
        if let Ok((read, end)) = written.scan(&octets) {
            prop_assert!(front && read.is_empty() && end == FRONT_OCTETS as u64);
        } else {
            prop_assert!(!front);
        }
    }
}
