//! No text panics, and what was read, written and read again is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maildir::uidlist::Uidlist;

fuzz_target!(|text: &[u8]| {
    let Ok(list) = Uidlist::parse(text) else { return };
    let mut printed = list.header().into_bytes();
    for record in &list.records {
        record.write(&mut printed);
    }
    let again = Uidlist::parse(&printed).expect("what we write we can read");
    assert_eq!((again.validity, again.next_uid, &again.records), (list.validity, list.next_uid, &list.records));
});
