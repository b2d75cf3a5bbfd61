//! Asks DNS: each question has a deadline, and goes to the cache first.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::rr::{IntoName, Name, RData, RecordType};

use crate::answer::{Answer, Exchange, Failure};
use crate::cache::{Answers, Known, Question};
use crate::counters::{Counters, Counts, count, waited};

/// Records of one answer that are looked at; the rest of a longer one is left out.
const RECORDS_MAX: usize = 50;

/// The same for texts and addresses: a large domain has scores of texts, a pool scores of addresses, and where one is left out
/// an honest sender's may be it.
const MANY_RECORDS_MAX: usize = 250;

/// Whom to ask, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name servers; empty: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Longest wait for an answer.
    pub timeout: Duration,
}

/// There are no name servers to ask.
#[derive(Debug, thiserror::Error)]
#[error("no usable name servers: {0}")]
pub struct SetupError(String);

/// Asks DNS. One for the whole program, so that all share its cache and are counted together.
pub struct Resolver {
    dns: TokioResolver,
    timeout: Duration,
    answers: Answers,
    counters: Counters,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Resolver {
    /// Reads the system's name servers if none are named. Asks nobody yet.
    pub fn new(settings: &Settings) -> Result<Self, SetupError> {
        let (dns, timeout) = (handle(settings)?, settings.timeout);
        Ok(Self { dns, timeout, answers: Answers::new(), counters: Counters::default() })
    }

    /// Longest wait for one look-up.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The hosts that take mail for a domain, as they stand in DNS.
    pub async fn exchanges(&self, domain: &str) -> Answer<Vec<Exchange>> {
        self.look_up(Absolute(domain), RecordType::MX, self.deadline()).await.map(|records| list(&records, exchange))
    }

    /// The addresses of a host, IPv6 first. One family unknown and the other known: what is known.
    pub async fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>> {
        let deadline = self.deadline();
        let ask = |kind| self.look_up(Absolute(host), kind, deadline);
        let (v6, v4) = tokio::join!(ask(RecordType::AAAA), ask(RecordType::A));
        let listed = |records: Arc<[RData]>| list(&records, address);
        match (v6.map(listed), v4.map(listed)) {
            (Answer::Found(v6), Answer::Found(v4)) => Answer::Found([v6, v4].concat()),
            (Answer::Found(known), _) | (_, Answer::Found(known)) => Answer::Found(known),
            (Answer::Failed(failure), _) | (_, Answer::Failed(failure)) => Answer::Failed(failure),
            (Answer::None, Answer::None) => Answer::None,
        }
    }

    /// The addresses of a host in the family of this one: what SPF compares a client with (RFC 7208 §5).
    pub async fn addresses_like(&self, ip: IpAddr, host: &str) -> Answer<Vec<IpAddr>> {
        self.look_up(Absolute(host), family(ip), self.deadline()).await.map(|records| list(&records, address))
    }

    /// The IPv4 addresses under a name, which need be no host's: what a DNS list answers stands there (RFC 5782 §2.1).
    pub async fn ipv4(&self, name: &str) -> Answer<Vec<Ipv4Addr>> {
        self.look_up(Absolute(name), RecordType::A, self.deadline()).await.map(|records| list(&records, ipv4))
    }

    /// The texts under a name, each with its strings joined (RFC 7208 §3.3).
    pub async fn texts(&self, name: &str) -> Answer<Vec<Vec<u8>>> {
        self.look_up(Absolute(name), RecordType::TXT, self.deadline()).await.map(|records| list(&records, text))
    }

    /// How much was asked since the start.
    pub fn counts(&self) -> Counts {
        self.counters.read()
    }

    /// How long name servers were waited for since the start, over all questions that went to them.
    pub fn waited(&self) -> Duration {
        Duration::from_micros(self.counters.waited_micros.load(Ordering::Relaxed))
    }

    /// When a look-up that begins now is over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// The records of one type; never an empty list.
    pub(crate) async fn look_up(
        &self,
        name: impl IntoName,
        kind: RecordType,
        deadline: Instant,
    ) -> Answer<Arc<[RData]>> {
        count(&self.counters.asked);
        let question = match name.into_name() {
            Ok(name) => Question { name, kind },
            Err(error) => return self.failed(NetError::from(error).into()),
        };
        let known = match self.answers.get(&question) {
            Some(records) => {
                count(&self.counters.from_cache);
                records
            }
            None => match self.ask(question, deadline).await {
                Ok(records) => records,
                Err(failure) => return self.failed(failure),
            },
        };
        if known.is_empty() { Answer::None } else { Answer::Found(known) }
    }

    /// Asks a name server, and remembers what it says.
    async fn ask(&self, question: Question, deadline: Instant) -> Result<Arc<[RData]>, Failure> {
        let asked = self.dns.lookup(question.name.clone(), question.kind);
        let began = Instant::now();
        let answered = tokio::time::timeout_at(deadline.into(), asked).await;
        waited(&self.counters.waited_micros, began);
        let known = match answered {
            Err(_) => return Err(Failure::TimedOut),
            Ok(Ok(found)) => {
                let data = found.answers().iter().map(|record| &record.data);
                let wanted = data.filter(|data| data.record_type() == question.kind);
                let wanted = wanted.take(records_max(question.kind)).cloned();
                Known { records: wanted.collect(), until: found.valid_until() }
            }
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(denial)))) => {
                let lifetime = Duration::from_secs(u64::from(denial.negative_ttl.unwrap_or(0)));
                Known { records: Arc::new([]), until: Instant::now() + lifetime }
            }
            Ok(Err(error)) => return Err(error.into()),
        };
        let records = Arc::clone(&known.records);
        self.answers.remember(question, known);
        Ok(records)
    }

    fn failed<T>(&self, failure: Failure) -> Answer<T> {
        count(if failure == Failure::TimedOut { &self.counters.timed_out } else { &self.counters.failed });
        Answer::Failed(failure)
    }
}

