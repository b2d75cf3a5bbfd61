//! Commands: the data of the server's packets, taken apart.

use std::net::IpAddr;

use super::macros::{MacroSet, Stage};
use super::negotiation::Offer;
use super::packet;
use super::{Event, MilterError};
use crate::address;

/// One packet of the mail server.
#[derive(Debug)]
pub(super) enum Command {
    Negotiate(Offer),
    /// Macros of a step; `None` for steps that have none here.
    Macros(Option<Stage>, MacroSet),
    Event(Event),
}

impl Command {
    /// Reads a packet. The command is one that [`packet::PacketReader`] lets pass.
    pub(super) fn parse(command: u8, data: &[u8]) -> Result<Self, MilterError> {
        let malformed = |what| MilterError::Malformed { command, what };
        let event = match command {
            packet::NEGOTIATE => return Offer::parse(data).map(Self::Negotiate),
            packet::MACRO => {
                let (&step, pairs) = data.split_first().ok_or_else(|| malformed("no step"))?;
                return Ok(Self::Macros(Stage::of_command(step), MacroSet::parse(pairs)?));
            }
            packet::CONNECT => connect(data).map_err(malformed)?,
            packet::HELO => Event::Helo(text(data).map_err(malformed)?),
            packet::MAIL => {
                let (path, params) = arguments(data).map_err(malformed)?;
                Event::Mail { path, params }
            }
            packet::RCPT => {
                let (path, params) = arguments(data).map_err(malformed)?;
                Event::Rcpt { path, params, refused: false }
            }
            packet::HEADER => header(data).map_err(malformed)?,
            packet::BODY => Event::Body(data.to_vec()),
            packet::END_OF_MESSAGE => Event::EndOfMessage(data.to_vec()),
            packet::UNKNOWN => Event::Unknown(text(data).map_err(malformed)?),
            packet::DATA => Event::Data,
            packet::END_OF_HEADERS => Event::EndOfHeaders,
            packet::ABORT => Event::Abort,
            packet::QUIT_NEW_CONNECTION => Event::NextConnection,
            packet::QUIT => Event::Quit,
            other => return Err(MilterError::UnknownCommand(other)),
        };
        Ok(Self::Event(event))
    }
}

/// Texts, each with its NUL.
fn texts(data: &[u8]) -> Result<impl Iterator<Item = &[u8]>, &'static str> {
    let inner = data.strip_suffix(b"\0").ok_or("a text has no end")?;
    Ok(inner.split(|&octet| octet == 0))
}

fn text(data: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut texts = texts(data)?;
    match (texts.next(), texts.next()) {
        (Some(text), None) => Ok(text.to_vec()),
        _ => Err("more than one text"),
    }
}

/// A path and its parameters.
fn arguments(data: &[u8]) -> Result<(Vec<u8>, Vec<Vec<u8>>), &'static str> {
    let mut texts = texts(data)?;
    let path = texts.next().unwrap_or_default().to_vec();
    let params: Vec<_> = texts.map(<[u8]>::to_vec).collect();
    if path.is_empty() { Err("no path") } else { Ok((path, params)) }
}

fn header(data: &[u8]) -> Result<Event, &'static str> {
    let mut texts = texts(data)?;
    match (texts.next(), texts.next(), texts.next()) {
        (Some(name), Some(value), None) => Ok(Event::Header { name: name.to_vec(), value: value.to_vec() }),
        _ => Err("not a name and a value"),
    }
}

