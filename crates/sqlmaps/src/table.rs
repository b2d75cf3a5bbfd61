//! One map in a database.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use maps::SqlMap;
use moka::sync::Cache;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tracing::warn;

use super::error::SqlError;
use super::pool::{Pool, WAIT};

/// How long an answer is kept: the recipients of one message ask for the same sender and client.
const KEPT: Duration = Duration::from_secs(2);
/// Answers that are kept.
const KEPT_MAX: u64 = 1_024;
/// Longest key that is asked for, in octets: an address has at most 320 (RFC 5321 §4.5.3.1), and what is longer is in no table.
const KEY_OCTETS_MAX: usize = 1_024;
/// Longest answer, in octets: a line of SMTP has at most 998 (RFC 5322 §2.1.1).
const VALUE_OCTETS_MAX: usize = 998;

/// A map, and the connections to its database.
#[derive(Debug)]
pub struct SqlTable {
    map: Arc<SqlMap>,
    pool: OnceCell<Pool>,
    kept: Cache<Box<str>, Option<Arc<str>>>,
    is_away: AtomicBool,
}

impl SqlTable {
    /// Nothing is opened before something is asked.
    pub fn new(map: Arc<SqlMap>) -> Self {
        let kept = Cache::builder().max_capacity(KEPT_MAX).time_to_live(KEPT).build();
        Self { map, pool: OnceCell::new(), kept, is_away: AtomicBool::new(false) }
    }

    /// Where the question is written.
    pub fn map(&self) -> &SqlMap {
        &self.map
    }

    /// Whether the database is there and knows what the question speaks of.
    pub async fn check(&self) -> Result<(), SqlError> {
        let query = &self.map.query;
        let checked = self.pool().await.check(&query.text, query.parameters.len());
        timeout(WAIT * 2, checked).await.unwrap_or_else(|_| Err(SqlError::late(WAIT)))
    }

    /// The value of the first of these keys that has one.
    pub async fn first(&self, keys: &[String]) -> Result<Option<Arc<str>>, SqlError> {
        for key in keys {
            if let Some(value) = self.get(key).await? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The value of a key; `None`: it has none, or is none that a table could have.
    pub async fn get(&self, key: &str) -> Result<Option<Arc<str>>, SqlError> {
        if key.len() > KEY_OCTETS_MAX || key.chars().any(char::is_control) {
            return Ok(None);
        }
        let Some(values) = self.map.query.bind(key) else { return Ok(None) };
        if let Some(known) = self.kept.get(key) {
            return Ok(known);
        }
        let found = self.ask(&values).await;
        self.tell(found.as_ref().err());
        let found = found?;
        self.kept.insert(key.into(), found.clone());
        Ok(found)
    }

    async fn ask(&self, values: &[&str]) -> Result<Option<Arc<str>>, SqlError> {
        let asked = self.pool().await.ask(&self.map.query.text, values);
        let value =
            timeout(WAIT, asked).await.map_err(|_| SqlError::late(WAIT))?.map_err(|error| SqlError::of(&error))?;
        match value {
            Some(value) if value.len() > VALUE_OCTETS_MAX || value.chars().any(char::is_control) => {
                Err(SqlError::Wrong(format!("a value is no line of at most {VALUE_OCTETS_MAX} octets")))
            }
            value => Ok(value.filter(|value| !value.is_empty()).map(Arc::from)),
        }
    }

    async fn pool(&self) -> &Pool {
        self.pool.get_or_init(|| async { Pool::new(&self.map) }).await
    }

    /// Once for each time that it is away, however many ask.
    fn tell(&self, error: Option<&SqlError>) {
        let was_away = self.is_away.swap(error.is_some(), Ordering::Relaxed);
        if let Some(error) = error.filter(|_| !was_away) {
            warn!(map = &*self.map.file, %error, "map unavailable");
        }
    }
}
