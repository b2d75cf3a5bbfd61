//! Any octets as a Berkeley DB file: errors at most, and no more comes out than the file could hold. Any entries: what is
//! written is read back.
#![no_main]

use std::collections::BTreeMap;

use bdb::{Kind, Options, Reader, write};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(reader) = Reader::new(data) {
        for key in [&b""[..], b"192.0.2.1", data.get(600..620).unwrap_or_default()] {
            let _ = reader.get(key);
        }
        let octets: usize = reader.iter().map_while(Result::ok).map(|(key, value)| key.len() + value.len()).sum();
        assert!(octets <= 2 * data.len());
    }
    write_and_read(data);
});

/// The first octet says how the file shall be; then a key and a value of lengths that an octet each tells, and so on.
fn write_and_read(data: &[u8]) {
    let Some((head, mut rest)) = data.split_first() else { return };
    let mut entries = BTreeMap::new();
    while let [key_octets, value_octets, after @ ..] = rest {
        let (key, after) = after.split_at(after.len().min(usize::from(*key_octets) % 111));
        let (value, after) = after.split_at(after.len().min(usize::from(*value_octets) * 3));
        entries.insert(key, value);
        rest = after;
    }
    let kind = if head & 1 == 0 { Kind::Btree } else { Kind::Hash };
    let options = Options { page_octets: 512 << (head >> 1 & 7), ..kind.into() };
    let image = write(options, &entries.iter().collect::<Vec<_>>()).expect("keys that fit");
    let reader = Reader::new(&image).expect("our own file");
    let read: BTreeMap<_, _> = reader.iter().map(|pair| pair.expect("our own pair")).collect();
    assert_eq!(read.len(), entries.len());
    assert!(read.iter().zip(&entries).all(|((k, v), (key, value))| **k == **key && **v == **value));
    for (key, value) in &entries {
        assert_eq!(reader.get(key).expect("our own page").as_deref(), Some(*value));
    }
}
