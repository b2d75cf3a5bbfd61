//! What receivers do with mail that only says it is the domain's (DMARC, RFC 9989), and where reports of it go.
#![expect(clippy::format_push_string, reason = "text for people, not on the way of a mail")]

use std::net::IpAddr;

use dns::{Answer, Failure, Resolver};
use futures_util::future::join_all;

use super::tags::{Tags, versioned};
use crate::asking::clean;
use crate::finding::Finding;
use crate::publish::Record;

const TOPIC: &str = "DMARC";
const VERSION: &str = "DMARC1";
/// Names asked in a walk up the tree at most (RFC 9989 §4.10).
const STEPS_MAX: usize = 8;
/// Addresses for reports that are looked at.
const REPORTS_MAX: usize = 10;
/// Characters of a record that are shown.
const SHOWN_MAX: usize = 200;

pub(crate) async fn look(dns: &Resolver, domain: &str) -> Vec<Finding> {
    let walked = walk(dns, domain).await;
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

/// The records on the way up.
#[derive(Debug, Default)]
struct Walked {
    /// The domain asked for first.
    steps: Vec<Step>,
    /// A step was not answered: whether another record holds is not known.
    unknown: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    domain: String,
    /// Empty: none stands there.
    records: Vec<String>,
}

/// The domains that are asked (RFC 9989 §4.10): the one itself, then each above it, of which a long name has seven labels at most.
fn way_up(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let above = (1..labels.len()).map(|at| &labels[at..]).filter(|rest| rest.len() < STEPS_MAX);
    std::iter::once(&labels[..]).chain(above).take(STEPS_MAX).map(|rest| rest.join(".")).collect()
}

async fn walk(dns: &Resolver, domain: &str) -> Walked {
    let domains = way_up(domain);
    let names: Vec<String> = domains.iter().map(|domain| format!("_dmarc.{domain}")).collect();
    let answers = join_all(names.iter().map(|name| dns.texts(name))).await;
    let mut walked = Walked::default();
    for (domain, answer) in domains.into_iter().zip(answers) {
        let records = match answer {
            Answer::Found(texts) => versioned(&texts, VERSION),
            Answer::None => Vec::new(),
            Answer::Failed(failure) => {
                walked.unknown.get_or_insert(failure);
                Vec::new()
            }
        };
        walked.steps.push(Step { domain, records });
    }
    walked
}

impl Step {
    /// What it says of being a public suffix; several records say nothing.
    fn psd(&self) -> Option<&str> {
        match &self.records[..] {
            [text] => Tags::parse(text).ok()?.value("psd"),
            _ => None,
        }
    }
}

impl Walked {
    /// The organizational domain.
    fn organization(&self) -> String {
        let single = |step: &&Step| step.records.len() == 1;
        for (at, step) in self.steps.iter().enumerate() {
            match step.psd() {
                Some("n") => return step.domain.clone(),
                Some("y") if at > 0 => return self.steps[at - 1].domain.clone(),
                _ => {}
            }
        }
        let found = self.steps.iter().rfind(single).or(self.steps.first());
        found.map(|step| step.domain.clone()).unwrap_or_default()
    }

    /// Whose record holds: the domain's own, else that of its organization, else of the suffix above that. `None` as well where the
    /// domain's own was not found out.
    fn policy_at(&self) -> Option<&Step> {
        let own = self.steps.first().filter(|step| !step.records.is_empty());
        if own.is_some() || self.unknown.is_some() {
            return own;
        }
        let organization = self.organization();
        let of = |step: &&Step| step.domain == organization && !step.records.is_empty();
        let suffix = |step: &&Step| step.psd() == Some("y");
        self.steps.iter().find(of).or_else(|| self.steps.iter().find(suffix))
    }
}

fn policy(domain: &str, at: &Step, text: &str) -> Finding {
    let subject = format!("_dmarc.{}", at.domain);
    let Ok(tags) = Tags::parse(text) else {
        return Finding::wrong(TOPIC, subject, "the record cannot be read").publish(Record::dmarc(&at.domain));
    };
    let inherited = at.domain != domain;
    let known = |tag| tags.value(tag).filter(|value| !matches!(*value, "none" | "quarantine" | "reject"));
    if let Some((tag, value)) = ["p", "sp", "np"].into_iter().find_map(|tag| Some((tag, known(tag)?))) {
        let text = format!("{tag}={} is none of none, quarantine, reject", clean(value.as_bytes(), 40));
        return Finding::wrong(TOPIC, subject, text);
    }
    let Some(own) = tags.value("p") else {
        return Finding::wrong(TOPIC, subject, "the record has no policy (p=)").publish(Record::dmarc(&at.domain));
    };
    let policy = if inherited { tags.value("sp").unwrap_or(own) } else { own };
    let mut told = clean(text.as_bytes(), SHOWN_MAX);
    if inherited {
        told += &format!("; it holds for {domain} too, as {policy}");
    }
    if policy == "none" {
        told +=
            "; forged mail is only reported: once SPF and DKIM are good for all your mail, take quarantine or reject";
    }
    if tags.value("rua").is_none() {
        told += "; nobody gets reports (rua)";
    }
    if tags.value("pct").is_some() {
        told += "; pct is read no more (RFC 9989)";
    }
    Finding::good(TOPIC, subject, told)
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
    sound.then(|| host.as_str().to_ascii_lowercase())
}

fn within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(records: &[(&str, &str)]) -> Walked {
        let steps = records.iter().map(|(domain, record)| Step {
            domain: (*domain).to_owned(),
            records: Some((*record).to_owned()).filter(|record| !record.is_empty()).into_iter().collect(),
        });
        Walked { steps: steps.collect(), unknown: None }
    }

    #[test]
    fn a_long_name_is_not_walked_label_by_label() {
        assert_eq!(way_up("a.b.example"), ["a.b.example", "b.example", "example"]);
        let long = way_up("a.b.c.d.e.f.g.h.i.example");
        assert_eq!(long.len(), STEPS_MAX);
        assert_eq!((&*long[0], &*long[1]), ("a.b.c.d.e.f.g.h.i.example", "d.e.f.g.h.i.example"));
        assert_eq!(long.last().unwrap(), "example");
    }

    #[test]
    fn the_organization_and_whose_policy_holds() {
        let (some, none) = ("v=DMARC1; p=reject", "");
        for (records, organization, policy) in [
            (&[("a.d.example", none), ("d.example", some), ("example", none)][..], "d.example", Some("d.example")),
            (&[("a.d.example", some), ("d.example", some), ("example", none)], "d.example", Some("a.d.example")),
            (&[("a.d.example", none), ("d.example", none), ("example", none)], "a.d.example", None),
            (&[("a.d.example", "v=DMARC1; p=none; psd=n"), ("d.example", some)], "a.d.example", Some("a.d.example")),
            (
                &[("a.d.example", none), ("d.example", none), ("example", "v=DMARC1; p=reject; psd=y")],
                "d.example",
                Some("example"),
            ),
        ] {
            let walked = walked(records);
            assert_eq!(walked.organization(), organization, "{records:?}");
            assert_eq!(walked.policy_at().map(|step| &*step.domain), policy, "{records:?}");
        }
    }

    #[test]
    fn a_policy_and_what_is_wrong_with_it() {
        use crate::finding::State::{Good, Wrong};
        let step = |domain: &str| Step { domain: domain.to_owned(), records: Vec::new() };
        for (text, state, part) in [
            ("v=DMARC1; p=reject; rua=mailto:a@d.example", Good, "reject"),
            ("v=DMARC1; p=none", Good, "only reported"),
            ("v=DMARC1; p=reject; pct=50", Good, "pct is read no more"),
            ("v=DMARC1; p=block", Wrong, "p=block"),
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
