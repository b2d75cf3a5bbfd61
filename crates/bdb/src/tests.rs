//! What is written is read again, whatever the entries; what is damaged gives an error. Real programs: `tests/bdb.rs`.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

const KINDS: [Kind; 2] = [Kind::Btree, Kind::Hash];

fn options(kind: Kind, page_octets: u32) -> Options {
    Options { page_octets, ..kind.into() }
}

fn pairs(map: &BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<(&[u8], &[u8])> {
    map.iter().map(|(key, value)| (key.as_slice(), value.as_slice())).collect()
}

fn read(image: &[u8]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    Reader::new(image).unwrap().iter().map(Result::unwrap).map(|(key, value)| (key.into(), value.into())).collect()
}

/// Addresses and expiries as DRAC keeps them.
fn addresses(count: u32) -> Vec<(String, String)> {
    (0..count)
        .map(|n| {
            (std::net::Ipv4Addr::from(0xc000_0200_u32.wrapping_add(n)).to_string(), (1_795_000_000 + n).to_string())
        })
        .collect()
}

#[test]
fn every_count_is_read_back() {
    for kind in KINDS {
        for count in [0, 1, 2, 3, 50, 120, 121, 1_000, 20_000] {
            let entries = addresses(count);
            let image = write(kind, &entries).unwrap();
            let reader = Reader::new(&image).unwrap();
            assert_eq!(reader.kind(), kind);
            assert_eq!(reader.page_octets(), 4_096);
            let mut seen: Vec<_> = reader.iter().map(|pair| pair.unwrap()).collect();
            assert_eq!(seen.len(), entries.len(), "{kind:?} {count}");
            if kind == Kind::Btree {
                assert!(seen.is_sorted());
            }
            seen.sort();
            let mut wanted = entries.clone();
            wanted.sort();
            assert!(
                seen.iter()
                    .zip(&wanted)
                    .all(|((k, v), (key, value))| **k == *key.as_bytes() && **v == *value.as_bytes())
            );
            for (key, value) in &entries {
                assert_eq!(reader.get(key.as_bytes()).unwrap().as_deref(), Some(value.as_bytes()));
            }
            assert_eq!(reader.get(b"198.51.100.1").unwrap(), None);
            assert_eq!(reader.get(b"").unwrap(), None);
        }
    }
}

#[test]
fn keys_end_with_nul_or_without() {
    for kind in KINDS {
        let plain = write(kind, &[("a", "OK"), ("b", "")]).unwrap();
        let terminated = Options { terminated: true, ..kind.into() };
        let ended = write(terminated, &[("a", "OK"), ("b", "")]).unwrap();
        let reader = Reader::new(&plain).unwrap();
        assert_eq!(reader.get(b"a").unwrap().as_deref(), Some(&b"OK"[..]));
        assert_eq!(reader.get(b"b").unwrap().as_deref(), Some(&b""[..]));
        assert_eq!(reader.get(b"a\0").unwrap(), None);
        let reader = Reader::new(&ended).unwrap();
        assert_eq!(reader.get(b"a").unwrap(), None);
        assert_eq!(reader.get(b"a\0").unwrap().as_deref(), Some(&b"OK\0"[..]));
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    for kind in KINDS {
        let short = options(kind, 512);
        assert!(write(short.clone(), &[([b'k'; 111], "v")]).is_ok());
        let refused = write(short, &[([b'k'; 112], "v")]).unwrap_err();
        assert_eq!(refused, BdbError::KeyTooLong { octets: 112, octets_max: 111, start: vec![b'k'; 64] });
        let ended = Options { page_octets: 512, terminated: true, ..kind.into() };
        assert!(matches!(write(ended, &[([b'k'; 111], "v")]), Err(BdbError::KeyTooLong { octets: 112, .. })));
        let value = vec![0; VALUE_OCTETS_MAX + 1];
        assert!(write(kind, &[("k", &value[1..])]).is_ok());
        assert!(matches!(write(kind, &[("k", &value)]), Err(BdbError::ValueTooLong { .. })));
        let twice = write(kind, &[("a", "1"), ("b", "2"), ("a", "3")]).unwrap_err();
        assert_eq!(twice.to_string(), "key \"a\" twice");
        for octets in [0, 256, 1_000, 131_072] {
            assert_eq!(write(options(kind, octets), &[("a", "1")]), Err(BdbError::PageSize { octets }));
        }
        let value = vec![0; VALUE_OCTETS_MAX];
        let many: Vec<_> = (0..1_100_u32).map(|n| (n.to_be_bytes(), &value)).collect();
        assert_eq!(write(kind, &many), Err(BdbError::TooLarge));
    }
}

#[test]
fn equal_content_gives_equal_images_and_other_content_another_name() {
    let id = |image: &[u8]| image[52..72].to_vec();
    for kind in KINDS {
        let (one, other) = (addresses(500), addresses(501));
        let mut reversed = one.clone();
        reversed.reverse();
        assert_eq!(write(kind, &one).unwrap(), write(kind, &reversed).unwrap());
        assert_ne!(id(&write(kind, &one).unwrap()), id(&write(kind, &other).unwrap()));
        let named = Options { file_id: Some([7; 20]), ..kind.into() };
        assert_eq!(id(&write(named, &one).unwrap()), [7; 20]);
    }
}

#[test]
fn foreign_and_unsupported_files_are_named() {
    assert_eq!(Reader::new(b"").unwrap_err(), BdbError::Foreign);
    assert_eq!(Reader::new(&[0; 8_192]).unwrap_err(), BdbError::Foreign);
    assert_eq!(Reader::new("192.0.2.1 OK\n".repeat(1_000).as_bytes()).unwrap_err(), BdbError::Foreign);
    for kind in KINDS {
        let image = write(kind, &addresses(3)).unwrap();
        for (at, octets, feature) in [
            (16, &[6_u8][..], "an unknown or very old version"),
            (24, &[1], "encryption"),
            (26, &[1], "checksums"),
            (26, &[2], "partitions"),
            (48, &[1], "duplicate keys"),
        ] {
            let mut other = image.clone();
            other[at..at + octets.len()].copy_from_slice(octets);
            assert_eq!(Reader::new(&other).unwrap_err(), BdbError::Unsupported { feature });
        }
        let mut own = image.clone();
        own[92] ^= 1;
        let own = Reader::new(&own).map(|reader| reader.kind());
        match kind {
            Kind::Btree => assert_eq!(own, Ok(kind)),
            Kind::Hash => assert_eq!(own, Err(BdbError::Unsupported { feature: "a hash function of its own" })),
        }
        let mut old = vec![0; 4_096];
        old[..4].copy_from_slice(&image[12..16]);
        assert_eq!(Reader::new(&old).unwrap_err(), BdbError::Unsupported { feature: "the format of version 1.85" });
    }
}

#[test]
fn hash_files_of_before_4_6_have_unsorted_pages() {
    let entries = addresses(1_000);
    let mut image = write(Kind::Hash, &entries).unwrap();
    image[16] = 8;
    for page in image.as_chunks_mut::<4_096>().0.iter_mut().skip(1) {
        assert_eq!(page[25], 13);
        page[25] = 2;
        // The first two pairs change places: they have the same length, or are left.
        let offset = |index: usize| usize::from(u16::from_le_bytes([page[26 + 2 * index], page[27 + 2 * index]]));
        let (first, second, end) = (offset(1), offset(3), 4_096);
        if end - first == first - second {
            let (low, high) = page[second..].split_at_mut(first - second);
            low.swap_with_slice(high);
        }
    }
    assert_ne!(image, write(Kind::Hash, &entries).unwrap());
    let reader = Reader::new(&image).unwrap();
    assert_eq!(reader.iter().map(Result::unwrap).count(), entries.len());
    for (key, value) in &entries {
        assert_eq!(reader.get(key.as_bytes()).unwrap().as_deref(), Some(value.as_bytes()));
    }
}

#[test]
fn pages_never_written_are_empty_buckets() {
    let mut image = write(Kind::Hash, &[("one", "1")]).unwrap();
    let empty = (1..=2).find(|page| image[page * 4_096 + 20] == 0).unwrap();
    image[empty * 4_096..(empty + 1) * 4_096].fill(0);
    assert_eq!(read(&image).len(), 1);
    assert_eq!(Reader::new(&image).unwrap().get(b"two").unwrap(), None);
}

#[test]
fn deleted_items_do_not_count() {
    let mut image = write(Kind::Btree, &[("one", "1"), ("two", "2")]).unwrap();
    let value_of_one = 4_096 + usize::from(u16::from_le_bytes([image[4_096 + 28], image[4_096 + 29]]));
    image[value_of_one + 2] |= 0x80;
    assert_eq!(Reader::new(&image).unwrap().get(b"one").unwrap(), None);
    assert_eq!(read(&image), [(b"two".to_vec(), b"2".to_vec())].into());
}

#[test]
fn a_file_cut_short_is_damaged_not_empty() {
    for kind in KINDS {
        let image = write(kind, &addresses(1_000)).unwrap();
        for pages in 1..image.len() / 4_096 {
            let cut = &image[..pages * 4_096];
            let whole = Reader::new(cut).and_then(|reader| reader.iter().collect::<Result<Vec<_>, _>>().map(|_| ()));
            assert!(matches!(whole, Err(BdbError::Damaged { .. })), "{kind:?} {pages} {whole:?}");
        }
    }
}

#[test]
fn circles_end() {
    for kind in KINDS {
        let image = write(options(kind, 512), &addresses(200)).unwrap();
        let pages = image.len() / 512;
        for page in 1..pages {
            for to in 0..pages {
                let mut circle = image.clone();
                circle[page * 512 + 16..page * 512 + 20].copy_from_slice(&u32::try_from(to).unwrap().to_le_bytes());
                let Ok(reader) = Reader::new(&circle) else { continue };
                assert!(reader.iter().count() <= 200 * pages);
                let _ = reader.get(b"192.0.2.77");
            }
        }
    }
}

fn entries(values: usize) -> impl Strategy<Value = BTreeMap<Vec<u8>, Vec<u8>>> {
    let short = btree_map(vec(any::<u8>(), 0..40), vec(any::<u8>(), 0..60), 0..300);
    let long = btree_map(vec(0_u8..3, 0..111), vec(any::<u8>(), 0..values), 0..40);
    prop_oneof![short, long]
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Btree), Just(Kind::Hash)]
}

