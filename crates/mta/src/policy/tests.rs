//! Transcripts of Postfix, laws, and hostile input.

use super::reply::Text;
use super::*;
use proptest::prelude::*;
use smtp::Enhanced;

/// As Postfix 3.10 sends it, addresses and names replaced.
const RCPT: &[u8] = b"request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n\
client_address=192.0.2.7\nclient_name=mx.example.test\nclient_port=40912\nreverse_client_name=mx.example.test\n\
server_address=198.51.100.25\nserver_port=25\nhelo_name=mx.example.test\nsender=a@example.test\n\
recipient=b@elsewhere.example\nrecipient_count=0\nqueue_id=\ninstance=1d7e.691a2b3c.4d5e6.0\nsize=4096\netrn_domain=\n\
stress=\nsasl_method=PLAIN\nsasl_username=alice@example.test\nsasl_sender=alice@example.test\nccert_subject=CN+3Da\n\
ccert_issuer=CN+3Dca\nccert_fingerprint=AA:BB\nccert_pubkey_fingerprint=CC:DD\nencryption_protocol=TLSv1.3\n\
encryption_cipher=TLS_AES_256_GCM_SHA384\nencryption_keysize=256\npolicy_context=submission\n\
compatibility_level=3.6\nmail_version=3.10.2\n\n";

fn decode(decoder: &mut Decoder) -> Result<Vec<Request>, PolicyError> {
    let mut requests = Vec::new();
    while let Some(request) = decoder.next_request()? {
        requests.push(request);
    }
    Ok(requests)
}

fn decode_all(octets: &[u8]) -> Result<Vec<Request>, PolicyError> {
    let mut decoder = Decoder::default();
    decoder.push(octets);
    decode(&mut decoder)
}

fn one(attributes: &[u8]) -> Request {
    let octets = [b"request=smtpd_access_policy\n", attributes, b"\n"].concat();
    decode_all(&octets).unwrap().pop().unwrap()
}

#[test]
fn t50_http_is_no_request() {
    for line in [
        "POST /?a=b HTTP/1.1",
        "GET /?request=smtpd_access_policy",
        "REPORT /?a=b HTTP/1.1\r",
        "INVITE sip:a@b.example;x=1 SIP/2.0",
        "SET a=b",
        "a001 LOGIN a=b",
    ] {
        let octets = [line.as_bytes(), b"\n", RCPT].concat();
        assert_eq!(decode_all(&octets), Err(PolicyError::NotAnAttribute { line: 1 }), "{line}");
    }
    // A TLS hello, which need not have a line end.
    assert_eq!(decode_all(b"\x16\x03\x01\x02"), Err(PolicyError::NotAnAttribute { line: 1 }));
}

#[test]
fn what_postfix_sends() {
    let request = decode_all(RCPT).unwrap().pop().unwrap();
    assert_eq!(request.stage(), Some(Stage::Rcpt));
    assert_eq!(request.protocol_state(), b"RCPT");
    assert_eq!(request.client_address(), Some([192, 0, 2, 7].into()));
    assert_eq!(request.client_name(), b"mx.example.test");
    assert_eq!(request.helo_name(), b"mx.example.test");
    assert_eq!(request.sender(), b"a@example.test");
    assert_eq!(request.recipient(), b"b@elsewhere.example");
    assert_eq!(request.instance(), b"1d7e.691a2b3c.4d5e6.0");
    assert_eq!(request.sasl_method(), b"PLAIN");
    assert_eq!(request.sasl_username(), b"alice@example.test");
}

#[test]
fn stages() {
    let table = [
        ("CONNECT", Some(Stage::Connect)),
        ("HELO", Some(Stage::Helo)),
        ("EHLO", Some(Stage::Ehlo)),
        ("MAIL", Some(Stage::Mail)),
        ("RCPT", Some(Stage::Rcpt)),
        ("DATA", Some(Stage::Data)),
        ("END-OF-MESSAGE", Some(Stage::EndOfMessage)),
        ("VRFY", Some(Stage::Vrfy)),
        ("ETRN", Some(Stage::Etrn)),
        ("rcpt", None),
        ("", None),
    ];
    for (state, stage) in table {
        assert_eq!(one(format!("protocol_state={state}\n").as_bytes()).stage(), stage, "{state}");
    }
}

