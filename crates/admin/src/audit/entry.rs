//! One change as it is kept and listed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// One change, or the attempt at one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// When it was answered.
    pub at: String,
    /// Who asked, as the system says.
    pub who: Who,
    /// What, as `account lock`.
    pub change: String,
    /// To which account, address, domain, message …
    #[serde(default)]
    pub on: String,
    /// How, without secrets.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub with: Map<String, Value>,
    /// It was done.
    pub done: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A process that asked for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Who {
    /// Its user's number.
    pub uid: u32,
    /// The name of that, if it has one here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
}

/// Changes, the newest last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Changes {
    /// Those that were asked for.
    pub changes: Vec<Change>,
    /// Lines among them that cannot be read: most likely writes that a crash cut off.
    pub unreadable: u64,
}
