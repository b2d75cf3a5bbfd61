//! Where the parts of a server lie, by its configuration.

use std::path::{Path, PathBuf};

use config::Settings;

/// The places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `data_dir`.
    pub data_dir: PathBuf,
    /// `directory.path`.
    pub accounts: PathBuf,
    /// `directory.key`.
    pub key: PathBuf,
    /// Who else may read the key.
    pub permissions: keep::secret::Permissions,
    /// `state.path`.
    pub state: PathBuf,
    /// `spool.path`.
    pub queue: PathBuf,
    /// `delivery.maildir_root`.
    pub mail: PathBuf,
}

impl Places {
    /// As a configuration says.
    pub fn of(settings: &Settings) -> Self {
        let permissions = match settings.directory.permissions {
            config::Permissions::Owner => keep::secret::Permissions::Owner,
            config::Permissions::Any => keep::secret::Permissions::Any,
        };
        Self {
            data_dir: settings.data_dir.clone(),
            accounts: settings.directory.path.clone(),
            key: settings.directory.key.clone(),
            permissions,
            state: settings.state.path.clone(),
            queue: settings.spool.path.clone(),
            mail: settings.delivery.maildir_root.clone(),
        }
    }

    /// All below one folder, as a configuration has it that names nothing but `data_dir`.
    pub fn below(dir: &Path) -> Self {
        Self {
            data_dir: dir.to_owned(),
            accounts: dir.join("directory.sqlite"),
            key: dir.join("server.key"),
            permissions: keep::secret::Permissions::Owner,
            state: dir.join("state"),
            queue: dir.join("spool"),
            mail: dir.join("mail"),
        }
    }

    /// The `--set` for each place that a configuration has elsewhere.
    pub fn sets_from(&self, other: &Self) -> Vec<String> {
        let of = |key: &str, path: &Path| format!("{key}={}", path.display());
        let pairs = [
            ("directory.path", &self.accounts, &other.accounts),
            ("directory.key", &self.key, &other.key),
            ("state.path", &self.state, &other.state),
            ("spool.path", &self.queue, &other.queue),
            ("delivery.maildir_root", &self.mail, &other.mail),
        ];
        let differ = pairs.into_iter().filter(|(_, ours, others)| ours != others);
        differ.map(|(key, ours, _)| of(key, ours)).collect()
    }

    /// The key of the chains of lines, where the server key was rotated.
    pub(crate) fn chain_key(&self) -> PathBuf {
        directory::rotation::chain_key_path(&self.key)
    }
}
