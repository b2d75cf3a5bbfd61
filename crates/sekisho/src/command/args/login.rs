//! A login as it is typed: `taro` is `taro@` the default domain, wherever a login is an argument.

use crate::command::{client, fault::Fault, global::Global};
use config::Settings;

/// An account's login, or a device's, as it is typed. What is asked about it is asked by its full form alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginName(String);

impl From<String> for LoginName {
    fn from(typed: String) -> Self {
        Self(typed)
    }
}

impl LoginName {
    /// In the form in which accounts have it, by the configuration that the command line means.
    pub(in crate::command) fn full(&self, global: &Global) -> Result<String, Fault> {
        Ok(self.full_by(&client::settings(global)?))
    }

    /// The same by these settings. What can be nobody's stays as it was typed: whoever is asked says so.
    pub(in crate::command) fn full_by(&self, settings: &Settings) -> String {
        serve::directory_settings(settings).in_full(&self.0).unwrap_or_else(|| self.0.clone())
    }

    /// As it was typed, for a server that completes it itself.
    pub(in crate::command) fn typed(&self) -> &str {
        &self.0
    }
}

/// The same for one that need not be given.
pub(in crate::command) fn full(login: Option<&LoginName>, global: &Global) -> Result<Option<String>, Fault> {
    login.map(|login| login.full(global)).transpose()
}
