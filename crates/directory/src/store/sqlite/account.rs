//! SQL of accounts.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::Store;
use super::fault::{Result, found, hosted_or, unavailable};
use super::sound::{Sound, not_an_alias, targets_of};
use super::value::{from_column, json, to_column};
use crate::Settings;
use crate::account::Change;
use crate::error::DirectoryError;
use crate::listed::{Account, PasswordKind};
use crate::store::{AccountRow, Secrets};

/// An account as a statement reads it.
#[derive(serde::Serialize)]
struct Written<'a> {
    login: &'a str,
    domain: &'a str,
    maildir: &'a str,
    hash: Option<&'a str>,
    scram: Option<&'a str>,
    quota_octets: Option<i64>,
    apop_only: i64,
    expires_at: Option<i64>,
    name: &'a str,
    created_at: i64,
}

impl<'a> From<&'a AccountRow> for Written<'a> {
    fn from(row: &'a AccountRow) -> Self {
        Self {
            login: &row.login,
            domain: &row.domain,
            maildir: &row.maildir,
            hash: row.secrets.as_ref().map(|secrets| secrets.hash.as_str()),
            scram: row.secrets.as_ref().and_then(|secrets| secrets.scram.as_deref()),
            quota_octets: row.quota_octets.map(to_column),
            apop_only: i64::from(row.passwords == PasswordKind::ApopOnly),
            expires_at: row.expires_at.map(to_column),
            name: &row.name,
            created_at: to_column(row.created_at),
        }
    }
}

/// Accounts that one statement of an import writes.
const IMPORT_ROWS: usize = 500;

const SELECT: &str = "select account.login, account.domain, account.maildir, account.quota_octets,
        account.apop_only, account.locked, account.expires_at, account.name, account.created_at,
        account.scram is not null as has_scram,
        case when account.hash like '{%' then substr(account.hash, 2, instr(account.hash, '}') - 2) end as scheme,
        (select count(*) from device where device.account_id = account.account_id and revoked_at is null) as devices
    from account where (?1 is null or account.login = ?1) and (?2 is null or account.domain = ?2)
    order by account.login";

impl Store {
    /// All of them or none.
    pub(crate) async fn add_accounts(&self, rows: &[AccountRow]) -> Result<()> {
        let op = "adding accounts";
        let mut transaction = self.begin(op).await?;
        for part in rows.chunks(IMPORT_ROWS) {
            add_part(&mut transaction, part).await?;
        }
        transaction.commit().await.map_err(unavailable(op))
    }

    pub(crate) async fn accounts(&self, login: Option<&str>, domain: Option<&str>) -> Result<Vec<Account>> {
        let op = "reading accounts";
        let query = sqlx::query(SELECT).bind(login).bind(domain);
        let rows = query.fetch_all(&self.reader).await.map_err(unavailable(op))?;
        rows.iter().map(account).collect::<std::result::Result<_, _>>().map_err(unavailable(op))
    }

    /// The account with its addresses and devices; aliases lose it as a target, but not the only one that they have.
    pub(crate) async fn delete_account(&self, login: &str, settings: &Settings) -> Result<()> {
        const ADDRESSES: &str = "select address from address join account using (account_id) where login = ?1";
        const FORGET: &str = "delete from alias where lower(target) in (select value from json_each(?1))";
        const DELETE: &str = "delete from account where login = ?1";
        let op = "deleting an account";
        let mut transaction = self.begin(op).await?;
        let query = sqlx::query_scalar(ADDRESSES).bind(login);
        let addresses: Vec<String> = query.fetch_all(&mut *transaction).await.map_err(unavailable(op))?;
        if addresses.is_empty() && targets_of(&mut transaction, login).await? > 0 {
            let told = format!("no such account: {login} is an alias; `sekisho alias delete {login}` deletes that");
            return Err(DirectoryError::OtherKind(told));
        }
        let leading = Sound::begin(&mut transaction, settings).await?.leading_to(&addresses).await?;
        let forget = sqlx::query(FORGET).bind(json(&addresses)?);
        forget.execute(&mut *transaction).await.map_err(unavailable(op))?;
        let done = sqlx::query(DELETE).bind(login).execute(&mut *transaction).await.map_err(unavailable(op))?;
        found(done.rows_affected(), "account", login)?;
        Sound::begin(&mut transaction, settings).await?.still_lead(&leading, login).await?;
        transaction.commit().await.map_err(unavailable(op))
    }

    /// All of them or none.
    pub(crate) async fn change_account(&self, login: &str, changes: &[Change]) -> Result<()> {
        let op = "changing an account";
        let mut transaction = self.begin(op).await?;
        for change in changes {
            change_one(&mut transaction, login, change).await?;
        }
        transaction.commit().await.map_err(unavailable(op))
    }

    /// A new main password. With `expected`, only if the hash is still that one.
    pub(crate) async fn set_secrets(&self, login: &str, secrets: &Secrets, expected: Option<&str>) -> Result<()> {
        const SET: &str = "update account set hash = ?2, scram = ?3, password_version = password_version + 1
            where login = ?1 and (?4 is null or hash = ?4)";
        let query = sqlx::query(SET).bind(login).bind(&secrets.hash).bind(&secrets.scram).bind(expected);
        let done = query.execute(&self.writer).await.map_err(unavailable("setting a password"))?;
        found(done.rows_affected(), "account", login)
    }

