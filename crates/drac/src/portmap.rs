//! The port mapper's program 100000, which tells a client where DRAC listens: versions 2 (RFC 1833 §3) and 3, 4 (RFC 1833 §2).
//!
//! [`answer`] is for machines where no rpcbind runs: null, GETPORT, GETADDR and, for callers on the machine itself, DUMP. It
//! registers nothing for anybody, and has no CALLIT, which makes a port mapper send what strangers ask it to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::rpc::{NoCall, Procedure, Program, Reply, put_call, put_reply, read_call};
use crate::server::SERVED;
use crate::xdr::{Malformed, Reader, put_string, put_word};
use crate::{PROGRAM, Version};

/// Where a port mapper listens, UDP and TCP.
pub const PORT: u16 = 111;

const PORTMAP: Program = Program { number: 100_000, low: 2, high: 4 };
const VERSION_2: u32 = 2;
const NULL: u32 = 0;
const SET: u32 = 1;
const UNSET: u32 = 2;
/// GETPORT in version 2, GETADDR in versions 3 and 4.
const LOOK_UP: u32 = 3;
const DUMP: u32 = 4;
/// Octets of a network id, a universal address or an owner; the longest universal address has 47.
const STRING_OCTETS_MAX: usize = 255;
/// Who registered it, as DUMP of versions 3 and 4 tells.
const OWNER: &str = "superuser";

/// A transport of ONC RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// Record-marked streams.
    Tcp,
}

impl Transport {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Udp, Self::Tcp];

    /// The IP protocol's number, as version 2 names it.
    fn protocol(self) -> u32 {
        match self {
            Self::Udp => 17,
            Self::Tcp => 6,
        }
    }

    /// The name of the transport over the family of `address` (RFC 5665 §5.1).
    fn network_id(self, address: IpAddr) -> &'static str {
        match (self, address) {
            (Self::Udp, IpAddr::V4(_)) => "udp",
            (Self::Udp, IpAddr::V6(_)) => "udp6",
            (Self::Tcp, IpAddr::V4(_)) => "tcp",
            (Self::Tcp, IpAddr::V6(_)) => "tcp6",
        }
    }
}

/// Where DRAC listens on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// The port of the UDP socket, if there is one.
    pub udp: Option<u16>,
    /// The port of the TCP socket, if there is one.
    pub tcp: Option<u16>,
}

impl Ports {
    /// The port of one transport.
    pub fn of(self, transport: Transport) -> Option<u16> {
        match transport {
            Transport::Udp => self.udp,
            Transport::Tcp => self.tcp,
        }
    }
}

/// Who asks, and what can be told.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// The client's address.
    pub client: IpAddr,
    /// Our address that it asked, for the universal address in the answer where it does not name one itself. DRAC is taken
    /// to listen on the same family.
    pub local: IpAddr,
    /// Where DRAC listens.
    pub ports: Ports,
}

/// Appends the reply to `message` to `out`; nothing, if it is not to be answered. No reply is longer than 700 octets.
pub fn answer(message: &[u8], asked: Asked, out: &mut Vec<u8>) {
    let call = match read_call(message, PORTMAP) {
        Ok(call) => call,
        Err(NoCall::Silence) => return,
        Err(NoCall::Reply(reply)) => return out.extend_from_slice(reply.octets()),
    };
    let answered = match (call.version, call.procedure) {
        (_, NULL) => {
            put_reply(out, call.xid);
            Ok(())
        }
        (VERSION_2, LOOK_UP) => get_port(call.arguments, asked.ports).map(|port| {
            out.extend_from_slice(Reply::word(call.xid, port.into()).octets());
        }),
        (_, LOOK_UP) => get_address(call.arguments, asked).map(|address| {
            put_reply(out, call.xid);
            put_string(out, &address);
        }),
        // Longer than its question: told to strangers it would be a gift to those who forge source addresses.
        (version, DUMP) if asked.client.to_canonical().is_loopback() => {
            put_reply(out, call.xid);
            dump(version, asked, out);
            Ok(())
        }
        _ => {
            out.extend_from_slice(Reply::procedure_unavailable(call.xid).octets());
            Ok(())
        }
    };
    if answered.is_err() {
        out.extend_from_slice(Reply::garbage_arguments(call.xid).octets());
    }
}

