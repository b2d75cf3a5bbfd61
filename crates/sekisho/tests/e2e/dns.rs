//! A name server of a few names on loopback, and one that fails as name servers do.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[path = "../../../dns/tests/name_server/wire.rs"]
mod wire;

use wire::{Lifetimes, encoded, question};

const LIFETIMES: Lifetimes = Lifetimes { record_secs: 60, denial_secs: 0 };

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
    Txt(&'static str),
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
    let question = question(query);
    let owner = format!("{}.", question.name);
    let here: Vec<&Record> = zone.iter().filter(|(name, _)| *name == owner).map(|(_, record)| record).collect();
    let data = here.iter().filter_map(|record| data(question.kind, record));
    let records: Vec<_> = data.map(|data| wire::record(&owner, question.kind, &data, LIFETIMES)).collect();
    let code = match otherwise {
        Otherwise::IsSilent => return None,
        Otherwise::Fails => 2,
        Otherwise::Denies => u8::from(here.is_empty()) * 3,
    };
    Some(wire::answer(&question, code, &records, LIFETIMES))
}

fn data(kind: u16, record: &Record) -> Option<Vec<u8>> {
    match (kind, record) {
        (1, Record::A(address)) => Some(address.octets().to_vec()),
        (12, Record::Ptr(host)) => Some(encoded(host)),
        (16, Record::Txt(text)) => Some([&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()),
        (15, Record::Mx(host)) => Some([vec![0, 10], encoded(host)].concat()),
        _ => None,
    }
}
