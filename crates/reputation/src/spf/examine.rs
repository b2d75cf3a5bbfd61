//! A domain's SPF record as its owner must see it: without a client, and so at its dearest, with every term evaluated.
//!
//! Whose check ends sooner spends less; a record that is within the limits here is within them for everybody.

use std::pin::Pin;

use dns::{Answer, Resolver};
use futures_util::future::join_all;
use guard::SpfResult;

use super::limits::{HOSTS_MAX, TERMS_MAX, VOID_TERMS_MAX};
use super::macros::DomainSpec;
use super::name::is_name;
use super::record::{Mechanism, Record, is_record};

/// Records that are read at most, and how deep they may stand in one another: the limit of terms ends a check sooner.
const RECORDS_MAX: usize = 32;
const DEPTH_MAX: usize = 12;
/// Terms that are asked for; what is beyond is only counted.
const ASKED_MAX: u32 = 4 * TERMS_MAX;
/// Names without an answer after which nothing more is asked for: each is a deadline long.
const UNKNOWN_MAX: usize = 4;
/// Faults that are told at most.
const FAULTS_MAX: usize = 32;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// The domain's own record; `None`: it has none, or more than one, or it was not found out.
    pub record: Option<String>,
    /// Terms that ask DNS, over all records that it brings in (RFC 7208 §4.6.4).
    pub terms: u32,
    /// Of these, terms that ask for what is not there.
    pub void_terms: u32,
    /// What holds for clients that nothing else matches; `None`: nothing says so, and it is "neutral".
    pub otherwise: Option<SpfResult>,
    /// Names that depend on the client, and so were not followed.
    pub by_client: Vec<String>,
    /// What is wrong.
    pub faults: Vec<SpfFault>,
    /// Names that DNS did not answer for.
    pub unknown: Vec<String>,
    records: usize,
}

/// What is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpfFault {
    /// A domain has more than one record: none of them counts.
    #[error("{domain} has {count} SPF records, and only one may stand there; no receiver counts any of them")]
    Several {
        /// Whose.
        domain: String,
        /// How many.
        count: usize,
    },
    /// A record cannot be read: nothing of it counts.
    #[error("{domain}: the record cannot be read{}", of_term(term.as_ref()))]
    Malformed {
        /// Whose.
        domain: String,
        /// The first term with a mistake, if it is in one.
        term: Option<String>,
    },
    /// What is brought in has no record, which makes a mistake of the whole.
    #[error("{by} brings in {domain}, which has no SPF record")]
    NoRecord {
        /// Whose record does.
        by: String,
        /// Which has none.
        domain: String,
    },
    /// A record comes back to itself.
    #[error("{domain} is brought in by itself")]
    Circle {
        /// Which.
        domain: String,
    },
    /// More look-ups than a receiver makes.
    #[error("{terms} terms ask DNS, and receivers give up after {TERMS_MAX}")]
    Terms {
        /// How many, as far as was counted.
        terms: u32,
    },
    /// More look-ups for nothing than a receiver makes.
    #[error("{void_terms} terms ask for names that are not there, and receivers give up after {VOID_TERMS_MAX}")]
    VoidTerms {
        /// How many.
        void_terms: u32,
    },
    /// An `mx` of too many hosts.
    #[error("mx:{domain} has {count} hosts, and receivers look at no more than {HOSTS_MAX}")]
    Hosts {
        /// Whose.
        domain: String,
        /// How many.
        count: usize,
    },
    /// Everybody may send.
    #[error("{domain} lets everybody send for it (+all)")]
    Everybody {
        /// Whose record.
        domain: String,
    },
    /// `ptr`, which is not to be used (§5.5).
    #[error("{domain} uses ptr, which is slow, and which many receivers pass over")]
    Ptr {
        /// Whose record.
        domain: String,
    },
}

fn of_term(term: Option<&String>) -> String {
    term.map(|term| format!(", because of {term:?}")).unwrap_or_default()
}

/// Reads the record of a domain and all that it brings in.
pub async fn examine(dns: &Resolver, domain: &str) -> Examined {
    let mut examination = Examination { dns, found: Examined::default() };
    let place = Place { domain, above: Vec::new() };
    if let Some(record) = examination.record(&place).await {
        examination.found.record = Some(record.text.clone());
        examination.found.otherwise = examination.follow(&place, &record).await;
    }
    let mut found = examination.found;
    if found.terms > TERMS_MAX {
        found.faults.push(SpfFault::Terms { terms: found.terms });
    }
    if found.void_terms > VOID_TERMS_MAX {
        found.faults.push(SpfFault::VoidTerms { void_terms: found.void_terms });
    }
    found
}

struct Examination<'d> {
    dns: &'d Resolver,
    found: Examined,
}

/// Where a record stands.
struct Place<'p> {
    domain: &'p str,
    /// The domains that brought it in, the first one first.
    above: Vec<&'p str>,
}

struct Read {
    text: String,
    record: Record,
}

type Boxed<'f, T> = Pin<Box<dyn Future<Output = T> + Send + 'f>>;

