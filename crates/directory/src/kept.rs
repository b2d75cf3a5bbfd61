//! Which kinds of secrets anybody has at all: what is offered to clients goes by it, since many take the first thing offered
//! and fail where nobody could log in by it. Answered from memory until a login changes.

use std::sync::{Mutex, PoisonError};

use crate::Directory;

/// Which kinds of secrets somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretsKept {
    /// Some account or device has the keys of SCRAM.
    pub scram: bool,
    /// There is some device; its secret is what CRAM-MD5 and APOP reckon with. A revoked one counts: what has it goes on
    /// trying, and is to be told no, not that the server has changed.
    pub devices: bool,
    /// Each account has a device that is in use.
    pub devices_everywhere: bool,
}

impl SecretsKept {
    /// While it cannot be said: to offer something is no right.
    const UNKNOWN: Self = Self { scram: true, devices: true, devices_everywhere: false };
}

/// What was found last, and the generation of logins before it was looked for.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Option<(u64, SecretsKept)>>);

impl Directory {
    /// Which kinds of secrets somebody has now.
    pub async fn secrets_kept(&self) -> SecretsKept {
        let generation = self.generations.any_login();
        let found = *self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, kept)) = found.filter(|(of, _)| *of == generation) {
            return kept;
        }
        match self.store.secrets_kept().await {
            Ok(kept) => {
                *self.kept.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, kept));
                kept
            }
            Err(error) => {
                tracing::warn!(%error, "secrets unknown");
                found.map_or(SecretsKept::UNKNOWN, |(_, kept)| kept)
            }
        }
    }
}