/// The port mapper tells of itself too: `rpcinfo` looks it up before it asks it anything.
fn port_of(program: u32, transport: Transport, ports: Ports) -> Option<u16> {
    match program {
        PROGRAM => ports.of(transport),
        _ => (program == PORTMAP.number).then_some(PORT),
    }
}

/// 0 is "not registered". As with rpcbind the version does not matter: the program itself answers with those it has.
fn get_port(mut arguments: Reader<'_>, ports: Ports) -> Result<u16, Malformed> {
    let (program, _version, protocol, _port) =
        (arguments.word()?, arguments.word()?, arguments.word()?, arguments.word()?);
    let transport = Transport::ALL.into_iter().find(|transport| transport.protocol() == protocol);
    Ok(transport.and_then(|transport| port_of(program, transport, ports)).unwrap_or(0))
}

/// The empty string is "not registered".
fn get_address(mut arguments: Reader<'_>, asked: Asked) -> Result<String, Malformed> {
    let (program, _version) = (arguments.word()?, arguments.word()?);
    let network_id = arguments.opaque(STRING_OCTETS_MAX)?;
    let address = arguments.opaque(STRING_OCTETS_MAX)?;
    let _owner = arguments.opaque(STRING_OCTETS_MAX)?;
    let local = asked.local.to_canonical();
    let transport = Transport::ALL.into_iter().find(|transport| transport.network_id(local).as_bytes() == network_id);
    let Some(port) = transport.and_then(|transport| port_of(program, transport, asked.ports)) else {
        return Ok(String::new());
    };
    // The client says which of our addresses it reached, so it can reach us there again.
    let named = std::str::from_utf8(address).ok().and_then(parse_universal_address).map(|address| address.ip());
    let host = named.filter(|ip| ip.is_ipv4() == local.is_ipv4() && !ip.is_unspecified()).unwrap_or(local);
    Ok(universal_address(SocketAddr::new(host, port)))
}

fn dump(version: u32, asked: Asked, out: &mut Vec<u8>) {
    let is_v4 = asked.local.to_canonical().is_ipv4();
    let any: IpAddr = if is_v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    for program in [PORTMAP, SERVED] {
        for program_version in program.low..=program.high {
            for transport in Transport::ALL {
                let Some(port) = port_of(program.number, transport, asked.ports) else { continue };
                put_word(out, 1);
                put_word(out, program.number);
                put_word(out, program_version);
                put_entry(out, version, transport, SocketAddr::new(any, port));
            }
        }
    }
    put_word(out, 0);
}

/// The rest of an entry, in the words of the port mapper's version.
fn put_entry(out: &mut Vec<u8>, version: u32, transport: Transport, address: SocketAddr) {
    if version == VERSION_2 {
        put_word(out, transport.protocol());
        put_word(out, address.port().into());
        return;
    }
    put_string(out, transport.network_id(address.ip()));
    put_string(out, &universal_address(address));
    put_string(out, OWNER);
}

/// An address and port in the notation of RFC 5665 §5.2.3.3: "192.0.2.1.0.111".
pub fn universal_address(address: SocketAddr) -> String {
    let [high, low] = address.port().to_be_bytes();
    format!("{}.{high}.{low}", address.ip())
}

/// Reads what [`universal_address`] writes.
pub fn parse_universal_address(text: &str) -> Option<SocketAddr> {
    let (rest, low) = text.rsplit_once('.')?;
    let (host, high) = rest.rsplit_once('.')?;
    let port = u16::from_be_bytes([high.parse().ok()?, low.parse().ok()?]);
    Some(SocketAddr::new(host.parse().ok()?, port))
}

