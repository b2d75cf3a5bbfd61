//! The client against servers that answer, lie, lose datagrams or say nothing.

#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use drac::AddResult;
use drac::call::CallError;
use drac::client::{self, ClientError, Connection, NoHandle, Target};
use drac::rpc::{Failure, Program, Reply};
use drac::server::{Decoded, decode};

/// Long enough for a machine that has much else to do.
const LONG: Duration = Duration::from_secs(20);

/// Sends, for each datagram of a client, what `answers` makes of it, as often as there are answers.
fn serve<A>(answers: Vec<A>) -> (Target, JoinHandle<Vec<Vec<u8>>>)
where
    A: FnOnce(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
{
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target = at(socket.local_addr().unwrap());
    let served = thread::spawn(move || {
        let mut seen = Vec::new();
        for answer in answers {
            let mut buffer = [0; 512];
            let (octets, peer) = socket.recv_from(&mut buffer).unwrap();
            for datagram in answer(&buffer[..octets]) {
                socket.send_to(&datagram, peer).unwrap();
            }
            seen.push(buffer[..octets].to_vec());
        }
        seen
    });
    (target, served)
}

/// What a server sends for one datagram.
type Scripted = Box<dyn FnOnce(&[u8]) -> Vec<Vec<u8>> + Send>;

fn at(address: SocketAddr) -> Target {
    Target::new(address.ip().to_string()).at_port(address.port())
}

fn xid(request: &[u8]) -> u32 {
    u32::from_be_bytes(request[..4].try_into().unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn added(request: &[u8]) -> IpAddr {
    let Decoded::Add(add) = decode(request) else { panic!("an add") };
    add.address()
}

#[test]
fn the_servers_word_is_the_result() {
    for result in [AddResult::Succeeded, AddResult::PermissionDenied, AddResult::SystemError] {
        for (user, octets) in [("192.0.2.1", 44), ("2001:db8::b8", 104), ("::ffff:192.0.2.1", 44)] {
            let (target, served) =
                serve(vec![move |request: &[u8]| vec![Reply::word(xid(request), result.number()).octets().to_vec()]]);
            assert_eq!(client::add(&target, ip(user), LONG).unwrap(), result);
            let seen = served.join().unwrap();
            assert_eq!(added(&seen[0]), ip(user).to_canonical());
            assert_eq!(seen[0].len(), octets);
        }
    }
}

#[test]
fn numbers_without_meaning_are_unknown() {
    for number in [3, 4, u32::MAX] {
        let (target, served) =
            serve(vec![move |request: &[u8]| vec![Reply::word(xid(request), number).octets().to_vec()]]);
        let error = client::add(&target, ip("192.0.2.1"), LONG).unwrap_err();
        assert!(matches!(error, ClientError::UnknownResult(told) if told == number));
        assert_eq!(error.to_string(), "Server reports unknown error");
        served.join().unwrap();
    }
}

/// A lost datagram is sent again, the same one; answers to other calls, and noise, are passed over.
#[test]
fn a_lost_call_is_sent_again() {
    let lost = |_: &[u8]| Vec::new();
    let strange = |request: &[u8]| {
        let other = xid(request).wrapping_add(1);
        vec![Vec::new(), b"noise".to_vec(), request.to_vec(), Reply::word(other, 1).octets().to_vec()]
    };
    let answered = |request: &[u8]| vec![Reply::word(xid(request), 0).octets().to_vec()];
    let answers: Vec<Scripted> = vec![Box::new(lost), Box::new(strange), Box::new(answered)];
    let (target, served) = serve(answers);
    assert_eq!(client::add(&target, ip("192.0.2.1"), LONG).unwrap(), AddResult::Succeeded);
    let seen = served.join().unwrap();
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
}

#[test]
fn a_mute_server_costs_the_time_given_and_no_more() {
    let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
    let started = Instant::now();
    let error = client::add(&at(mute.local_addr().unwrap()), ip("192.0.2.1"), Duration::from_millis(700)).unwrap_err();
    let took = started.elapsed();
    assert!(matches!(error, ClientError::CallFailed(CallError::TimedOut)));
    assert_eq!(error.to_string(), "call failed: RPC: Timed out");
    assert!(took >= Duration::from_millis(650), "{took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    // At 0, 200 and 600 ms.
    mute.set_nonblocking(true).unwrap();
    let datagrams = std::iter::repeat_with(|| mute.recv(&mut [0; 512])).take_while(Result::is_ok).count();
    assert_eq!(datagrams, 3);
}

#[test]
fn failures_are_told_with_their_reason() {
    const OTHER: Program = Program { number: 900_101, low: 1, high: 1 };
    type Answer = fn(u32) -> Reply;
    let cases: [(Answer, &str); 4] = [
        (Reply::program_unavailable, "call failed: RPC: Program unavailable"),
        (
            |xid| Reply::program_mismatch(xid, OTHER),
            "call failed: RPC: Program/version mismatch; low version = 1, high version = 1",
        ),
        (Reply::garbage_arguments, "call failed: RPC: Server can't decode arguments"),
        (Reply::done, "call failed: RPC: Can't decode result"),
    ];
    for (answer, text) in cases {
        let (target, served) = serve(vec![move |request: &[u8]| vec![answer(xid(request)).octets().to_vec()]]);
        let error = client::add(&target, ip("192.0.2.1"), LONG).unwrap_err();
        assert!(matches!(error, ClientError::CallFailed(CallError::Failed(_))));
        assert_eq!(error.to_string(), text);
        served.join().unwrap();
    }
    assert_eq!(Failure::ProcedureUnavailable.to_string(), "Procedure unavailable");
}

#[test]
fn a_port_without_a_listener_is_known_at_once() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let started = Instant::now();
    let error = client::add(&at(free), ip("192.0.2.1"), LONG).unwrap_err();
    assert!(matches!(error, ClientError::CallFailed(CallError::Io(_))), "{error}");
    assert!(started.elapsed() < LONG);
}

/// A name without an address; `.invalid` has none by RFC 6761 §6.4.
#[test]
fn an_unknown_name_is_no_handle() {
    for host in ["", "no-such-host.invalid"] {
        let started = Instant::now();
        let error = client::add(&Target::new(host).at_port(1), ip("192.0.2.1"), Duration::from_secs(2)).unwrap_err();
        let ClientError::NoHandle { server, why: NoHandle::UnknownHost | NoHandle::NameTimedOut } = &error else {
            panic!("{error}")
        };
        assert_eq!(server, host);
        assert!(error.to_string().starts_with(&format!("{host}: RPC: Unknown host")), "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

/// One socket serves for several calls, and a call that failed does not spoil the next.
#[test]
fn a_connection_is_kept() {
    let answered = |request: &[u8]| vec![Reply::word(xid(request), 0).octets().to_vec()];
    let (target, served) = serve(vec![answered; 3]);
    let connection = Connection::open(&target, drac::Version::V2, LONG).unwrap();
    for user in ["2001:db8::1", "::ffff:192.0.2.1", "192.0.2.2"] {
        assert_eq!(connection.add(ip(user), LONG).unwrap(), AddResult::Succeeded);
    }
    let seen = served.join().unwrap();
    let xids: std::collections::BTreeSet<u32> = seen.iter().map(|request| xid(request)).collect();
    assert_eq!(xids.len(), 3, "each call has an id of its own");
    // The server is gone now.
    assert!(connection.add(ip("192.0.2.3"), Duration::from_secs(2)).is_err());
}

#[test]
fn targets_are_read() {
    let cases = [
        ("localhost", Target::new("localhost")),
        ("pop.example.test:2900", Target::new("pop.example.test").at_port(2900)),
        ("192.0.2.1:2900", Target::new("192.0.2.1").at_port(2900)),
        ("192.0.2.1", Target::new("192.0.2.1")),
        ("::1", Target::new("::1")),
        ("2001:db8::1:2900", Target::new("2001:db8::1:2900")),
        ("[::1]:2900", Target::new("::1").at_port(2900)),
        ("[::1]", Target::new("::1")),
    ];
    for (text, target) in cases {
        assert_eq!(Target::parse(text), target, "{text}");
    }
}
