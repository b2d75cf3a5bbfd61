//! The connections of one map. They may only read, and wait for nothing for long.

use std::time::Duration;

use maps::SqlMap;
use maps::sql::{Database, Host, Postgres};
use secrecy::ExposeSecret as _;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, Row as _, SqlSafeStr as _, SqlStr, Statement as _, TypeInfo as _,
};

use super::error::SqlError;

/// Connections of one map.
const CONNECTIONS_MAX: u32 = 4;
/// How long a question may wait for one of them, and for the answer on it.
pub(super) const WAIT: Duration = Duration::from_secs(3);
/// How long a connection is kept for the next question, and how long at all: a file of SQLite may have been replaced by another.
const IDLE: Duration = Duration::from_secs(30);
const LIFETIME: Duration = Duration::from_mins(1);
/// Types of PostgreSQL that are text.
const TEXTS: [&str; 6] = ["TEXT", "VARCHAR", "CHAR", "BPCHAR", "NAME", "CITEXT"];

/// The connections.
#[derive(Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// Opens none yet. It must be called within a runtime.
    pub(super) fn new(map: &SqlMap) -> Self {
        match &map.database {
            Database::Sqlite { path } => {
                let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(WAIT);
                Self::Sqlite(pool_options().connect_lazy_with(options))
            }
            Database::Postgres(postgres) => Self::Postgres(pool_options().connect_lazy_with(options_of(postgres))),
        }
    }

    /// Whether the question can be asked, and what answers is one text.
    pub(super) async fn check(&self, question: &str, parameters: usize) -> Result<(), SqlError> {
        match self {
            Self::Sqlite(pool) => {
                let mut connection = pool.acquire().await.map_err(|error| SqlError::of_opening(&error))?;
                let prepared = (&mut *connection).prepare(sql(question)).await.map_err(|error| SqlError::of(&error))?;
                one_column(prepared.columns().len())
            }
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await.map_err(|error| SqlError::of_opening(&error))?;
                let texts = vec![<String as sqlx::Type<sqlx::Postgres>>::type_info(); parameters];
                let prepared = (&mut *connection).prepare_with(sql(question), &texts).await;
                let prepared = prepared.map_err(|error| SqlError::of(&error))?;
                one_column(prepared.columns().len())?;
                let kind = prepared.columns().first().map(|column| column.type_info().name().to_ascii_uppercase());
                match kind {
                    Some(kind) if !TEXTS.contains(&kind.trim_matches('"')) => {
                        Err(SqlError::Wrong(format!("the answer is of type {kind}; write CAST(… AS text) around it")))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// The first row's only column; `None`: there is no row, or it has nothing.
    pub(super) async fn ask(&self, question: &str, values: &[&str]) -> Result<Option<String>, sqlx::Error> {
        match self {
            Self::Sqlite(pool) => {
                let bound =
                    values.iter().fold(sqlx::query(sql(question)), |query, value| query.bind((*value).to_owned()));
                let row = bound.fetch_optional(pool).await?;
                row.map_or(Ok(None), |row| row.try_get_unchecked(0))
            }
            Self::Postgres(pool) => {
                let bound =
                    values.iter().fold(sqlx::query(sql(question)), |query, value| query.bind((*value).to_owned()));
                let row = bound.fetch_optional(pool).await?;
                row.map_or(Ok(None), |row| row.try_get_unchecked(0))
            }
        }
    }
}

fn pool_options<D: sqlx::Database>() -> PoolOptions<D> {
    PoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .min_connections(0)
        .acquire_timeout(WAIT)
        .idle_timeout(IDLE)
        .max_lifetime(LIFETIME)
}

/// As a role that may only read, whatever its rights. What the program's environment says of PostgreSQL does not count.
fn options_of(postgres: &Postgres) -> PgConnectOptions {
    let wait = WAIT.as_millis().to_string();
    let options = PgConnectOptions::new_without_pgpass()
        .username(&postgres.user)
        .password(postgres.password.as_ref().map_or("", |password| password.expose_secret()))
        .database(&postgres.name)
        .application_name("sekisho")
        .ssl_mode(PgSslMode::Disable)
        .options([
            ("default_transaction_read_only", "on"),
            ("standard_conforming_strings", "on"),
            ("statement_timeout", &*wait),
        ]);
    match &postgres.host {
        Host::Socket(folder) => options.socket(folder).port(5432),
        Host::Loopback { name, port } => options.host(name).port(*port),
    }
}

/// The operator's own question. What is looked up is bound to it and never in it: `maps` has seen to that.
fn sql(question: &str) -> SqlStr {
    AssertSqlSafe(question.to_owned()).into_sql_str()
}

fn one_column(columns: usize) -> Result<(), SqlError> {
    match columns {
        1 => Ok(()),
        columns => Err(SqlError::Wrong(format!("the question gives {columns} columns; ask for one"))),
    }
}
