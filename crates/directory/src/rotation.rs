//! Another server key: every device secret is sealed anew. No server may run. What is written belongs to whom the old key belongs to.
//!
//! | killed here | after it |
//! |---|---|
//! | key of the chains being kept | the old key counts; nothing else is changed |
//! | new key written beside | the old key counts; the one beside is removed by the next look |
//! | secrets sealed anew and committed | the one beside is the database's: [`settle`] gives it its name |
//! | renamed | the new key counts |
//!
//! The chains of lines (`keep::chain`) keep the key that they had at the first rotation: [`chain_key`]. Their lines stay provable.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use keep::secret::Permissions;

use crate::error::OpenError;
use crate::key::{KEY_OCTETS, ServerKey};
use crate::store::apart;

pub use crate::store::Rotated;

/// Where the key of the chains is, once the server key was rotated.
pub fn chain_key_path(server_key: &Path) -> PathBuf {
    server_key.with_file_name("chain.key")
}

/// What the keys of the chains are derived from: the server key, or what that was before it was rotated first.
pub fn chain_key(path: &Path, key: &ServerKey, permissions: Permissions) -> Result<ServerKey, OpenError> {
    let path = chain_key_path(path);
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(key.clone()),
        _ => ServerKey::load(&path, permissions),
    }
}

/// Ends a rotation that was broken off. To be called before a key is read that a database is opened with.
pub async fn settle(database: &Path, path: &Path, permissions: Permissions) -> Result<(), OpenError> {
    let beside = beside(path);
    if std::fs::symlink_metadata(&beside).is_err() {
        return Ok(());
    }
    let taken = match ServerKey::load(&beside, permissions) {
        // It was being written: nothing is sealed with it.
        Err(_) => false,
        Ok(new) => apart::fingerprint(database).await?.is_some_and(|kept| kept == new.fingerprint()),
    };
    let done =
        if taken { keep::rename(&beside, path).map_err(|error| error.source) } else { std::fs::remove_file(&beside) };
    done.map_err(|error| key_file(&beside, "cannot be put in its place", error))
}

/// Makes a new key, and seals with it what was sealed with the one at `path`.
pub async fn rotate(database: &Path, path: &Path, permissions: Permissions) -> Result<Rotated, OpenError> {
    settle(database, path, permissions).await?;
    let old = ServerKey::load(path, permissions)?;
    let chains = chain_key_path(path);
    if std::fs::symlink_metadata(&chains).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        old.save(&chains, Some(path))?;
    }
    let mut octets = zeroize::Zeroizing::new([0; KEY_OCTETS]);
    crate::key::random(octets.as_mut_slice()).map_err(|error| key_file(path, "cannot be made", error))?;
    let new = ServerKey::from_bytes(*octets);
    let beside = beside(path);
    new.save(&beside, Some(path))?;
    let rotated = apart::seal_anew(database, &old, &new).await?;
    keep::rename(&beside, path).map_err(|error| key_file(path, "cannot be replaced", error.source))?;
    Ok(rotated)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(".new");
    name.into()
}

fn key_file(path: &Path, why: &'static str, error: std::io::Error) -> OpenError {
    OpenError::KeyFile { path: path.to_owned(), why, source: Some(error) }
}
