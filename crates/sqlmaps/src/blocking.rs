//! For who is no task.

use std::sync::Arc;

use maps::SqlMap;

use super::error::SqlError;
use super::table::SqlTable;

/// Whether the database is there and knows what the question speaks of. Takes some seconds at most.
pub fn check_now(map: &Arc<SqlMap>) -> Result<(), SqlError> {
    with_table(map, async |table| table.check().await)?
}

/// Asks a map on a thread of its own, which the caller waits for: the caller may be a thread of a runtime or of none.
pub fn with_table<T: Send>(map: &Arc<SqlMap>, ask: impl AsyncFnOnce(&SqlTable) -> T + Send) -> Result<T, SqlError> {
    let away = |error: &dyn std::fmt::Display| SqlError::Away(error.to_string());
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| away(&error))?;
        let table = SqlTable::new(Arc::clone(map));
        Ok(runtime.block_on(ask(&table)))
    };
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
