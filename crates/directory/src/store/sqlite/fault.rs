//! What an error of SQLite means.

use crate::error::DirectoryError;

pub(super) type Result<T> = std::result::Result<T, DirectoryError>;

/// Turns a database error into "no answer".
pub(super) fn unavailable(op: &'static str) -> impl Fn(sqlx::Error) -> DirectoryError {
    move |source| DirectoryError::unavailable(op, source)
}

/// Tells a name that is taken from a database that does not answer.
pub(super) fn taken(what: &'static str, name: &str, op: &'static str) -> impl Fn(sqlx::Error) -> DirectoryError {
    let name = name.to_owned();
    move |source| {
        let collides = source.as_database_error().is_some_and(|error| {
            // 1811: a trigger's `raise(abort)`, here always a login that is taken.
            error.is_unique_violation() || error.code().as_deref() == Some("1811")
        });
        if collides { DirectoryError::exists(what, &name) } else { DirectoryError::unavailable(op, source) }
    }
}

pub(super) fn is_foreign_key(source: &sqlx::Error) -> bool {
    source.as_database_error().is_some_and(sqlx::error::DatabaseError::is_foreign_key_violation)
}

/// Whether anything was changed at all.
pub(super) fn found(rows: u64, what: &'static str, name: &str) -> Result<()> {
    if rows == 0 { Err(DirectoryError::not_found(what, name)) } else { Ok(()) }
}

/// Tells a domain that is not ours, a name that is taken, and a database that does not answer apart.
pub(super) fn hosted_or(what: &'static str, name: &str, op: &'static str) -> impl Fn(sqlx::Error) -> DirectoryError {
    let name = name.to_owned();
    move |source| {
        if is_foreign_key(&source) {
            let domain = name.rsplit_once('@').map_or(name.as_str(), |(_, domain)| domain);
            return DirectoryError::not_found("domain", domain);
        }
        taken(what, &name, op)(source)
    }
}
