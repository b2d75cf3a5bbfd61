//! What a host's name says beside its addresses: that it is another's alias, and which certificates it shows (DANE).

use hickory_resolver::proto::rr::{RData, RecordType};

use crate::answer::Answer;
use crate::resolver::{Absolute, Resolver, host, list};

/// A TLSA record (RFC 6698 §2.1). Whether the zone is signed is not said by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tlsa {
    /// Certificate usage: 2 and 3 are for mail (RFC 7672 §3.1).
    pub usage: u8,
    /// What is compared: 0 the certificate, 1 its key.
    pub selector: u8,
    /// How: 0 whole, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// With what.
    pub data: Vec<u8>,
}

impl Resolver {
    /// The name that this one is an alias of (CNAME).
    pub async fn alias(&self, name: &str) -> Answer<String> {
        let found = self.look_up(Absolute(name), RecordType::CNAME, self.deadline()).await;
        match found.map(|records| list(&records, canonical).into_iter().next()) {
            Answer::Found(Some(name)) => Answer::Found(name),
            Answer::Found(None) | Answer::None => Answer::None,
            Answer::Failed(failure) => Answer::Failed(failure),
        }
    }

    /// The certificates that a service of a host shows. Not validated: whoever trusts them must know that the zone is signed.
    pub async fn certificates(&self, host: &str, port: u16) -> Answer<Vec<Tlsa>> {
        let name = format!("_{port}._tcp.{host}");
        self.look_up(Absolute(&name), RecordType::TLSA, self.deadline()).await.map(|records| list(&records, tlsa))
    }
}

fn canonical(data: &RData) -> Option<String> {
    match data {
        RData::CNAME(name) => Some(host(&name.0)),
        _ => None,
    }
}

fn tlsa(data: &RData) -> Option<Tlsa> {
    match data {
        RData::TLSA(tlsa) => Some(Tlsa {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data.clone(),
        }),
        _ => None,
    }
}
