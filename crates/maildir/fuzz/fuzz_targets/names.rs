//! No file name panics; the base has no flags and parses to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use maildir::name::MessageName;

fuzz_target!(|text: &[u8]| {
    let Some(name) = MessageName::parse(text) else { return };
    assert!(!name.base.contains(&b':') && text.starts_with(name.base));
    assert_eq!(MessageName::parse(name.base), Some(name));
});