    /// The same password under a better scheme: no login changes by it, so no revision moves.
    pub(crate) async fn rehash(&self, login: &str, old_hash: &str, secrets: &Secrets) -> Result<()> {
        const REHASH: &str = "update account set hash = ?3, scram = ?4 where login = ?1 and hash = ?2";
        let query = sqlx::query(REHASH).bind(login).bind(old_hash).bind(&secrets.hash).bind(&secrets.scram);
        query.execute(&self.writer).await.map_err(unavailable("re-hashing a password"))?;
        Ok(())
    }
}

/// One thing of an account, within a change.
pub(super) async fn change_one(
    transaction: &mut Transaction<'static, Sqlite>,
    login: &str,
    change: &Change,
) -> Result<()> {
    const LOCK: &str = "update account set locked = ?2 where login = ?1";
    const APOP_ONLY: &str = "update account set apop_only = ?2 where login = ?1";
    const QUOTA: &str = "update account set quota_octets = ?2 where login = ?1";
    const EXPIRY: &str = "update account set expires_at = ?2 where login = ?1";
    const NAME: &str = "update account set name = ?2 where login = ?1";
    let number = |sql, value: Option<i64>| sqlx::query(sql).bind(login).bind(value);
    let query = match change {
        Change::Lock => number(LOCK, Some(1)),
        Change::Unlock => number(LOCK, Some(0)),
        Change::Passwords(PasswordKind::ApopOnly) => number(APOP_ONLY, Some(1)),
        Change::Passwords(PasswordKind::Any) => number(APOP_ONLY, Some(0)),
        Change::QuotaOctets(octets) => number(QUOTA, octets.map(to_column)),
        Change::ExpiresAt(time) => number(EXPIRY, time.map(to_column)),
        Change::Name(name) => sqlx::query(NAME).bind(login).bind(name),
    };
    let done = query.execute(&mut **transaction).await.map_err(unavailable("changing an account"))?;
    found(done.rows_affected(), "account", login)
}

pub(super) async fn add_part(transaction: &mut Transaction<'static, Sqlite>, part: &[AccountRow]) -> Result<()> {
    const TAKEN: &str = "select value ->> 'login' from json_each(?1) where exists
            (select 1 from account where login = value ->> 'login')
        or exists (select 1 from device where login = value ->> 'login')
        or exists (select 1 from address where address = value ->> 'login') limit 1";
    const ACCOUNTS: &str = "insert into account
            (login, domain, maildir, hash, scram, quota_octets, apop_only, expires_at, name, created_at)
        select value ->> 'login', value ->> 'domain', value ->> 'maildir', value ->> 'hash', value ->> 'scram',
            value ->> 'quota_octets', value ->> 'apop_only', value ->> 'expires_at', value ->> 'name',
            value ->> 'created_at'
        from json_each(?1)";
    const ADDRESSES: &str = "insert into address (address, domain, account_id)
        select login, domain, account_id from account where login in (select value ->> 'login' from json_each(?1))";
    let op = "adding accounts";
    let rows = json(&part.iter().map(Written::from).collect::<Vec<_>>())?;
    let taken: Option<String> =
        sqlx::query_scalar(TAKEN).bind(&rows).fetch_optional(&mut **transaction).await.map_err(unavailable(op))?;
    if let Some(login) = taken {
        return Err(DirectoryError::exists("account", &login));
    }
    let logins: Vec<&str> = part.iter().map(|row| row.login.as_str()).collect();
    not_an_alias(transaction, &logins).await?;
    let first = logins.first().copied().unwrap_or_default();
    for sql in [ACCOUNTS, ADDRESSES] {
        let done = sqlx::query(sql).bind(&rows).execute(&mut **transaction).await;
        done.map_err(hosted_or("account", first, op))?;
    }
    Ok(())
}

/// An account, as it is within a change.
pub(super) async fn find(transaction: &mut Transaction<'static, Sqlite>, login: &str) -> Result<Option<Account>> {
    let op = "reading accounts";
    let query = sqlx::query(SELECT).bind(login).bind(None::<&str>);
    let row = query.fetch_optional(&mut **transaction).await.map_err(unavailable(op))?;
    row.as_ref().map(account).transpose().map_err(unavailable(op))
}

fn account(row: &SqliteRow) -> std::result::Result<Account, sqlx::Error> {
    let time = |name| row.try_get::<Option<i64>, _>(name).map(|value| value.map(from_column));
    let flag = |name| row.try_get::<i64, _>(name).map(|value| value != 0);
    Ok(Account {
        login: row.try_get("login")?,
        maildir: row.try_get("maildir")?,
        quota_octets: time("quota_octets")?,
        passwords: if flag("apop_only")? { PasswordKind::ApopOnly } else { PasswordKind::Any },
        locked: flag("locked")?,
        expires_at: time("expires_at")?,
        name: row.try_get("name")?,
        created_at: from_column(row.try_get("created_at")?),
        scheme: row.try_get("scheme")?,
        scram: flag("has_scram")?,
        devices: row.try_get("devices")?,
    })
}
