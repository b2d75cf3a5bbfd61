//! A name server on loopback, of zones as data: records, names that get no answer, and names that fail.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

const LIFETIME_SECS: u32 = 60;
/// Types that are answered (RFC 1035 §3.2.2, RFC 3596 §2.1).
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;

/// What stands under a name.
#[derive(Debug, Clone)]
#[allow(dead_code, reason = "not every test has all of them")]
pub enum Entry {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(String),
    Mx(u16, String),
    Ptr(String),
    Txt(Vec<String>),
    /// Nothing is answered but what stands here.
    Silence,
    /// SERVFAIL.
    Failure,
}

/// Names in lower case, without a dot at the end. `*.zone` is every other name below it.
pub type Zone = HashMap<String, Vec<Entry>>;

/// A running name server, whose zone can be changed.
pub struct NameServer {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    pub async fn start(zone: Zone) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(zone));
        let served = Arc::clone(&zone);
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let answer = answer(&query[..length], &served.lock().unwrap());
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, zone }
    }

    /// Serves another zone from now on.
    #[allow(dead_code, reason = "not every test does")]
    pub fn serve(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }
}

struct Question {
    name: String,
    kind: u16,
    octets: Vec<u8>,
}

fn read(query: &[u8]) -> Question {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).to_ascii_lowercase());
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    Question { name: labels.join("."), kind, octets: query[12..at + 5].to_vec() }
}

fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let question = read(query);
    let (mut owner, mut records, mut exists) = (question.name.clone(), Vec::new(), false);
    for _ in 0..8 {
        let Some(entries) = under(zone, &owner) else { break };
        exists = true;
        let data: Vec<_> = entries.iter().filter_map(|entry| data(entry, question.kind)).collect();
        let alias = entries.iter().find_map(|entry| match entry {
            Entry::Cname(target) if data.is_empty() => Some(target.to_ascii_lowercase()),
            _ => None,
        });
        if data.is_empty() && alias.is_none() {
            if entries.iter().any(|entry| matches!(entry, Entry::Silence)) {
                return None;
            }
            if entries.iter().any(|entry| matches!(entry, Entry::Failure)) {
                return Some(message(query, &question, 2, &[]));
            }
        }
        records.extend(data.iter().map(|data| record(&owner, question.kind, data)));
        let Some(target) = alias else { break };
        records.push(record(&owner, CNAME, &encoded(&target)));
        owner = target;
    }
    Some(message(query, &question, if exists { 0 } else { 3 }, &records))
}

fn under<'z>(zone: &'z Zone, name: &str) -> Option<&'z Vec<Entry>> {
    let wild = |at: usize| zone.get(&format!("*.{}", &name[at + 1..]));
    zone.get(name).or_else(|| name.match_indices('.').find_map(|(at, _)| wild(at)))
}

fn message(query: &[u8], question: &Question, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let denials = u8::from(records.is_empty() && code != 2);
    let mut answer = query[..2].to_vec();
    let count = u8::try_from(records.len()).unwrap();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, count, 0, denials, 0, 0]);
    answer.extend_from_slice(&question.octets);
    answer.extend(records.iter().flatten());
    if denials > 0 {
        let times = [1, 600, 600, 600, LIFETIME_SECS].map(u32::to_be_bytes).concat();
        let data = [encoded("ns.example"), encoded("postmaster.example"), times].concat();
        answer.extend(record(&question.name, 6, &data));
    }
    answer
}

fn record(owner: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap().to_be_bytes();
    let head = [kind.to_be_bytes(), [0, 1]].concat();
    [&encoded(owner)[..], &head, &LIFETIME_SECS.to_be_bytes(), &length, data].concat()
}

fn data(entry: &Entry, kind: u16) -> Option<Vec<u8>> {
    match (entry, kind) {
        (Entry::A(address), A) => Some(address.octets().to_vec()),
        (Entry::Aaaa(address), AAAA) => Some(address.octets().to_vec()),
        (Entry::Ptr(host), PTR) | (Entry::Cname(host), CNAME) => Some(encoded(host)),
        (Entry::Mx(preference, host), MX) => Some([preference.to_be_bytes().to_vec(), encoded(host)].concat()),
        (Entry::Txt(texts), TXT) => {
            let strings: Vec<_> = texts.iter().flat_map(|text| strings(text.as_bytes())).flatten().collect();
            Some(if strings.is_empty() { vec![0] } else { strings })
        }
        _ => None,
    }
}

/// Character strings (RFC 1035 §3.3).
fn strings(text: &[u8]) -> Vec<Vec<u8>> {
    let string = |chunk: &[u8]| [&[u8::try_from(chunk.len()).unwrap()], chunk].concat();
    text.chunks(255).map(string).collect()
}

fn encoded(host: &str) -> Vec<u8> {
    let mut data = Vec::new();
    for label in host.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        data.push(u8::try_from(label.len()).unwrap());
        data.extend_from_slice(label);
    }
    data.push(0);
    data
}
