//! A name server on loopback, of zones as data: records, names that get no answer, and names that fail.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

#[path = "../../../dns/tests/name_server/wire.rs"]
mod wire;

use wire::{Lifetimes, encoded, question, record};

const LIFETIMES: Lifetimes = Lifetimes { record_secs: 60, denial_secs: 60 };
/// Types that are answered (RFC 1035 §3.2.2, RFC 3596 §2.1).
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const TLSA: u16 = 52;

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
    /// As it is on the wire (RFC 6698 §2.1).
    Tlsa(Vec<u8>),
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

fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let question = question(query);
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
                return Some(wire::answer(&question, 2, &[], LIFETIMES));
            }
        }
        records.extend(data.iter().map(|data| record(&owner, question.kind, data, LIFETIMES)));
        let Some(target) = alias else { break };
        records.push(record(&owner, CNAME, &encoded(&target), LIFETIMES));
        owner = target;
    }
    Some(wire::answer(&question, if exists { 0 } else { 3 }, &records, LIFETIMES))
}

fn under<'z>(zone: &'z Zone, name: &str) -> Option<&'z Vec<Entry>> {
    let wild = |at: usize| zone.get(&format!("*.{}", &name[at + 1..]));
    zone.get(name).or_else(|| name.match_indices('.').find_map(|(at, _)| wild(at)))
}

fn data(entry: &Entry, kind: u16) -> Option<Vec<u8>> {
    match (entry, kind) {
        (Entry::A(address), A) => Some(address.octets().to_vec()),
        (Entry::Aaaa(address), AAAA) => Some(address.octets().to_vec()),
        (Entry::Ptr(host), PTR) | (Entry::Cname(host), CNAME) => Some(encoded(host)),
        (Entry::Mx(preference, host), MX) => Some([preference.to_be_bytes().to_vec(), encoded(host)].concat()),
        (Entry::Tlsa(data), TLSA) => Some(data.clone()),
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
