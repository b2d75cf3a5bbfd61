//! A name server of a handful of names on loopback. What it does not know it denies, for as long as records live; `dead.`
//! names get no answer, `broken.` names SERVFAIL.
#![expect(clippy::match_same_arms, reason = "each row of the table says its own reason")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

mod wire;

use wire::{Lifetimes, encoded, question};

/// How long anything may be remembered.
const LIFETIMES: Lifetimes = Lifetimes { record_secs: 60, denial_secs: 60 };

/// A record of the zone.
#[derive(Clone)]
pub enum Record {
    A(Ipv4Addr),
    Mx(u16, &'static str),
    Ptr(&'static str),
    /// In two strings where it has a `|`.
    Txt(&'static str),
    Cname(&'static str),
    Tlsa([u8; 3], &'static [u8]),
}

/// A running name server.
pub struct NameServer {
    pub address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl NameServer {
    /// Serves `zone`; names are in lower case with a dot at the end.
    pub async fn start(zone: Vec<(&'static str, Record)>) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&query[..length], &zone) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, asked }
    }

    /// Datagrams that came.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

/// The name under which an address' PTR records stand.
pub fn reverse(address: IpAddr) -> String {
    let IpAddr::V4(v4) = address else { unreachable!("the tests use IPv4") };
    let [a, b, c, d] = v4.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa.")
}

fn answer(query: &[u8], zone: &[(&str, Record)]) -> Option<Vec<u8>> {
    let question = question(query);
    if question.name.starts_with("dead.") {
        return None;
    }
    let owner = format!("{}.", question.name);
    let here: Vec<&Record> = zone.iter().filter(|(name, _)| *name == owner).map(|(_, record)| record).collect();
    let data = here.iter().filter_map(|record| data(question.kind, record));
    let records: Vec<_> = data.map(|data| wire::record(&owner, question.kind, &data, LIFETIMES)).collect();
    let code = match () {
        () if question.name.starts_with("broken.") => 2,
        () if here.is_empty() => 3,
        () => 0,
    };
    Some(wire::answer(&question, code, &records, LIFETIMES))
}

fn data(kind: u16, record: &Record) -> Option<Vec<u8>> {
    match (kind, record) {
        (1, Record::A(address)) => Some(address.octets().to_vec()),
        (12, Record::Ptr(host)) => Some(encoded(host)),
        (5, Record::Cname(host)) => Some(encoded(host)),
        (52, Record::Tlsa(kind, data)) => Some([&kind[..], data].concat()),
        (16, Record::Txt(text)) => Some(text.split('|').flat_map(strung).collect()),
        (15, Record::Mx(preference, host)) => Some([preference.to_be_bytes().to_vec(), encoded(host)].concat()),
        _ => None,
    }
}

/// A character string (RFC 1035 §3.3).
fn strung(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}
