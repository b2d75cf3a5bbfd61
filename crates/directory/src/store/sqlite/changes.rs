//! Sees what other processes (the command line, another server) have changed, within half a second: SQLite tells by its
//! `data_version` that another connection has committed something, and two numbers in the database tell what it was.

use std::time::Duration;

use sqlx::{Connection as _, Row as _, SqliteConnection};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Store;
use super::fault::{Result, unavailable};
use crate::store::Changed;

const POLL_INTERVAL: Duration = Duration::from_millis(500);
const OP: &str = "watching for changes";

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
