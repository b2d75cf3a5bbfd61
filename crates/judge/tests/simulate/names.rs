//! A name server for a whole world of senders: what a name or an address has is reckoned from it, so that no table is kept.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::senders::{self, Dns};

const LIFETIME_SECS: u32 = 3_600;

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
    let (mut name, mut at) = (String::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        name += &String::from_utf8_lossy(&query[at + 1..=at + length]).to_ascii_lowercase();
        name.push('.');
        at += length + 1;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let data = match kind {
        1 => senders::address_of(&name).map(|ip| ip.octets().to_vec()),
        12 => address_in(&name).and_then(senders::name_of).map(|host| encoded(&host)),
        15 => (senders::domain(&name) == Dns::Alive).then(|| [vec![0, 10], encoded(&format!("mx.{name}"))].concat()),
        16 => senders::spf(&name).map(|text| [vec![u8::try_from(text.len()).unwrap()], text.into_bytes()].concat()),
        _ => None,
    };
    let denied = data.is_none();
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[
        0x81,
        if denied { 0x83 } else { 0x80 },
        0,
        1,
        0,
        u8::from(!denied),
        0,
        u8::from(denied),
        0,
        0,
    ]);
    answer.extend_from_slice(&query[12..at + 5]);
    if let Some(data) = data {
        record(&mut answer, kind, &data);
    } else {
        let times = [1, 600, 600, 600, LIFETIME_SECS].map(u32::to_be_bytes).concat();
        record(&mut answer, 6, &[encoded("ns.example"), encoded("postmaster.example"), times].concat());
    }
    answer
}

fn address_in(name: &str) -> Option<Ipv4Addr> {
    let octets = name.strip_suffix(".in-addr.arpa.")?;
    let text: Vec<&str> = octets.rsplit('.').collect();
    match text.join(".").parse().ok()? {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn record(answer: &mut Vec<u8>, kind: u16, data: &[u8]) {
    answer.extend_from_slice(&[0xc0, 12]);
    answer.extend_from_slice(&kind.to_be_bytes());
    answer.extend_from_slice(&[0, 1]);
    answer.extend_from_slice(&LIFETIME_SECS.to_be_bytes());
    answer.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
    answer.extend_from_slice(data);
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
