//! Values as SQLite has them.

use super::fault::Result;
use crate::error::DirectoryError;

/// A list for `json_each(?)`: one statement for any number of names.
pub(super) fn json(list: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(list).map_err(|source| DirectoryError::unavailable("writing a list", source))
}

/// SQLite has signed numbers only; what does not fit is as good as boundless.
pub(super) fn to_column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn from_column(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
