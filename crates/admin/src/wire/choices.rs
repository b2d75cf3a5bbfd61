//! Whose mail an account takes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose mail an account takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Choices {
    /// Only what it accepts is taken, besides logins of this server and the null sender.
    pub accept_only: OnOff,
    /// Senders that are accepted.
    pub accept: Vec<String>,
    /// Senders that are refused.
    pub refuse: Vec<String>,
}

/// A change of it: all or nothing. A sender is `user@domain`, `domain` with its subdomains, `.domain` (the subdomains alone), or
/// `<>` for the null sender.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChoiceChange {
    /// Senders to accept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<String>,
    /// Senders to refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refuse: Vec<String>,
    /// Senders to say nothing about any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Whether only what is accepted is taken; without it that stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_only: Option<OnOff>,
    /// The account's own password, as for a user's own change: with it, the change is made only if it is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// A switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}
