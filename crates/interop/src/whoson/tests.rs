//! Tables, laws, and hostile input.

use super::*;
use proptest::prelude::*;

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn login(user: &str) -> Request {
    Request::Login { address: CLIENT, user: user.into() }
}

fn table() -> Vec<(&'static [u8], Result<Request, BadRequest>)> {
    vec![
        (b"LOGIN 192.0.2.7 alice@example.test", Ok(login("alice@example.test"))),
        (b"login   192.0.2.7  alice  smith \t", Ok(login("alice  smith"))),
        (b"Login ::ffff:192.0.2.7 alice", Ok(login("alice"))),
        (b" LOGIN 192.0.2.7 alice", Ok(login("alice"))),
        (b"LOGOUT 192.0.2.7", Ok(Request::Logout { address: CLIENT })),
        (b"QUERY 192.0.2.7 ", Ok(Request::Query { address: CLIENT })),
        (b"QUERY 2001:db8::1", Ok(Request::Query { address: "2001:db8::1".parse().unwrap() })),
        (b"QUIT", Ok(Request::Quit)),
        (b"quit", Ok(Request::Quit)),
        (b"QUERY", Err(BadRequest::Address)),
        (b"QUERY alice", Err(BadRequest::Address)),
        (b"LOGIN 192.0.2 alice", Err(BadRequest::Address)),
        (b"LOGIN 192.0.2.7", Err(BadRequest::User)),
        (b"LOGIN 192.0.2.7 a\0b", Err(BadRequest::User)),
        (b"LOGIN 192.0.2.7 a\rb", Err(BadRequest::User)),
        (b"LOGIN 192.0.2.7 \xff", Err(BadRequest::User)),
        (b"LOGOUT 192.0.2.7 alice", Err(BadRequest::Arguments)),
        (b"QUERY 192.0.2.7 192.0.2.8", Err(BadRequest::Arguments)),
        (b"QUIT now", Err(BadRequest::Arguments)),
        (b"LIST", Err(BadRequest::Verb)),
        (b"GET / HTTP/1.1", Err(BadRequest::Verb)),
    ]
}

#[test]
fn datagrams() {
    for (line, expected) in table() {
        for end in [&b""[..], b"\n", b"\r\n", b"\r\n\r\n", b"\r\nLOGIN 192.0.2.8 mallory\r\n"] {
            let datagram = [line, end].concat();
            assert_eq!(Request::from_datagram(&datagram), Ok(expected.clone()), "{}", datagram.escape_ascii());
        }
    }
    assert_eq!(Request::from_datagram(b""), Ok(Err(BadRequest::Verb)));
    assert_eq!(Request::from_datagram(&b"\n".repeat(REQUEST_OCTETS_MAX + 1)), Err(RequestTooLong));
}

fn talk(octets: &[u8], piece: usize) -> (Vec<Result<Request, BadRequest>>, Result<(), RequestTooLong>) {
    let (mut decoder, mut got) = (Decoder::default(), Vec::new());
    for piece in octets.chunks(piece) {
        decoder.push(piece);
        loop {
            match decoder.next_request() {
                Ok(Some(request)) => got.push(request),
                Ok(None) => break,
                Err(error) => return (got, Err(error)),
            }
        }
    }
    (got, Ok(()))
}

#[test]
fn streams_with_and_without_the_empty_line() {
    let (mut octets, mut expected) = (Vec::new(), Vec::new());
    for (line, request) in table() {
        for end in [&b"\r\n\r\n"[..], b"\r\n", b"\n", b"\n\n"] {
            octets.extend_from_slice(line);
            octets.extend_from_slice(end);
            expected.push(request.clone());
        }
    }
    for piece in [1, 2, 7, octets.len()] {
        assert_eq!(talk(&octets, piece), (expected.clone(), Ok(())));
    }
}

#[test]
fn limits() {
    let user = "x".repeat(USER_OCTETS_MAX);
    assert_eq!(Request::from_datagram(format!("LOGIN 192.0.2.7 {user}").as_bytes()), Ok(Ok(login(&user))));
    let longer = format!("LOGIN 192.0.2.7 {user}x");
    assert_eq!(Request::from_datagram(longer.as_bytes()), Ok(Err(BadRequest::User)));
    let mut decoder = Decoder::default();
    decoder.push(&[b'x'; REQUEST_OCTETS_MAX + 1]);
    assert_eq!(decoder.next_request(), Err(RequestTooLong));
    decoder.push(b"\nQUIT\n");
    assert_eq!(decoder.next_request(), Err(RequestTooLong), "an error stays");
}

#[test]
fn replies() {
    let table = [
        (Reply::Yes("alice".into()), "+alice\r\n\r\n"),
        (Reply::No("not logged in".into()), "-not logged in\r\n\r\n"),
        (Reply::from(BadRequest::Verb), "*command not found\r\n\r\n"),
        (Reply::Yes("a\r\n\r\n-b".into()), "+a????-b\r\n\r\n"),
        (Reply::Yes(String::new()), "+\r\n\r\n"),
    ];
    for (reply, expected) in table {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

proptest! {
    #[test]
    fn split_anywhere(octets: Vec<u8>, piece in 1usize..20) {
        prop_assert_eq!(talk(&octets, octets.len().max(1)), talk(&octets, piece));
    }

    #[test]
    fn any_login_is_read_as_it_was_written(address: IpAddr, user in "[!-~]([ -~]{0,30}[!-~])?") {
        let line = format!("LOGIN {address} {user}\r\n\r\n");
        let expected = Request::Login { address: address.to_canonical(), user };
        prop_assert_eq!(Request::from_datagram(line.as_bytes()), Ok(Ok(expected)));
    }
}
