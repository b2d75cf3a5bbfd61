//! SQL over a database that no [`Store`](super::Store) has open, or another process.

use std::path::Path;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::value::to_column;
use super::{BUSY_TIMEOUT, database_error};
use crate::error::OpenError;
use crate::key::{Sealer, ServerKey};
use crate::store::Rotated;

type Result<T> = std::result::Result<T, OpenError>;

#[derive(Clone, Copy)]
enum For {
    Reading,
    Writing,
}

async fn open(path: &Path, purpose: For) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY_TIMEOUT).foreign_keys(true);
    let options = options.read_only(matches!(purpose, For::Reading));
    let opened = SqliteConnection::connect_with(&options).await;
    opened.map_err(|source| database_error(path, "opening the database", source))
}

/// Closed properly, a database that is this process's alone has no companions.
async fn close(connection: SqliteConnection, path: &Path) -> Result<()> {
    connection.close().await.map_err(|source| database_error(path, "closing the database", source))
}

pub(crate) async fn copy(path: &Path, to: &Path) -> Result<()> {
    let Some(name) = to.to_str() else {
        return Err(database_error(to, "naming the copy", std::io::Error::from(std::io::ErrorKind::InvalidInput)));
    };
    super::make_private(to).map_err(|source| database_error(to, "making the copy", source))?;
    let mut connection = open(path, For::Reading).await?;
    let copied = sqlx::query("vacuum into ?1").bind(name).execute(&mut connection).await;
    copied.map_err(|source| database_error(path, "copying the database", source))?;
    close(connection, path).await
}

pub(crate) async fn fingerprint(path: &Path) -> Result<Option<Vec<u8>>> {
    let mut connection = open(path, For::Reading).await?;
    let kept = sqlx::query_scalar("select key_fingerprint from meta").fetch_one(&mut connection).await;
    let kept = kept.map_err(|source| database_error(path, "reading the key's fingerprint", source))?;
    close(connection, path).await?;
    Ok(kept)
}

pub(crate) async fn give_up_secrets(path: &Path, now: u64) -> Result<Vec<String>> {
    const NAMES: &str = "select login from device where revoked_at is null order by login";
    const REVOKE: &str = "update device set revoked_at = ?1 where revoked_at is null";
    let failed = |source| database_error(path, "giving up device secrets", source);
    let mut connection = open(path, For::Writing).await?;
    let mut transaction = connection.begin_with("begin immediate").await.map_err(failed)?;
    let logins = sqlx::query_scalar(NAMES).fetch_all(&mut *transaction).await.map_err(failed)?;
    let told = newest_change(&mut transaction).await.map_err(failed)?;
    sqlx::query(REVOKE).bind(to_column(now)).execute(&mut *transaction).await.map_err(failed)?;
    forget_changes(&mut transaction, told).await.map_err(failed)?;
    sqlx::query("update meta set key_fingerprint = null").execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    close(connection, path).await?;
    Ok(logins)
}

pub(crate) async fn seal_anew(path: &Path, old: &ServerKey, new: &ServerKey) -> Result<Rotated> {
    let failed = |source| database_error(path, "sealing device secrets anew", source);
    let sealers = Sealer::new(old).zip(Sealer::new(new));
    let no_crypto = || failed(sqlx::Error::Io(std::io::Error::other("no cryptography")));
    let (opener, closer) = sealers.ok_or_else(no_crypto)?;
    let mut connection = open(path, For::Writing).await?;
    let mut transaction = connection.begin_with("begin immediate").await.map_err(failed)?;
    let kept: Option<Vec<u8>> =
        sqlx::query_scalar("select key_fingerprint from meta").fetch_one(&mut *transaction).await.map_err(failed)?;
    if kept.is_some_and(|kept| kept != old.fingerprint()) {
        return Err(OpenError::ForeignKey { path: path.to_owned() });
    }
    let told = newest_change(&mut transaction).await.map_err(failed)?;
    let rows = sqlx::query("select device_id, login, sealed_secret from device").fetch_all(&mut *transaction).await;
    let mut rotated = Rotated { devices: 0, damaged: Vec::new() };
    for row in rows.map_err(failed)? {
        let id: i64 = row.try_get("device_id").map_err(failed)?;
        let login: String = row.try_get("login").map_err(failed)?;
        let sealed: Vec<u8> = row.try_get("sealed_secret").map_err(failed)?;
        let Some(secret) = opener.open(&login, &sealed) else {
            rotated.damaged.push(login);
            continue;
        };
        let sealed = closer.seal(&login, &secret).ok_or_else(no_crypto)?;
        let update = sqlx::query("update device set sealed_secret = ?2 where device_id = ?1").bind(id).bind(sealed);
        update.execute(&mut *transaction).await.map_err(failed)?;
        rotated.devices += 1;
    }
    forget_changes(&mut transaction, told).await.map_err(failed)?;
    let update = sqlx::query("update meta set key_fingerprint = ?1").bind(new.fingerprint());
    update.execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    close(connection, path).await?;
    Ok(rotated)
}

async fn newest_change(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("select coalesce(max(revision), 0) from login_change").fetch_one(connection).await
}

/// What is changed here ends no right of anybody: no session is there, and each has the secret that it had.
async fn forget_changes(connection: &mut SqliteConnection, after: i64) -> sqlx::Result<()> {
    sqlx::query("delete from login_change where revision > ?1").bind(after).execute(connection).await.map(drop)
}
