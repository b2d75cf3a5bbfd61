//! Why the state gives no answer.

use std::path::PathBuf;

use guard::Fault;

/// Why the state gives no answer. None of these is ever a grant, nor that a limit has room.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory or the file cannot be used.
    #[error("state {path}: {op} failed")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        op: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is damaged. Nothing was changed.
    #[error(
        "state {path} is damaged ({detail}). It holds evidence of POP logins, their quotas and the networks of \
         accounts' owners, nothing that cannot come again: move the file away and start again, then \
         nobody has a POP grant until the next POP login"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Another process has it open.
    #[error("state {path} is in use by another process; only one server may run on it")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The last write failed; everything is unknown until one succeeds. It is tried every second.
    #[error("state: the last write failed; tried again every second")]
    WriteFailed,
    /// Too many writes wait.
    #[error("state: too many writes wait")]
    Overloaded,
    /// A login without name or longer than 320 octets.
    #[error("state: the login is empty or too long")]
    BadLogin,
    /// It was closed.
    #[error("state: closed")]
    Closed,
}

impl StateError {
    /// What the guard is told.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Io { .. } | Self::WriteFailed | Self::Overloaded | Self::InUse { .. } => Fault::Unavailable("state"),
            Self::Damaged { .. } | Self::BadLogin => Fault::Broken("state"),
            Self::Closed => Fault::Closed("state"),
        }
    }

    /// The same for another caller who waited for the same write.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Overloaded => Self::Overloaded,
            Self::Closed => Self::Closed,
            _ => Self::WriteFailed,
        }
    }
}

impl From<keep::KeepError> for StateError {
    fn from(error: keep::KeepError) -> Self {
        let keep::KeepError { path, op, source } = error;
        Self::Io { path, op, source }
    }
}

impl From<StateError> for Fault {
    fn from(error: StateError) -> Self {
        error.fault()
    }
}