impl Examination<'_> {
    fn wrong(&mut self, fault: SpfFault) {
        if self.found.faults.len() < FAULTS_MAX && !self.found.faults.contains(&fault) {
            self.found.faults.push(fault);
        }
    }

    /// The record of a domain, read; what is wrong with it is told.
    async fn record(&mut self, place: &Place<'_>) -> Option<Read> {
        self.found.records += 1;
        let domain = place.domain.to_owned();
        // What is no name has no record (RFC 7208 §4.3).
        let answer = if is_name(place.domain) { self.dns.texts(place.domain).await } else { Answer::None };
        let texts = match answer {
            Answer::Found(texts) => texts,
            Answer::None => Vec::new(),
            Answer::Failed(_) => {
                self.found.unknown.push(domain);
                return None;
            }
        };
        let records: Vec<&Vec<u8>> = texts.iter().filter(|text| is_record(text)).collect();
        let text = match records[..] {
            [text] => String::from_utf8_lossy(text).into_owned(),
            [] => {
                if let Some(by) = place.above.last() {
                    self.wrong(SpfFault::NoRecord { by: (*by).to_owned(), domain });
                }
                return None;
            }
            _ => {
                self.wrong(SpfFault::Several { domain, count: records.len() });
                return None;
            }
        };
        if let Ok(record) = Record::parse(text.as_bytes()) {
            return Some(Read { text, record });
        }
        let term = Record::mistake(&text).map(str::to_owned);
        self.wrong(SpfFault::Malformed { domain, term });
        if place.above.is_empty() {
            self.found.record = Some(text);
        }
        None
    }

    /// Counts what a record costs; what holds for clients that nothing of it matches.
    fn follow<'f>(&'f mut self, place: &'f Place<'f>, read: &'f Read) -> Boxed<'f, Option<SpfResult>> {
        Box::pin(async move {
            for directive in &read.record.directives {
                match &directive.mechanism {
                    Mechanism::All => {
                        if directive.result == SpfResult::Pass {
                            self.wrong(SpfFault::Everybody { domain: place.domain.to_owned() });
                        }
                        return Some(directive.result);
                    }
                    Mechanism::Ip(_) => {}
                    Mechanism::Include(of) => {
                        self.bring_in(place, of).await;
                    }
                    mechanism => self.ask(mechanism, place.domain).await,
                }
            }
            match &read.record.redirect {
                Some(of) => self.bring_in(place, of).await,
                None => None,
            }
        })
    }

    /// `include` and `redirect`.
    async fn bring_in(&mut self, place: &Place<'_>, of: &DomainSpec) -> Option<SpfResult> {
        self.found.terms += 1;
        let Some(domain) = of.fixed(place.domain) else {
            self.depends(place.domain);
            return None;
        };
        let above: Vec<&str> = place.above.iter().copied().chain([place.domain]).collect();
        if above.iter().any(|known| known.eq_ignore_ascii_case(&domain)) {
            self.wrong(SpfFault::Circle { domain });
            return None;
        }
        if self.found.records >= RECORDS_MAX || above.len() > DEPTH_MAX || self.has_enough() {
            return None;
        }
        let below = Place { domain: &domain, above };
        let read = self.record(&below).await?;
        self.follow(&below, &read).await
    }

    /// Whether nothing more is asked for: a record can have a thousand terms.
    fn has_enough(&self) -> bool {
        self.found.terms > ASKED_MAX || self.found.unknown.len() >= UNKNOWN_MAX
    }

    fn depends(&mut self, domain: &str) {
        if !self.found.by_client.iter().any(|known| known == domain) {
            self.found.by_client.push(domain.to_owned());
        }
    }

    /// What asks for addresses.
    async fn ask(&mut self, mechanism: &Mechanism, domain: &str) {
        self.found.terms += 1;
        let of = match mechanism {
            Mechanism::A(hosts) | Mechanism::Mx(hosts) => hosts.of.as_ref(),
            Mechanism::Exists(of) => Some(of),
            Mechanism::Ptr(_) => {
                self.wrong(SpfFault::Ptr { domain: domain.to_owned() });
                return;
            }
            Mechanism::All | Mechanism::Ip(_) | Mechanism::Include(_) => return,
        };
        let Some(name) = of.map_or_else(|| Some(domain.to_owned()), |of| of.fixed(domain)) else {
            self.depends(domain);
            return;
        };
        if !is_name(&name) || self.has_enough() {
            return;
        }
        let answer = match mechanism {
            Mechanism::A(_) => self.dns.addresses(&name).await.map(|_| ()),
            Mechanism::Mx(_) => self.exchanges(&name).await,
            _ => self.dns.ipv4(&name).await.map(|_| ()),
        };
        match answer {
            Answer::Found(()) => {}
            Answer::None => self.found.void_terms += 1,
            Answer::Failed(_) => self.found.unknown.push(name),
        }
    }

    /// An `mx` whose hosts have no addresses is void as one without hosts is.
    async fn exchanges(&mut self, name: &str) -> Answer<()> {
        let exchanges = match self.dns.exchanges(name).await {
            Answer::Found(exchanges) => exchanges,
            Answer::None => return Answer::None,
            Answer::Failed(failure) => return Answer::Failed(failure),
        };
        if exchanges.len() > HOSTS_MAX {
            self.wrong(SpfFault::Hosts { domain: name.to_owned(), count: exchanges.len() });
            return Answer::Found(());
        }
        let hosts = exchanges.iter().map(|exchange| &*exchange.host).filter(|host| is_name(host));
        let answers = join_all(hosts.map(|host| self.dns.addresses(host))).await;
        if answers.iter().any(|answer| matches!(answer, Answer::None)) { Answer::None } else { Answer::Found(()) }
    }
}
