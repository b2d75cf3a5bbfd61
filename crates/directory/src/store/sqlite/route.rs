//! SQL of domains, addresses and aliases.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::fault::{Result, found, hosted_or, is_foreign_key, taken, unavailable};
use super::value::{from_column, json};
use crate::error::DirectoryError;
use crate::expand::{Domains, Found};
use crate::route::{ALIAS_WIDTH_MAX, Target};
use crate::store::AliasRow;

impl Store {
    pub(crate) async fn domains(&self) -> Result<Domains> {
        const DOMAINS: &str = "select domain, catch_all from domain";
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as(DOMAINS).fetch_all(&self.reader).await.map_err(unavailable("reading the domains"))?;
        Ok(Domains(rows.into_iter().collect()))
    }

    pub(crate) async fn add_domain(&self, domain: &str) -> Result<()> {
        const ADD: &str = "insert into domain (domain) values (?1)";
        let taken = taken("domain", domain, "adding a domain");
        sqlx::query(ADD).bind(domain).execute(&self.writer).await.map_err(taken)?;
        Ok(())
    }

    pub(crate) async fn remove_domain(&self, domain: &str) -> Result<()> {
        const REMOVE: &str = "delete from domain where domain = ?1";
        let done = sqlx::query(REMOVE).bind(domain).execute(&self.writer).await.map_err(|source| {
            if is_foreign_key(&source) {
                return DirectoryError::InUse { domain: domain.to_owned() };
            }
            DirectoryError::unavailable("removing a domain", source)
        })?;
        found(done.rows_affected(), "domain", domain)
    }

    pub(crate) async fn set_catch_all(&self, domain: &str, taker: Option<&str>) -> Result<()> {
        const SET: &str = "update domain set catch_all = ?2 where domain = ?1";
        let done = sqlx::query(SET).bind(domain).bind(taker).execute(&self.writer).await;
        found(done.map_err(unavailable("setting a catch-all"))?.rows_affected(), "domain", domain)
    }

    /// Aliases and mailboxes of these names. One more row than may be followed shows that there are too many.
    pub(crate) async fn routes(&self, names: &[String]) -> Result<Found> {
        const ROUTES: &str = "
            select distinct name.value as name, alias.target as target, null as login, null as maildir, null as quota_octets
              from json_each(?1) name join alias on alias.address = name.value
            union all
            select distinct name.value, null, account.login, account.maildir, account.quota_octets
              from json_each(?1) name join address on address.address = name.value
              join account on account.account_id = address.account_id
            order by 1, 2 limit ?2";
        let op = "resolving an address";
        #[expect(clippy::cast_possible_wrap, reason = "a small constant and a bounded list")]
        let rows_max = (ALIAS_WIDTH_MAX + 1 + 2 * names.len()) as i64;
        let query = sqlx::query(ROUTES).bind(json(&names)?).bind(rows_max);
        let mut found = Found::default();
        for row in query.fetch_all(&self.reader).await.map_err(unavailable(op))? {
            add_route(&mut found, &row).map_err(unavailable(op))?;
        }
        Ok(found)
    }

    pub(crate) async fn add_address(&self, login: &str, address: &str) -> Result<()> {
        const ADD: &str = "insert into address (address, domain, account_id)
            select ?2, ?3, account_id from account where login = ?1";
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let query = sqlx::query(ADD).bind(login).bind(address).bind(domain);
        let done = query.execute(&self.writer).await.map_err(hosted_or("address", address, "adding an address"))?;
        found(done.rows_affected(), "account", login)
    }

    /// The address that is the login itself stays.
    pub(crate) async fn remove_address(&self, address: &str) -> Result<()> {
        const REMOVE: &str = "delete from address where address = ?1
            and not exists (select 1 from account where login = ?1)";
        let done = sqlx::query(REMOVE).bind(address).execute(&self.writer).await;
        found(done.map_err(unavailable("removing an address"))?.rows_affected(), "address", address)
    }

    pub(crate) async fn addresses(&self, login: &str) -> Result<Vec<String>> {
        const ADDRESSES: &str = "select address from address join account using (account_id)
            where login = ?1 order by address";
        let query = sqlx::query_scalar(ADDRESSES).bind(login);
        query.fetch_all(&self.reader).await.map_err(unavailable("reading addresses"))
    }

    /// Adds targets; those that are there already stay. More than may be followed are refused.
    pub(crate) async fn add_alias(&self, address: &str, targets: &[String]) -> Result<()> {
        const ADD: &str = "insert into alias (address, target, domain)
            select ?1, value, ?3 from json_each(?2) where true on conflict do nothing";
        const COUNT: &str = "select count(*) from alias where address = ?1";
        let op = "adding an alias";
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut transaction = self.begin(op).await?;
        let query = sqlx::query(ADD).bind(address).bind(json(&targets)?).bind(domain);
        query.execute(&mut *transaction).await.map_err(hosted_or("alias", address, op))?;
        let count: i64 =
            sqlx::query_scalar(COUNT).bind(address).fetch_one(&mut *transaction).await.map_err(unavailable(op))?;
        // The alias itself counts as a name, too.
        if usize::try_from(count).is_ok_and(|count| count >= ALIAS_WIDTH_MAX) {
            return Err(DirectoryError::invalid("alias", address, "at most 999 targets are followed"));
        }
        transaction.commit().await.map_err(unavailable(op))
    }

    /// One target of an alias, or all of it.
    pub(crate) async fn remove_alias(&self, address: &str, target: Option<&str>) -> Result<()> {
        const REMOVE: &str = "delete from alias where address = ?1 and (?2 is null or target = ?2)";
        let done = sqlx::query(REMOVE).bind(address).bind(target).execute(&self.writer).await;
        found(done.map_err(unavailable("removing an alias"))?.rows_affected(), "alias", address)
    }

    /// Every alias with one of its targets, of one domain or of all.
    pub(crate) async fn aliases(&self, domain: Option<&str>) -> Result<Vec<AliasRow>> {
        const ALIASES: &str = "select address, target from alias
            where ?1 is null or domain = ?1 order by address, target";
        let query = sqlx::query_as(ALIASES).bind(domain);
        let rows: Vec<(String, String)> =
            query.fetch_all(&self.reader).await.map_err(unavailable("reading aliases"))?;
        Ok(rows.into_iter().map(|(address, target)| AliasRow { address, target }).collect())
    }
}

fn add_route(found: &mut Found, row: &SqliteRow) -> std::result::Result<(), sqlx::Error> {
    let name: String = row.try_get("name")?;
    if let Some(target) = row.try_get::<Option<String>, _>("target")? {
        found.aliases.entry(name).or_default().push(target);
        return Ok(());
    }
    let login: String = row.try_get("login")?;
    let maildir: String = row.try_get("maildir")?;
    let quota_octets = row.try_get::<Option<i64>, _>("quota_octets")?.map(from_column);
    let target = Target::Account { login: Arc::from(login), maildir: Arc::from(maildir), quota_octets };
    found.mailboxes.insert(name, target);
    Ok(())
}
