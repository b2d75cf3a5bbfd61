//! A hostile server in every state of every mechanism: no panic, and SCRAM never believes it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sasl::Mechanism;
use sasl::client::{ChannelBinding, Credentials, Exchange};

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let mechanism = Mechanism::ALL[usize::from(*first) % Mechanism::ALL.len()];
    let Ok(credentials) = Credentials::new("tim", b"tanstaaftanstaaf") else { return };
    let mut exchange = Exchange::new(mechanism, credentials, ChannelBinding::TlsExporter(vec![1; 32]), [7; 24]);
    let _ = exchange.initial();
    for challenge in rest.split(|octet| *octet == b'\n') {
        let _ = exchange.respond(challenge);
    }
    let believed = exchange.succeeded(None).is_ok();
    assert!(!believed || !matches!(mechanism, Mechanism::ScramSha256 | Mechanism::ScramSha256Plus));
});
