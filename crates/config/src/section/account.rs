//! `[account]`: what users of this machine may do with their own account.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[account]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Account", deny_unknown_fields, default)]
pub struct WrittenAccount {
    /// Unix socket by which `sekisho passwd` and `sekisho account` talk to the running server. Put it into a folder that users can
    /// enter, as `"/run/sekisho/account.sock"`. Default `"account.sock"`.
    pub socket: String,
    /// Permissions of the socket, octal. Who may write to it can ask about the account that is theirs, and about no other.
    /// Default `"0666"`.
    pub mode: String,
    /// Users of this machine and the logins that are theirs, as `[{ uid = 1001, login = "taro@example.net" }]`: they need not tell the
    /// old password. Everybody else tells login and password. Default `[]`.
    pub users: Vec<WrittenUser>,
}

impl Default for WrittenAccount {
    fn default() -> Self {
        Self { socket: "account.sock".to_owned(), mode: "0666".to_owned(), users: Vec::new() }
    }
}

/// `[[account.users]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "User", deny_unknown_fields)]
pub struct WrittenUser {
    /// Number of the user on this machine (`id -u`). 0 to 4,294,967,294. Required.
    #[schemars(range(min = 0, max = 4_294_967_294_u32))]
    pub uid: u32,
    /// The login, as `taro@example.net`, or `taro` in the default domain. Required.
    pub login: String,
}

/// `[account]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The socket.
    pub socket: PathBuf,
    /// Its permissions.
    pub mode: u32,
    /// Users with their logins, each user once.
    pub users: Vec<(u32, String)>,
}

impl WrittenAccount {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Account {
        let mode = value::permissions(&self.mode);
        if mode.is_none() {
            reading.wrong(
                "account.mode",
                "`account.mode` is octal permissions",
                "\"0666\": every user of this machine",
            );
        }
        let mut users: Vec<(u32, String)> = Vec::with_capacity(self.users.len());
        for (index, user) in self.users.iter().enumerate() {
            let path = format!("account.users[{index}]");
            if users.iter().any(|(uid, _)| *uid == user.uid) {
                reading.wrong(&path, format!("the user {} has two logins", user.uid), "give one login");
            } else if user.login.is_empty() || user.login.chars().any(|it| it.is_control() || it.is_whitespace()) {
                let message = format!("`{path}.login`: {:?} is no login", user.login);
                reading.wrong(&format!("{path}.login"), message, "as in \"taro@example.net\"");
            } else {
                users.push((user.uid, user.login.clone()));
            }
        }
        Account { socket: reading.below(&self.socket), mode: mode.unwrap_or(0o600), users }
    }
}

impl Account {
    /// Whose login a user of this machine has.
    pub fn login_of(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|(known, _)| *known == uid).map(|(_, login)| login.as_str())
    }

    /// The socket is made once; whose it is follows a reload.
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("account.socket", &self.socket, &new.socket);
        restart.compare("account.mode", &self.mode, &new.mode);
    }
}
