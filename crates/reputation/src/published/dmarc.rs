//! Whose DMARC record holds for a domain, and what it says (RFC 9989).

use dns::{Answer, Failure, Resolver};
use futures_util::future::join_all;

use super::tags::{Tags, versioned};

/// How a record begins.
const VERSION: &str = "DMARC1";
/// Names asked in a walk up the tree at most (RFC 9989 §4.10).
const STEPS_MAX: usize = 8;
/// What receivers may be asked to do with mail that fails.
const POLICIES: [&str; 3] = ["none", "quarantine", "reject"];

/// The records on the way up from a domain.
#[derive(Debug, Default)]
pub struct Dmarc {
    /// The domain asked for first.
    steps: Vec<Step>,
    /// A step was not answered: whether another record holds is not known.
    pub unknown: Option<Failure>,
}

/// What stands at one domain of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whose.
    pub domain: String,
    /// Empty: none stands there.
    pub records: Vec<String>,
}

/// What a sound record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy<'t> {
    /// What receivers are asked to do with forged mail of the domain itself.
    pub own: &'t str,
    /// The same of the domains below it.
    pub below: &'t str,
    /// All that it says.
    pub tags: Tags<'t>,
}

/// Why a record does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DmarcFault {
    /// It is no list of tags.
    #[error("the record cannot be read")]
    Unreadable,
    /// Receivers are asked for what there is not.
    #[error("{tag}={value:?} is none of none, quarantine, reject")]
    NoSuchPolicy {
        /// The tag.
        tag: &'static str,
        /// What stands there.
        value: String,
    },
    /// Receivers are asked for nothing.
    #[error("the record has no policy (p=)")]
    NoPolicy,
}

impl<'t> Policy<'t> {
    /// Reads a record.
    pub fn parse(record: &'t str) -> Result<Self, DmarcFault> {
        let tags = Tags::parse(record).map_err(|_| DmarcFault::Unreadable)?;
        for tag in ["p", "sp", "np"] {
            if let Some(value) = tags.value(tag).filter(|value| !POLICIES.contains(value)) {
                return Err(DmarcFault::NoSuchPolicy { tag, value: value.chars().take(40).collect() });
            }
        }
        let own = tags.value("p").ok_or(DmarcFault::NoPolicy)?;
        Ok(Self { own, below: tags.value("sp").unwrap_or(own), tags })
    }
}

/// The domains that are asked (RFC 9989 §4.10): the one itself, then each above it, of which a long name has seven labels at most.
fn way_up(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    let above = (1..labels.len()).map(|at| &labels[at..]).filter(|rest| rest.len() < STEPS_MAX);
    std::iter::once(&labels[..]).chain(above).take(STEPS_MAX).map(|rest| rest.join(".")).collect()
}

impl Dmarc {
    /// Asks for the records of a domain and of those above it.
    pub async fn walk(dns: &Resolver, domain: &str) -> Self {
        let domains = way_up(domain);
        let names: Vec<String> = domains.iter().map(|domain| format!("_dmarc.{domain}")).collect();
        let answers = join_all(names.iter().map(|name| dns.texts(name))).await;
        let mut walked = Self::default();
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

impl Dmarc {
    /// The organizational domain.
    pub fn organization(&self) -> String {
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
    pub fn policy_at(&self) -> Option<&Step> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(records: &[(&str, &str)]) -> Dmarc {
        let steps = records.iter().map(|(domain, record)| Step {
            domain: (*domain).to_owned(),
            records: Some((*record).to_owned()).filter(|record| !record.is_empty()).into_iter().collect(),
        });
        Dmarc { steps: steps.collect(), unknown: None }
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
    fn what_a_record_says() {
        let said = |record| Policy::parse(record).map(|it| (it.own, it.below));
        for (record, expected) in [
            ("v=DMARC1; p=reject", Ok(("reject", "reject"))),
            ("v=DMARC1; p=reject; sp=none", Ok(("reject", "none"))),
            ("v=DMARC1; sp=none", Err(DmarcFault::NoPolicy)),
            ("v=DMARC1; p", Err(DmarcFault::Unreadable)),
            ("v=DMARC1; p=none; p=reject", Err(DmarcFault::Unreadable)),
            ("v=DMARC1; p=block", Err(DmarcFault::NoSuchPolicy { tag: "p", value: "block".to_owned() })),
            ("v=DMARC1; p=none; np=x", Err(DmarcFault::NoSuchPolicy { tag: "np", value: "x".to_owned() })),
        ] {
            assert_eq!(said(record), expected, "{record}");
        }
    }
}