/// Asks the servers of the settings, and keeps nothing itself.
fn handle(settings: &Settings) -> Result<TokioResolver, SetupError> {
    let failed = |error: NetError| SetupError(error.to_string());
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder_tokio().map_err(failed)?
    } else {
        TokioResolver::builder_with_config(config(&settings.servers), TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    // A lost datagram is asked for again before our own deadline.
    options.timeout = settings.timeout / 3;
    options.ndots = 0;
    options.cache_size = 0;
    builder.build().map_err(failed)
}

fn config(servers: &[SocketAddr]) -> ResolverConfig {
    let name_servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    ResolverConfig::from_parts(None, Vec::new(), name_servers.collect())
}

/// A name of DNS as it stands: from the root, so that the search list of the machine stays out, and with whatever its labels are
/// made of (RFC 2181 §11: hosts with underscores are many). Only what is not ASCII is translated.
pub(crate) struct Absolute<'a>(pub(crate) &'a str);

impl IntoName for Absolute<'_> {
    fn into_name(self) -> Result<Name, ProtoError> {
        let name = self.0.strip_suffix('.').unwrap_or(self.0);
        if name.is_ascii() && !name.is_empty() {
            Name::from_labels(name.split('.').map(str::as_bytes))
        } else {
            Name::from_utf8(format!("{name}."))
        }
    }

    fn to_ip(&self) -> Option<IpAddr> {
        None
    }
}

fn records_max(kind: RecordType) -> usize {
    match kind {
        RecordType::TXT | RecordType::A | RecordType::AAAA => MANY_RECORDS_MAX,
        _ => RECORDS_MAX,
    }
}

/// The type of the records in which addresses like this one stand.
pub(crate) fn family(ip: IpAddr) -> RecordType {
    if ip.to_canonical().is_ipv4() { RecordType::A } else { RecordType::AAAA }
}

pub(crate) fn list<T>(records: &[RData], pick: impl Fn(&RData) -> Option<T>) -> Vec<T> {
    records.iter().filter_map(pick).collect()
}

fn exchange(data: &RData) -> Option<Exchange> {
    match data {
        RData::MX(mx) => Some(Exchange { preference: mx.preference, host: host(&mx.exchange) }),
        _ => None,
    }
}

/// A name as [`Absolute`] asks for it again: its labels as they stand. Where they would not be the same labels then, or a line of the
/// log would be cut in two by them, escaped.
pub(crate) fn host(name: &Name) -> String {
    let plain = |label: &[u8]| label.iter().all(|octet| octet.is_ascii_graphic() && !b".\"\\".contains(octet));
    let text = if name.iter().all(plain) {
        name.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(".")
    } else {
        name.to_ascii().trim_end_matches('.').to_owned()
    };
    text.to_ascii_lowercase()
}

fn ipv4(data: &RData) -> Option<Ipv4Addr> {
    match data {
        RData::A(address) => Some(address.0),
        _ => None,
    }
}

fn text(data: &RData) -> Option<Vec<u8>> {
    match data {
        RData::TXT(text) => Some(text.txt_data.iter().flatten().copied().collect()),
        _ => None,
    }
}

/// Never IPv4-mapped.
pub(crate) fn address(data: &RData) -> Option<IpAddr> {
    match data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0).to_canonical()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_label_is_asked_for_as_it_stands() {
        for (text, asked) in [
            ("mx_1.d.example", "mx_1.d.example."),
            ("_dmarc.d.example.", "_dmarc.d.example."),
            ("a_", "a_."),
            ("-a.b-.example", "-a.b-.example."),
            ("bücher.example", "xn--bcher-kva.example."),
        ] {
            // Its text would escape what is asked for as it stands.
            let name = Absolute(text).into_name().unwrap();
            let labels: Vec<_> = name.iter().map(String::from_utf8_lossy).collect();
            assert_eq!(labels.join(".") + ".", asked);
        }
        for text in ["mx_1.d.example", "foo:bar/baz.example", ""] {
            let name = if text.is_empty() { Name::root() } else { Absolute(text).into_name().unwrap() };
            assert_eq!(host(&name), text, "what DNS names is asked for as it stands, too");
        }
        for (label, escaped) in [(&b"a.B"[..], "a\\.b"), (b"a\\", "a\\\\"), (b"a=\n", "a\\=\\012"), (b"a b", "a\\040b")]
        {
            let name = Name::from_labels([label, b"example"]).unwrap();
            assert_eq!(host(&name), format!("{escaped}.example"), "nobody else's name comes of it, nor a second line");
        }
        for text in ["a..b", ".", &"a".repeat(64), &"a.".repeat(200)] {
            let name = Absolute(text).into_name();
            assert!(name.is_err() || text == ".", "{text}: {name:?}");
        }
    }
}