proptest! {
    #[test]
    fn written_is_read(map in entries(5_000), kind in kinds(), size in 9_u32..=16, terminated: bool) {
        let options = Options { page_octets: 1 << size, terminated, ..kind.into() };
        let map: BTreeMap<_, _> = map.into_iter().filter(|(key, _)| key.len() < 111).collect();
        let image = write(options, &pairs(&map)).unwrap();
        let end: &[u8] = if terminated { b"\0" } else { b"" };
        let ended = map.iter().map(|(key, value)| ([key, end].concat(), [value, end].concat())).collect();
        prop_assert_eq!(read(&image), ended);
        let reader = Reader::new(&image).unwrap();
        for (key, value) in &map {
            prop_assert_eq!(reader.get(&[key, end].concat()).unwrap().map(|v| v.to_vec()), Some([value, end].concat()));
        }
        prop_assert_eq!(reader.get(&[3; 200]).unwrap(), None);
    }

    #[test]
    fn damage_gives_an_error_or_other_entries(
        map in entries(1_500),
        kind in kinds(),
        flips in vec((any::<prop::sample::Index>(), 1_u8..), 1..12),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut image = write(options(kind, 512), &pairs(&map)).unwrap();
        for (at, flip) in flips {
            let at = at.index(image.len());
            image[at] ^= flip;
        }
        if let Some(cut) = cut {
            image.truncate(cut.index(image.len()));
        }
        prop_assert!(walk(&image) <= 2 * image.len());
    }

    #[test]
    fn hostile_metadata_and_headers(
        map in entries(1_500),
        kind in kinds(),
        words in vec((any::<prop::sample::Index>(), 0_usize..40, prop_oneof![0_u32..64, any::<u32>()]), 1..6),
    ) {
        let mut image = write(options(kind, 512), &pairs(&map)).unwrap();
        let pages = image.len() / 512;
        for (page, field, word) in words {
            let at = page.index(pages) * 512 + 4 * field;
            image[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        prop_assert!(walk(&image) <= 2 * image.len());
    }
}

/// Octets of all that is found, after some look-ups.
fn walk(image: &[u8]) -> usize {
    let Ok(reader) = Reader::new(image) else { return 0 };
    for key in [&b""[..], b"k", &[0; 60], &[255; 3]] {
        let _ = reader.get(key);
    }
    reader.iter().map_while(Result::ok).map(|(key, value)| key.len() + value.len()).sum()
}
