//! A name server of a few names on loopback, and one that fails as name servers do.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

#[path = "../../../dns/tests/name_server/wire.rs"]
mod wire;

use wire::{Lifetimes, encoded, question};

const LIFETIMES: Lifetimes = Lifetimes { record_secs: 60, denial_secs: 0 };
/// Of what lists have: it is taken from them and back.
const LISTED: Lifetimes = Lifetimes { record_secs: 0, denial_secs: 0 };

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
    zone: Arc<Mutex<Vec<(&'static str, Record)>>>,
}

impl NameServer {
    /// Serves `zone`; names are in lower case with a dot at the end.
    pub(crate) fn start(zone: &[(&'static str, Record)], otherwise: Otherwise) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicU64::new(0));
        let zone = Arc::new(Mutex::new(zone.to_vec()));
        let (served, count) = (Arc::clone(&zone), Arc::clone(&asked));
        std::thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query) {
                count.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer(&query[..length], &served.lock().unwrap(), otherwise) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Self { address, asked, zone }
    }

    /// The `--set` by which a demo asks it.
    pub(crate) fn setting(&self) -> String {
        format!("dns.servers=[\"{}\"]", self.address)
    }

    /// Takes a record out.
    pub(crate) fn forget(&self, owner: &str) {
        self.zone.lock().unwrap().retain(|(name, _)| *name != owner);
    }

    /// Puts a record in.
    pub(crate) fn learn(&self, owner: &'static str, record: Record) {
        self.zone.lock().unwrap().push((owner, record));
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
    let lifetimes = |data: &[u8]| if data == [127, 0, 0, 2] { LISTED } else { LIFETIMES };
    let records: Vec<_> = data.map(|data| wire::record(&owner, question.kind, &data, lifetimes(&data))).collect();
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
