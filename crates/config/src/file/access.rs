//! `[[access]]` and `[[watch]]` as written: what is taken away by maps, and logs that tell of logins.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[access]]`: a map whose entries refuse. Nothing in it gives a right to relay; `OK` ends the list of its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The map as `TYPE:FILE`: `access`, `cidr`, `pcre`, `regexp`, `hash`, `btree` as Postfix reads them, `sendmail-access`, `deny`.
    /// Required.
    pub map: String,
    /// What is looked up. Default none, which is for `sendmail-access` and `deny`, whose entries say it themselves; all others need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Stage>,
    /// Whether it is enforced, or only told in the log what it would have done. Default `"enforce"`.
    #[serde(default)]
    pub mode: Mode,
}

/// `access.at`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The client's name, address and networks (`check_client_access`).
    Client,
    /// The name in HELO or EHLO (`check_helo_access`).
    Helo,
    /// The reverse-path (`check_sender_access`).
    Sender,
    /// The forward-path (`check_recipient_access`).
    Recipient,
}

/// `access.mode`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It counts.
    #[default]
    Enforce,
    /// It is only told.
    Observe,
}

/// `[[watch]]`: a log of another POP or IMAP server whose lines of logins become grants. The weakest evidence: whoever can write
/// there is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Whose lines. Required.
    pub format: WatchFormat,
    /// The log file; it may be rotated. Default none: `unit` is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Unit of the system's journal, read by `journalctl`. Default none: `file` is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// `watch.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchFormat {
    /// `pop3-login: Login: user=<…>, …, rip=…`
    Dovecot,
    /// `pop3d: LOGIN, user=…, ip=[…]`
    Courier,
    /// `pop3[…]: login: host [ADDRESS] user …`
    Cyrus,
}
