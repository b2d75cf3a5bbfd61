//! DRAC: a POP server tells of a login, and its user may relay for a while.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Demo, Dialogue, PATIENCE};

const OUTSIDE: &str = "friend@outside.example";
const HOSTED: &str = "alice@example.test";
const FOREIGN: &str = "somebody@elsewhere.example";
/// So the demo's only address stands for many clients.
const BY_PROXY: &str = "listener.smtp.proxy_from=[\"127.0.0.1\"]";

/// Adds at the demo's dracd.
fn add(demo: &Demo, address: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    command.args(["drac", "add", &format!("127.0.0.1:{}", demo.port("dracd")), address]).output().unwrap()
}

fn added(demo: &Demo, address: &str) {
    let output = add(demo, address);
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

/// A client of this address, by a proxy.
fn client(demo: &Demo, address: &str) -> Dialogue {
    let mut smtp = demo.dial("smtp");
    smtp.send(format!("PROXY TCP4 {address} 192.0.2.1 40000 25\r\n"));
    smtp.greeted()
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../../drac/tests/data/drac-vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().iter().filter(|vector| vector["port"] == "dracd").cloned().collect()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap_or_default();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// The vectors' peers: the one on the list, and one that is not.
fn peer(vector: &Value) -> SocketAddr {
    (Ipv4Addr::new(127, 0, 0, if vector["peer"] == "trusted" { 1 } else { 2 }), 0).into()
}

fn over_udp(server: SocketAddr, vector: &Value) -> Vec<u8> {
    let socket = UdpSocket::bind(peer(vector)).unwrap();
    socket.connect(server).unwrap();
    socket.send(&hex(&vector["request"])).unwrap();
    // A call behind it, whose reply shows that there was none to the first.
    let null: Vec<u8> = [77u32, 0, 2, 900_101, 1, 0, 0, 0, 0, 0].iter().flat_map(|word| word.to_be_bytes()).collect();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reply = [0; 9_000];
    if vector["reply"].is_null() {
        socket.send(&null).unwrap();
    }
    let octets = socket.recv(&mut reply).unwrap();
    if reply[..4] == 77u32.to_be_bytes() { Vec::new() } else { reply[..octets].to_vec() }
}

fn over_tcp(server: SocketAddr, vector: &Value) -> Vec<u8> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&peer(vector).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in hex(&vector["request"]).chunks(if vector["name"] == "tcp_slow" { 3 } else { usize::MAX }) {
        stream.write_all(piece).unwrap();
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut reply = Vec::new();
    // The server that closes on what it has not read resets the connection.
    let _ = stream.read_to_end(&mut reply);
    reply
}

/// What the original server stored, and what it answered. It took addresses of 0.0.0.0/8, which are nobody's: those are refused here.
fn recorded(vector: &Value) -> Recorded {
    let mut reply = if vector["reply"] == "EOF" { Vec::new() } else { hex(&vector["reply"]) };
    let keys = vector["stored_key"].as_str().into_iter().flat_map(|keys| keys.split(" and "));
    let keys: Vec<IpAddr> = keys.map(|key| key.parse::<IpAddr>().unwrap().to_canonical()).collect();
    let nobodys = |key: &IpAddr| matches!(key, IpAddr::V4(v4) if v4.octets()[0] == 0);
    if let Some(result) = reply.last_mut().filter(|_| keys.iter().any(nobodys)) {
        *result = u8::try_from(::drac::AddResult::SystemError.number()).unwrap();
    }
    Recorded { reply, stored: keys.into_iter().filter(|key| !nobodys(key)).collect() }
}

struct Recorded {
    reply: Vec<u8>,
    stored: Vec<IpAddr>,
}

/// Every exchange that was recorded with the original server, with this one.
#[test]
fn dracd_answers_on_the_wire_as_recorded() {
    let demo = Demo::start_with(&["relay.drac.loopback=false"]);
    let server: SocketAddr = ([127, 0, 0, 1], demo.port("dracd")).into();
    let mut expected = Vec::new();
    for vector in vectors() {
        let reply = if vector["transport"] == "udp" { over_udp(server, &vector) } else { over_tcp(server, &vector) };
        let recorded = recorded(&vector);
        assert_eq!(reply, recorded.reply, "{}", vector["name"]);
        expected.extend(recorded.stored.iter().map(ToString::to_string));
    }
    let grants: Vec<Value> = serde_json::from_str(&demo.ruled(&["grant", "list", "--json"])).unwrap();
    let mut stored: Vec<String> = grants.iter().map(|grant| grant["address"].as_str().unwrap().to_owned()).collect();
    stored.sort();
    expected.sort();
    expected.dedup();
    assert_eq!(stored, expected, "what was added, and nothing else");
    assert!(grants.iter().all(|grant| grant["source"] == "drac" && grant["server"] == "127.0.0.1"), "{grants:?}");
}

/// It is not known whose login it was, so only the senders of the house may use it.
#[test]
fn an_add_lets_the_address_relay_for_senders_of_the_house() {
    let demo = Demo::start();
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(HOSTED, OUTSIDE).starts_with("550 5.7.1"));
    added(&demo, "127.0.0.1");
    demo.logged(&["pop_grant", "client=127.0.0.1", "told_by=drac"]);
    assert!(smtp.mail(HOSTED, OUTSIDE, "Subject: by drac\r\n\r\nx\r\n").starts_with("250"));
    demo.until("the mail", || demo.outside().iter().any(|mail| mail.contains("Subject: by drac")).then_some(()));
    let foreign = smtp.rcpt(FOREIGN, OUTSIDE);
    assert!(foreign.starts_with("550"), "{foreign}");
    let null = smtp.rcpt("", OUTSIDE);
    assert!(null.starts_with("550"), "{null}");
    demo.ruled(&["grant", "revoke", "--address", "127.0.0.1"]);
    let revoked = smtp.rcpt(HOSTED, OUTSIDE);
    assert!(revoked.starts_with("550 5.7.1"), "{revoked}");
}

#[test]
fn the_senders_may_be_listed_or_any() {
    let demo = Demo::start_with(&["relay.drac.senders=\"any\""]);
    added(&demo, "127.0.0.1");
    assert!(demo.dial("smtp").greeted().rcpt(FOREIGN, OUTSIDE).starts_with("250"));
    let demo = Demo::start_with(&["relay.drac.senders=[\"@elsewhere.example\"]"]);
    added(&demo, "127.0.0.1");
    let mut smtp = demo.dial("smtp").greeted();
    assert!(smtp.rcpt(FOREIGN, OUTSIDE).starts_with("250"));
    assert!(smtp.rcpt(HOSTED, OUTSIDE).starts_with("550"));
}

/// T18: who is not on the list adds nothing, and a list that lets everybody in is none.
#[test]
fn t18_the_allow_list_rules() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("dracd.allow");
    std::fs::write(&list, "# nobody of this machine\n255.255.255.255 192.0.2.5\n").unwrap();
    let demo = Demo::start_with(&[&format!("relay.drac.allow={}", list.display())]);
    let refused = add(&demo, "192.0.2.10");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert_eq!(String::from_utf8_lossy(&refused.stderr), "sekisho: Server reports permission denied\n");
    demo.logged(&["drac_refused", "server=127.0.0.1", "client=192.0.2.10"]);
    // It is read again by a reload: one that is wrong changes nothing.
    std::fs::write(&list, "0.0.0.0 0.0.0.0\n").unwrap();
    let wrong = demo.sekisho(&["reload"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("dracd.allow:1"), "{wrong:?}");
    assert_eq!(add(&demo, "192.0.2.10").status.code(), Some(1));
    std::fs::write(&list, "255.255.255.255 127.0.0.1\n").unwrap();
    demo.ruled(&["reload"]);
    added(&demo, "192.0.2.10");
}

/// T19: addresses that are nobody's, and what a client sends that could not read its own.
#[test]
fn t19_nobodys_addresses_are_never_granted() {
    let demo = Demo::start_with(&["relay.drac.loopback=false", "relay.drac.never=[\"192.0.2.99\"]"]);
    for address in ["255.255.255.255", "0.0.0.0", "224.0.0.1", "::", "ff02::1", "127.0.0.1", "::1", "192.0.2.99"] {
        let refused = add(&demo, address);
        assert_eq!(refused.status.code(), Some(1), "{address}: {refused:?}");
        assert_eq!(String::from_utf8_lossy(&refused.stderr), "sekisho: Server reports system error\n");
    }
    assert_eq!(demo.ruled(&["grant", "list", "--json"]).trim(), "[]");
}

#[test]
fn too_many_adds_and_none_wanted_are_refused() {
    let demo = Demo::start_with(&["relay.drac.adds_per_second=1"]);
    let results: Vec<_> = (0..20).map(|_| add(&demo, "192.0.2.10").status.code()).collect();
    assert!(results.contains(&Some(0)) && results.contains(&Some(1)), "{results:?}");
    demo.logged(&["drac_refused", "too many adds a second"]);
    let demo = Demo::start_with(&["relay.pop.enabled=false"]);
    let refused = add(&demo, "192.0.2.10");
    assert_eq!(String::from_utf8_lossy(&refused.stderr), "sekisho: Server reports permission denied\n");
}

#[test]
fn nobody_there_is_told_from_a_refusal() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    let output = command.args(["drac", "add", &free.to_string(), "192.0.2.10"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("sekisho: call failed: RPC: "), "{output:?}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho"));
    let output = command.args(["drac", "add", "127.0.0.1", "300.0.0.1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// The probe `drac-one-address`: only the address that was added, and only while that lasts.
#[test]
fn drac_one_address() {
    let demo = Demo::start_with(&[BY_PROXY, "relay.pop.minutes=1"]);
    let rcpt = |address: &str, from: &str| client(&demo, address).rcpt(from, "relaytest@target.example");
    assert!(rcpt("192.0.2.10", HOSTED).starts_with("550 5.7.1"));
    added(&demo, "192.0.2.10");
    let since = std::time::Instant::now();
    assert!(rcpt("192.0.2.10", HOSTED).starts_with("250"));
    assert!(rcpt("192.0.2.10", "spamtest@target.example").starts_with("550"));
    assert!(rcpt("192.0.2.11", HOSTED).starts_with("550 5.7.1"));
    // Asked of the list, since each mail would count against the address's quota. The patience of a test is a minute, too.
    std::thread::sleep(Duration::from_secs(58).saturating_sub(since.elapsed()));
    assert!(rcpt("192.0.2.10", HOSTED).starts_with("250"), "it is its right for a minute");
    demo.until("its end", || (demo.ruled(&["grant", "list", "--json"]).trim() == "[]").then_some(()));
    assert!(since.elapsed() >= Duration::from_secs(59), "after {:?}", since.elapsed());
    let after = rcpt("192.0.2.10", HOSTED);
    assert!(after.starts_with("550 5.7.1"), "{after}");
    assert!(demo.outside().is_empty());
}

/// What `relay.export` keeps: it follows adds and revocations, and holds nothing when the server has ended.
#[test]
fn the_exported_file_follows() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("relay.db");
    // The name of a map, as Postfix and `[[access]]` have it: the file is `relay.db`.
    let mut demo = Demo::start_with(&[&format!("relay.export=\"hash:{}\"", dir.path().join("relay").display())]);
    let keys = || crate::dracd::keys(&file);
    assert!(keys().is_empty());
    added(&demo, "192.0.2.10");
    added(&demo, "2001:db8::10");
    demo.until("both in the file", || (keys() == ["192.0.2.10", "2001:db8::10"]).then_some(()));
    demo.ruled(&["grant", "revoke", "--address", "192.0.2.10"]);
    demo.until("one in the file", || (keys() == ["2001:db8::10"]).then_some(()));
    demo.kill_9();
    assert_eq!(keys(), ["2001:db8::10"], "a file cannot fail closed");
    demo.restart();
    assert_eq!(keys(), ["2001:db8::10"], "the evidence is there still");
    assert!(demo.stop());
    assert!(keys().is_empty());
}
