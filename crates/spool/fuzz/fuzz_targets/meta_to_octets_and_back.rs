//! Any octets as a message's envelope and state: what is read survives being written.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    assert!(spool::fuzzing::meta_to_octets_and_back(data));
});
