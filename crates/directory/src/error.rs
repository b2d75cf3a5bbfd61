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
    /// An alias or catch-all cannot be followed: a mistake in the configuration that only the operator ends. Mail for it
    /// is refused for good, so that its sender hears of it.
    #[error("address {address}: {fault}")]
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
    /// Mail would go somewhere else than the operator may think: what stands in the way, and what to do.
    #[error("{0}")]
    Conflict(String),
    /// There is no such thing, but another thing of that name; what to do.
    #[error("{0}")]
    OtherKind(String),
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
    /// The new password is too weak.
    #[error(transparent)]
    Weak(#[from] crate::strength::Weakness),
    /// The old password is not right, or the account may not log in. Which of them is not told.
    #[error("wrong login or password")]
    WrongPassword,
}

impl DirectoryError {
    /// Whether the same question may get an answer later: SMTP says 4xx, POP3 `[SYS/TEMP]`.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Busy)
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AliasFault {
    /// It leads only to itself.
    #[error("it is a loop: {0}")]
    Loop(Way),
    /// It leads to addresses that nobody has.
    #[error("nobody has the address it leads to: {0}")]
    DeadEnd(String),
    /// More than [`crate::ALIAS_DEPTH_MAX`] aliases one behind the other.
    #[error("more than 10 aliases one behind the other")]
    TooDeep,
    /// More than [`crate::ALIAS_WIDTH_MAX`] addresses in all.
    #[error("more than 1,000 addresses behind it")]
    TooWide,
}

/// Addresses, in the order in which they lead to each other. Printed, the list is cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way(pub Vec<String>);

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMED_MAX: usize = 16;
        let shown: Vec<&str> = self.0.iter().take(NAMED_MAX).map(String::as_str).collect();
        f.write_str(&shown.join(" > "))?;
        if self.0.len() > NAMED_MAX { write!(f, " > … ({} in all)", self.0.len()) } else { Ok(()) }
    }
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
    /// There is a database and no key file: a new key would not open what it holds.
    #[error("server key {key}: missing, and the database {path} was made with one; restore that key file beside it")]
    KeyMissing {
        /// The database file.
        path: PathBuf,
        /// Where its key should be.
        key: PathBuf,
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
