//! From an address to its targets: out of memory if nothing changed since, out of the database otherwise.
//!
//! An answer is stamped with the generation that was current before the database was asked, so one that was overtaken by
//! a change is never used. Unknown users are remembered apart: strangers choose those names, and must not push out ours.

use std::borrow::Cow;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::Directory;
use crate::cache::Cache;
use crate::error::DirectoryError;
use crate::expand::{Domains, Expansion};
use crate::name::NAME_OCTETS_MAX;
use crate::route::{Hosting, Resolution};

const KNOWN_MAX: usize = 65_536;
const UNKNOWN_MAX: usize = 16_384;

type Result<T> = std::result::Result<T, DirectoryError>;

/// What is remembered of addresses.
pub(crate) struct Routes {
    domains: ArcSwapOption<Stamped<Domains>>,
    /// Held while the domains are read, so that they are read once.
    reading_domains: Mutex<()>,
    known: Cache<String, Arc<Stamped<Resolution>>>,
    unknown: Cache<String, u64>,
}

struct Stamped<T> {
    generation: u64,
    value: T,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self {
            domains: ArcSwapOption::empty(),
            reading_domains: Mutex::new(()),
            known: Cache::new(KNOWN_MAX),
            unknown: Cache::new(UNKNOWN_MAX),
        }
    }

    fn find(&self, name: &str, generation: u64) -> Option<Resolution> {
        if let Some(found) = self.known.find(name).filter(|found| found.generation == generation) {
            return Some(found.value.clone());
        }
        let unknown = self.unknown.find(name).filter(|&stamp| stamp == generation);
        unknown.map(|_| Resolution::nothing(Hosting::UnknownUser))
    }

    /// What was known of a name before the database stopped to answer.
    fn known_before(&self, name: &str, memory: Memory) -> Option<Resolution> {
        let known = self.known.find(name).filter(|_| memory == Memory::WithoutDatabase);
        known.map(|known| known.value.clone())
    }

    fn keep(&self, name: String, generation: u64, value: &Resolution) {
        if value.hosting == Hosting::UnknownUser {
            self.unknown.insert(name, generation);
        } else {
            self.known.insert(name, Arc::new(Stamped { generation, value: value.clone() }));
        }
    }
}

impl Directory {
    /// Where an address leads. `domain` is as the grammar normalises it (A-labels, no trailing dot); case does not matter.
    /// `routing` says that the grammar found the local part to be an address or route in itself: it is nobody's then, and
    /// no catch-all's either.
    pub async fn resolve(&self, local_part: &str, domain: &str, routing: bool) -> Result<Resolution> {
        self.lookup(Asked::new(local_part, domain), routing, Memory::WithoutDatabase).await
    }

    /// The logins that may send by an address: the accounts it leads to, but for a catch-all. While the database cannot be
    /// watched nothing is answered from memory, since this is a right.
    pub async fn owners(&self, local_part: &str, domain: &str, routing: bool) -> Result<Vec<Arc<str>>> {
        let memory = if self.generations.is_blind() { Memory::PassedBy } else { Memory::Used };
        Ok(self.lookup(Asked::new(local_part, domain), routing, memory).await?.owners())
    }

    /// Whether mail for the domain is taken here.
    pub async fn is_hosted(&self, domain: &str) -> Result<bool> {
        Ok(self.hosted(Memory::Used).await?.value.contains(&in_lower_case(domain)))
    }

    /// Whether a hosted domain is switched off now.
    pub async fn is_off(&self, domain: &str) -> Result<bool> {
        Ok(self.hosted(Memory::WithoutDatabase).await?.value.is_off(&in_lower_case(domain)))
    }

    async fn lookup(&self, asked: Asked, routing: bool, memory: Memory) -> Result<Resolution> {
        let domains = self.hosted(memory).await?;
        if !domains.value.contains(asked.domain()) {
            return Ok(Resolution::nothing(Hosting::NotHosted));
        }
        if routing || asked.name.len() > NAME_OCTETS_MAX {
            return Ok(Resolution::nothing(Hosting::UnknownUser));
        }
        if memory != Memory::PassedBy
            && let Some(found) = self.routes.find(&asked.name, domains.generation)
        {
            return Ok(found);
        }
        // Boxed: nearly all are answered above, and a future that holds the database's would be moved about for each.
        let found = match Box::pin(self.expand(&domains.value, &asked.name)).await {
            Ok(found) => found,
            // What an alias once led to is nothing to go by when it is broken now.
            Err(error @ DirectoryError::Alias { .. }) => return Err(error),
            Err(error) => return self.routes.known_before(&asked.name, memory).ok_or(error),
        };
        self.routes.keep(asked.name, domains.generation, &found);
        Ok(found)
    }