/// Where one version of DRAC is reached, as version 2 of the port mapper tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) version: Version,
    pub(crate) transport: Transport,
    /// 0 where it does not matter.
    pub(crate) port: u16,
}

/// Appends a call of version 2 that registers DRAC.
pub(crate) fn put_set(out: &mut Vec<u8>, xid: u32, mapping: Mapping) {
    put_mapping(out, xid, SET, mapping);
}

/// Appends a call of version 2 that takes away all entries of a version of DRAC, whatever the transport.
pub(crate) fn put_unset(out: &mut Vec<u8>, xid: u32, version: Version) {
    put_mapping(out, xid, UNSET, Mapping { version, transport: Transport::Udp, port: 0 });
}

/// Appends a call of version 2 that asks for DRAC's port.
pub(crate) fn put_get_port(out: &mut Vec<u8>, xid: u32, version: Version, transport: Transport) {
    put_mapping(out, xid, LOOK_UP, Mapping { version, transport, port: 0 });
}

fn put_mapping(out: &mut Vec<u8>, xid: u32, number: u32, mapping: Mapping) {
    let Mapping { version, transport, port } = mapping;
    put_call(out, xid, Procedure { program: PORTMAP.number, version: VERSION_2, number });
    for word in [PROGRAM, version.number(), transport.protocol(), port.into()] {
        put_word(out, word);
    }
}

/// A question for DRAC's universal address over UDP.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GetAddress {
    /// Version 3 or 4 of the port mapper's program.
    pub(crate) rpcbind: u32,
    pub(crate) version: Version,
    /// The port mapper that is asked.
    pub(crate) server: SocketAddr,
}

/// Appends the call of that question.
pub(crate) fn put_get_address(out: &mut Vec<u8>, xid: u32, question: GetAddress) {
    let GetAddress { rpcbind, version, server } = question;
    put_call(out, xid, Procedure { program: PORTMAP.number, version: rpcbind, number: LOOK_UP });
    put_word(out, PROGRAM);
    put_word(out, version.number());
    put_string(out, if server.is_ipv4() { "udp" } else { "udp6" });
    put_string(out, &universal_address(server));
    put_string(out, "libdrac");
}

/// Reads the result of GETADDR: the port, `None` when DRAC is not registered.
pub(crate) fn read_address(mut results: Reader<'_>) -> Result<Option<u16>, Malformed> {
    let text = results.opaque(STRING_OCTETS_MAX)?;
    if text.is_empty() {
        return Ok(None);
    }
    let address = std::str::from_utf8(text).ok().and_then(parse_universal_address).ok_or(Malformed)?;
    Ok(Some(address.port()).filter(|port| *port != 0))
}

