//! The accounts apart from a running server: a copy for a backup, which key a database is of, and what becomes of device secrets
//! whose key is lost. Nobody else may have the database but where it is said.

use std::path::Path;

use crate::error::OpenError;
use crate::key::ServerKey;
use crate::store::apart;

/// Copies a database, also one that is in use, as it is at one moment. Nothing may be at `to`, or an empty file.
pub async fn copy(database: &Path, to: &Path) -> Result<(), OpenError> {
    apart::copy(database, to).await
}

/// Whether the secrets of a database are sealed with this key; a database without any key fits each.
pub async fn is_of(database: &Path, key: &ServerKey) -> Result<bool, OpenError> {
    let kept = apart::fingerprint(database).await?;
    Ok(kept.is_none_or(|kept| kept == key.fingerprint()))
}

/// Gives up the secrets of all devices, since their key is lost: each is revoked, and the database takes another key. Ends no right
/// of an account. Gives the logins of the devices.
pub async fn give_up_secrets(database: &Path) -> Result<Vec<String>, OpenError> {
    apart::give_up_secrets(database, crate::unix_secs()).await
}
