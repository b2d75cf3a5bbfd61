//! An address' forward-confirmed name: its PTR name, if that name leads back to the address.
//!
//! A name that is not confirmed is none: whoever owns an address writes its PTR record as he likes.

use std::net::IpAddr;

use hickory_resolver::proto::rr::{Name, RData, RecordType};
use smtp::Domain;

use crate::answer::Answer;
use crate::resolver::{Absolute, Resolver, address, family};

/// PTR names tried for one address: more are no honest host's.
const NAMES_MAX: usize = 4;

impl Resolver {
    /// The PTR names of an address, as many as are looked at, whether or not they lead back to it.
    pub async fn names(&self, ip: IpAddr) -> Answer<Vec<Domain>> {
        self.first_names(ip, NAMES_MAX).await
    }

    /// The same, of the first so many records: SPF says how many of them it looks at (RFC 7208 §4.6.4).
    pub async fn first_names(&self, ip: IpAddr, names_max: usize) -> Answer<Vec<Domain>> {
        let found = self.look_up(Name::from(ip.to_canonical()), RecordType::PTR, self.deadline()).await;
        found.map(|names| names.iter().take(names_max).filter_map(domain).collect())
    }

    /// The first name of an address that leads back to it. One deadline for all that is asked.
    pub async fn confirmed_name(&self, ip: IpAddr) -> Answer<Domain> {
        let (ip, deadline) = (ip.to_canonical(), self.deadline());
        let names = match self.look_up(Name::from(ip), RecordType::PTR, deadline).await {
            Answer::Found(names) => names,
            Answer::None => return Answer::None,
            Answer::Failed(failure) => return Answer::Failed(failure),
        };
        let mut outcome = Answer::None;
        for name in names.iter().take(NAMES_MAX).filter_map(domain) {
            match self.look_up(Absolute(name.as_str()), family(ip), deadline).await {
                Answer::Found(records) if records.iter().filter_map(address).any(|found| found == ip) => {
                    return Answer::Found(name);
                }
                Answer::Found(_) | Answer::None => {}
                // "None" only if every name was answered.
                Answer::Failed(failure) => outcome = Answer::Failed(failure),
            }
        }
        outcome
    }
}

fn domain(data: &RData) -> Option<Domain> {
    match data {
        RData::PTR(name) => Domain::parse(&name.0.to_ascii()).ok(),
        _ => None,
    }
}
