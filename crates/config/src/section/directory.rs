//! `[directory]`: the accounts.

use super::permissions::Permissions;
use crate::reading::Reading;
use crate::restart::Restart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[directory]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Directory", deny_unknown_fields, default)]
pub struct WrittenDirectory {
    /// SQLite file of the accounts. Default `"directory.sqlite"`.
    pub path: String,
    /// File of the key that encrypts device passwords on disk; made at the first start, 32 octets, mode 0600. Default
    /// `"server.key"`.
    pub key: String,
    /// Who else may read `key`: nobody, or `"any"` if a container mounts it so. Default `"owner"`.
    pub permissions: Permissions,
}

impl Default for WrittenDirectory {
    fn default() -> Self {
        Self { path: "directory.sqlite".to_owned(), key: "server.key".to_owned(), permissions: Permissions::Owner }
    }
}

/// `[directory]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Directory {
    pub path: PathBuf,
    pub key: PathBuf,
    pub permissions: Permissions,
}

impl WrittenDirectory {
    pub(crate) fn meant(&self, reading: &Reading<'_>) -> Directory {
        Directory { path: reading.below(&self.path), key: reading.below(&self.key), permissions: self.permissions }
    }
}

impl Directory {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("directory.path", &self.path, &new.path);
        restart.compare("directory.key", &self.key, &new.key);
    }
}
