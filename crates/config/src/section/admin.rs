//! `[admin]`: the admin API.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Admin", deny_unknown_fields, default)]
pub struct WrittenAdmin {
    /// Unix socket of the admin API. Everybody who can write to it controls the server. Default `"admin.sock"`.
    pub socket: String,
    /// Permissions of the socket, octal. Default `"0600"`.
    pub mode: String,
}

impl Default for WrittenAdmin {
    fn default() -> Self {
        Self { socket: "admin.sock".to_owned(), mode: "0600".to_owned() }
    }
}

/// `[admin]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// The socket.
    pub socket: PathBuf,
    /// Its permissions.
    pub mode: u32,
}

impl WrittenAdmin {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Admin {
        let mode = value::permissions(&self.mode);
        if mode.is_none() {
            reading.wrong("admin.mode", "`admin.mode` is octal permissions", "\"0600\": its owner alone");
        }
        if mode.is_some_and(|mode| mode & 0o007 != 0) {
            let message = "`admin.mode` opens the admin API to everybody";
            reading.wrong("admin.mode", message, "\"0600\", or \"0660\" for a group");
        }
        Admin { socket: reading.below(&self.socket), mode: mode.unwrap_or(0o600) }
    }
}

impl Admin {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("admin.socket", &self.socket, &new.socket);
        restart.compare("admin.mode", &self.mode, &new.mode);
    }
}
