//! A name server for a handful of names. What it does not know it denies; `dead.` names get no answer.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::UdpSocket;

/// A record of the zone.
#[derive(Clone)]
pub enum Record {
    Mx(u16, &'static str),
    A(Ipv4Addr),
}

pub async fn serve(zone: Vec<(&'static str, Record)>) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut query = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            if let Some(answer) = answer(&query[..length], &zone) {
                let _ = socket.send_to(&answer, from).await;
            }
        }
    });
    address
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
    let question = &query[12..at + 5];
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let here: Vec<&Record> = zone.iter().filter(|(owner, _)| *owner == name).map(|(_, record)| record).collect();
    let data: Vec<Vec<u8>> = here.iter().filter_map(|record| data(kind, record)).collect();
    let code = if here.is_empty() { 3 } else { 0 };
    let mut answer = query[..2].to_vec();
    answer.extend_from_slice(&[0x81, 0x80 | code, 0, 1, 0, u8::try_from(data.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend_from_slice(question);
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
        (15, Record::Mx(preference, host)) => {
            let mut data = preference.to_be_bytes().to_vec();
            for label in host.split('.').filter(|label| !label.is_empty()) {
                data.push(u8::try_from(label.len()).unwrap());
                data.extend_from_slice(label.as_bytes());
            }
            data.push(0);
            Some(data)
        }
        _ => None,
    }
}
