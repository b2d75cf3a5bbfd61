//! The messages of SCRAM: no panic; what was read is a piece of what was sent; names print as they were read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::scram::message::{ClientFinal, ClientFirst, ServerFinal, ServerFirst, decode_name, encode_name};

fuzz_target!(|data: &[u8]| {
    if let Some(first) = ClientFirst::parse(data) {
        assert_eq!([first.gs2_header, first.bare].concat().as_bytes(), data);
        assert_eq!(decode_name(&encode_name(&first.login)).as_deref(), Some(&*first.login));
    }
    if let Some(last) = ClientFinal::parse(data) {
        assert!(data.starts_with(last.without_proof.as_bytes()));
    }
    let _ = ServerFirst::parse(data);
    let _ = ServerFinal::parse(data);
});
