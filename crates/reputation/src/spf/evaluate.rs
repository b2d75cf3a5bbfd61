//! `check_host` (RFC 7208 §4): which record holds, and what its terms come to for one client.
//!
//! Departs in one point: where DNS did not answer for the client's own names, `ptr` does not match, as the standard has it (§5.5),
//! but what is then said against the client is "temperror".

use std::fmt::Write as _;
use std::net::IpAddr;
use std::pin::Pin;

use dns::{Answer, Resolver};
use futures_util::future::join_all;
use guard::SpfResult;
use smtp::Domain;

use super::limits::{HOSTS_MAX, Spent, Stop};
use super::macros::{DomainSpec, Values};
use super::name::{is_name, is_within};
use super::record::{Hosts, Mechanism, Record, is_record};

/// Stands for the local part where there is none (§4.3).
const POSTMASTER: &str = "postmaster";
/// Stands for the client's name where none is validated (§7.3).
const NO_NAME: &str = "unknown";

/// One check.
pub(super) struct Check<'c> {
    dns: &'c Resolver,
    /// Not IPv4-mapped.
    client: IpAddr,
    /// The same as macros have it.
    client_text: String,
    helo: &'c str,
    /// Local part and domain.
    sender: String,
    spent: Spent,
    /// Names of the client that lead back to it, once they were asked for.
    validated: Option<Vec<Domain>>,
    /// Whether DNS left some of these unknown.
    names_unknown: bool,
}

type Boxed<'f, T> = Pin<Box<dyn Future<Output = Result<T, Stop>> + Send + 'f>>;

impl<'c> Check<'c> {
    /// The sender may lack its local part.
    pub(super) fn new(dns: &'c Resolver, client: IpAddr, helo: &'c str, sender: &str) -> Self {
        let client = client.to_canonical();
        let (local_part, domain) = sender.rsplit_once('@').unwrap_or(("", sender));
        let local_part = if local_part.is_empty() { POSTMASTER } else { local_part };
        Self {
            dns,
            client,
            client_text: dotted(client),
            helo,
            sender: format!("{local_part}@{domain}"),
            spent: Spent::default(),
            validated: None,
            names_unknown: false,
        }
    }

    /// What the domain says of the client.
    pub(super) async fn result(mut self, domain: &str) -> SpfResult {
        match self.check_host(domain.to_owned()).await {
            Ok(SpfResult::Fail | SpfResult::SoftFail) if self.names_unknown => SpfResult::TempError,
            Ok(result) => result,
            Err(Stop::Temporary) => SpfResult::TempError,
            Err(Stop::Permanent) => SpfResult::PermError,
        }
    }