/// Reads the result of GETPORT: the port, `None` when DRAC is not registered.
pub(crate) fn read_port(mut results: Reader<'_>) -> Result<Option<u16>, Malformed> {
    let port = u16::try_from(results.word()?).map_err(|_| Malformed)?;
    Ok(Some(port).filter(|port| *port != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{Failure, read_reply};
    use proptest::prelude::*;

    const PORTS: Ports = Ports { udp: Some(2900), tcp: Some(2901) };

    fn ask(request: &[u8], client: &str) -> Vec<u8> {
        let mut out = Vec::new();
        answer(
            request,
            Asked { client: client.parse().unwrap(), local: Ipv4Addr::LOCALHOST.into(), ports: PORTS },
            &mut out,
        );
        out
    }

    fn call_of(version: u32, number: u32, arguments: &[u8]) -> Vec<u8> {
        let mut request = Vec::new();
        put_call(&mut request, 7, Procedure { program: PORTMAP.number, version, number });
        request.extend_from_slice(arguments);
        request
    }

    fn failure(request: &[u8], client: &str) -> Option<Failure> {
        read_reply(&ask(request, client), 7).unwrap().err()
    }

    #[test]
    fn universal_addresses_carry_a_port() {
        let cases = [
            ("127.0.0.1.0.111", "127.0.0.1:111"),
            ("192.0.2.1.201.197", "192.0.2.1:51653"),
            ("::1.255.255", "[::1]:65535"),
        ];
        for (text, address) in cases {
            let address: SocketAddr = address.parse().unwrap();
            assert_eq!(universal_address(address), text);
            assert_eq!(parse_universal_address(text), Some(address));
        }
        for text in ["", ".", "1.2.3.4", "1.2.3.4.256.1", "1.2.3.4.0", "/run/rpcbind.sock", "1.2.3.4.0.0.1"] {
            assert_eq!(parse_universal_address(text), None, "{text}");
        }
    }

    #[test]
    fn the_port_is_told_by_transport_and_family() {
        let cases = [("udp", "127.0.0.1.11.84"), ("tcp", "127.0.0.1.11.85"), ("udp6", ""), ("local", "")];
        for (network_id, address) in cases {
            let mut arguments = Vec::new();
            put_word(&mut arguments, PROGRAM);
            put_word(&mut arguments, 1);
            for text in [network_id, "", ""] {
                put_string(&mut arguments, text);
            }
            let reply = ask(&call_of(4, LOOK_UP, &arguments), "192.0.2.1");
            let told = read_reply(&reply, 7).unwrap().unwrap().opaque(99).unwrap();
            assert_eq!(told, address.as_bytes(), "{network_id}");
        }
        for (protocol, program, port) in
            [(17, PROGRAM, 2900), (6, PROGRAM, 2901), (6, 100_000, 111), (17, 100_005, 0), (1, PROGRAM, 0)]
        {
            let mut arguments = Vec::new();
            for word in [program, 1, protocol, 0] {
                put_word(&mut arguments, word);
            }
            let reply = ask(&call_of(2, LOOK_UP, &arguments), "192.0.2.1");
            assert_eq!(read_reply(&reply, 7).unwrap().unwrap().word(), Ok(port));
        }
    }

    #[test]
    fn the_list_is_told_on_this_machine_only() {
        // An entry has 20 octets in version 2; in the others 12 and three strings.
        let entries = 6 * (12 + 8 + 20 + 16) + 4 * (12 + 8 + 20 + 16);
        for (version, octets) in [(2, 24 + 10 * 20 + 4), (3, 24 + entries + 4), (4, 24 + entries + 4)] {
            let request = call_of(version, DUMP, b"");
            assert_eq!(ask(&request, "127.0.0.1").len(), octets);
            assert_eq!(ask(&request, "::ffff:127.0.0.1").len(), octets);
            assert_eq!(failure(&request, "192.0.2.1"), Some(Failure::ProcedureUnavailable));
        }
    }

    #[test]
    fn nobody_registers_or_calls_through_us() {
        for (version, number) in [(2, SET), (2, UNSET), (2, 5), (3, SET), (3, 5), (4, 12), (4, u32::MAX)] {
            assert_eq!(failure(&call_of(version, number, &[0; 64]), "127.0.0.1"), Some(Failure::ProcedureUnavailable));
        }
        assert_eq!(failure(&call_of(1, 0, b""), "127.0.0.1"), Some(Failure::ProgramMismatch { low: 2, high: 4 }));
        assert_eq!(failure(&call_of(2, LOOK_UP, &[0; 15]), "127.0.0.1"), Some(Failure::GarbageArguments));
        assert_eq!(failure(&call_of(4, LOOK_UP, &[0xff; 64]), "127.0.0.1"), Some(Failure::GarbageArguments));
        for version in 2..=4 {
            assert_eq!(failure(&call_of(version, NULL, b""), "192.0.2.1"), None);
        }
    }

    proptest! {
        /// A stranger gets at most a few octets more than he sent: a universal address.
        #[test]
        fn strangers_get_short_answers(version in 2_u32..=4, number in 0_u32..12, arguments: Vec<u8>) {
            let request = call_of(version, number, &arguments);
            prop_assert!(ask(&request, "192.0.2.1").len() <= request.len() + 52);
        }
    }
}
