//! A hostile policy client: nothing panics, a split changes nothing, what is kept is bounded, and values stay in the
//! line of their reply.
#![no_main]

use mta::policy::{Decoder, PolicyError, REQUEST_OCTETS_MAX, Reply, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let whole = decode(data, data.len().max(1));
    assert_eq!(whole, decode(data, 1));
    for request in &whole.0 {
        check(request);
    }
});

fn decode(data: &[u8], piece_octets: usize) -> (Vec<Request>, Option<PolicyError>) {
    let (mut decoder, mut requests) = (Decoder::default(), Vec::new());
    for piece in data.chunks(piece_octets) {
        decoder.push(piece);
        loop {
            match decoder.next_request() {
                Ok(Some(request)) => requests.push(request),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.next_request(), Err(error));
                    return (requests, Some(error));
                }
            }
        }
    }
    (requests, None)
}

fn check(request: &Request) {
    let kept = [request.helo_name(), request.sender(), request.recipient(), request.instance()].concat();
    assert!(kept.len() <= REQUEST_OCTETS_MAX);
    let _ = (request.stage(), request.client_address());
    let _ = format!("{request:?}");
    let told = String::from_utf8_lossy(request.sender()).into_owned();
    for reply in [Reply::Defer(told.clone().into()), Reply::Prepend(told.clone().into()), Reply::Hold(told.into())] {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert!(out.starts_with(b"action=") && out.ends_with(b"\n\n") && !out.starts_with(b"action=OK"));
        assert!(out[..out.len() - 2].iter().all(|octet| matches!(octet, b' '..=b'~')));
    }
}
