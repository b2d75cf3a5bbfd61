//! Transcripts of Postfix and Exim, laws, and hostile input.

use super::*;
use proptest::prelude::*;

const HELLO: &str = "VERSION\t1\t1\nCPID\t77\n";

fn decode(octets: &[u8], piece: usize) -> (Vec<Event>, Option<DovecotAuthError>) {
    let (mut decoder, mut events) = (Decoder::default(), Vec::new());
    for piece in octets.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    (events, None)
}

/// The events after the handshake.
fn requests(lines: &str) -> Vec<Event> {
    let (mut events, error) = decode(format!("{HELLO}{lines}").as_bytes(), usize::MAX);
    assert_eq!(error, None, "{lines:?}");
    assert_eq!(events.remove(0), Event::Hello { minor: 1, pid: 77 });
    events
}

fn auth(line: &str) -> Auth {
    match requests(line).pop() {
        Some(Event::Auth(auth)) => *auth,
        other => panic!("{line:?}: {other:?}"),
    }
}

fn response(octets: &[u8]) -> Secret {
    Secret::new(octets.to_vec())
}

#[test]
fn t50_http_is_no_handshake() {
    let octets = format!("POST / HTTP/1.1\r\nHost: a\r\n\r\n{HELLO}AUTH\t1\tPLAIN\tservice=smtp\tresp=AGEAYg==\n");
    assert_eq!(decode(octets.as_bytes(), usize::MAX), (Vec::new(), Some(DovecotAuthError::Version)));
    assert_eq!(decode(b"\x16\x03\x01\x02", 1), (Vec::new(), Some(DovecotAuthError::Version)));
}

#[test]
fn postfix() {
    let auth =
        auth("AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=198.51.100.25\trip=192.0.2.7\tsecured\tresp=AGEAYg==\n");
    assert_eq!((auth.id, auth.mechanism.as_str(), auth.service.as_str()), (1, "PLAIN", "smtp"));
    assert_eq!(auth.local_ip, Some([198, 51, 100, 25].into()));
    assert_eq!(auth.remote_ip, Some([192, 0, 2, 7].into()));
    assert_eq!((auth.local_port, auth.remote_port), (None, None));
    assert_eq!(auth.secured, Secured::Yes);
    assert!(auth.no_login);
    assert_eq!(auth.initial_response, Some(response(b"\0a\0b")));
}

#[test]
fn exim_without_and_with_an_initial_response() {
    let lines = "AUTH\t1\tPLAIN\tservice=smtp\tsecured\tvalid-client-cert\trip=2001:db8::7\tlip=::1\tnologin\tresp=\n";
    let bare = auth(lines);
    assert_eq!(bare.initial_response, None, "Exim writes resp= where its client sent nothing");
    assert!(bare.no_login);
    assert_eq!(bare.remote_ip, Some("2001:db8::7".parse().unwrap()));
    let empty = auth("AUTH\t1\tEXTERNAL\tservice=smtp\tnologin\tresp==\n");
    assert_eq!(empty.initial_response, Some(response(b"")), "the client sent =");
}

#[test]
fn every_parameter() {
    let auth = auth(
        "AUTH\t4294967295\tscram-sha-256\tservice=POP3\tlport=110\trport=4711\tsecured=tls\tno-penalty\t\
        cert_username=a\x01tb\tsession=x\x011y\tlocal_name=mx.example.test\tfinal-resp-ok\tfuture=1\tflag\n",
    );
    assert_eq!((auth.id, auth.mechanism.as_str(), auth.service.as_str()), (u32::MAX, "SCRAM-SHA-256", "pop3"));
    assert_eq!((auth.local_port, auth.remote_port), (Some(110), Some(4711)));
    assert_eq!((auth.local_ip, auth.remote_ip, auth.secured), (None, None, Secured::Tls));
    assert!(!auth.no_login);
    assert_eq!(auth.cert_username.as_deref(), Some("a\tb"));
    assert_eq!(auth.session.as_deref(), Some("x\x01y"));
    assert_eq!(auth.local_name.as_deref(), Some("mx.example.test"));
    assert_eq!(auth.initial_response, None);
}

#[test]
fn exchanges_beside_each_other() {
    let events = requests("CONT\t7\tYQ==\nCONT\t8\t\nCONT\t8\nCONT\t8\t=\nCANCEL\t7\nFUTURE\t1\nCANCEL\t9\tx\n");
    let cont = |id, octets| Event::Cont { id, response: response(octets) };
    let cancel = |id| Event::Cancel { id };
    assert_eq!(events, [cont(7, b"a"), cont(8, b""), cont(8, b""), cont(8, b""), cancel(7), cancel(9)]);
}

