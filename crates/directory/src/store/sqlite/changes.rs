//! Sees what other processes (the command line, another server) have changed, within half a second: SQLite tells by its
//! `data_version` that another connection has committed something, and two numbers in the database tell what it was.

use std::time::Duration;

use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Store;
use super::fault::{Result, unavailable};
use crate::store::{Changed, LoginChanges, Which};

const POLL_INTERVAL: Duration = Duration::from_millis(500);
const OP: &str = "watching for changes";
/// Changes of logins that are named at a time.
const NAMED_MAX: i64 = 1_000;
/// How long it is remembered that a login changed: longer than any right that is founded on a login, in milliseconds.
const REMEMBERED_MILLIS: i64 = 90 * 24 * 3_600 * 1_000;

/// What is changed from now on.
pub(crate) struct Changes {
    /// One of its own: `data_version` is told per connection.
    connection: SqliteConnection,
    ticks: Interval,
    seen: Seen,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    version: i64,
    revisions: Revisions,
}

/// What a change moves on, by triggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Revisions {
    routing: i64,
    login: i64,
}

impl Store {
    /// Begins to watch.
    pub(crate) async fn changes(&self) -> Result<Changes> {
        let mut connection =
            SqliteConnection::connect_with(&self.options).await.map_err(unavailable("opening the watch"))?;
        let seen = Seen { version: data_version(&mut connection).await?, revisions: revisions(&mut connection).await? };
        let mut ticks = interval(POLL_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Changes { connection, ticks, seen })
    }
}

impl Store {
    /// The newest revision of a login; 0: there was no change.
    pub(crate) async fn newest_change(&self) -> Result<i64> {
        const NEWEST: &str = "select coalesce(max(revision), 0) from login_change";
        sqlx::query_scalar(NEWEST).fetch_one(&self.reader).await.map_err(unavailable(OP))
    }

    /// The logins that changed after a revision; 0 is before all.
    pub(crate) async fn login_changes(&self, after: i64) -> Result<LoginChanges> {
        const CHANGED: &str = "select login from login_change where revision > ?1 and revision <= ?2 limit ?3";
        let revision = self.newest_change().await?;
        let query = sqlx::query_scalar(CHANGED).bind(after).bind(revision).bind(NAMED_MAX + 1);
        let logins: Vec<String> = query.fetch_all(&self.reader).await.map_err(unavailable(OP))?;
        let is_named = i64::try_from(logins.len()).is_ok_and(|count| count <= NAMED_MAX);
        Ok(LoginChanges { revision, logins: if is_named { Which::These(logins) } else { Which::Many } })
    }

    /// The logins of which rights ended after a revision, each once, and the newest revision.
    pub(crate) async fn ended_rights(&self, after: i64) -> Result<(i64, Vec<String>)> {
        const ENDED: &str = "select distinct login from login_change
            where revision > ?1 and revision <= ?2 and ends_rights = 1";
        let revision = self.newest_change().await?;
        let query = sqlx::query_scalar(ENDED).bind(after).bind(revision);
        Ok((revision, query.fetch_all(&self.reader).await.map_err(unavailable(OP))?))
    }

    /// When rights of a login ended last, in milliseconds since 1970; as far as it is remembered.
    pub(crate) async fn rights_ended_at(&self, login: &str) -> Result<Option<i64>> {
        const ENDED: &str = "select max(changed_at) from login_change where login = ?1 and ends_rights = 1";
        sqlx::query_scalar(ENDED).bind(login).fetch_one(&self.reader).await.map_err(unavailable(OP))
    }

    /// Keeps the list short. The numbers go on from the highest that ever was.
    pub(super) async fn forget_old_changes(&self) -> Result<()> {
        const FORGET: &str = "delete from login_change where changed_at < cast((julianday('now') - 2440587.5) * 86400000 as integer) - ?1";
        sqlx::query(FORGET).bind(REMEMBERED_MILLIS).execute(&self.writer).await.map_err(unavailable(OP))?;
        Ok(())
    }
}

impl Changes {
    /// Waits for the next change. After an error what is changed goes unseen: only a new watch helps, and whatever was
    /// remembered before it may be wrong.
    pub(crate) async fn next(&mut self) -> Result<Changed> {
        loop {
            self.ticks.tick().await;
            let version = data_version(&mut self.connection).await?;
            if version == self.seen.version {
                continue;
            }
            let revisions = revisions(&mut self.connection).await?;
            let before = std::mem::replace(&mut self.seen, Seen { version, revisions }).revisions;
            let changed =
                Changed { routing: revisions.routing != before.routing, logins: revisions.login != before.login };
            if changed.routing || changed.logins {
                return Ok(changed);
            }
        }
    }
}

/// Changes whenever another connection has committed something.
async fn data_version(connection: &mut SqliteConnection) -> Result<i64> {
    const DATA_VERSION: &str = "pragma data_version";
    sqlx::query_scalar(DATA_VERSION).fetch_one(connection).await.map_err(unavailable(OP))
}

async fn revisions(connection: &mut SqliteConnection) -> Result<Revisions> {
    const REVISIONS: &str = "select routing_revision, login_revision from meta";
    let row = sqlx::query(REVISIONS).fetch_one(connection).await.map_err(unavailable(OP))?;
    let column = |name| row.try_get::<i64, _>(name).map_err(unavailable(OP));
    Ok(Revisions { routing: column("routing_revision")?, login: column("login_revision")? })
}
