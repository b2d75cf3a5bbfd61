//! Any octets as a segment: no panic, and no more records than fit.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    assert!(spool::fuzzing::walk_segment(data, 42) <= data.len() / 48);
});
