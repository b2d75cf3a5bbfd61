//! Who may send for the domain (SPF).

use dns::Resolver;
use guard::SpfResult;
use reputation::spf::{Examined, SpfFault, examine};

use crate::asking::clean;
use crate::finding::Finding;
use crate::publish::Record;

const TOPIC: &str = "SPF";
/// Characters of a record that are shown.
const SHOWN_MAX: usize = 200;

pub(crate) async fn look(dns: &Resolver, domain: &str) -> Vec<Finding> {
    told(domain, &examine(dns, domain).await)
}

fn told(domain: &str, found: &Examined) -> Vec<Finding> {
    let mut findings: Vec<Finding> = found.faults.iter().map(|fault| of(domain, fault)).collect();
    if let Some(name) = found.unknown.first() {
        findings.push(Finding::unknown(TOPIC, name, &dns::Failure::TimedOut));
    }
    let Some(record) = &found.record else {
        if findings.is_empty() {
            let text = "no record: anybody can send in this domain's name";
            findings.push(Finding::missing(TOPIC, domain, text).publish(Record::spf(domain)));
        }
        return findings;
    };
    let malformed = |fault: &SpfFault| matches!(fault, SpfFault::Malformed { .. });
    if found.otherwise.is_none()
        && found.unknown.is_empty()
        && !found.faults.iter().any(malformed)
        && found.by_client.is_empty()
    {
        let text = "the record does not say what holds for everybody else: end it in -all or ~all";
        findings.push(Finding::wrong(TOPIC, domain, text));
    }
    if findings.is_empty() {
        let mut text = format!(
            "{}: {} look-ups of 10, {} of 2 for nothing, {}",
            clean(record.as_bytes(), SHOWN_MAX),
            found.terms,
            found.void_terms,
            otherwise(found.otherwise)
        );
        if !found.by_client.is_empty() {
            text += "; some names depend on the client and were not followed";
        }
        findings.push(Finding::good(TOPIC, domain, text));
    }
    findings
}

fn otherwise(result: Option<SpfResult>) -> &'static str {
    match result {
        Some(SpfResult::Fail) => "all others fail",
        Some(SpfResult::SoftFail) => "all others softly fail",
        Some(SpfResult::Neutral) => "nothing is said of all others (?all)",
        _ => "what holds for all others is not told",
    }
}

fn of(domain: &str, fault: &SpfFault) -> Finding {
    let finding = Finding::wrong(TOPIC, domain, clean(fault.to_string().as_bytes(), 2 * SHOWN_MAX));
    match fault {
        SpfFault::Everybody { domain: of } if of == domain => finding.publish(Record::spf(domain)),
        _ => finding,
    }
}
