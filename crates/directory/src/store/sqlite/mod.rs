//! The database: the only module with SQL. One writing connection, a few reading ones, write-ahead log; what is committed
//! is on disk. Every statement is a constant; what callers name is bound, never pasted.

mod account;
mod device;
mod login;
mod route;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{Connection, Row, SqlSafeStr, Sqlite, SqliteConnection, Transaction};

use crate::error::{DirectoryError, OpenError};
use crate::key::ServerKey;

pub(crate) use account::AccountRow;
pub(crate) use device::{DeviceRow, NewDeviceRow};
pub(crate) use login::{LoginRow, Secrets};
pub(crate) use route::grouped;

const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "accounts", include_str!("../../migrations/0001_accounts.sql"))];

/// How long a statement may wait for another process's write before the answer is "unavailable".
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 4;

pub(crate) type Result<T> = std::result::Result<T, DirectoryError>;

/// The open database.
pub(crate) struct Store {
    options: SqliteConnectOptions,
    reader: SqlitePool,
    writer: SqlitePool,
}

/// What another process's change moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Revisions {
    pub(crate) routing: i64,
    pub(crate) login: i64,
}

impl Store {
    /// Opens or makes the database and brings its schema up to date.
    pub(crate) async fn open(path: &Path, key: &ServerKey) -> std::result::Result<Self, OpenError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true);
        make_private(path).map_err(|source| database_error(path, "making the file", source))?;
        let pool = |connections| {
            PoolOptions::<Sqlite>::new()
                .max_connections(connections)
                .min_connections(0)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(|source| database_error(path, "opening the database", source))?;
        let migrations = MIGRATIONS.iter().map(|&(version, description, sql)| {
            Migration::new(version, description.into(), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect())
            .run(&writer)
            .await
            .map_err(|source| database_error(path, "bringing the schema up to date", source))?;
        let store = Self { reader: pool(READERS_MAX).connect_lazy_with(options.clone()), writer, options };
        store.claim(path, key).await?;
        Ok(store)
    }

    /// Notes which server key the secrets are sealed with, or sees that it is another one.
    async fn claim(&self, path: &Path, key: &ServerKey) -> std::result::Result<(), OpenError> {
        const CLAIM: &str = "update meta set key_fingerprint = coalesce(key_fingerprint, ?1) returning key_fingerprint";
        let kept: Vec<u8> = sqlx::query_scalar(CLAIM)
            .bind(key.fingerprint())
            .fetch_one(&self.writer)
            .await
            .map_err(|source| database_error(path, "reading the key's fingerprint", source))?;
        if kept == key.fingerprint() { Ok(()) } else { Err(OpenError::ForeignKey { path: path.to_owned() }) }
    }

    /// A connection of its own for the watch: `data_version` is told per connection.
    pub(crate) async fn watch_connection(&self) -> Result<SqliteConnection> {
        SqliteConnection::connect_with(&self.options).await.map_err(unavailable("opening the watch"))
    }

    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self, op: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("begin immediate").await.map_err(unavailable(op))
    }
}

/// Hashes and keys are inside, so the file is its owner's alone; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

/// Changes whenever another connection has committed something.
pub(crate) async fn data_version(connection: &mut SqliteConnection) -> Result<i64> {
    const DATA_VERSION: &str = "pragma data_version";
    sqlx::query_scalar(DATA_VERSION).fetch_one(connection).await.map_err(unavailable("watching for changes"))
}

pub(crate) async fn revisions(connection: &mut SqliteConnection) -> Result<Revisions> {
    const REVISIONS: &str = "select routing_revision, login_revision from meta";
    let op = "watching for changes";
    let row = sqlx::query(REVISIONS).fetch_one(connection).await.map_err(unavailable(op))?;
    let column = |name| row.try_get::<i64, _>(name).map_err(unavailable(op));
    Ok(Revisions { routing: column("routing_revision")?, login: column("login_revision")? })
}

fn database_error(path: &Path, op: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Database { path: PathBuf::from(path), op, source: Box::new(source) }
}

/// Turns a database error into "no answer".
fn unavailable(op: &'static str) -> impl Fn(sqlx::Error) -> DirectoryError {
    move |source| DirectoryError::unavailable(op, source)
}

/// Tells a name that is taken from a database that does not answer.
fn taken(what: &'static str, name: &str, op: &'static str) -> impl Fn(sqlx::Error) -> DirectoryError {
    let name = name.to_owned();
    move |source| {
        let collides = source.as_database_error().is_some_and(|error| {
            // 1811: a trigger's `raise(abort)`, here always a login that is taken.
            error.is_unique_violation() || error.code().as_deref() == Some("1811")
        });
        if collides { DirectoryError::exists(what, &name) } else { DirectoryError::unavailable(op, source) }
    }
}

fn is_foreign_key(source: &sqlx::Error) -> bool {
    source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// A list for `json_each(?)`: one statement for any number of names.
fn json(list: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(list).map_err(|source| DirectoryError::unavailable("writing a list", source))
}

/// SQLite has signed numbers only; what does not fit is as good as boundless.
fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn from_column(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