fn connect(data: &[u8]) -> Result<Event, &'static str> {
    let end = data.iter().position(|&octet| octet == 0).ok_or("the name has no end")?;
    let hostname = data[..end].to_vec();
    let (family, rest) = data[end + 1..].split_first().ok_or("no family")?;
    if *family == b'U' {
        return Ok(Event::Connect { hostname, addr: None, port: 0 });
    }
    let (port, rest) = rest.split_first_chunk::<2>().ok_or("no port")?;
    let (port, text) = (u16::from_be_bytes(*port), text(rest)?);
    let addr = match family {
        b'L' => return Ok(Event::Connect { hostname, addr: None, port: 0 }),
        b'4' => address::parse(&text).filter(IpAddr::is_ipv4),
        // A v4-mapped address is its IPv4 address.
        b'6' => address::parse(&text).filter(|_| text.contains(&b':')),
        _ => return Err("no such address family"),
    };
    let addr = addr.ok_or("not an address of its family")?;
    Ok(Event::Connect { hostname, addr: Some(addr), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(command: u8, data: &[u8]) -> Option<Event> {
        match Command::parse(command, data) {
            Ok(Command::Event(event)) => Some(event),
            Ok(other) => panic!("{other:?}"),
            Err(MilterError::Malformed { command: blamed, .. }) => {
                assert_eq!(blamed, command);
                None
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn clients_addresses() {
        let table: &[(&[u8], Option<Option<&str>>)] = &[
            (b"h\x004\x04\xd2192.0.2.7\0", Some(Some("192.0.2.7"))),
            (b"h\x006\x04\xd22001:db8::1\0", Some(Some("2001:db8::1"))),
            (b"h\x006\x04\xd2IPv6:2001:db8::1\0", Some(Some("2001:db8::1"))),
            (b"h\x006\x04\xd2ipv6:2001:db8::1\0", Some(Some("2001:db8::1"))),
            (b"h\x006\x04\xd2IPv6:::ffff:192.0.2.7\0", Some(Some("192.0.2.7"))),
            (b"h\x006\x04\xd2fe80::1%eth0\0", Some(Some("fe80::1"))),
            (b"h\x00L\0\0/run/socket\0", Some(None)),
            (b"h\x00U", Some(None)),
            (b"h\x00U\0\0\0", Some(None)),
            (b"h\x00X\0\0a\0", None),
            (b"h\x004\x04\xd2::1\0", None),
            (b"h\x006\x04\xd2192.0.2.7\0", None),
            (b"h\x004\x04\xd2192.0.2.7", None),
            (b"h\x004\x04\xd2192.0.2.7\0\0", None),
            (b"h\x004\x04\xd2192.0.2.777\0", None),
            (b"h\x004\x04", None),
            (b"h\x004", None),
            (b"h\0", None),
            (b"h", None),
            (b"", None),
        ];
        for (data, expected) in table {
            let expected = expected.map(|addr| addr.map(|addr| addr.parse::<IpAddr>().unwrap()));
            let found = event(packet::CONNECT, data).map(|event| match event {
                Event::Connect { hostname, addr, port } => {
                    assert_eq!((hostname.as_slice(), port), (b"h".as_slice(), if addr.is_some() { 1234 } else { 0 }));
                    addr
                }
                other => panic!("{other:?}"),
            });
            assert_eq!(found, expected, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn paths_and_parameters() {
        let mail = |path: &[u8], params: &[&[u8]]| {
            Some(Event::Mail { path: path.to_vec(), params: params.iter().map(|param| param.to_vec()).collect() })
        };
        assert_eq!(event(packet::MAIL, b"<a@b>\0"), mail(b"<a@b>", &[]));
        assert_eq!(event(packet::MAIL, b"<>\0SIZE=5\0BODY=8BITMIME\0"), mail(b"<>", &[b"SIZE=5", b"BODY=8BITMIME"]));
        assert_eq!(event(packet::MAIL, b""), None);
        assert_eq!(event(packet::MAIL, b"\0"), None);
        assert_eq!(event(packet::MAIL, b"<a@b>"), None);
        assert_eq!(event(packet::MAIL, b"\0SIZE=5\0"), None);
        let rcpt = Event::Rcpt { path: b"a@b".to_vec(), params: vec![b"NOTIFY=NEVER".to_vec()], refused: false };
        assert_eq!(event(packet::RCPT, b"a@b\0NOTIFY=NEVER\0"), Some(rcpt));
    }

    #[test]
    fn single_texts_and_pairs() {
        assert_eq!(event(packet::HELO, b"c.example\0"), Some(Event::Helo(b"c.example".to_vec())));
        assert_eq!(event(packet::HELO, b"\0"), Some(Event::Helo(vec![])));
        assert_eq!(event(packet::HELO, b""), None);
        assert_eq!(event(packet::HELO, b"a\0b\0"), None);
        assert_eq!(event(packet::UNKNOWN, b"FOO bar\0"), Some(Event::Unknown(b"FOO bar".to_vec())));
        let header = |name: &[u8], value: &[u8]| Some(Event::Header { name: name.to_vec(), value: value.to_vec() });
        assert_eq!(event(packet::HEADER, b"Subject\0a\n b\0"), header(b"Subject", b"a\n b"));
        assert_eq!(event(packet::HEADER, b"Subject\0\0"), header(b"Subject", b""));
        assert_eq!(event(packet::HEADER, b"Subject\0"), None);
        assert_eq!(event(packet::HEADER, b"Subject\0a\0b\0"), None);
        assert_eq!(event(packet::BODY, b"a\0b"), Some(Event::Body(b"a\0b".to_vec())));
    }
}
