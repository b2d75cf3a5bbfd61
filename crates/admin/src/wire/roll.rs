//! Tables of accounts and aliases, and what an operator says of one account.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an operator says of an account. What is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountChange {
    /// Room of the mailbox: `2G`, `500M`, octets, or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<String>,
    /// From then on every login is refused: RFC 3339, or `never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Whose it is, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether every login is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// Whether only device secrets are taken, and only by APOP or CRAM-MD5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apop_only: Option<bool>,
}

/// A row of a table of accounts.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRow {
    /// `user@domain`, or `user` in the default domain.
    pub login: String,
    /// The hash of the password, for an account that is made. One that is there keeps its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What the table says of it.
    #[serde(default)]
    pub change: AccountChange,
}

/// A table of accounts.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountRoll {
    /// The rows.
    pub rows: Vec<AccountRow>,
    /// Makes domains that are not there. Mail for them is taken from then on.
    #[serde(default)]
    pub new_domains: bool,
    /// Only says what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// A row of a table of aliases: one for each target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRow {
    /// The address.
    pub address: String,
    /// Where it leads.
    pub target: String,
}

/// A table of aliases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRoll {
    /// The rows.
    pub rows: Vec<AliasRow>,
    /// Makes domains that are not there. Mail for them is taken from then on.
    #[serde(default)]
    pub new_domains: bool,
    /// Only says what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What a table came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RolledCount {
    /// Rows that were made.
    pub made: u64,
    /// Rows that were there, and are now as the table says.
    pub changed: u64,
    /// Rows that were like that already.
    pub same: u64,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowMistake {
    /// Which row, from 0 on.
    pub row: u64,
    /// For people.
    pub error: String,
}

/// The hash of an account's main password.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Hash {
    /// The account.
    pub login: String,
    /// With its scheme.
    pub hash: String,
}