#[test]
fn t44_what_hurts_only_its_request() {
    let table = [
        ("AUTH\t3\tPLAIN\tservice=smtp\tresp=!!", "Invalid base64 data in initial response"),
        ("AUTH\t3\tPLAIN\tservice=smtp\tresp=AGEAYg", "Invalid base64 data in initial response"),
        ("AUTH\t3\tPLAIN\tservice=smtp\tresp=AA==\trip=192.0.2.7", "Parameters after initial response"),
        ("AUTH\t3\tPLAIN\tservice=smtp\tresp=\t", "Parameters after initial response"),
        ("AUTH\t3\tPLAIN", "Service missing"),
        ("AUTH\t3\tPLAIN\tservice=", "Service missing"),
        ("AUTH\t3", "Invalid mechanism"),
        ("AUTH\t3\t\tservice=smtp", "Invalid mechanism"),
        ("AUTH\t3\tPLA IN\tservice=smtp", "Invalid mechanism"),
        ("AUTH\t3\tABCDEFGHIJKLMNOPQRSTU\tservice=smtp", "Invalid mechanism"),
        ("CONT\t3\t*", "Invalid base64 data in continued response"),
        ("CONT\t3\tYQ==\tYQ==", "Invalid base64 data in continued response"),
    ];
    for (line, reason) in table {
        let events = requests(&format!("{line}\nCANCEL\t4\n"));
        assert_eq!(events, [Event::Malformed { id: 3, reason }, Event::Cancel { id: 4 }], "{line:?}");
    }
    let (events, error) = decode(&[HELLO.as_bytes(), b"AUTH\t3\tPLAIN\tservice=\xff\n"].concat(), usize::MAX);
    assert_eq!((events.len(), error), (2, None));
    assert_eq!(events[1], Event::Malformed { id: 3, reason: "Parameter is not UTF-8" });
    let long = format!("AUTH\t3\tPLAIN\tservice=smtp\tsession={}\n", "x".repeat(1025));
    assert_eq!(requests(&long), [Event::Malformed { id: 3, reason: "Parameter too long" }]);
}

