//! Tables, laws, and hostile input.

use super::*;
use proptest::prelude::*;

/// Map and key.
type Asked = (Vec<u8>, Vec<u8>);

fn decode(decoder: &mut Decoder) -> Result<Vec<Asked>, SocketmapError> {
    let mut requests = Vec::new();
    while let Some(request) = decoder.next_request()? {
        requests.push((request.map().to_vec(), request.key().to_vec()));
    }
    Ok(requests)
}

fn decode_all(octets: &[u8], limit: usize) -> Result<Vec<Asked>, SocketmapError> {
    let mut decoder = Decoder::with_limit(limit);
    decoder.push(octets);
    decode(&mut decoder)
}

#[test]
fn t50_http_is_no_request() {
    let octets = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n15:relay 192.0.2.7,";
    assert!(decode_all(octets, 100).is_err());
}

#[test]
fn requests() {
    let table = [
        ("15:relay 192.0.2.7,", vec![("relay", "192.0.2.7")]),
        ("35:relay 192.0.2.7 a@a.example b@b.ex.,", vec![("relay", "192.0.2.7 a@a.example b@b.ex.")]),
        ("6:local ,", vec![("local", "")]),
        ("8:a é,\n\0 ,3:b c,", vec![("a", "é,\n\0 "), ("b", "c")]),
        ("4:a  b,", vec![("a", " b")]),
        ("", vec![]),
        ("15:relay 192.0.2.7", vec![]),
    ];
    for (octets, expected) in table {
        let expected: Vec<_> =
            expected.iter().map(|(map, key)| (map.as_bytes().to_vec(), key.as_bytes().to_vec())).collect();
        assert_eq!(decode_all(octets.as_bytes(), 100), Ok(expected), "{octets:?}");
    }
}

#[test]
fn what_ends_the_connection() {
    let table: [(&[u8], SocketmapError); 17] = [
        (b"03:a b,", NetstringError::Length.into()),
        (b"00:,", NetstringError::Length.into()),
        (b"00", NetstringError::Length.into()),
        (b":a b,", NetstringError::Length.into()),
        (b"-3:a b,", NetstringError::Length.into()),
        (b"+3:a b,", NetstringError::Length.into()),
        (b" 3:a b,", NetstringError::Length.into()),
        (b"3 :a b,", NetstringError::Length.into()),
        (b"3a b,", NetstringError::Length.into()),
        (b"GET / HTTP/1.1\r\n", NetstringError::Length.into()),
        (b"3:a bc", NetstringError::Comma.into()),
        (b"3:a b\n", NetstringError::Comma.into()),
        (b"0:,", SocketmapError::NoMap),
        (b"3:abc,", SocketmapError::NoMap),
        (b"3: ab,", SocketmapError::NoMap),
        (b"101", NetstringError::TooLong { limit: 100 }.into()),
        (b"99999999999999999999999", NetstringError::TooLong { limit: 100 }.into()),
    ];
    for (octets, error) in table {
        let mut decoder = Decoder::with_limit(100);
        decoder.push(octets);
        assert_eq!(decode(&mut decoder), Err(error), "{}", octets.escape_ascii());
        decoder.push(b"3:a b,");
        assert_eq!(decode(&mut decoder), Err(error), "an error stays");
    }
}

#[test]
fn the_limit_is_exact_and_never_above_the_protocols() {
    let request = |octets: usize| format!("{octets}:m {},", "k".repeat(octets - 2)).into_bytes();
    assert_eq!(decode_all(&request(100), 100).unwrap().len(), 1);
    assert_eq!(decode_all(&request(101), 100), Err(NetstringError::TooLong { limit: 100 }.into()));
    assert_eq!(decode_all(&request(REPLY_OCTETS_MAX), usize::MAX).unwrap().len(), 1);
    let limit = REPLY_OCTETS_MAX;
    assert_eq!(decode_all(&request(REPLY_OCTETS_MAX + 1), usize::MAX), Err(NetstringError::TooLong { limit }.into()));
    assert_eq!(Decoder::default().netstrings.limit, REQUEST_OCTETS_DEFAULT);
}

