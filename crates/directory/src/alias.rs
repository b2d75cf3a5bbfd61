//! Domains, further addresses of accounts, and aliases: the operator's side.

use serde::Serialize;

use crate::error::DirectoryError;
use crate::store::AliasRow;
use crate::{Directory, name};

type Result<T> = std::result::Result<T, DirectoryError>;

/// A hosted domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// In lower case, A-labels.
    pub domain: String,
    /// The address that takes what nobody else in the domain takes.
    pub catch_all: Option<String>,
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
        let mut domains: Vec<_> = rows.map(|(domain, catch_all)| Domain { domain, catch_all }).collect();
        domains.sort_unstable_by(|one, other| one.domain.cmp(&other.domain));
        Ok(domains)
    }

    /// Gives what nobody else in the domain takes to an address, or to nobody.
    pub async fn set_catch_all(&self, domain: &str, taker: Option<&str>) -> Result<()> {
        let taker = self.target(taker).await?;
        let done = self.store.set_catch_all(&name::domain(domain)?, taker.as_deref()).await;
        self.routing_done(done)
    }

    /// Gives an account one more address of a hosted domain.
    pub async fn add_address(&self, login: &str, address: &str) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let done = self.store.add_address(&self.known_login(login)?, &address).await;
        self.routing_done(done)
    }

    /// Takes an address away; an account keeps the one that is its login.
    pub async fn remove_address(&self, address: &str) -> Result<()> {
        let done = self.store.remove_address(&self.address(address)?.to_ascii_lowercase()).await;
        self.routing_done(done)
    }

    /// The addresses of an account without its aliases.
    pub async fn addresses(&self, login: &str) -> Result<Vec<String>> {
        self.store.addresses(&self.known_login(login)?).await
    }

    /// Lets an address of a hosted domain lead to others, here or elsewhere, besides those it leads to already. It comes
    /// before a mailbox of the same name; naming itself as a target keeps a copy there.
    pub async fn add_alias(&self, address: &str, targets: &[impl AsRef<str>]) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let mut named = Vec::with_capacity(targets.len());
        for target in targets {
            named.extend(self.target(Some(target.as_ref())).await?);
        }
        if named.is_empty() {
            return Err(DirectoryError::invalid("alias", &address, "at least one target is wanted"));
        }
        let done = self.store.add_alias(&address, &named).await;
        self.routing_done(done)
    }

    /// Takes one target from an alias, or the whole alias away.
    pub async fn remove_alias(&self, address: &str, target: Option<&str>) -> Result<()> {
        let address = self.address(address)?.to_ascii_lowercase();
        let target = self.target(target).await?;
        let done = self.store.remove_alias(&address, target.as_deref()).await;
        self.routing_done(done)
    }

    /// The aliases of one domain or of all, by address.
    pub async fn aliases(&self, domain: Option<&str>) -> Result<Vec<Alias>> {
        let domain = domain.map(name::domain).transpose()?;
        let rows = self.store.aliases(domain.as_deref()).await?;
        Ok(grouped(rows))
    }

    /// An address as written by the operator, its domain in lower case.
    fn address(&self, written: &str) -> Result<String> {
        let (local, domain) = name::address(written, &self.settings().default_domain)?;
        Ok(format!("{local}@{domain}"))
    }

    /// An address that mail is led to: the local part keeps its case only where it is another server's to read.
    async fn target(&self, written: Option<&str>) -> Result<Option<String>> {
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
