//! `[state]`: evidence of logins, rates.

use crate::reading::Reading;
use crate::restart::Restart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[state]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "State", deny_unknown_fields, default)]
pub struct WrittenState {
    /// Folder of the embedded engine. Default `"state"`.
    pub path: String,
}

impl Default for WrittenState {
    fn default() -> Self {
        Self { path: "state".to_owned() }
    }
}

/// `[state]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Folder of the embedded engine.
    pub path: PathBuf,
}

impl WrittenState {
    pub(crate) fn meant(&self, reading: &Reading<'_>) -> State {
        State { path: reading.below(&self.path) }
    }
}

impl State {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("state.path", &self.path, &new.path);
    }
}