#[test]
fn replies() {
    let table = [
        (Reply::Ok("RELAY".into()), "8:OK RELAY,"),
        (Reply::Ok(String::new()), "3:OK ,"),
        (Reply::Ok("a\r\nb\0é".into()), "10:OK a??b?é,"),
        (Reply::NotFound, "9:NOTFOUND ,"),
        (Reply::Temp("state: away".into()), "16:TEMP state: away,"),
        (Reply::Timeout("5 s".into()), "11:TIMEOUT 5 s,"),
        (Reply::Perm("no such map\n".into()), "17:PERM no such map?,"),
        (Reply::Ok("x".repeat(REPLY_OCTETS_MAX - 2)), "19:PERM value too long,"),
    ];
    for (reply, expected) in table {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
    let mut out = Vec::new();
    Reply::Ok("x".repeat(REPLY_OCTETS_MAX - 3)).write_to(&mut out);
    assert!(out.starts_with(b"100000:OK x"));
}

fn replies_in(octets: &[u8]) -> Result<Vec<Reply>, ReplyError> {
    let mut decoder = ReplyDecoder::with_limit(20);
    decoder.push(octets);
    let mut replies = Vec::new();
    while let Some(reply) = decoder.next_reply()? {
        replies.push(reply);
    }
    Ok(replies)
}

#[test]
fn what_is_not_said_is_not_found_either_way() {
    let table = [
        ("OK ", Some(Reply::Ok(String::new()))),
        ("OK", Some(Reply::Ok(String::new()))),
        ("OK alice", Some(Reply::Ok("alice".into()))),
        ("NOTFOUND ", Some(Reply::NotFound)),
        ("NOTFOUND", Some(Reply::NotFound)),
        ("TEMP state: away", Some(Reply::Temp("state: away".into()))),
        ("TIMEOUT ", Some(Reply::Timeout(String::new()))),
        ("PERM no such map", Some(Reply::Perm("no such map".into()))),
        ("OKAY", None),
        ("ok ", None),
        ("", None),
    ];
    for (text, expected) in table {
        let read = replies_in(format!("{}:{text},", text.len()).as_bytes());
        assert_eq!(read.ok(), expected.map(|reply| vec![reply]), "{text:?}");
    }
}

#[test]
fn replies_end_where_they_say() {
    assert_eq!(replies_in(b"9:NOTFOUND ,3:OK ,"), Ok(vec![Reply::NotFound, Reply::Ok(String::new())]));
    assert_eq!(replies_in(b"9:NOTFOUND ,3:OK "), Ok(vec![Reply::NotFound]));
    assert_eq!(replies_in(b"3:OK ;"), Err(NetstringError::Comma.into()));
    assert_eq!(replies_in(b"99999999:OK"), Err(NetstringError::TooLong { limit: 20 }.into()));
    assert_eq!(replies_in(b"21:OK "), Err(NetstringError::TooLong { limit: 20 }.into()));
}

proptest! {
    #[test]
    fn split_anywhere(octets in "([0-9]{0,3}:?[a-z ]{0,8},?){0,6}", piece in 1usize..10) {
        let octets = octets.as_bytes();
        let collect = |piece: usize| {
            let (mut decoder, mut requests) = (Decoder::with_limit(100), Vec::new());
            for piece in octets.chunks(piece) {
                decoder.push(piece);
                loop {
                    match decoder.next_request() {
                        Ok(Some(request)) => requests.push(request),
                        Ok(None) => break,
                        Err(error) => return (requests, Some(error)),
                    }
                }
            }
            (requests, None)
        };
        prop_assert_eq!(collect(octets.len().max(1)), collect(piece));
    }

    #[test]
    fn what_is_written_is_read(map in "[!-~]{1,20}", key: Vec<u8>, piece in 1usize..10) {
        let mut octets = Vec::new();
        write_netstring(&[map.as_bytes(), b" ", &key], &mut octets);
        let mut decoder = Decoder::default();
        let mut requests = Vec::new();
        for piece in octets.chunks(piece) {
            decoder.push(piece);
            requests.extend(decode(&mut decoder).unwrap());
        }
        prop_assert_eq!(requests, [(map.into_bytes(), key)]);
    }

    #[test]
    fn a_reply_is_one_netstring(value: String) {
        for reply in [Reply::Ok(value.clone()), Reply::Temp(value.clone()), Reply::Perm(value)] {
            let mut out = Vec::new();
            reply.write_to(&mut out);
            let mut decoder = Decoder::with_limit(usize::MAX);
            decoder.push(&out);
            prop_assert_eq!(decode(&mut decoder).unwrap().len(), 1);
            prop_assert!(out.iter().all(|&octet| octet >= b' '));
        }
    }

    #[test]
    fn what_one_side_writes_the_other_reads(value in "[ -~]{0,40}", key in "[ -~]{0,40}", piece in 1usize..10) {
        let mut question = Vec::new();
        write_question("relay", &key, &mut question);
        prop_assert_eq!(decode_all(&question, 100), Ok(vec![(b"relay".to_vec(), key.into_bytes())]));
        for reply in [Reply::Ok(value.clone()), Reply::NotFound, Reply::Temp(value.clone()), Reply::Perm(value)] {
            let mut out = Vec::new();
            reply.write_to(&mut out);
            let (mut decoder, mut read) = (ReplyDecoder::with_limit(100), Vec::new());
            for piece in out.chunks(piece) {
                decoder.push(piece);
                read.extend(decoder.next_reply().unwrap());
            }
            prop_assert_eq!(read, [reply]);
        }
    }
}
