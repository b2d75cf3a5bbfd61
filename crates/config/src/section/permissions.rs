//! `permissions`, beside each file that holds a secret: who else may read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `permissions`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Permissions {
    /// A file that anybody but its owner may read, or that belongs neither to the server's user nor to root, is not used.
    #[default]
    Owner,
    /// It is used in any case.
    Any,
}