#[test]
fn missing_empty_and_strange_values() {
    let request = one(b"");
    assert_eq!((request.stage(), request.client_address()), (None, None));
    assert_eq!(request.recipient(), b"");
    let strange = one(b"client_address=unknown\nsender=a=b@\xff\xfe\nhelo_name=\r\n");
    assert_eq!(strange.client_address(), None);
    assert_eq!(strange.sender(), b"a=b@\xff\xfe");
    assert_eq!(strange.helo_name(), b"\r");
    let mapped = one(b"client_address=::ffff:192.0.2.7\n");
    assert_eq!(mapped.client_address(), Some([192, 0, 2, 7].into()));
}

#[test]
fn unknown_attributes_are_passed_over_and_of_two_the_last_counts() {
    let request = one(b"x=1\nsender=first@a.example\ny=\nx=2\nsender=last@a.example\n");
    assert_eq!(request.sender(), b"last@a.example");
}

#[test]
fn what_ends_the_connection() {
    let long = [b"a=".as_slice(), &b"x".repeat(LINE_OCTETS_MAX - 1)].concat();
    let many = b"a=\n".repeat(ATTRIBUTES_MAX + 1);
    let big = [b"a=".as_slice(), &b"x".repeat(LINE_OCTETS_MAX - 2), b"\n"].concat().repeat(17);
    let table: [(&[u8], PolicyError); 11] = [
        (b"no equals sign\n", PolicyError::NotAnAttribute { line: 1 }),
        (b"request=smtpd_access_policy\n=value\n", PolicyError::NotAnAttribute { line: 2 }),
        (b"a=b\nsender=a\0b\n", PolicyError::NotAnAttribute { line: 2 }),
        (b"a=b\r\n\r\n", PolicyError::NotAnAttribute { line: 2 }),
        (b"\n", PolicyError::UnknownRequest),
        (b"request=other\n\n", PolicyError::UnknownRequest),
        (b"request=smtpd_access_policy \n\n", PolicyError::UnknownRequest),
        (b"GET / HTTP/1.1\n", PolicyError::NotAnAttribute { line: 1 }),
        (&long, PolicyError::LineTooLong),
        (&many, PolicyError::TooManyAttributes),
        (&big, PolicyError::RequestTooLong),
    ];
    for (octets, error) in table {
        let mut decoder = Decoder::default();
        decoder.push(octets);
        assert_eq!(decode(&mut decoder), Err(error), "{}", octets[..octets.len().min(40)].escape_ascii());
        decoder.push(RCPT);
        assert_eq!(decode(&mut decoder), Err(error), "an error stays");
    }
}

#[test]
fn the_limits_themselves_are_fit() {
    let line = [b"a=".as_slice(), &b"x".repeat(LINE_OCTETS_MAX - 2), b"\n"].concat();
    assert_eq!(one(&line).sender(), b"");
    assert_eq!(one(&b"a=\n".repeat(ATTRIBUTES_MAX - 1)).sender(), b"");
}

#[test]
fn pipelined_requests_come_in_order_and_an_end_within_one_shows() {
    let mut decoder = Decoder::default();
    assert!(!decoder.is_within_request());
    decoder.push(&[RCPT, b"request=smtpd_access_policy\nsender=2@a.example\n\nrequest=smtpd"].concat());
    let senders: Vec<_> = decode(&mut decoder).unwrap().iter().map(|request| request.sender().to_vec()).collect();
    assert_eq!(senders, [b"a@example.test".to_vec(), b"2@a.example".to_vec()]);
    assert!(decoder.is_within_request());
    decoder.push(b"_access_policy\n");
    assert_eq!(decode(&mut decoder), Ok(vec![]));
    assert!(decoder.is_within_request());
    decoder.push(b"\n");
    assert_eq!(decode(&mut decoder).unwrap().len(), 1);
    assert!(!decoder.is_within_request());
}

