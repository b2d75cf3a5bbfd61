//! Stored hashes from a hostile file: no panic; keys print as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::{cram, scheme, scram};

fuzz_target!(|data: &[u8]| {
    let Ok(stored) = str::from_utf8(data) else { return };
    let _ = scheme::check(stored);
    let _ = scheme::import(stored);
    if let Some(keys) = scram::Keys::parse(stored) {
        let printed = keys.to_stored();
        assert_eq!(scram::Keys::parse(&printed).map(|keys| keys.to_stored()), Some(printed));
    }
    let _ = cram::Contexts::parse(stored);
});
