//! Access maps in databases: asked for one command all at once, each within its time. A map that gives no answer is *unknown*.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use guard::Part;
use sqlmaps::SqlTable;
use tokio::time::Instant;

use super::{Subjects, Tables};

/// How much earlier than its stage an answer must be there, so that the files' entries are not late with it.
const MARGIN: Duration = Duration::from_millis(200);

/// What databases said of one command.
#[derive(Debug, Default)]
pub struct Answers(Vec<Answer>);

#[derive(Debug)]
struct Answer {
    part: Part,
    map: usize,
    value: Said,
}

/// What one said of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// This value.
    Value(Arc<str>),
    /// That it has nothing.
    Nothing,
    /// Nothing that can be gone by.
    Unknown,
}

impl Answers {
    /// Who was not asked is not known.
    pub(super) fn of(&self, part: Part, map: usize) -> Said {
        let found = self.0.iter().find(|answer| answer.part == part && answer.map == map);
        found.map_or(Said::Unknown, |answer| answer.value.clone())
    }
}

impl Tables {
    /// Whether any map is asked elsewhere, so that [`answers`](Self::answers) are needed.
    pub fn ask_databases(&self) -> bool {
        self.access.iter().any(|map| map.database.is_some())
    }

    /// What the databases say of all subjects, by `until` at the latest.
    pub async fn answers(&self, subjects: &Subjects<'_>, until: Instant) -> Answers {
        let until = until.checked_sub(MARGIN).unwrap_or(until);
        let mut asked = Vec::new();
        subjects.each(|part, subject| {
            for (number, map) in self.access.iter().enumerate().filter(|(_, map)| map.is_of(part)) {
                let keys = || map.table.keys_of(subject);
                asked.extend(map.database.as_ref().map(|database| (part, number, database, keys())));
            }
        });
        let each = asked.iter().map(|(part, map, database, keys)| async move {
            Answer { part: *part, map: *map, value: said(database, keys, until).await }
        });
        Answers(join_all(each).await)
    }
}

async fn said(database: &SqlTable, keys: &[String], until: Instant) -> Said {
    match tokio::time::timeout_at(until, database.first(keys)).await {
        Ok(Ok(Some(value))) => Said::Value(value),
        Ok(Ok(None)) => Said::Nothing,
        // The map tells of it itself.
        Ok(Err(_)) | Err(_) => Said::Unknown,
    }
}