#[test]
fn what_ends_the_connection() {
    let long = format!("{HELLO}AUTH\t1\tPLAIN\tservice=smtp\tresp={}", "A".repeat(LINE_OCTETS_MAX));
    let table = [
        ("AUTH\t1\tPLAIN\tservice=smtp\n", DovecotAuthError::Version),
        ("VERSION\t2\t0\n", DovecotAuthError::Version),
        ("VERSION\t1\n", DovecotAuthError::Version),
        ("VERSION\t1\t1\r\n", DovecotAuthError::Version),
        ("VERSION\t+1\t1\n", DovecotAuthError::Version),
        ("\n", DovecotAuthError::Version),
        ("GET / HTTP/1.1\r\n", DovecotAuthError::Version),
        ("VERSION\t1\t1\nCPID\tx\n", DovecotAuthError::Cpid),
        ("VERSION\t1\t1\nCPID\n", DovecotAuthError::Cpid),
        ("VERSION\t1\t1\nAUTH\t1\tPLAIN\tservice=smtp\n", DovecotAuthError::Cpid),
        ("VERSION\t1\t1\nCPID\t1\nCPID\t1\n", DovecotAuthError::Cpid),
        ("VERSION\t1\t1\nCPID\t1\nAUTH\n", DovecotAuthError::Id),
        ("VERSION\t1\t1\nCPID\t1\nAUTH\t4294967296\tPLAIN\n", DovecotAuthError::Id),
        ("VERSION\t1\t1\nCPID\t1\nCONT\t-1\tYQ==\n", DovecotAuthError::Id),
        ("VERSION\t1\t1\nCPID\t1\nCANCEL\t\n", DovecotAuthError::Id),
        (&long, DovecotAuthError::LineTooLong),
    ];
    for (lines, error) in table {
        let mut decoder = Decoder::default();
        decoder.push(lines.as_bytes());
        let found = loop {
            match decoder.next_event() {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert_eq!(found, Err(error), "{lines:?}");
        decoder.push(HELLO.as_bytes());
        assert_eq!(decoder.next_event(), Err(error), "an error stays");
    }
}

#[test]
fn a_handshake_may_say_more_than_we_know() {
    let (events, error) = decode(b"VERSION\t1\t9\textra\nFUTURE\tx\nCPID\t5\textra\n", 3);
    assert_eq!((events, error), (vec![Event::Hello { minor: 9, pid: 5 }], None));
}

#[test]
fn our_handshake() {
    let mechanisms = [Mechanism::PLAIN, Mechanism::LOGIN, Mechanism::CRAM_MD5, Mechanism::SCRAM_SHA_256];
    let mut out = Vec::new();
    let mut cookie = [0; 16];
    cookie[0] = 0x0f;
    cookie[15] = 0xab;
    Handshake { mechanisms: &mechanisms, pid: 9036, connection: 1, cookie }.write_to(&mut out);
    let expected = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nMECH\tCRAM-MD5\tdictionary\tactive\n\
        MECH\tSCRAM-SHA-256\tmutual-auth\nSPID\t9036\nCUID\t1\nCOOKIE\t0f0000000000000000000000000000ab\nDONE\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn every_property_in_postfixs_words() {
    use Property::{Active, Anonymous, Dictionary, ForwardSecrecy, MutualAuth, PlainText, Private};
    let properties = &[Anonymous, PlainText, Dictionary, Active, ForwardSecrecy, MutualAuth, Private];
    let mechanisms = [Mechanism { name: "X", properties }];
    let mut out = Vec::new();
    Handshake { mechanisms: &mechanisms, pid: 1, connection: 1, cookie: [0; 16] }.write_to(&mut out);
    let expected = "MECH\tX\tanonymous\tplaintext\tdictionary\tactive\tforward-secrecy\tmutual-auth\tprivate\n";
    assert!(String::from_utf8(out).unwrap().contains(expected));
}

#[test]
fn replies() {
    let fail = |failure, user, reason| Reply::Fail { id: 2, user, failure, reason };
    let huge = "x".repeat(REPLY_OCTETS_MAX);
    let table = [
        (Reply::Ok { id: 1, user: "alice@example.test", fields: &[] }, "OK\t1\tuser=alice@example.test"),
        (Reply::Ok { id: 1, user: "a\tuser=b\n", fields: &[("k", "v\0")] }, "OK\t1\tuser=a\x01tuser=b\x01n\tk=v\x010"),
        (Reply::Ok { id: 1, user: &huge, fields: &[] }, "FAIL\t1\ttemp\tcode=temp_fail"),
        (fail(Failure::Credentials, None, None), "FAIL\t2"),
        (fail(Failure::Credentials, Some("a"), Some("try\n\tlater")), "FAIL\t2\tuser=a\treason=try??later"),
        (fail(Failure::Temporary, Some("a"), None), "FAIL\t2\ttemp\tcode=temp_fail\tuser=a"),
        (fail(Failure::Authorization, None, None), "FAIL\t2\tauthz\tcode=authz_fail"),
        (fail(Failure::UserDisabled, None, None), "FAIL\t2\tuser_disabled\tcode=user_disabled"),
        (fail(Failure::PasswordExpired, None, None), "FAIL\t2\tpass_expired\tcode=pass_expired"),
        (Reply::Cont { id: 3, challenge: b"Username:" }, "CONT\t3\tVXNlcm5hbWU6"),
        (Reply::Cont { id: 3, challenge: b"" }, "CONT\t3\t"),
        (Reply::Cont { id: 3, challenge: huge.as_bytes() }, "FAIL\t3\ttemp\tcode=temp_fail"),
    ];
    for (reply, expected) in table {
        let mut out = b"before".to_vec();
        reply.write_to(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("before{expected}\n"));
    }
}

#[test]
fn passwords_are_not_printed() {
    let line = "AUTH\t1\tPLAIN\tservice=smtp\tresp=AGFsaWNlAGh1bnRlcjI=\nCONT\t1\taHVudGVyMg==\n";
    let printed = format!("{:?}", requests(line));
    assert!(printed.contains("Secret(…)") && !printed.contains("104") && !printed.contains("hunter"), "{printed}");
}

/// Lines of a client, fit or not.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(&b"AUTH\t1\tPLAIN\tservice=smtp\tresp=AGEAYg==\n"[..]),
        Just(&b"AUTH\t1\tLOGIN\tservice=smtp\trip=192.0.2.7\n"[..]),
        Just(&b"AUTH\t1\tLOGIN\tresp=\n"[..]),
        Just(&b"CONT\t1\tYQ==\n"[..]),
        Just(&b"CONT\t1\t*\n"[..]),
        Just(&b"CANCEL\t1\n"[..]),
        Just(&b"\n"[..]),
        Just(&b"CONT\tx\n"[..]),
    ];
    proptest::collection::vec(line, 0..20).prop_map(|lines| [HELLO.as_bytes(), &lines.concat()].concat())
}

proptest! {
    #[test]
    fn split_anywhere(octets in lines(), piece in 1usize..40) {
        prop_assert_eq!(decode(&octets, usize::MAX), decode(&octets, piece));
    }

    #[test]
    fn any_octets_after_the_handshake(octets: Vec<u8>, piece in 1usize..40) {
        let octets = [HELLO.as_bytes(), b"AUTH\t1\tPLAIN\tservice=", &octets, b"\n"].concat();
        prop_assert_eq!(decode(&octets, usize::MAX), decode(&octets, piece));
    }

    #[test]
    fn a_reply_is_one_line_and_only_ok_says_ok(user: String, value: String, reason: String) {
        let ok = Reply::Ok { id: 1, user: &user, fields: &[("f", &value)] };
        let fail = Reply::Fail { id: 1, user: Some(&user), failure: Failure::Credentials, reason: Some(&reason) };
        for (reply, word) in [(ok, &b"OK\t1\tuser="[..]), (fail, b"FAIL\t1\tuser=")] {
            let mut out = Vec::new();
            reply.write_to(&mut out);
            prop_assert!(out.starts_with(word));
            prop_assert_eq!(out.iter().position(|&octet| octet == b'\n'), Some(out.len() - 1));
            prop_assert_eq!(out.split(|&octet| octet == b'\t').count(), 4);
        }
    }
}
