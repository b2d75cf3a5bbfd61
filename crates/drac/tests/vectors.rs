//! Exchanges recorded with the original server: what it was sent, and what a compatible server answers.

#![expect(clippy::unwrap_used, reason = "a test: what fails here fails it")]

use std::net::{IpAddr, Ipv4Addr};

use drac::AddResult;
use drac::allow::Allow;
use drac::portmap::{self, Asked, Ports};
use drac::record::{RecordError, Records, put_record};
use drac::server::{Decoded, decode};
use guard::never_granted::{Loopback, NeverGranted};
use serde_json::Value;

/// A server in a few lines, with what it added.
#[derive(Default)]
struct Server {
    added: Vec<IpAddr>,
}

impl Server {
    /// The reply to a message of `peer`; empty if there is none.
    fn answer(&mut self, message: &[u8], peer: IpAddr) -> Vec<u8> {
        match decode(message) {
            Decoded::Silence => Vec::new(),
            Decoded::Reply(reply) => reply.octets().to_vec(),
            Decoded::Add(add) => {
                let nobodys = NeverGranted::new(Loopback::Refused, []);
                let result = if !Allow::loopback_only().allows(peer) {
                    AddResult::PermissionDenied
                } else if nobodys.why(add.address()).is_some() {
                    AddResult::SystemError
                } else {
                    self.added.push(add.address());
                    AddResult::Succeeded
                };
                add.reply(result).octets().to_vec()
            }
        }
    }

    /// All that comes back over a connection.
    fn answer_stream(&mut self, mut input: &[u8], peer: IpAddr) -> Result<Vec<u8>, RecordError> {
        let (mut records, mut out) = (Records::default(), Vec::new());
        while let Some(message) = records.take(&mut input)? {
            put_record(&mut out, &self.answer(message, peer));
        }
        Ok(out)
    }
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("data/drac-vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap_or_default();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn peer(vector: &Value) -> IpAddr {
    let trusted = vector["peer"] == "trusted";
    assert!(trusted || vector["peer"] == "untrusted");
    Ipv4Addr::new(127, 0, 0, if trusted { 1 } else { 2 }).into()
}

/// "1.2.3.4", "1.2.3.4 and 2001:db8::1" or null. We keep a v4-mapped address as the IPv4 address.
fn stored(vector: &Value) -> Vec<IpAddr> {
    let keys = vector["stored_key"].as_str().into_iter().flat_map(|keys| keys.split(" and "));
    keys.map(|key| key.parse::<IpAddr>().unwrap().to_canonical()).filter(|key| !is_of_this_network(*key)).collect()
}

/// The original took addresses of 0.0.0.0/8, which are nobody's.
fn is_of_this_network(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0)
}

/// What the original answered, save that an address of 0.0.0.0/8 is refused here.
fn replied(vector: &Value) -> Vec<u8> {
    let mut reply = hex(&vector["reply"]);
    let nobodys = vector["stored_key"].as_str().and_then(|key| key.parse().ok()).is_some_and(is_of_this_network);
    if let Some(result) = reply.last_mut().filter(|_| nobodys) {
        *result = u8::try_from(AddResult::SystemError.number()).unwrap();
    }
    reply
}

#[test]
fn dracd_answers_as_recorded() {
    let mut seen = 0;
    for vector in vectors().iter().filter(|vector| vector["port"] == "dracd") {
        let (mut server, request) = (Server::default(), hex(&vector["request"]));
        let name = &vector["name"];
        if vector["transport"] == "udp" {
            assert_eq!(server.answer(&request, peer(vector)), replied(vector), "{name}");
        } else if vector["reply"] == "EOF" {
            assert_eq!(server.answer_stream(&request, peer(vector)), Err(RecordError::Empty), "{name}");
        } else {
            assert_eq!(server.answer_stream(&request, peer(vector)), Ok(replied(vector)), "{name}");
        }
        assert_eq!(server.added, stored(vector), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 51);
}

#[test]
fn lookups_are_answered_as_recorded() {
    let mut seen = 0;
    for vector in vectors().iter().filter(|vector| vector["port"] == 111) {
        assert_eq!(vector["kind"], "lookup");
        // The port of the recorded server.
        let ports = Ports { udp: Some(0xc9c5), tcp: None };
        let asked = Asked { client: peer(vector), local: Ipv4Addr::LOCALHOST.into(), ports };
        let mut out = Vec::new();
        portmap::answer(&hex(&vector["request"]), asked, &mut out);
        assert_eq!(out, hex(&vector["reply"]), "{}", vector["name"]);
        seen += 1;
    }
    assert_eq!(seen, 5);
}

/// What the network cuts off at any place is never taken for an add.
#[test]
fn cut_vectors_add_nothing() {
    for vector in vectors().iter().filter(|vector| vector["kind"] == "add" && vector["transport"] == "udp") {
        let request = hex(&vector["request"]);
        let Decoded::Add(_) = decode(&request) else { panic!("{}", vector["name"]) };
        let argument = if request[19] == 1 { 4 } else { 64 };
        // Where the argument ends: behind it octets may be missing, they are ignored.
        let body = |at: usize| u32::from_be_bytes(request[at..at + 4].try_into().unwrap()) as usize;
        let credential = body(28);
        let end = 40 + credential + body(36 + credential) + argument;
        for cut in 0..end {
            assert!(!matches!(decode(&request[..cut]), Decoded::Add(_)), "{} cut at {cut}", vector["name"]);
        }
        assert!(matches!(decode(&request[..end]), Decoded::Add(_)), "{}", vector["name"]);
    }
}
