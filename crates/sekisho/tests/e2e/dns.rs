//! A name server of a few names on loopback, and one that fails as name servers do.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How it answers what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// No such name.
    Denies,
    /// SERVFAIL to everything.
    Fails,
    /// Nothing at all.
    IsSilent,
}

/// A record of the zone.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Record {
    A(Ipv4Addr),
    Mx(&'static str),
    Ptr(&'static str),
}

/// A running name server; its thread ends with the test's process.
pub(crate) struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicU64>,
}

impl NameServer {
    /// Serves `zone`; names are in lower case with a dot at the end.
    pub(crate) fn start(zone: &[(&'static str, Record)], otherwise: Otherwise) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let (zone, count) = (zone.to_vec(), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&query[..length], &zone, otherwise) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, asked }
    }

    /// The `--set` by which a demo asks it.
    pub(crate) fn setting(&self) -> String {
        format!("dns.servers=[\"{}\"]", self.address)
    }

    /// Whether anybody asked it anything.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed) > 0
    }
}

fn answer(query: &[u8], zone: &[(&str, Record)], otherwise: Otherwise) -> Option<Vec<u8>> {
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        name += &String::from_utf8_lossy(&query[at + 1..=at + length]).to_ascii_lowercase();
        name.push('.');
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let here: Vec<&Record> = zone.iter().filter(|(owner, _)| *owner == name).map(|(_, record)| record).collect();
    let data: Vec<Vec<u8>> = here.iter().filter_map(|record| data(kind, record)).collect();
    let code = match otherwise {
        Otherwise::IsSilent => return None,
        Otherwise::Fails => 2,
        Otherwise::Denies => u8::from(here.is_empty()) * 3,
    };
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::try_from(data.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend_from_slice(&query[12..at + 5]);
    for data in data {
        answer.extend_from_slice(&[0xc0, 12]);
        answer.extend_from_slice(&kind.to_be_bytes());
        answer.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        answer.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend_from_slice(&data);
    }
    Some(answer)
}

fn data(kind: u16, record: &Record) -> Option<Vec<u8>> {
    match (kind, record) {
        (1, Record::A(address)) => Some(address.octets().to_vec()),
        (12, Record::Ptr(host)) => Some(encoded(host)),
        (15, Record::Mx(host)) => Some([vec![0, 10], encoded(host)].concat()),
        _ => None,
    }
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
