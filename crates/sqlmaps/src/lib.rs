//! Asking the databases that access maps name: SQLite and PostgreSQL. What is asked, and of which database, `maps` has read from the
//! operator's file; here connections are opened, few and only when something is asked, and each answer has its time.
//!
//! | file | answers for |
//! |---|---|
//! | `table` | one map: its answers, kept for a moment, and whether it is away |
//! | `pool` | its connections, and what is particular to each database |
//! | `error` | why there is no answer |
//! | `blocking` | the same for who is no task: the start of a server, a command |
//!
//! Nothing found here is a right. A database that is away is an error of its own, never "not found".

mod blocking;
mod error;
mod pool;
mod table;

pub use blocking::{check_now, with_table};
pub use error::SqlError;
pub use table::SqlTable;
