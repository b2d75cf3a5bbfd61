//! A hostile socketmap client, and a hostile server: nothing panics, a split changes nothing, a key never makes two netstrings of a reply.
#![no_main]

use mta::socketmap::{Decoder, Reply, ReplyDecoder, ReplyError, Request, SocketmapError};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1000;

fuzz_target!(|data: &[u8]| {
    assert_eq!(replies(data, data.len().max(1), LIMIT), replies(data, 1, LIMIT));
    let whole = decode(data, data.len().max(1));
    assert_eq!(whole, decode(data, 1));
    for request in &whole.0 {
        assert!(!request.map().is_empty() && !request.map().contains(&b' '));
        assert!(request.map().len() + 1 + request.key().len() <= LIMIT);
        let told = String::from_utf8_lossy(request.key()).into_owned();
        for reply in [Reply::Ok(told.clone()), Reply::Temp(told.clone()), Reply::Perm(told)] {
            let mut out = Vec::new();
            reply.write_to(&mut out);
            assert!(out.iter().all(|&octet| octet >= b' ' && octet != 0x7f));
            let (replies, error) = replies(&out, out.len(), usize::MAX);
            assert_eq!((replies.len(), error), (1, None));
        }
    }
});

fn replies(data: &[u8], piece_octets: usize, limit: usize) -> (Vec<Reply>, Option<ReplyError>) {
    let (mut decoder, mut replies) = (ReplyDecoder::with_limit(limit), Vec::new());
    for piece in data.chunks(piece_octets) {
        decoder.push(piece);
        loop {
            match decoder.next_reply() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(error) => return (replies, Some(error)),
            }
        }
    }
    (replies, None)
}

fn decode(data: &[u8], piece_octets: usize) -> (Vec<Request>, Option<SocketmapError>) {
    let (mut decoder, mut requests) = (Decoder::with_limit(LIMIT), Vec::new());
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
