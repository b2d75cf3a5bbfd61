//! SQL of what accounts chose.

use sqlx::{Sqlite, Transaction};

use super::Store;
use super::fault::{Result, found, unavailable};
use super::value::json;
use crate::chosen::{CHOICE_OCTETS_MAX, CHOICES_MAX, ChoiceChange, ChoiceKind, Others};
use crate::error::DirectoryError;
use crate::store::ChoicesRow;

impl Store {
    /// `None`: there is no such account.
    pub(crate) async fn choices(&self, login: &str) -> Result<Option<ChoicesRow>> {
        const ONLY: &str = "select accept_only from account where login = ?1";
        const CHOICES: &str = "select sender, kind from choice join account using (account_id)
            where login = ?1 order by sender";
        let op = "reading an account's choices";
        let query = sqlx::query_scalar(ONLY).bind(login);
        let only: Option<i64> = query.fetch_optional(&self.reader).await.map_err(unavailable(op))?;
        let Some(only) = only else { return Ok(None) };
        let query = sqlx::query_as(CHOICES).bind(login);
        let rows: Vec<(String, String)> = query.fetch_all(&self.reader).await.map_err(unavailable(op))?;
        let kind = |text: &str| if text == "accept" { ChoiceKind::Accept } else { ChoiceKind::Refuse };
        Ok(Some(ChoicesRow {
            others: if only == 0 { Others::Taken } else { Others::NotTaken },
            senders: rows.into_iter().map(|(sender, text)| (sender, kind(&text))).collect(),
        }))
    }

    /// All of it or nothing.
    pub(crate) async fn change_choices(&self, login: &str, change: &ChoiceChange) -> Result<()> {
        const ACCOUNT: &str = "select account_id from account where login = ?1";
        const ONLY: &str = "update account set accept_only = ?2 where account_id = ?1";
        let op = "changing an account's choices";
        let mut transaction = self.begin(op).await?;
        let query = sqlx::query_scalar(ACCOUNT).bind(login);
        let account: Option<i64> = query.fetch_optional(&mut *transaction).await.map_err(unavailable(op))?;
        let account = account.ok_or_else(|| DirectoryError::not_found("account", login))?;
        for sender in &change.remove {
            remove(&mut transaction, account, sender).await?;
        }
        for (kind, senders) in [(ChoiceKind::Accept, &change.accept), (ChoiceKind::Refuse, &change.refuse)] {
            put(&mut transaction, account, kind, senders).await?;
        }
        if let Some(others) = change.others {
            let query = sqlx::query(ONLY).bind(account).bind(i64::from(others == Others::NotTaken));
            query.execute(&mut *transaction).await.map_err(unavailable(op))?;
        }
        bounded(&mut transaction, account, login).await?;
        transaction.commit().await.map_err(unavailable(op))
    }
}

async fn remove(transaction: &mut Transaction<'static, Sqlite>, account: i64, sender: &str) -> Result<()> {
    const REMOVE: &str = "delete from choice where account_id = ?1 and sender = ?2";
    let query = sqlx::query(REMOVE).bind(account).bind(sender);
    let done = query.execute(&mut **transaction).await.map_err(unavailable("removing a choice"))?;
    found(done.rows_affected(), "choice", sender)
}

async fn put(
    transaction: &mut Transaction<'static, Sqlite>,
    account: i64,
    kind: ChoiceKind,
    senders: &[String],
) -> Result<()> {
    const PUT: &str = "insert into choice (account_id, sender, kind) select ?1, value, ?2 from json_each(?3) where true
        on conflict (account_id, sender) do update set kind = excluded.kind";
    if senders.is_empty() {
        return Ok(());
    }
    let query = sqlx::query(PUT).bind(account).bind(kind.as_str()).bind(json(&senders)?);
    query.execute(&mut **transaction).await.map_err(unavailable("writing choices")).map(drop)
}

/// What does not fit is not written: the transaction ends with the error.
async fn bounded(transaction: &mut Transaction<'static, Sqlite>, account: i64, login: &str) -> Result<()> {
    const COUNT: &str = "select count(*), coalesce(sum(length(sender)), 0) from choice where account_id = ?1";
    let query = sqlx::query_as(COUNT).bind(account);
    let (count, octets): (i64, i64) =
        query.fetch_one(&mut **transaction).await.map_err(unavailable("counting choices"))?;
    let fits = |value: i64, most: usize| usize::try_from(value).is_ok_and(|value| value <= most);
    if fits(count, CHOICES_MAX) && fits(octets, CHOICE_OCTETS_MAX) {
        return Ok(());
    }
    Err(DirectoryError::Conflict(format!(
        "{login} may name {CHOICES_MAX} senders, in 64 KiB: remove some first (`sekisho user choice remove`), or name domains"
    )))
}