    async fn expand(&self, domains: &Domains, name: &str) -> Result<Resolution> {
        let bad = |fault| DirectoryError::Alias { address: name.to_owned(), fault };
        let settings = self.settings();
        let mut expansion = Expansion::new(domains, &settings, name.to_owned());
        while !expansion.is_done() {
            let wanted = expansion.wanted();
            let found =
                if wanted.is_empty() { crate::expand::Found::default() } else { self.store.routes(&wanted).await? };
            expansion.take(&found).map_err(bad)?;
        }
        expansion.finish().map_err(bad)
    }

    /// The hosted domains, current for the generation they are stamped with.
    async fn hosted(&self, memory: Memory) -> Result<Arc<Stamped<Domains>>> {
        if let Some(domains) = self.hosted_before(memory) {
            return Ok(domains);
        }
        Box::pin(self.read_hosted(memory)).await
    }

    fn hosted_before(&self, memory: Memory) -> Option<Arc<Stamped<Domains>>> {
        let kept = self.routes.domains.load_full();
        kept.filter(|kept| memory != Memory::PassedBy && kept.generation == self.generations.routing())
    }

    async fn read_hosted(&self, memory: Memory) -> Result<Arc<Stamped<Domains>>> {
        let _reading = self.routes.reading_domains.lock().await;
        if let Some(domains) = self.hosted_before(memory) {
            return Ok(domains);
        }
        let generation = self.generations.routing();
        let value = match self.store.domains().await {
            Ok(value) => value,
            Err(error) => {
                let kept = self.routes.domains.load_full();
                return kept.filter(|_| memory == Memory::WithoutDatabase).ok_or(error);
            }
        };
        let domains = Arc::new(Stamped { generation, value });
        self.routes.domains.store(Some(Arc::clone(&domains)));
        Ok(domains)
    }
}

/// Nearly always it is already.
fn in_lower_case(domain: &str) -> Cow<'_, str> {
    if domain.bytes().any(|octet| octet.is_ascii_uppercase()) {
        return Cow::Owned(domain.to_ascii_lowercase());
    }
    Cow::Borrowed(domain)
}

/// Whether a remembered answer will do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// If nothing changed since.
    Used,
    /// That, and an older one while the database does not answer: mail for those who are known is still taken.
    WithoutDatabase,
    PassedBy,
}

/// An address in lower case.
struct Asked {
    name: String,
    at: usize,
}

impl Asked {
    fn new(local_part: &str, domain: &str) -> Self {
        let mut name = String::with_capacity(local_part.len() + 1 + domain.len());
        name.push_str(local_part);
        name.push('@');
        name.push_str(domain);
        name.make_ascii_lowercase();
        Self { at: local_part.len(), name }
    }

    fn domain(&self) -> &str {
        &self.name[self.at + 1..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuthOutcome, NewAccount, NewPassword, ServerKey, Settings};

    #[tokio::test]
    async fn rights_are_not_answered_from_memory_while_the_watch_is_blind() {
        let dir = tempfile::tempdir().unwrap();
        let key = ServerKey::from_bytes([7; 32]);
        let settings = Settings { default_domain: "example.test".to_owned(), ..Settings::default() };
        let directory = Directory::open(&dir.path().join("directory.sqlite"), &key, settings).await.unwrap();
        directory.add_domain("example.test").await.unwrap();
        let password = NewPassword::Clear("secret".into());
        directory
            .create_account(NewAccount { login: "alice".to_owned(), password, ..NewAccount::default() })
            .await
            .unwrap();
        let client = std::net::IpAddr::from([192, 0, 2, 1]);
        let login = async || directory.authenticate("alice", b"secret", client).await;
        assert!(matches!(login().await.unwrap(), AuthOutcome::Account(_)));
        assert_eq!(directory.owners("alice", "example.test", false).await.unwrap().len(), 1);

        directory.close().await;
        directory.generations.go_blind();
        assert!(login().await.unwrap_err().is_temporary());
        assert!(directory.owners("alice", "example.test", false).await.unwrap_err().is_temporary());
        // Taking mail for a known recipient gives nobody a right.
        assert_eq!(directory.resolve("alice", "example.test", false).await.unwrap().hosting, Hosting::Mailbox);
    }
}
