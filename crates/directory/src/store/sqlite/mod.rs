//! The directory in an SQLite file. One writing connection, a few reading ones, write-ahead log; what is committed is on
//! disk. Every statement is a constant; what callers name is bound, never pasted.

mod account;
mod address;
mod alias;
pub(crate) mod apart;
mod changes;
mod choice;
mod device;
mod fault;
mod login;
mod roll;
mod route;
mod sound;
mod used;
mod value;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{Connection as _, SqlSafeStr, Sqlite, SqliteConnection, Transaction};

use self::fault::{Result, unavailable};
use crate::error::OpenError;
use crate::key::ServerKey;

pub(crate) use self::changes::Changes;

const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "accounts", include_str!("../../../migrations/0001_accounts.sql")),
    (2, "login changes", include_str!("../../../migrations/0002_login_changes.sql")),
    (3, "device use", include_str!("../../../migrations/0003_device_use.sql")),
    (4, "choices", include_str!("../../../migrations/0004_choices.sql")),
    (5, "gentler changes", include_str!("../../../migrations/0005_gentler_changes.sql")),
    (6, "domain off", include_str!("../../../migrations/0006_domain_off.sql")),
    (7, "account name", include_str!("../../../migrations/0007_account_name.sql")),
];

/// How long a statement may wait for another process's write before the answer is "unavailable".
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 4;

/// The open database.
pub(crate) struct Store {
    options: SqliteConnectOptions,
    reader: SqlitePool,
    writer: SqlitePool,
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
        refuse_foreign(path, key).await?;
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
        store
            .forget_old_changes()
            .await
            .map_err(|source| database_error(path, "forgetting old changes of logins", source))?;
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

    pub(crate) async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    async fn begin(&self, op: &'static str) -> Result<Transaction<'static, Sqlite>> {
        self.writer.begin_with("begin immediate").await.map_err(unavailable(op))
    }
}

/// A database of another key is left as it is, its schema too. What else may be wrong with it shows when it is opened.
async fn refuse_foreign(path: &Path, key: &ServerKey) -> std::result::Result<(), OpenError> {
    const KEPT: &str = "select key_fingerprint from meta";
    if !std::fs::metadata(path).is_ok_and(|there| there.len() > 0) {
        return Ok(());
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY_TIMEOUT);
    let Ok(mut connection) = SqliteConnection::connect_with(&options).await else { return Ok(()) };
    let kept = sqlx::query_scalar::<_, Option<Vec<u8>>>(KEPT).fetch_one(&mut connection).await;
    // The answer is there; what closing may say changes nothing.
    let _ = connection.close().await;
    match kept {
        Ok(Some(kept)) if kept != key.fingerprint() => Err(OpenError::ForeignKey { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Hashes and keys are inside, so the file is its owner's alone; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}

fn database_error(path: &Path, op: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> OpenError {
    OpenError::Database { path: PathBuf::from(path), op, source: Box::new(source) }
}
