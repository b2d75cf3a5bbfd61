//! A name server on loopback that knows the load's clients and sender domains, and answers at once (RFC 1035 over UDP).
//!
//! A client of [`clients::named`] has one name, which leads back to it. Every other name below `example` is a sender's domain that
//! takes mail, and lets those clients send for it (SPF), unless it begins with `nospf.`. All else is denied.

use std::net::Ipv4Addr;

use tokio::net::UdpSocket;

use crate::args::Args;
use crate::clients;

/// How long answers and denials may be kept, in seconds, unless `--ttl` says otherwise.
const TTL_SECS: u32 = 3_600;
const A: u16 = 1;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
/// Octets of a header, and of a type with its class behind the name of a question.
const HEADER: usize = 12;
const KIND: usize = 4;
const SPF: &str = "v=spf1 ip4:198.18.0.0/15 -all";

/// Answers at `--at` until it is killed.
pub async fn serve(args: &Args<'_>) -> Result<(), String> {
    let (at, ttl) = (args.required::<String>("at")?, args.optional("ttl")?.unwrap_or(TTL_SECS));
    let socket = UdpSocket::bind(&at).await.map_err(|error| format!("{at}: {error}"))?;
    let mut query = [0; 1_500];
    loop {
        socket.readable().await.map_err(|error| error.to_string())?;
        while let Ok((length, peer)) = socket.try_recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length], ttl) {
                // A full buffer loses it, as it would a real one.
                let _ = socket.try_send_to(&answer, peer);
            }
        }
    }
}

/// What is known of a name.
enum Known {
    /// There is no such name.
    Nothing,
    /// There is, and this is the data of its record of the type asked for, if it has one.
    Name(Option<Vec<u8>>),
}

/// `None`: it is no question that anybody asks.
fn answer(query: &[u8], ttl: u32) -> Option<Vec<u8>> {
    let (name, end) = question(query)?;
    let kind = u16::from_be_bytes([query[end - KIND], query[end - KIND + 1]]);
    let known = known(&name, kind);
    let code = if matches!(known, Known::Nothing) { 3 } else { 0 };
    let data = match known {
        Known::Name(data) => data,
        Known::Nothing => None,
    };
    let (records, denials) = (u8::from(data.is_some()), u8::from(data.is_none()));
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x85, 0x80 | code, 0, 1, 0, records, 0, denials, 0, 0]);
    out.extend_from_slice(&query[HEADER..end]);
    if let Some(data) = data {
        Record { owner: &[0xc0, 12], kind, ttl, data: &data }.write(&mut out);
    } else {
        // The last number says how long the denial may be kept (RFC 2308 §5).
        let times = [1, 600, 600, 600, ttl].map(u32::to_be_bytes).concat();
        let data = [encoded("ns.example"), encoded("postmaster.example"), times].concat();
        Record { owner: &[0], kind: SOA, ttl, data: &data }.write(&mut out);
    }
    Some(out)
}

/// The name that is asked for, in lower case, and where the question ends.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::with_capacity(80), HEADER);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        if !name.is_empty() {
            name.push('.');
        }
        name.extend(query.get(at..at + length)?.iter().map(|octet| char::from(octet.to_ascii_lowercase())));
        at += length;
    }
    (query.len() >= at + KIND).then_some((name, at + KIND))
}

fn known(name: &str, kind: u16) -> Known {
    let of = |wanted, data: &dyn Fn() -> Vec<u8>| Known::Name((kind == wanted).then(data));
    if let Some(reversed) = name.strip_suffix(".in-addr.arpa") {
        return match forward(reversed).filter(|client| clients::has_name(*client)) {
            Some(client) => of(PTR, &|| encoded(&clients::name(client))),
            None => Known::Nothing,
        };
    }
    if let Some(client) = clients::by_name(name) {
        return of(A, &|| client.octets().to_vec());
    }
    if !name.ends_with(".example") {
        return Known::Nothing;
    }
    match kind {
        MX => of(MX, &|| [vec![0, 10], encoded(&clients::name(clients::named(0)))].concat()),
        TXT if !name.starts_with("nospf.") => {
            of(TXT, &|| [&[u8::try_from(SPF.len()).unwrap_or(0)], SPF.as_bytes()].concat())
        }
        _ => Known::Name(None),
    }
}

/// The address whose octets stand the other way round.
fn forward(reversed: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut words = reversed.split('.');
    for octet in octets.iter_mut().rev() {
        *octet = words.next()?.parse().ok()?;
    }
    words.next().is_none().then(|| octets.into())
}

/// A record as it is written; the owner in the form of the wire.
struct Record<'a> {
    owner: &'a [u8],
    kind: u16,
    ttl: u32,
    data: &'a [u8],
}

impl Record<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.owner);
        out.extend_from_slice(&self.kind.to_be_bytes());
        out.extend_from_slice(&[0, 1]);
        out.extend_from_slice(&self.ttl.to_be_bytes());
        out.extend_from_slice(&u16::try_from(self.data.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(self.data);
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        out.push(u8::try_from(label.len()).unwrap_or(0));
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code of the answer, and the end of it.
    fn asked(name: &str, kind: u16) -> (u8, Vec<u8>) {
        let head = [7, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let query = [&head[..], &encoded(name), &kind.to_be_bytes(), &[0, 1]].concat();
        let answer = answer(&query, 60).unwrap();
        (answer[3] & 0xf, answer[query.len()..].to_vec())
    }

    #[test]
    fn clients_and_senders_are_known_and_nobody_else() {
        let (code, record) = asked("4.1.18.198.in-addr.arpa", PTR);
        assert!(code == 0 && record.ends_with(&encoded("mx.bbcbg.example")));
        assert!(asked("MX.bbcbg.example", A).1.ends_with(&[198, 18, 1, 4]));
        assert!(asked("stranger.example", TXT).1.ends_with(b"-all"));
        let table = [("mx.bbcbg.example", 28), ("stranger.example", 28), ("nospf.stranger.example", TXT)];
        for (name, kind) in table {
            let (code, record) = asked(name, kind);
            assert!(code == 0 && record.ends_with(&60_u32.to_be_bytes()), "{name} has none of {kind}");
        }
        for name in ["1.0.0.127.in-addr.arpa", "1.1.18.198.1.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa", "stranger.test"]
        {
            assert_eq!(asked(name, PTR).0, 3, "{name}");
        }
        assert!(answer(&[0; 12], 60).is_none() && answer(&[9; 40], 60).is_none());
    }
}
