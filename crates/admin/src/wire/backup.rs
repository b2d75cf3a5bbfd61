//! A backup.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is to be in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupWanted {
    /// Maildirs too.
    #[serde(default)]
    pub mail: bool,
}
