//! Why a database gave no answer: it is away, or what is asked of it is wrong.

use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// The database is away, or full of work: it may answer later.
    #[error("no answer: {0}")]
    Away(String),
    /// It answers that what is asked is wrong, or gives what is no answer.
    #[error("{0}")]
    Wrong(String),
}

impl SqlError {
    /// Nothing came within this time.
    pub(super) fn late(wait: Duration) -> Self {
        Self::Away(format!("nothing within {} seconds", wait.as_secs()))
    }

    /// What a database says of a question.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            // Classes of SQLSTATE: connection, resources, an operator who stops it; SQLite's own numbers for busy, locked and
            // unreadable files.
            sqlx::Error::Database(said) => match said.code().as_deref() {
                Some(code)
                    if ["08", "53", "57", "58"].iter().any(|class| code.len() == 5 && code.starts_with(class)) =>
                {
                    Self::Away(text)
                }
                Some("5" | "6" | "10" | "14") => Self::Away(text),
                _ => Self::Wrong(text),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => Self::Wrong(text),
            _ => Self::Away(text),
        }
    }

    /// The same of opening it: a file of SQLite that cannot be opened now will not be there by itself.
    pub(super) fn of_opening(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(said) if said.code().as_deref() == Some("14") => Self::Wrong(error.to_string()),
            error => Self::of(error),
        }
    }
}
