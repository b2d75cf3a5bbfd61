//! What can go wrong, apart by what the caller does about it: a temporary error is the server's fault and is answered
//! 4xx, everything else is told to the operator who asked.

use std::path::PathBuf;

/// Why the directory gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The database did not answer, or not in time. Never to be read as "no".
    #[error("directory: {op} failed")]
    Unavailable {
        /// What was being done.
        op: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More passwords wait for their check than the machine can do.
    #[error("directory: too many logins wait for their password check")]
    Busy,
    /// An alias cannot be followed: the operator's mistake, so the sender is told to try again.
    #[error("alias {address}: {fault}")]
    Alias {
        /// The address that was asked.
        address: String,
        /// What is wrong with it.
        fault: AliasFault,
    },
    /// There is no such thing.
    #[error("no such {what}: {name}")]
    NotFound {
        /// "account", "domain", "alias" …
        what: &'static str,
        /// Which one.
        name: String,
    },
    /// The name is taken.
    #[error("{what} exists: {name}")]
    Exists {
        /// "account", "domain", "alias" …
        what: &'static str,
        /// Which one.
        name: String,
    },
    /// The domain still has accounts, addresses or aliases.
    #[error("domain {domain} is in use")]
    InUse {
        /// The domain.
        domain: String,
    },
    /// What was written cannot be meant.
    #[error("{what} {text:?}: {why}")]
    Invalid {
        /// "login", "domain", "network" …
        what: &'static str,
        /// As written; blank for secrets.
        text: String,
        /// What would be right.
        why: &'static str,
    },
    /// The old password is not right, or the account may not log in. Which of them is not told.
    #[error("wrong login or password")]
    WrongPassword,
}

impl DirectoryError {
    /// Whether the same question may get an answer later: SMTP says 4xx, POP3 `[SYS/TEMP]`.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Busy | Self::Alias { .. })
    }

    pub(crate) fn unavailable(op: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { op, source: source.into() }
    }

    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        Self::NotFound { what, name: name.to_owned() }
    }

    pub(crate) fn exists(what: &'static str, name: &str) -> Self {
        Self::Exists { what, name: name.to_owned() }
    }

    pub(crate) fn invalid(what: &'static str, text: &str, why: &'static str) -> Self {
        Self::Invalid { what, text: text.to_owned(), why }
    }
}

/// What is wrong with an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AliasFault {
    /// It leads only to itself.
    #[error("it leads back to itself and to no mailbox")]
    Loop,
    /// More than [`crate::ALIAS_DEPTH_MAX`] aliases one behind the other.
    #[error("more than 10 aliases one behind the other")]
    TooDeep,
    /// More than [`crate::ALIAS_WIDTH_MAX`] addresses in all.
    #[error("more than 1,000 addresses behind it")]
    TooWide,
}

/// Why the directory does not open. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The key file cannot be read, made, or is not one.
    #[error("server key {path}: {why}")]
    KeyFile {
        /// Where it should be.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// The cause, when the system gave one.
        #[source]
        source: Option<std::io::Error>,
    },
    /// The database was made with another server key: its device secrets could not be read.
    #[error("directory {path}: made with another server key; give it the key file it was made with")]
    ForeignKey {
        /// The database file.
        path: PathBuf,
    },
    /// The database file does not open or is not a directory of ours.
    #[error("directory {path}: {op} failed")]
    Database {
        /// The database file.
        path: PathBuf,
        /// What was being done.
        op: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A setting names what cannot be meant.
    #[error(transparent)]
    Setting(#[from] DirectoryError),
}
