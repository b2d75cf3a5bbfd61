//! Stands until the parser is there.
#![no_main]
libfuzzer_sys::fuzz_target!(|_data: &[u8]| {});
