//! SQL of whole tables: a row after the other in one transaction, which is committed if every row could be done.

use std::collections::HashMap;

use sqlx::{Sqlite, SqliteConnection, Transaction};

use super::Store;
use super::account::{add_part, change_one, find};
use super::alias::keeps_a_copy;
use super::fault::{Result, hosted_or, unavailable};
use super::sound::{Sound, targets_of};
use crate::Settings;
use crate::error::DirectoryError;
use crate::roll::{RollRow, RollTerms, Rolled, differs};
use crate::route::ALIAS_WIDTH_MAX;
use crate::store::AliasRow;

const OP: &str = "taking a table over";

impl Store {
    /// A row that could not be meant is an error already.
    pub(crate) async fn roll_accounts(
        &self,
        rows: Vec<Result<RollRow>>,
        terms: RollTerms,
    ) -> Result<Vec<Result<Rolled>>> {
        let mut transaction = self.begin(OP).await?;
        let mut all = Vec::with_capacity(rows.len());
        for row in rows {
            let done = match row {
                Ok(row) => roll(&mut transaction, &row, terms).await,
                Err(error) => Err(error),
            };
            all.push(lasting(done)?);
        }
        ended(transaction, &all, terms).await?;
        Ok(all)
    }

    /// The same for targets of aliases. What leads to nobody is found when all rows are there.
    pub(crate) async fn roll_aliases(
        &self,
        rows: Vec<Result<AliasRow>>,
        settings: &Settings,
        terms: RollTerms,
    ) -> Result<Vec<Result<Rolled>>> {
        let mut transaction = self.begin(OP).await?;
        let (mut all, mut touched) = (Vec::with_capacity(rows.len()), HashMap::new());
        for (at, row) in rows.into_iter().enumerate() {
            let done = match row {
                Ok(row) => {
                    let done = target(&mut transaction, &row, terms).await;
                    touched.entry(row.address).or_insert(at);
                    done
                }
                Err(error) => Err(error),
            };
            all.push(lasting(done)?);
        }
        for (address, at) in touched {
            if let Err(error) = lasting(sound(&mut transaction, &address, settings).await)?
                && all[at].is_ok()
            {
                all[at] = Err(error);
            }
        }
        ended(transaction, &all, terms).await?;
        Ok(all)
    }

    pub(crate) async fn hashes(&self) -> Result<Vec<(String, String)>> {
        const HASHES: &str = "select login, hash from account where hash is not null order by login";
        sqlx::query_as(HASHES).fetch_all(&self.reader).await.map_err(unavailable("reading hashes"))
    }
}

/// What is wrong with a row is the row's; a database that does not answer ends it all.
fn lasting<T>(done: Result<T>) -> Result<Result<T>> {
    match done {
        Err(error) if error.is_temporary() => Err(error),
        done => Ok(done),
    }
}

async fn ended(transaction: Transaction<'static, Sqlite>, all: &[Result<Rolled>], terms: RollTerms) -> Result<()> {
    if terms.dry_run || all.iter().any(std::result::Result::is_err) {
        return transaction.rollback().await.map_err(unavailable(OP));
    }
    transaction.commit().await.map_err(unavailable(OP))
}

async fn roll(transaction: &mut Transaction<'static, Sqlite>, row: &RollRow, terms: RollTerms) -> Result<Rolled> {
    let login = row.account.login.as_str();
    let there = find(transaction, login).await?;
    if there.is_none() {
        if terms.new_domains {
            make_domain(transaction, &row.account.domain).await?;
        }
        add_part(transaction, std::slice::from_ref(&row.account)).await?;
    }
    let wanted = row.changes.iter().filter(|change| there.as_ref().is_none_or(|account| differs(account, change)));
    let mut rolled = if there.is_none() { Rolled::Made } else { Rolled::Same };
    for change in wanted {
        change_one(transaction, login, change).await?;
        rolled = if rolled == Rolled::Made { Rolled::Made } else { Rolled::Changed };
    }
    Ok(rolled)
}

async fn make_domain(connection: &mut SqliteConnection, domain: &str) -> Result<()> {
    const MAKE: &str = "insert into domain (domain) values (?1) on conflict do nothing";
    sqlx::query(MAKE).bind(domain).execute(connection).await.map_err(unavailable(OP))?;
    Ok(())
}

async fn target(connection: &mut SqliteConnection, row: &AliasRow, terms: RollTerms) -> Result<Rolled> {
    const ADD: &str = "insert into alias (address, target, domain) values (?1, ?2, ?3) on conflict do nothing";
    let domain = row.address.rsplit_once('@').map_or("", |(_, domain)| domain);
    if terms.new_domains {
        make_domain(connection, domain).await?;
    }
    let query = sqlx::query(ADD).bind(&row.address).bind(&row.target).bind(domain);
    let done = query.execute(&mut *connection).await.map_err(hosted_or("alias", &row.address, OP))?;
    Ok(if done.rows_affected() == 0 { Rolled::Same } else { Rolled::Made })
}

/// An alias leads to somebody, takes nobody's mail away, and is not too wide.
async fn sound(connection: &mut SqliteConnection, address: &str, settings: &Settings) -> Result<()> {
    match targets_of(connection, address).await? {
        0 => return Ok(()),
        targets if targets >= ALIAS_WIDTH_MAX => {
            return Err(DirectoryError::invalid("alias", address, "at most 999 targets are followed"));
        }
        _ => {}
    }
    keeps_a_copy(connection, address).await?;
    Sound::begin(connection, settings).await?.alias(address).await
}