    /// Boxed, since `include` comes back to it; [`Spent::term`] bounds how often.
    fn check_host(&mut self, mut domain: String) -> Boxed<'_, SpfResult> {
        Box::pin(async move {
            let Some(mut record) = self.record(&domain).await? else { return Ok(SpfResult::None) };
            loop {
                for directive in &record.directives {
                    if self.matches(&directive.mechanism, &domain).await? {
                        return Ok(directive.result);
                    }
                }
                let Some(redirect) = &record.redirect else { return Ok(SpfResult::Neutral) };
                self.spent.term()?;
                domain = self.expanded(redirect, &domain).await?;
                record = self.record(&domain).await?.ok_or(Stop::Permanent)?;
            }
        })
    }

    /// The record of a domain (§4.3 to §4.6), if there is one.
    async fn record(&self, domain: &str) -> Result<Option<Record>, Stop> {
        if !is_name(domain) {
            return Ok(None);
        }
        let texts = match self.dns.texts(domain).await {
            Answer::Found(texts) => texts,
            Answer::None => return Ok(None),
            Answer::Failed(_) => return Err(Stop::Temporary),
        };
        let mut records = texts.iter().filter(|text| is_record(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(record), None) => Ok(Some(Record::parse(record)?)),
            (Some(_), Some(_)) => Err(Stop::Permanent),
        }
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        if !matches!(mechanism, Mechanism::All | Mechanism::Ip(_)) {
            self.spent.term()?;
        }
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(network) => Ok(network.has(self.client)),
            Mechanism::Include(of) => self.include(of, domain).await,
            Mechanism::A(hosts) => self.a(hosts, domain).await,
            Mechanism::Mx(hosts) => self.mx(hosts, domain).await,
            Mechanism::Ptr(of) => self.ptr(of.as_ref(), domain).await,
            Mechanism::Exists(name) => self.exists(name, domain).await,
        }
    }

    /// §5.2.
    async fn include(&mut self, of: &DomainSpec, domain: &str) -> Result<bool, Stop> {
        let included = self.expanded(of, domain).await?;
        match self.check_host(included).await? {
            SpfResult::Pass => Ok(true),
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral => Ok(false),
            SpfResult::None | SpfResult::PermError => Err(Stop::Permanent),
            SpfResult::TempError => Err(Stop::Temporary),
        }
    }

    /// §5.3.
    async fn a(&mut self, hosts: &Hosts, domain: &str) -> Result<bool, Stop> {
        let Some(name) = self.target(hosts.of.as_ref(), domain).await? else { return Ok(false) };
        let found = self.dns.addresses_like(self.client, &name).await;
        Ok(self.heard(found)?.is_some_and(|addresses| is_around(hosts, &addresses, self.client)))
    }

    /// §5.4. All hosts are asked for at once; one that matches does not wait for what another could not tell.
    async fn mx(&mut self, hosts: &Hosts, domain: &str) -> Result<bool, Stop> {
        let Some(name) = self.target(hosts.of.as_ref(), domain).await? else { return Ok(false) };
        let found = self.dns.exchanges(&name).await;
        let exchanges = self.heard(found)?.unwrap_or_default();
        if exchanges.len() > HOSTS_MAX {
            return Err(Stop::Permanent);
        }
        let names = exchanges.iter().map(|exchange| &*exchange.host).filter(|host| is_name(host));
        let answers = join_all(names.map(|host| self.dns.addresses_like(self.client, host))).await;
        let matches = |answer: &Answer<Vec<IpAddr>>| match answer {
            Answer::Found(addresses) => is_around(hosts, addresses, self.client),
            Answer::None | Answer::Failed(_) => false,
        };
        if answers.iter().any(matches) {
            return Ok(true);
        }
        for answer in answers {
            self.heard(answer)?;
        }
        Ok(false)
    }

    /// §5.5.
    async fn ptr(&mut self, of: Option<&DomainSpec>, domain: &str) -> Result<bool, Stop> {
        let Some(target) = self.target(of, domain).await? else { return Ok(false) };
        Ok(self.validated().await?.iter().any(|name| is_within(name.as_str(), &target)))
    }

    /// §5.7: IPv4 addresses, whatever the client has.
    async fn exists(&mut self, name: &DomainSpec, domain: &str) -> Result<bool, Stop> {
        let Some(name) = self.target(Some(name), domain).await? else { return Ok(false) };
        let found = self.dns.ipv4(&name).await;
        Ok(self.heard(found)?.is_some())
    }

    /// The name that a mechanism asks for (§4.8). What is no name has no records, and is not asked for.
    async fn target(&mut self, of: Option<&DomainSpec>, domain: &str) -> Result<Option<String>, Stop> {
        let name = match of {
            Some(of) => self.expanded(of, domain).await?,
            None => domain.to_owned(),
        };
        Ok(Some(name).filter(|name| is_name(name)))
    }

    async fn expanded(&mut self, spec: &DomainSpec, domain: &str) -> Result<String, Stop> {
        let client_name = if spec.has_client_name() { self.client_name(domain).await? } else { String::new() };
        let (local_part, sender_domain) = self.sender.rsplit_once('@').unwrap_or_default();
        Ok(spec.expand(&Values {
            sender: &self.sender,
            local_part,
            sender_domain,
            domain,
            client: &self.client_text,
            family: if self.client.is_ipv4() { "in-addr" } else { "ip6" },
            helo: self.helo,
            client_name: &client_name,
        }))
    }

    /// The validated name for `%{p}` (§7.3): the domain itself before one below it, that before any other.
    async fn client_name(&mut self, domain: &str) -> Result<String, Stop> {
        let names = self.validated().await?;
        let same = names.iter().find(|name| name.as_str().eq_ignore_ascii_case(domain));
        let below = || names.iter().find(|name| is_within(name.as_str(), domain));
        let name = same.or_else(below).or(names.first());
        Ok(name.map_or(NO_NAME, Domain::as_str).to_owned())
    }

    /// The client's names that lead back to it (§5.5), asked for once. What DNS does not tell is left out.
    async fn validated(&mut self) -> Result<&[Domain], Stop> {
        if self.validated.is_none() {
            let names = match self.dns.first_names(self.client, HOSTS_MAX).await {
                Answer::Found(names) => names,
                Answer::None => {
                    self.spent.void()?;
                    Vec::new()
                }
                Answer::Failed(_) => {
                    self.names_unknown = true;
                    Vec::new()
                }
            };
            let asked = names.iter().map(|name| self.dns.addresses_like(self.client, name.as_str()));
            let answers = join_all(asked).await;
            self.names_unknown |= answers.iter().any(|answer| matches!(answer, Answer::Failed(_)));
            let leads_back = |answer: &Answer<Vec<IpAddr>>| matches!(answer, Answer::Found(addresses) if addresses.contains(&self.client));
            let validated = names.into_iter().zip(answers).filter(|(_, answer)| leads_back(answer));
            self.validated = Some(validated.map(|(name, _)| name).collect());
        }
        Ok(self.validated.as_deref().unwrap_or_default())
    }

    /// What DNS said to a term; `None`: there is no such record.
    fn heard<T>(&mut self, answer: Answer<T>) -> Result<Option<T>, Stop> {
        match answer {
            Answer::Found(found) => Ok(Some(found)),
            Answer::None => self.spent.void().map(|()| None),
            Answer::Failed(_) => Err(Stop::Temporary),
        }
    }
}

fn is_around(hosts: &Hosts, addresses: &[IpAddr], client: IpAddr) -> bool {
    addresses.iter().any(|address| hosts.network(*address).has(client))
}

/// The octets of IPv4, the nibbles of IPv6 (§7.3).
fn dotted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let mut text = String::with_capacity(64);
            for octet in address.octets() {
                // Writing into a string cannot fail.
                let _ = write!(text, "{:x}.{:x}.", octet >> 4, octet & 0xf);
            }
            text.truncate(text.len().saturating_sub(1));
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_as_macros_have_them() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("2001:db8::cb01", "2.0.0.1.0.d.b.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.c.b.0.1"),
        ] {
            assert_eq!(dotted(address.parse().unwrap()), expected);
        }
    }
}
