//! No text panics, and what was read, written and read again is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maildir::uidlist::Uidlist;

fuzz_target!(|text: &str| {
    let Ok(list) = Uidlist::parse(text) else { return };
    let mut printed = list.header();
    for record in &list.records {
        let _ = record.crlf_octets();
        record.write(&mut printed);
    }
    let again = Uidlist::parse(&printed).expect("what we write we can read");
    assert_eq!((again.validity, again.next_uid, &again.records), (list.validity, list.next_uid, &list.records));
});
