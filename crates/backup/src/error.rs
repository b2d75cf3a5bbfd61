//! Why there is no backup, or nothing was restored from it.

use std::io;
use std::path::{Path, PathBuf};

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The system refuses.
    #[error("{path}: {op}: {error}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as `reading`.
        op: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// A file of a backup is not what was written.
    #[error("{backup}: {file}: {why}; nothing was restored", backup = backup.display())]
    Damaged {
        /// The backup.
        backup: PathBuf,
        /// The file in it.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// It is of a later version.
    #[error("{backup}: form {form} is newer than {known}, the newest that this version reads; use the version that made it", backup = backup.display())]
    Newer {
        /// The backup.
        backup: PathBuf,
        /// Its form.
        form: u32,
        /// The newest that is known here.
        known: u32,
    },
    /// There is data where it would be restored.
    #[error("{}: there is data already; --replace moves it aside", list(.0))]
    Occupied(Vec<PathBuf>),
    /// There is a backup of this name.
    #[error("{path}: is there already; --replace replaces it", path = .0.display())]
    Exists(PathBuf),
    /// What is at the place of a new backup is none.
    #[error("{path}: is there already, and is no backup; choose another name", path = .0.display())]
    Foreign(PathBuf),
    /// Another process has what is to be restored or copied.
    #[error("a server is running, or another command works on its data: {0}; stop it first")]
    InUse(String),
    /// Device secrets could not be read after it.
    #[error("{0}")]
    Key(String),
    /// The accounts.
    #[error(transparent)]
    Directory(#[from] directory::OpenError),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] spool::CopyError),
    /// The server's part of a backup did not come whole.
    #[error("the server's part of the backup breaks off: {0}; nothing was kept of it")]
    BrokenOff(String),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// The passphrase.
    #[error("{path}: {why}", path = path.display())]
    Passphrase {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl BackupError {
    pub(crate) fn at(path: &Path, op: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, op, error }
    }

    /// Whether the command was wrong: trying again later would not help.
    pub fn is_of_use(&self) -> bool {
        !matches!(self, Self::Io { .. } | Self::InUse(_) | Self::Queue(_) | Self::BrokenOff(_))
    }
}

impl From<keep::KeepError> for BackupError {
    fn from(error: keep::KeepError) -> Self {
        Self::Io { path: error.path, op: error.op, error: error.source }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
