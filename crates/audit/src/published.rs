//! Asks DNS: what our own domains publish, and which relaying addresses lists have. All at once, each with its deadline; what was
//! not found out is an answer of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use config::{Dnsbl, ListKind, is_listing};
use dns::{Answer, Resolver};
use futures_util::future::join_all;
use guard::is_public;
use judge::uses::Noted;
use reputation::by_address;
use reputation::published::{Dmarc, ID_OCTETS_MAX, Policy, sts_id, versioned};
use reputation::spf::is_record;

use crate::danger::{ListedAddress, OwnDomain, Published, Told};
use crate::set::Set;

/// Addresses that are looked up in lists: those that are listed by themselves or in small networks, and those that were used.
const ADDRESSES_MAX: usize = 256;
/// Questions that are out at once.
const AT_ONCE: usize = 64;
/// Networks of so many free bits are looked at address by address.
const SMALL_BITS: u8 = 4;

/// Fills in what they publish.
pub(crate) async fn of_domains(resolver: &Resolver, domains: &mut [OwnDomain]) {
    for some in domains.chunks_mut(AT_ONCE / 3) {
        join_all(some.iter_mut().map(|own| async { own.published = Some(of_domain(resolver, &own.domain).await) }))
            .await;
    }
}

async fn of_domain(resolver: &Resolver, domain: &str) -> Published {
    let sts_name = format!("_mta-sts.{domain}");
    let (spf, dmarc, mta_sts) =
        tokio::join!(resolver.texts(domain), Dmarc::walk(resolver, domain), resolver.texts(&sts_name));
    Published { spf: told(spf, spf_records), dmarc: told_dmarc(&dmarc), mta_sts: sound_sts(told(mta_sts, sts_records)) }
}

fn spf_records(texts: &[Vec<u8>]) -> Vec<String> {
    texts.iter().filter(|text| is_record(text)).map(|text| String::from_utf8_lossy(text).into_owned()).collect()
}

fn sts_records(texts: &[Vec<u8>]) -> Vec<String> {
    versioned(texts, "STSv1")
}

/// The one record among the texts.
fn told(answer: Answer<Vec<Vec<u8>>>, records: fn(&[Vec<u8>]) -> Vec<String>) -> Told {
    match answer {
        Answer::Found(texts) => alone(records(&texts)),
        Answer::None => Told::None,
        Answer::Failed(failure) => Told::Unknown(failure.to_string()),
    }
}

fn alone(mut records: Vec<String>) -> Told {
    match (records.pop(), records.is_empty()) {
        (None, _) => Told::None,
        (Some(record), true) => Told::Record(record),
        (Some(_), false) => Told::Several,
    }
}

/// The record that holds for the domain: its own, or that of the domain that it belongs to.
fn told_dmarc(walked: &Dmarc) -> Told {
    let told = match (walked.policy_at(), &walked.unknown) {
        (Some(step), _) => alone(step.records.clone()),
        (None, Some(failure)) => Told::Unknown(failure.to_string()),
        (None, None) => Told::None,
    };
    match told {
        Told::Record(record) => match Policy::parse(&record) {
            Ok(_) => Told::Record(record),
            Err(fault) => Told::Wrong(fault.to_string()),
        },
        other => other,
    }
}

fn sound_sts(told: Told) -> Told {
    match told {
        Told::Record(record) if sts_id(&record).is_none() => {
            Told::Wrong(format!("it needs an id of 1 to {ID_OCTETS_MAX} letters and digits"))
        }
        other => other,
    }
}

/// The relaying addresses that lists have, or about which a list could not be asked.
pub(crate) async fn listed(
    resolver: &Resolver,
    set: &Set,
    noted: Option<&Noted>,
    lists: &[Dnsbl],
) -> Vec<ListedAddress> {
    let lists: Vec<&Dnsbl> = lists.iter().filter(|list| list.kind == ListKind::Ip).collect();
    if lists.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for some in candidates(set, noted).chunks(AT_ONCE / lists.len().clamp(1, AT_ONCE)) {
        let asked = join_all(some.iter().map(|address| one(resolver, *address, &lists))).await;
        found.extend(asked.into_iter().filter(|it| !it.lists.is_empty() || !it.unknown.is_empty()));
    }
    found
}

async fn one(resolver: &Resolver, address: IpAddr, lists: &[&Dnsbl]) -> ListedAddress {
    let asked = join_all(lists.iter().map(|list| {
        let name = by_address(address, &list.zone);
        async move { (list, resolver.ipv4(&name).await) }
    }));
    let mut found = ListedAddress { address, lists: Vec::new(), unknown: Vec::new() };
    for (list, answer) in asked.await {
        // A list that speaks for somebody weighs less than nothing.
        let speaks_against = |code| list.codes.iter().any(|it| it.weight > 0 && it.which.has(code)) && is_listing(code);
        match answer {
            Answer::Found(codes) if codes.iter().copied().any(speaks_against) => {
                found.lists.push(list.name.to_string());
            }
            Answer::Found(_) | Answer::None => {}
            Answer::Failed(_) => found.unknown.push(list.name.to_string()),
        }
    }
    found
}

/// Single addresses and small networks first, then whoever used a right lately.
fn candidates(set: &Set, noted: Option<&Noted>) -> Vec<IpAddr> {
    let listed = set.networks.iter().chain(&set.clients).map(|one| one.net);
    let small = listed.filter(|net| net.max_prefix_len() - net.prefix_len() <= SMALL_BITS);
    let mut all: BTreeSet<IpAddr> =
        small.flat_map(|net| net.hosts()).filter(|ip| is_public(*ip)).take(ADDRESSES_MAX).collect();
    let may = |ip: &IpAddr| is_public(*ip) && (set.by_network.contains(*ip) || set.by_client_map.contains(*ip));
    let used = noted.into_iter().flat_map(|noted| noted.last.values()).filter_map(|last| last.from);
    all.extend(used.filter(may).take(ADDRESSES_MAX));
    all.into_iter().take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_one_of_its_version() {
        let texts = |texts: &[&str]| Answer::Found(texts.iter().map(|text| text.as_bytes().to_vec()).collect());
        let record = |text: &str| Told::Record(text.to_owned());
        for (answer, expected) in [
            (texts(&["google=1", "v=spf1 mx -all"]), record("v=spf1 mx -all")),
            (texts(&["V=SPF1"]), record("V=SPF1")),
            (texts(&["v=spf10 -all", "spf"]), Told::None),
            (texts(&["v=spf1 -all", "v=spf1 mx"]), Told::Several),
            (Answer::None, Told::None),
            (Answer::Failed(dns::Failure::TimedOut), Told::Unknown("timed out".to_owned())),
        ] {
            assert_eq!(told(answer, spf_records), expected);
        }
    }

    #[test]
    fn a_record_that_nobody_counts_is_none() {
        let sts = |text: &str| sound_sts(told(Answer::Found(vec![text.as_bytes().to_vec()]), sts_records));
        assert_eq!(sts("v=STSv1; id=1"), Told::Record("v=STSv1; id=1".to_owned()));
        assert!(matches!(sts("v=STSv1; id=1-2"), Told::Wrong(why) if why.contains("letters and digits")));
        assert_eq!(sts("v=stsv1; id=1"), Told::None);
        assert_eq!(sts("v=STSv1 id=1"), Told::None);
    }
}
