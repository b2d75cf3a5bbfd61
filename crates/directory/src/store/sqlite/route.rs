//! SQL of where addresses lead, read only.

use std::sync::Arc;

use sqlx::Row;
use sqlx::sqlite::{SqliteExecutor, SqliteRow};

use super::Store;
use super::fault::{Result, unavailable};
use super::value::{from_column, json};
use crate::expand::{Domains, Found, OfDomain};
use crate::route::{ALIAS_WIDTH_MAX, Target};

impl Store {
    pub(crate) async fn domains(&self) -> Result<Domains> {
        domains(&self.reader).await
    }

    /// Aliases and mailboxes of these names. One more row than may be followed shows that there are too many.
    pub(crate) async fn routes(&self, names: &[String]) -> Result<Found> {
        routes(&self.reader, names).await
    }
}

pub(super) async fn domains(executor: impl SqliteExecutor<'_>) -> Result<Domains> {
    const DOMAINS: &str = "select domain, catch_all, is_off from domain";
    let rows: Vec<(String, Option<String>, bool)> =
        sqlx::query_as(DOMAINS).fetch_all(executor).await.map_err(unavailable("reading the domains"))?;
    Ok(Domains(rows.into_iter().map(|(domain, catch_all, is_off)| (domain, OfDomain { catch_all, is_off })).collect()))
}

pub(super) async fn routes(executor: impl SqliteExecutor<'_>, names: &[String]) -> Result<Found> {
    const ROUTES: &str = "
        select distinct name.value as name, alias.target as target, null as login, null as maildir, null as quota_octets,
            null as has_choices
          from json_each(?1) name join alias on alias.address = name.value
        union all
        select distinct name.value, null, account.login, account.maildir, account.quota_octets,
            account.accept_only or exists (select 1 from choice where choice.account_id = account.account_id)
          from json_each(?1) name join address on address.address = name.value
          join account on account.account_id = address.account_id
        order by 1, 2 limit ?2";
    let op = "resolving an address";
    #[expect(clippy::cast_possible_wrap, reason = "a small constant and a bounded list")]
    let rows_max = (ALIAS_WIDTH_MAX + 1 + 2 * names.len()) as i64;
    let query = sqlx::query(ROUTES).bind(json(&names)?).bind(rows_max);
    let mut found = Found::default();
    for row in query.fetch_all(executor).await.map_err(unavailable(op))? {
        add_route(&mut found, &row).map_err(unavailable(op))?;
    }
    Ok(found)
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
    let has_choices = row.try_get::<Option<i64>, _>("has_choices")?.is_some_and(|value| value != 0);
    let target = Target::Account { login: Arc::from(login), maildir: Arc::from(maildir), quota_octets, has_choices };
    found.mailboxes.insert(name, target);
    Ok(())
}
