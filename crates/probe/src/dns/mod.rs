//! What the DNS of a mail domain says, what is missing in it, and the records to publish.
//!
//! Answers for: that "it is not there" and "DNS did not answer" are never taken for one another; that every look is bounded in names,
//! records and time. Does not answer for: DNSSEC, which is not validated here (it is said so), nor for mailboxes, which no DNS tells of.
//!
//! | file | looks at |
//! |---|---|
//! | `exchanges` | MX and what its hosts resolve to |
//! | `names` | PTR, and whether names lead back |
//! | `spf` | SPF, by the parser of `reputation` |
//! | `dkim` | keys of selectors |
//! | `dmarc` | DMARC, and where reports go |
//! | `transport` | MTA-STS (with `fetch` and `policy`), TLS-RPT, DANE |

mod dkim;
mod dmarc;
mod exchanges;
mod fetch;
mod names;
mod policy;
mod spf;
mod transport;

use std::net::IpAddr;

use dns::Resolver;
use serde::Serialize;

use crate::finding::{Finding, State, records};
use exchanges::Exchanges;
use names::Wanted;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The domain, in lower case, without a dot at its end.
    pub domain: String,
    /// DKIM selectors.
    pub selectors: Vec<String>,
    /// Addresses that send for the domain, besides those of its exchanges.
    pub addresses: Vec<IpAddr>,
    /// The host that takes or is to take its mail, for the records to publish; `None`: its first exchange.
    pub host: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose.
    pub domain: String,
    /// In the order of the topics.
    pub findings: Vec<Finding>,
}

impl Question {
    /// A domain that can be asked for; `None`: it is none.
    pub fn domain(text: &str) -> Option<String> {
        let domain = smtp::Domain::parse(text.trim_end_matches('.')).ok()?;
        let name = domain.as_str().to_owned();
        (name.parse::<IpAddr>().is_err() && name.contains('.')).then_some(name)
    }

    /// Whether a text can be a selector: labels of a name (RFC 6376 §3.1).
    pub fn is_selector(text: &str) -> bool {
        let label = |label: &str| {
            (1..=63).contains(&label.len()) && label.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_".contains(&it))
        };
        text.len() <= 128 && text.split('.').all(label)
    }
}

/// Looks at everything.
pub async fn probe(dns: &Resolver, question: &Question) -> Report {
    let domain = &*question.domain;
    let suggested = question.host.clone().unwrap_or_else(|| format!("mail.{domain}"));
    let Exchanges { hosts, mut findings } = exchanges::look(dns, domain, &suggested).await;
    let first = hosts.first().map_or(&*suggested, |host| &*host.name);
    let of_hosts = hosts.iter().flat_map(|host| host.addresses.iter().map(|address| (*address, &*host.name)));
    let others = question.addresses.iter().map(|address| (*address, question.host.as_deref().unwrap_or(first)));
    let wanted: Vec<Wanted> =
        of_hosts.chain(others).map(|(address, host)| Wanted { address, host: host.to_owned() }).collect();
    let (names, spf, dkim, dmarc, sts, reports, dane) = tokio::join!(
        names::look(dns, &wanted),
        spf::look(dns, domain),
        dkim::look(dns, domain, &question.selectors),
        dmarc::look(dns, domain),
        transport::sts(dns, domain, &hosts),
        transport::reports(dns, domain),
        transport::dane(dns, &hosts),
    );
    for part in [names, spf, dkim, dmarc, sts, reports, dane] {
        findings.extend(part);
    }
    Report { domain: domain.to_owned(), findings }
}

impl Report {
    /// Whether something is missing or wrong.
    pub fn is_wrong(&self) -> bool {
        self.findings.iter().any(|it| matches!(it.state, State::Missing | State::Wrong))
    }

    /// Whether something was not found out.
    pub fn is_unsure(&self) -> bool {
        self.findings.iter().any(|it| it.state == State::NotFoundOut)
    }

    /// The header of [`Report::rows`].
    pub const HEADER: [&str; 4] = ["WHAT", "OF", "STATE", "FOUND"];

    /// A row for each finding.
    pub fn rows(&self) -> impl Iterator<Item = [String; 4]> {
        self.findings
            .iter()
            .map(|it| [it.topic.to_owned(), it.subject.clone(), it.state.word().to_owned(), it.text.clone()])
    }

    /// The records to publish.
    pub fn told(&self) -> String {
        records(&self.findings)
    }
}
