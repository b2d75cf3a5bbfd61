//! `[[access]]`: maps that take away.

use crate::map_file::{self, MapFile};
use crate::reading::Reading;
use maps::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[access]]`: a map whose entries refuse. Nothing in it gives a right to relay; `OK` ends the list of its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Access", deny_unknown_fields)]
pub struct WrittenAccess {
    /// The map as `TYPE:FILE`: `access`, `cidr`, `pcre`, `regexp`, `hash`, `btree`, `sqlite`, `pgsql` as Postfix reads them,
    /// `sendmail-access`, `deny`. If `FILE` does not exist, its database `FILE.db` is read; a name that ends in `.db` is the
    /// database itself. Required.
    pub map: String,
    /// What is looked up. Default none, for `sendmail-access` and `deny`: their entries say it themselves. All other types need
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Stage>,
    /// Whether it is enforced, or only writes to the log what it would have done. Default `"enforce"`.
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

/// `[[access]]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The map.
    pub map: MapFile,
    /// What is looked up; `None`: the map's entries say it.
    pub at: Option<Stage>,
    /// Whether it counts, or is only told.
    pub mode: Mode,
}

/// What `access.map` may be.
const KINDS: [Kind; 10] = [
    Kind::Access,
    Kind::Cidr,
    Kind::Pcre,
    Kind::Regexp,
    Kind::Hash,
    Kind::Btree,
    Kind::SendmailAccess,
    Kind::Deny,
    Kind::Sqlite,
    Kind::Pgsql,
];

/// All of `[[access]]`, as meant.
pub(crate) fn meant(written: &[WrittenAccess], reading: &mut Reading<'_>) -> Vec<Access> {
    let each = written.iter().enumerate();
    each.filter_map(|(index, entry)| entry.meant(&format!("access[{index}]"), reading)).collect()
}

impl WrittenAccess {
    fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<Access> {
        let map = map_file::one(&format!("{path}.map"), &self.map, &KINDS, reading)?;
        self.check_at(map.kind, path, reading);
        Some(Access { map, at: self.at, mode: self.mode })
    }

    /// Whether what is looked up is said once, by the key or by the map's entries.
    fn check_at(&self, kind: Kind, path: &str, reading: &mut Reading<'_>) {
        let says_itself = matches!(kind, Kind::SendmailAccess | Kind::Deny);
        if !says_itself && self.at.is_none() {
            let message = format!("`{path}.at` is missing: a map of type {kind} does not say what is looked up");
            reading.wrong(path, message, "\"client\", \"helo\", \"sender\" or \"recipient\"");
        }
        if says_itself && self.at.is_some() {
            let message = format!("the entries of a {kind} map say it themselves");
            reading.wrong(&format!("{path}.at"), message, "remove it");
        }
    }
}