#[test]
fn replies() {
    let reject = |code, enhanced, text: &'static str| Reply::Reject { code, enhanced, text: text.into() };
    let table = [
        (Reply::Ok, "OK"),
        (Reply::Dunno, "DUNNO"),
        (reject(550, Enhanced(5, 7, 1), "we do not relay"), "550 5.7.1 we do not relay"),
        (reject(451, Enhanced(4, 3, 0), "later"), "451 4.3.0 later"),
        (reject(250, Enhanced(2, 0, 0), "fine"), "451 4.3.0 fine"),
        (reject(999, Enhanced(5, 0, 0), ""), "451 4.3.0 "),
        (Reply::Defer("4.7.1 try again".into()), "DEFER 4.7.1 try again"),
        (Reply::DeferIfPermit("later".into()), "DEFER_IF_PERMIT later"),
        (Reply::DeferIfReject("".into()), "DEFER_IF_REJECT"),
        (Reply::Prepend("X-Guard: 1".into()), "PREPEND X-Guard: 1"),
        (Reply::Prepend("X-Guard: 1\r\n\r\nbody".into()), "PREPEND X-Guard: 1????body"),
        (Reply::Prepend("no header".into()), "DUNNO"),
        (Reply::Prepend("two words: x".into()), "DUNNO"),
        (Reply::Prepend(": x".into()), "DUNNO"),
        (Reply::Hold("look".into()), "HOLD look"),
        (Reply::Discard("".into()), "DISCARD"),
        (Reply::Warn("a\n\naction=OK\n\n".into()), "WARN a??action=OK??"),
        (reject(550, Enhanced(5, 7, 1), "a\n\naction=OK"), "550 5.7.1 a??action=OK"),
        (Reply::Hold("受信\0".into()), "HOLD ???"),
    ];
    for (reply, action) in table {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("action={action}\n\n"), "{reply:?}");
    }
}

#[test]
fn refusals_of_our_own_server() {
    let lines = smtp::Reply::lines(554, Some(Enhanced(5, 7, 1)), vec!["no".into(), "really".into()]);
    let expected = Reply::Reject { code: 554, enhanced: Enhanced(5, 7, 1), text: "no really".into() };
    assert_eq!(Reply::from(&lines), expected);
    let plain = Reply::Reject { code: 421, enhanced: Enhanced(4, 0, 0), text: "busy".into() };
    assert_eq!(Reply::from(&smtp::Reply::plain(421, "busy")), plain);
}

#[test]
fn nothing_of_the_login_is_printed() {
    let printed = format!("{:?}", decode_all(RCPT).unwrap().pop().unwrap());
    assert!(printed.contains("a@example.test") && !printed.contains("alice"), "{printed}");
}

/// What decoding and answering costs, without any judgement: `cargo test --release -p mta -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "measures time; is not part of the codec")]
fn requests_per_second() {
    const REQUESTS: u32 = 500_000;
    let pieces: Vec<_> = RCPT.repeat(20).chunks(16_384).map(<[u8]>::to_vec).collect();
    let (mut decoder, mut answered, mut out) = (Decoder::default(), 0, Vec::new());
    let begin = std::time::Instant::now();
    while answered < REQUESTS {
        for piece in &pieces {
            decoder.push(piece);
            out.clear();
            while let Some(request) = decoder.next_request().unwrap() {
                assert!(request.client_address().is_some() && request.stage() == Some(Stage::Rcpt));
                Reply::Reject { code: 550, enhanced: Enhanced(5, 7, 1), text: "we do not relay".into() }
                    .write_to(&mut out);
                answered += 1;
            }
        }
    }
    println!("{:.0} policy requests/s", f64::from(answered) / begin.elapsed().as_secs_f64());
}

/// Some lines, fit or not.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => Just(&b"request=smtpd_access_policy\n"[..]),
        4 => Just(&b"\n"[..]),
        2 => Just(&b"sender=a@b.example\n"[..]),
        2 => Just(&b"other=\xff=\n"[..]),
        1 => Just(&b"broken\n"[..]),
    ];
    proptest::collection::vec(line, 0..40).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn split_anywhere(octets in lines(), piece in 1usize..40) {
        let collect = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let (mut decoder, mut requests) = (Decoder::default(), Vec::new());
            for piece in pieces {
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
        let whole = collect(&mut std::iter::once(&octets[..]));
        prop_assert_eq!(whole, collect(&mut octets.chunks(piece)));
    }

    #[test]
    fn a_reply_is_one_line_and_an_empty_one(text in any::<String>(), code: u16, pick in 0..7) {
        let text: Text = text.into();
        let reply = match pick {
            0 => Reply::Reject { code, enhanced: Enhanced(5, 7, 1), text },
            1 => Reply::Defer(text),
            2 => Reply::DeferIfPermit(text),
            3 => Reply::Prepend(text),
            4 => Reply::Hold(text),
            5 => Reply::Discard(text),
            _ => Reply::Warn(text),
        };
        let mut out = Vec::new();
        reply.write_to(&mut out);
        prop_assert!(out.starts_with(b"action=") && out.ends_with(b"\n\n"));
        let line = &out[..out.len() - 2];
        prop_assert!(line.iter().all(|octet| matches!(octet, b' '..=b'~')));
        prop_assert!(!line.starts_with(b"action=OK") && line.len() <= 1024);
    }
}
