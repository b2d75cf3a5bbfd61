//! SQL of aliases. What is made or taken away is judged before it is committed: nobody's mail goes astray by it.

use sqlx::SqliteConnection;

use super::Store;
use super::fault::{Result, hosted_or, unavailable};
use super::sound::{Sound, targets_of};
use super::value::json;
use crate::Settings;
use crate::error::DirectoryError;
use crate::route::ALIAS_WIDTH_MAX;
use crate::store::{AliasRow, NewAliasRow, OwnCopy};

impl Store {
    /// Adds targets; those that are there already stay. More than may be followed are refused, and so is what leads to
    /// nobody, back to itself, or takes an account's mail away.
    pub(crate) async fn add_alias(&self, new: NewAliasRow<'_>, settings: &Settings) -> Result<()> {
        const ADD: &str = "insert into alias (address, target, domain)
            select ?1, value, ?3 from json_each(?2) where true on conflict do nothing";
        let NewAliasRow { address, mut targets, copy } = new;
        let op = "adding an alias";
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut transaction = self.begin(op).await?;
        if copy == OwnCopy::Kept {
            if account_at(&mut transaction, address).await?.is_none() {
                return Err(DirectoryError::invalid(
                    "alias",
                    address,
                    "no account has this address, so there is no copy to keep",
                ));
            }
            targets.push(address.to_owned());
        }
        let query = sqlx::query(ADD).bind(address).bind(json(&targets)?).bind(domain);
        query.execute(&mut *transaction).await.map_err(hosted_or("alias", address, op))?;
        // The alias itself counts as a name, too.
        if targets_of(&mut transaction, address).await? >= ALIAS_WIDTH_MAX {
            return Err(DirectoryError::invalid("alias", address, "at most 999 targets are followed"));
        }
        keeps_a_copy(&mut transaction, address).await?;
        Sound::begin(&mut transaction, settings).await?.alias(address).await?;
        transaction.commit().await.map_err(unavailable(op))
    }

    /// One target of an alias, or all of it. What leads to the alias must lead to somebody still.
    pub(crate) async fn remove_alias(&self, address: &str, target: Option<&str>, settings: &Settings) -> Result<()> {
        const REMOVE: &str = "delete from alias where address = ?1 and (?2 is null or target = ?2)";
        let op = "removing an alias";
        let mut transaction = self.begin(op).await?;
        let leading = Sound::begin(&mut transaction, settings).await?.leading_to(&[address.to_owned()]).await?;
        let done = sqlx::query(REMOVE).bind(address).bind(target).execute(&mut *transaction).await;
        if done.map_err(unavailable(op))?.rows_affected() == 0 {
            return Err(match account_at(&mut transaction, address).await? {
                Some(login) => not_an_alias(address, &login),
                None => DirectoryError::not_found("alias", address),
            });
        }
        if targets_of(&mut transaction, address).await? > 0 {
            keeps_a_copy(&mut transaction, address).await?;
        }
        Sound::begin(&mut transaction, settings).await?.still_lead(&leading, address).await?;
        transaction.commit().await.map_err(unavailable(op))
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

    /// The aliases that stand over an account's addresses, each with one of its targets.
    pub(crate) async fn aliases_over(&self, login: &str) -> Result<Vec<AliasRow>> {
        const OVER: &str = "select alias.address, alias.target from alias join address using (address)
            join account using (account_id) where login = ?1 order by 1, 2";
        let rows: Vec<(String, String)> =
            sqlx::query_as(OVER).bind(login).fetch_all(&self.reader).await.map_err(unavailable("reading aliases"))?;
        Ok(rows.into_iter().map(|(address, target)| AliasRow { address, target }).collect())
    }
}

/// Whose address it is.
async fn account_at(connection: &mut SqliteConnection, address: &str) -> Result<Option<String>> {
    const ACCOUNT: &str = "select login from address join account using (account_id) where address = ?1";
    let op = "reading an address";
    sqlx::query_scalar(ACCOUNT).bind(address).fetch_optional(connection).await.map_err(unavailable(op))
}

/// An alias over an account's address must lead to that account too: it would take its mail away unseen.
pub(super) async fn keeps_a_copy(connection: &mut SqliteConnection, address: &str) -> Result<()> {
    const KEPT: &str = "select exists (select 1 from alias join address own on own.address = lower(alias.target)
        join address here on here.account_id = own.account_id where alias.address = ?1 and here.address = ?1)";
    let Some(login) = account_at(connection, address).await? else { return Ok(()) };
    let op = "reading an alias";
    let kept: bool = sqlx::query_scalar(KEPT).bind(address).fetch_one(connection).await.map_err(unavailable(op))?;
    if kept {
        return Ok(());
    }
    Err(DirectoryError::Conflict(format!(
        "{address} is an address of the account {login}: this alias would take its mail away. With --keep-copy (`keep_copy`) the \
         account gets a copy of each mail; or delete the account first"
    )))
}

fn not_an_alias(address: &str, login: &str) -> DirectoryError {
    DirectoryError::OtherKind(format!(
        "no such alias: {address} is an address of the account {login}; `sekisho user delete {login}` would delete that account"
    ))
}
