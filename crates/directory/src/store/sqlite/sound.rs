//! Whether addresses lead to somebody, seen from within a change that is not committed yet.

use sqlx::SqliteConnection;

use super::fault::{Result, unavailable};
use super::route;
use super::value::json;
use crate::Settings;
use crate::error::{AliasFault, DirectoryError};
use crate::expand::{Domains, Expansion, Found, OfDomain};
use crate::route::Resolution;

/// Follows addresses within a change.
pub(super) struct Sound<'c> {
    connection: &'c mut SqliteConnection,
    settings: &'c Settings,
    domains: Domains,
}

/// What leads to an address, and led to somebody before the change.
pub(super) enum Leading {
    Alias(String),
    CatchAll { domain: String, taker: String },
}

impl<'c> Sound<'c> {
    pub(super) async fn begin(connection: &'c mut SqliteConnection, settings: &'c Settings) -> Result<Self> {
        let domains = route::domains(&mut *connection).await?;
        Ok(Self { connection, settings, domains })
    }

    /// An alias that was just made leads to somebody by each of its ways.
    pub(super) async fn alias(&mut self, address: &str) -> Result<()> {
        self.follow(address).await.map(drop)
    }

    /// So does a catch-all, and not only by being one.
    pub(super) async fn catch_all(&mut self, domain: &str, taker: &str) -> Result<()> {
        let own = self.domains.0.insert(domain.to_owned(), OfDomain::default());
        let alone = self.follow(taker).await?;
        if !alone.hosting.is_found() {
            return Err(DirectoryError::Conflict(format!(
                "catch-all of {domain}: nobody has the address {taker}; make the account or alias first"
            )));
        }
        self.domains.0.insert(domain.to_owned(), own.unwrap_or_default());
        self.follow(taker).await.map(drop)
    }

    /// What leads to these names of ours, directly, and to somebody.
    pub(super) async fn leading_to(&mut self, names: &[String]) -> Result<Vec<Leading>> {
        const ALIASES: &str = "select distinct address from alias where address not in (select value from json_each(?1))
            and (lower(target) in (select value from json_each(?1))
                or ?2 is not null and substr(lower(target), 1, instr(target, ?2) - 1) || substr(lower(target), instr(target, '@'))
                    in (select value from json_each(?1)))";
        let op = "reading aliases";
        let delimiter = self.settings.detail_delimiter.map(String::from);
        let query = sqlx::query_scalar(ALIASES).bind(json(&names)?).bind(delimiter);
        let aliases: Vec<String> = query.fetch_all(&mut *self.connection).await.map_err(unavailable(op))?;
        let takers =
            self.domains.0.iter().filter_map(|(domain, taker)| Some((domain.clone(), taker.catch_all.clone()?)));
        let taken = takers.filter(|(_, taker)| names.contains(taker));
        let catch_alls = taken.map(|(domain, taker)| Leading::CatchAll { domain, taker });
        let all: Vec<Leading> = catch_alls.chain(aliases.into_iter().map(Leading::Alias)).collect();
        let mut sound = Vec::with_capacity(all.len());
        for one in all {
            if self.leads(&one).await? {
                sound.push(one);
            }
        }
        Ok(sound)
    }

    /// After `gone` went away all of these lead to somebody still.
    pub(super) async fn still_lead(&mut self, leading: &[Leading], gone: &str) -> Result<()> {
        for one in leading {
            if self.leads(one).await? {
                continue;
            }
            return Err(DirectoryError::Conflict(match one {
                Leading::Alias(alias) => format!(
                    "{gone} is where the alias {alias} leads, and without it mail for {alias} would reach nobody: change that alias \
                     first (`sekisho alias delete {alias}`)"
                ),
                Leading::CatchAll { domain, .. } => format!(
                    "{gone} is the catch-all of {domain}: give the domain another one first, or none (`sekisho domain add {domain}`)"
                ),
            }));
        }
        Ok(())
    }

    async fn leads(&mut self, leading: &Leading) -> Result<bool> {
        let followed = match leading {
            Leading::Alias(alias) if targets_of(self.connection, alias).await? == 0 => return Ok(false),
            Leading::Alias(alias) => self.reach(alias).await,
            Leading::CatchAll { taker, .. } => self.reach(taker).await,
        };
        match followed {
            Ok(found) => Ok(found.hosting.is_found()),
            Err(DirectoryError::Alias { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where an address leads, of which no part may be broken.
    async fn follow(&mut self, address: &str) -> Result<Resolution> {
        self.expand(address).await?.finish_strictly().map_err(bad(address))
    }

    /// Where an address leads, if it reaches anybody at all.
    async fn reach(&mut self, address: &str) -> Result<Resolution> {
        self.expand(address).await?.finish().map_err(bad(address))
    }

    async fn expand(&mut self, address: &str) -> Result<Expansion<'_>> {
        let Self { connection, settings, domains } = self;
        let mut expansion = Expansion::new(domains, settings, address.to_owned());
        while !expansion.is_done() {
            let wanted = expansion.wanted();
            let found =
                if wanted.is_empty() { Found::default() } else { route::routes(&mut **connection, &wanted).await? };
            expansion.take(&found).map_err(bad(address))?;
        }
        Ok(expansion)
    }
}

fn bad(address: &str) -> impl Fn(AliasFault) -> DirectoryError {
    move |fault| DirectoryError::Alias { address: address.to_owned(), fault }
}

/// How many addresses an alias leads to; 0: there is no such alias.
pub(super) async fn targets_of(connection: &mut SqliteConnection, address: &str) -> Result<usize> {
    const COUNT: &str = "select count(*) from alias where address = ?1";
    let op = "counting an alias's targets";
    let count: i64 = sqlx::query_scalar(COUNT).bind(address).fetch_one(connection).await.map_err(unavailable(op))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// An address that an alias has is no account's: mail for it would never come into the mailbox.
pub(super) async fn not_an_alias(connection: &mut SqliteConnection, addresses: &[&str]) -> Result<()> {
    const ALIAS: &str = "select address, target from alias where address in (select value from json_each(?1)) limit 1";
    let op = "reading aliases";
    let query = sqlx::query_as(ALIAS).bind(json(&addresses)?);
    let found: Option<(String, String)> = query.fetch_optional(connection).await.map_err(unavailable(op))?;
    let Some((alias, target)) = found else { return Ok(()) };
    Err(DirectoryError::Conflict(format!(
        "{alias} is an alias that leads to {target}: its mail would never come into the mailbox. Delete the alias first \
         (`sekisho alias delete {alias}`)"
    )))
}
