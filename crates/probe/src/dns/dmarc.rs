//! What receivers do with mail that only says it is the domain's (DMARC, RFC 9989), and where reports of it go.

use std::net::IpAddr;

use dns::{Answer, Resolver};
use reputation::published::{Dmarc, DmarcFault, Policy, Step, Tags, versioned};

use crate::asking::clean;
use crate::finding::Finding;
use crate::publish::Record;

const TOPIC: &str = "DMARC";
const VERSION: &str = "DMARC1";
/// Addresses for reports that are looked at.
const REPORTS_MAX: usize = 10;
/// Characters of a record that are shown.
const SHOWN_MAX: usize = 200;

pub(crate) async fn look(dns: &Resolver, domain: &str) -> Vec<Finding> {
    let walked = Dmarc::walk(dns, domain).await;
    let Some(at) = walked.policy_at() else {
        return vec![if let Some(failure) = walked.unknown {
            Finding::unknown(TOPIC, domain, &failure)
        } else {
            let text = "no record: receivers decide alone what to do with forged mail, and large ones want a record";
            Finding::missing(TOPIC, format!("_dmarc.{domain}"), text).publish(Record::dmarc(domain))
        }];
    };
    let subject = format!("_dmarc.{}", at.domain);
    let text = match &at.records[..] {
        [text] => text,
        several => {
            let text = format!("{} records stand there, and receivers count none of them: leave one", several.len());
            return vec![Finding::wrong(TOPIC, subject, text)];
        }
    };
    let mut findings = vec![policy(domain, at, text)];
    if let Ok(tags) = Tags::parse(text) {
        findings.extend(reports(dns, &at.domain, &walked.organization(), &tags).await);
    }
    findings
}

fn policy(domain: &str, at: &Step, text: &str) -> Finding {
    let subject = format!("_dmarc.{}", at.domain);
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(fault) => {
            let finding = Finding::wrong(TOPIC, subject, clean(fault.to_string().as_bytes(), 100));
            return match fault {
                DmarcFault::NoSuchPolicy { .. } => finding,
                DmarcFault::Unreadable | DmarcFault::NoPolicy => finding.publish(Record::dmarc(&at.domain)),
            };
        }
    };
    let inherited = at.domain != domain;
    let holds = if inherited { policy.below } else { policy.own };
    let mut told = vec![clean(text.as_bytes(), SHOWN_MAX)];
    if inherited {
        told.push(format!("it holds for {domain} too, as {holds}"));
    }
    let mut note = |is: bool, text: &str| told.extend(is.then(|| text.to_owned()));
    note(
        holds == "none",
        "forged mail is only reported: once SPF and DKIM are good for all your mail, take quarantine or reject",
    );
    note(policy.tags.value("rua").is_none(), "nobody gets reports (rua)");
    note(policy.tags.value("pct").is_some(), "pct is read no more (RFC 9989)");
    Finding::good(TOPIC, subject, told.join("; "))
}

/// Whether those who are to get reports may: another organization has to say that it takes them (RFC 9990 §4).
async fn reports(dns: &Resolver, domain: &str, organization: &str, tags: &Tags<'_>) -> Vec<Finding> {
    let addresses = ["rua", "ruf"].into_iter().filter_map(|tag| tags.value(tag)).flat_map(|value| value.split(','));
    let mut findings = Vec::new();
    for address in addresses.map(str::trim).take(REPORTS_MAX) {
        let Some(host) = report_host(address) else {
            let text = format!("reports go to {}, which is no mailto: address", clean(address.as_bytes(), 100));
            findings.push(Finding::wrong(TOPIC, format!("_dmarc.{domain}"), text));
            continue;
        };
        if within(&host, organization) || within(organization, &host) {
            continue;
        }
        let name = format!("{domain}._report._dmarc.{host}");
        match dns.texts(&name).await {
            Answer::Found(texts) if !versioned(&texts, VERSION).is_empty() => {}
            Answer::Found(_) | Answer::None => {
                let text = format!("reports go to {host}, which does not say that it takes them: none are sent there");
                findings.push(Finding::missing(TOPIC, &name, text).publish(Record::text(&name, "v=DMARC1")));
            }
            Answer::Failed(failure) => findings.push(Finding::unknown(TOPIC, &name, &failure)),
        }
    }
    findings
}

/// The domain of `mailto:a@b`, with a size behind it perhaps.
fn report_host(address: &str) -> Option<String> {
    let path = address.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).map(|_| &address[7..])?;
    let path = path.split(['!', '?']).next().unwrap_or_default();
    let (local, host) = path.rsplit_once('@')?;
    let host = smtp::Domain::parse(host).ok()?;
    let sound = !local.is_empty() && host.as_str().parse::<IpAddr>().is_err();
    sound.then(|| host.as_str().to_owned())
}

fn within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_and_what_is_wrong_with_it() {
        use crate::finding::State::{Good, Wrong};
        let step = |domain: &str| Step { domain: domain.to_owned(), records: Vec::new() };
        for (text, state, part) in [
            ("v=DMARC1; p=reject; rua=mailto:a@d.example", Good, "reject"),
            ("v=DMARC1; p=none", Good, "only reported"),
            ("v=DMARC1; p=reject; pct=50", Good, "pct is read no more"),
            ("v=DMARC1; p=block", Wrong, "p=\"block\""),
            ("v=DMARC1; sp=none", Wrong, "no policy"),
            ("v=DMARC1; p", Wrong, "cannot be read"),
        ] {
            let finding = policy("d.example", &step("d.example"), text);
            assert!(finding.state == state && finding.text.contains(part), "{text}: {finding:?}");
        }
        let below = policy("a.d.example", &step("d.example"), "v=DMARC1; p=reject; sp=none");
        assert!(below.text.contains("as none"), "{below:?}");
    }

    #[test]
    fn where_reports_go() {
        for (address, host) in [
            ("mailto:a@D.example!10m", Some("d.example")),
            ("MAILTO:a@d.example?x", Some("d.example")),
            ("https://d.example/", None),
            ("mailto:d.example", None),
            ("mailto:@d.example", None),
            ("é", None),
        ] {
            assert_eq!(report_host(address).as_deref(), host, "{address}");
        }
    }
}
