#![expect(clippy::naive_bytecount, reason = "a test")]

use super::*;
use crate::{Ledger, Room};
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use zeroize::Zeroizing;

const ROOM: Room = Room { file_octets: 2_000, aside: 3 };

fn chain_at(path: &Path, room: Room) -> Chain {
    Chain::new(Ledger::new(path).with_room(room), "test", Key::new(Zeroizing::new([7; 32])))
}

fn object(number: u64) -> String {
    format!("{{\"n\":{number},\"text\":\"some words of line {number}\"}}")
}

/// A chain of so many lines, and its folder.
fn filled(count: u64, room: Room) -> (tempfile::TempDir, Chain) {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain_at(&dir.path().join("log"), room);
    let mut writer = chain.writer();
    for number in 0..count {
        writer.append(&[Line { mark: Some(&number.to_string()), object: &object(number) }]).unwrap();
    }
    (dir, chain)
}

fn flaws(chain: &Chain, noted: Option<Head>) -> Vec<Flaw> {
    chain.verify(noted).unwrap().broken.into_iter().map(|broken| broken.flaw).collect()
}

fn objects(chain: &Chain) -> Vec<String> {
    let mut lines = Vec::new();
    chain.ledger().read(|| true, |line| lines.push(line.to_owned())).unwrap();
    lines.retain(|line| line.contains("some words"));
    lines.reverse();
    lines
}

#[test]
fn a_chain_goes_on_over_writers_files_and_starts() {
    let (dir, chain) = filled(7, ROOM);
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    assert_eq!((verified.lines, verified.first, verified.before), (8, Some(1), 0), "one line begins the file");
    let head = chain.append(&object(7)).unwrap();
    assert_eq!(chain.verify(Some(head)).unwrap().head, head);
    assert_eq!(head.to_string().parse(), Ok(head));
    let noted = head;
    let mut two = [chain.writer(), chain.writer()];
    for number in 8..80 {
        let writer = &mut two[usize::from(number % 3 == 0)];
        writer.append(&[Line { mark: Some(&number.to_string()), object: &object(number) }]).unwrap();
    }
    assert!(fs::exists(dir.path().join("log.3")).unwrap());
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact() && verified.first > Some(1), "the oldest went: {verified:?}");
    assert_eq!(verified.files, 4);
    assert!(matches!(flaws(&chain, Some(noted))[..], [Flaw::NotedTooOld { .. }]));
    assert_eq!(two[0].mark().unwrap().as_deref(), Some("79"), "whoever wrote it");
}

#[test]
fn what_is_not_the_chains_is_refused() {
    let (_dir, chain) = filled(0, ROOM);
    for bad in ["", "{}", "x", "{\"a\":1}\n", "{\"chain\":\"test\"}"] {
        assert!(chain.append(bad).is_err(), "{bad}");
    }
    assert!(chain.verify(None).unwrap().is_intact(), "none yet");
    assert!("1:xy".parse::<Head>().is_err() && "7".parse::<Head>().is_err());
}

#[test]
fn lines_from_before_the_chain_stand_before_it() {
    let (dir, chain) = filled(0, Room::default());
    fs::write(dir.path().join("log"), "{\"old\":1}\n{\"old\":2}\n{\"old\":").unwrap();
    chain.append(&object(0)).unwrap();
    chain.append(&object(1)).unwrap();
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    assert_eq!((verified.before, verified.lines), (3, 3));
    let text = fs::read_to_string(dir.path().join("log")).unwrap();
    fs::write(dir.path().join("log"), format!("{text}{{\"old\":3}}\n")).unwrap();
    assert_eq!(flaws(&chain, None), [Flaw::EndTorn]);
}

#[test]
fn older_files_that_are_gone_are_missed() {
    let (dir, chain) = filled(15, ROOM);
    assert!(fs::exists(dir.path().join("log.1")).unwrap() && !fs::exists(dir.path().join("log.3")).unwrap());
    let oldest = if fs::exists(dir.path().join("log.2")).unwrap() { "log.2" } else { "log.1" };
    fs::remove_file(dir.path().join(oldest)).unwrap();
    assert!(matches!(flaws(&chain, None)[..], [Flaw::OlderGone { .. }]));
    let (dir, chain) = filled(28, ROOM);
    fs::remove_file(dir.path().join("log.1")).unwrap();
    assert!(matches!(flaws(&chain, None)[..], [Flaw::Missing { .. }]));
}

/// A running writer does not take a cut-off end for the end: the gap stays, and is found without a noted head.
#[test]
fn an_end_that_is_cut_off_under_a_writer_is_missed() {
    let (dir, chain) = filled(3, ROOM);
    let mut writer = chain.writer();
    writer.append(&[Line { mark: None, object: &object(3) }]).unwrap();
    let path = dir.path().join("log");
    let text = fs::read_to_string(&path).unwrap();
    let shorter: String = text.split_inclusive('\n').take(3).collect();
    fs::write(&path, shorter).unwrap();
    writer.append(&[Line { mark: None, object: &object(4) }]).unwrap();
    assert_eq!(flaws(&chain, None), [Flaw::Missing { from: 4, upto: 5 }]);
    fs::remove_file(&path).unwrap();
    writer.append(&[Line { mark: None, object: &object(5) }]).unwrap();
    assert!(matches!(flaws(&chain, None)[..], [Flaw::OlderGone { first: 7 }]));
}

