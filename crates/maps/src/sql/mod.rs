//! Look-ups in databases, as sqlite_table(5) and pgsql_table(5) of Postfix describe them: a small file says which database, and what
//! is asked. Here the file is read and the question is made; who asks it is in a crate that may open connections.
//!
//! | file | answers for |
//! |---|---|
//! | `settings` | the file: `name = value` |
//! | `query` | the question, with what is looked up as bound parameters, never as text |

pub mod query;
mod settings;

use std::sync::Arc;

use secrecy::SecretString;

pub use query::{Parameter, Query};
pub(crate) use settings::read;

/// Which database, and what is asked of it.
#[derive(Debug)]
pub struct SqlMap {
    /// The file that says so, as the caller named it.
    pub file: Arc<str>,
    /// The database.
    pub database: Database,
    /// What is asked.
    pub query: Query,
}

/// A database.
#[derive(Debug)]
pub enum Database {
    /// SQLite.
    Sqlite {
        /// Its file, an absolute path.
        path: String,
    },
    /// PostgreSQL on this machine.
    Postgres(Box<Postgres>),
}

/// A database of PostgreSQL, and as whom to ask it.
#[derive(Debug)]
pub struct Postgres {
    /// Where the server listens.
    pub host: Host,
    /// The role.
    pub user: String,
    /// Its password; none where the server knows the role by the program's own user.
    pub password: Option<SecretString>,
    /// The database's name.
    pub name: String,
}

/// Where a server of PostgreSQL listens. Only this machine: what goes further would have to be encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// The folder of its socket.
    Socket(String),
    /// A loopback address, or `localhost`.
    Loopback {
        /// As it is written.
        name: String,
        /// Its TCP port.
        port: u16,
    },
}
