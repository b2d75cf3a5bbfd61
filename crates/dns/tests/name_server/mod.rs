//! A name server of a handful of names on loopback. What it does not know it denies, for as long as records live; `dead.`
//! names get no answer, `broken.` names SERVFAIL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

/// How long anything may be remembered.
const LIFETIME_SECS: u32 = 60;

/// A record of the zone.
#[derive(Clone)]
pub enum Record {
    A(Ipv4Addr),
    Mx(u16, &'static str),
    Ptr(&'static str),
    /// In two strings where it has a `|`.
    Txt(&'static str),
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
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        name += &String::from_utf8_lossy(&query[at + 1..=at + length]).to_ascii_lowercase();
        name.push('.');
        at += length + 1;
    }
    if name.starts_with("dead.") {
        return None;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let here: Vec<&Record> = zone.iter().filter(|(owner, _)| *owner == name).map(|(_, record)| record).collect();
    let data: Vec<Vec<u8>> = here.iter().filter_map(|record| data(kind, record)).collect();
    let code = match () {
        () if name.starts_with("broken.") => 2,
        () if here.is_empty() => 3,
        () => 0,
    };
    let denials = u8::from(data.is_empty() && code != 2);
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::try_from(data.len()).unwrap(), 0, denials, 0, 0]);
    answer.extend_from_slice(&query[12..at + 5]);
    for data in data {
        record(&mut answer, kind, &data);
    }
    if denials > 0 {
        let times = [1, 600, 600, 600, LIFETIME_SECS].map(u32::to_be_bytes).concat();
        record(&mut answer, 6, &[encoded("ns.example"), encoded("postmaster.example"), times].concat());
    }
    Some(answer)
}

/// A record of the name that was asked for.
fn record(answer: &mut Vec<u8>, kind: u16, data: &[u8]) {
    answer.extend_from_slice(&[0xc0, 12]);
    answer.extend_from_slice(&kind.to_be_bytes());
    answer.extend_from_slice(&[0, 1]);
    answer.extend_from_slice(&LIFETIME_SECS.to_be_bytes());
    answer.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    answer.extend_from_slice(data);
}

fn data(kind: u16, record: &Record) -> Option<Vec<u8>> {
    match (kind, record) {
        (1, Record::A(address)) => Some(address.octets().to_vec()),
        (12, Record::Ptr(host)) => Some(encoded(host)),
        (16, Record::Txt(text)) => Some(text.split('|').flat_map(strung).collect()),
        (15, Record::Mx(preference, host)) => Some([preference.to_be_bytes().to_vec(), encoded(host)].concat()),
        _ => None,
    }
}

/// A character string (RFC 1035 §3.3).
fn strung(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn encoded(host: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        data.push(u8::try_from(label.len()).unwrap());
        data.extend_from_slice(label.as_bytes());
    }
    data.push(0);
    data
}