/// Torn at every octet, the chain goes on, and every line that was whole is there.
#[test]
fn torn_at_any_point_a_chain_goes_on() {
    let (dir, chain) = filled(3, Room::default());
    let path = dir.path().join("log");
    let whole = fs::read(&path).unwrap();
    for octets in 0..=whole.len() {
        for more in [&b""[..], &[0; 5]] {
            fs::write(&path, [&whole[..octets], more].concat()).unwrap();
            let ends = whole[..octets].iter().filter(|octet| **octet == b'\n').count();
            let mut writer = chain.writer();
            let mark: Option<u64> = writer.mark().unwrap().map(|mark| mark.parse().unwrap());
            assert_eq!(mark, ends.checked_sub(2).map(|line| line as u64));
            for number in mark.map_or(0, |mark| mark + 1)..4 {
                writer.append(&[Line { mark: Some(&number.to_string()), object: &object(number) }]).unwrap();
            }
            if octets % 64 == 0 {
                writer.sync().unwrap();
                assert!(writer.is_synced());
            }
            let verified = chain.verify(Some(writer.head())).unwrap();
            assert!(verified.is_intact(), "cut at {octets}: {verified:?}");
            let lines = objects(&chain);
            let whole: Vec<_> = lines.iter().filter(|line| line.ends_with("\"}")).collect();
            let expected: Vec<_> = (0..4).map(object).collect();
            for (line, object) in whole.iter().rev().zip(expected.iter().rev()) {
                assert!(line.contains(&object[1..object.len() - 1]), "cut at {octets}: {line}");
            }
        }
    }
}

#[test]
fn writers_of_several_threads_take_turns() {
    let dir = tempfile::tempdir().unwrap();
    let chain = chain_at(&dir.path().join("log"), Room { file_octets: 4_000, aside: 9 });
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let chain = chain.clone();
            scope.spawn(move || {
                (0..10).for_each(|number| {
                    chain.append(&object(writer * 10 + number)).unwrap();
                });
            });
        }
    });
    let verified = chain.verify(None).unwrap();
    assert!(verified.is_intact(), "{verified:?}");
    assert_eq!(objects(&chain).len(), 40);
}

/// Nothing of a batch that the disk has no room for stays, and the chain goes on.
#[test]
fn a_batch_that_cannot_be_written_leaves_nothing() {
    let (dir, chain) = filled(2, Room::default());
    let path = dir.path().join("log");
    let mut writer = chain.writer();
    let before = fs::read(&path).unwrap();
    let long = format!("{{\"n\":\"{}\"}}", "x".repeat(70_000));
    assert!(writer.append(&[Line { mark: None, object: &object(2) }, Line { mark: None, object: &long }]).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    writer.append(&[Line { mark: None, object: &object(2) }]).unwrap();
    assert!(chain.verify(Some(writer.head())).unwrap().is_intact());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Any one octet changed, put in or taken out, any line taken out, doubled or swapped, any end cut off: it is found.
    #[test]
    fn any_change_is_found(at in any::<prop::sample::Index>(), to in any::<u8>(), kind in 0..6u8) {
        let (dir, chain) = filled(20, ROOM);
        let noted = chain.verify(None).unwrap().head;
        prop_assert!(chain.verify(Some(noted)).unwrap().is_intact());
        let path = dir.path().join(if to % 2 == 0 { "log" } else { "log.1" });
        let before = fs::read(&path).unwrap();
        let mut lines: Vec<Vec<u8>> = before.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
        let mut octets = before.clone();
        let (octet, line) = (at.index(octets.len()), at.index(lines.len()));
        match kind {
            0 => octets[octet] = to,
            1 => octets.insert(octet, to),
            2 => drop(octets.remove(octet)),
            3 => octets.truncate(octet),
            4 => { lines.remove(line); octets = lines.concat() }
            _ => {
                let next = (line + 1) % lines.len();
                lines.swap(line, next);
                octets = lines.concat();
            }
        }
        fs::write(&path, &octets).unwrap();
        let found = chain.verify(Some(noted)).unwrap();
        prop_assert_eq!(found.is_intact(), octets == before, "{:?}", found);
        fs::write(&path, &before).unwrap();
        let doubled = fs::OpenOptions::new().write(true).open(&path).unwrap();
        let line = before.split_inclusive(|octet| *octet == b'\n').nth(line).unwrap();
        doubled.write_all_at(line, before.len() as u64).unwrap();
        prop_assert!(!chain.verify(Some(noted)).unwrap().is_intact());
    }
}
