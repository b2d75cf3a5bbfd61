//! Domains, further addresses of accounts, and aliases: the operator's side.

use serde::Serialize;

use crate::error::DirectoryError;
use crate::expand::OfDomain;
use crate::store::{AliasRow, CatchAll, NewAliasRow, NewDomain, OwnCopy};
use crate::{Directory, name};

type Result<T> = std::result::Result<T, DirectoryError>;

/// A hosted domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// In lower case, A-labels.
    pub domain: String,
    /// The address that takes what nobody else in the domain takes.
    pub catch_all: Option<String>,
    /// It is switched off: its mail is to come later.
    pub is_off: bool,
}

/// Whether mail for a domain is taken now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is to come later.
    Off,
    /// It is taken.
    On,
}

/// An alias with everything it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// The address.
    pub address: String,
    /// Addresses here or elsewhere.
    pub targets: Vec<String>,
}

impl Directory {
    /// Hosts a domain from now on: its mail is taken, for known addresses only.
    pub async fn add_domain(&self, domain: &str) -> Result<()> {
        let done = self.store.add_domain(&name::domain(domain)?).await;
        self.routing_done(done)
    }

    /// Hosts a domain no longer. It must be empty.
    pub async fn remove_domain(&self, domain: &str) -> Result<()> {
        let done = self.store.remove_domain(&name::domain(domain)?).await;
        self.routing_done(done)
    }

    /// The hosted domains by name.
    pub async fn domains(&self) -> Result<Vec<Domain>> {
        let rows = self.store.domains().await?.0.into_iter();
        let mut domains: Vec<_> =
            rows.map(|(domain, OfDomain { catch_all, is_off })| Domain { domain, catch_all, is_off }).collect();
        domains.sort_unstable_by(|one, other| one.domain.cmp(&other.domain));
        Ok(domains)
    }

    /// Switches a domain off for a while, or on again: while it is off, mail for it is to come later, whoever brings it and whoever in
    /// it is meant. What is queued is delivered, and its users log in and send as ever.
    pub async fn switch_domain(&self, domain: &str, switch: Switch) -> Result<()> {
        let done = self.store.switch_domain(&name::domain(domain)?, switch).await;
        self.routing_done(done)
    }

    /// Gives what nobody else in the domain takes to an address, or to nobody. The address must lead to somebody.
    pub async fn set_catch_all(&self, domain: &str, taker: Option<&str>) -> Result<()> {
        self.catch_all(domain, taker, NewDomain::Missing).await
    }

    /// The same, and hosts the domain if it is not hosted yet: both or neither.
    pub async fn put_domain(&self, domain: &str, taker: Option<&str>) -> Result<()> {
        self.catch_all(domain, taker, NewDomain::Made).await
    }

    async fn catch_all(&self, domain: &str, taker: Option<&str>, new_domain: NewDomain) -> Result<()> {
        let domain = name::domain(domain)?;
        let taker = self.target(taker).await?.map(|taker| match name::split(&taker) {
            // One of a domain that is only made now is looked up like all of ours.
            Some((_, host)) if host == domain => taker.to_ascii_lowercase(),
            _ => taker,
        });
        let taker = CatchAll { address: taker.as_deref(), new_domain };
        let done = self.store.set_catch_all(&domain, taker, &self.settings()).await;
        self.routing_done(done)
    }

    /// Gives an account one more address of a hosted domain. One that an alias has is refused.
    pub async fn add_address(&self, login: &str, address: &str) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let done = self.store.add_address(&self.known_login(login)?, &address).await;
        self.routing_done(done)
    }

    /// Takes an address away; an account keeps the one that is its login, and an alias the only one that it leads to.
    pub async fn remove_address(&self, address: &str) -> Result<()> {
        let done = self.store.remove_address(&self.address(address)?.to_ascii_lowercase(), &self.settings()).await;
        self.routing_done(done)
    }

    /// The addresses of an account without its aliases.
    pub async fn addresses(&self, login: &str) -> Result<Vec<String>> {
        self.store.addresses(&self.known_login(login)?).await
    }

    /// Lets an address of a hosted domain lead to others, here or elsewhere, besides those it leads to already. It comes
    /// before a mailbox of the same name: over an account's address it is refused, unless it leads to that account too.
    /// What leads back to itself or to nobody is refused.
    pub async fn add_alias(&self, address: &str, targets: &[impl AsRef<str>]) -> Result<()> {
        self.new_alias(address, targets, OwnCopy::AsNamed).await
    }

    /// The same over an account's address, of which the account keeps a copy of each mail.
    pub async fn add_alias_keeping_copy(&self, address: &str, targets: &[impl AsRef<str>]) -> Result<()> {
        self.new_alias(address, targets, OwnCopy::Kept).await
    }

    async fn new_alias(&self, address: &str, targets: &[impl AsRef<str>], copy: OwnCopy) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let mut named = Vec::with_capacity(targets.len() + 1);
        for target in targets {
            named.extend(self.target(Some(target.as_ref())).await?);
        }
        if named.is_empty() {
            return Err(DirectoryError::invalid("alias", &address, "at least one target is wanted"));
        }
        let new = NewAliasRow { address: &address, targets: named, copy };
        let done = self.store.add_alias(new, &self.settings()).await;
        self.routing_done(done)
    }

    /// Takes one target from an alias, or the whole alias away. What leads to it must lead to somebody still.
    pub async fn remove_alias(&self, address: &str, target: Option<&str>) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let target = self.target(target).await?;
        let done = self.store.remove_alias(&address, target.as_deref(), &self.settings()).await;
        self.routing_done(done)
    }

    /// The aliases over the addresses of an account: its mail goes where they lead.
    pub async fn aliases_over(&self, login: &str) -> Result<Vec<Alias>> {
        Ok(grouped(self.store.aliases_over(&self.known_login(login)?).await?))
    }

    /// The aliases of one domain or of all, by address.
    pub async fn aliases(&self, domain: Option<&str>) -> Result<Vec<Alias>> {
        let domain = domain.map(name::domain).transpose()?;
        let rows = self.store.aliases(domain.as_deref()).await?;
        Ok(grouped(rows))
    }

    /// An address as written by the operator, its domain in lower case.
    pub(crate) fn address(&self, written: &str) -> Result<String> {
        let (local, domain) = name::address(written, &self.settings().default_domain)?;
        Ok(format!("{local}@{domain}"))
    }

    /// An address that mail is led to: the local part keeps its case only where it is another server's to read.
    pub(crate) async fn target(&self, written: Option<&str>) -> Result<Option<String>> {
        let Some(written) = written else { return Ok(None) };
        let (local, domain) = name::address(written, &self.settings().default_domain)?;
        let local = if self.is_hosted(&domain).await? { local.to_ascii_lowercase() } else { local };
        Ok(Some(format!("{local}@{domain}")))
    }

    /// A change that failed half-way counts as one: what is remembered is asked anew.
    fn routing_done<T>(&self, done: Result<T>) -> Result<T> {
        self.generations.routing_changed();
        done
    }
}

/// All targets of an alias together; the aliases keep their order.
fn grouped(rows: Vec<AliasRow>) -> Vec<Alias> {
    let mut aliases: Vec<Alias> = Vec::new();
    for AliasRow { address, target } in rows {
        match aliases.last_mut().filter(|last| last.address == address) {
            Some(last) => last.targets.push(target),
            None => aliases.push(Alias { address, targets: vec![target] }),
        }
    }
    aliases
}
