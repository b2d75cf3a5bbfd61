//! A name server for a whole world of senders: what a name or an address has is reckoned from it, so that no table is kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::senders::{self, Dns};

#[path = "../../../dns/tests/name_server/wire.rs"]
mod wire;

use wire::{Lifetimes, encoded, question};

const LIFETIMES: Lifetimes = Lifetimes { record_secs: 3_600, denial_secs: 3_600 };

/// Starts it; it ends with the runtime.
pub(crate) async fn serve() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            let _ = socket.send_to(&answer(&query[..length]), from).await;
        }
    });
    address
}

fn answer(query: &[u8]) -> Vec<u8> {
    let question = question(query);
    let name = format!("{}.", question.name);
    let data = match question.kind {
        1 => senders::address_of(&name).map(|ip| ip.octets().to_vec()),
        12 => address_in(&name).and_then(senders::name_of).map(|host| encoded(&host)),
        15 => (senders::domain(&name) == Dns::Alive).then(|| [vec![0, 10], encoded(&format!("mx.{name}"))].concat()),
        16 => senders::spf(&name).map(|text| [vec![u8::try_from(text.len()).unwrap()], text.into_bytes()].concat()),
        _ => None,
    };
    let records: Vec<_> = data.iter().map(|data| wire::record(&name, question.kind, data, LIFETIMES)).collect();
    let code = if records.is_empty() { 3 } else { 0 };
    wire::answer(&question, code, &records, LIFETIMES)
}

fn address_in(name: &str) -> Option<Ipv4Addr> {
    let octets = name.strip_suffix(".in-addr.arpa.")?;
    let text: Vec<&str> = octets.rsplit('.').collect();
    match text.join(".").parse().ok()? {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
