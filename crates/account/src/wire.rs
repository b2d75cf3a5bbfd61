//! One question a connection, and its answer: each a line of JSON. What carries a password has no `Debug`.

use serde::{Deserialize, Serialize};

/// Octets of a question: a login, two passwords at their longest, and room for escapes.
pub const QUESTION_OCTETS_MAX: usize = 16_384;

/// A question.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Who asks, if not by being a user of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// What is asked for.
    pub wish: Wish,
}

/// A login and its main password.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// `user@domain`, or `user` in the default domain.
    pub login: String,
    /// The password.
    pub password: String,
}

/// What is asked for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wish {
    /// Whose account is the asker's; nothing is proved.
    Who,
    /// The account.
    Show,
    /// Another password.
    Password {
        /// The new one.
        new: String,
    },
    /// Cuts a device off, at once and for good.
    Revoke {
        /// What the device logs in with, or its name.
        device: String,
    },
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Whose account is the asker's; `None`: nobody's by his user alone.
    Login(Option<String>),
    /// The account.
    Account(Account),
    /// It is done, for this login.
    Done(String),
    /// It is not.
    Refused(Refusal),
}

/// An account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `user@domain`.
    pub login: String,
    /// Whose it is, for people.
    pub name: String,
    /// Octets that the mailbox may hold; null is no bound of its own.
    pub quota_octets: Option<u64>,
    /// Seconds since 1970 from which every login is refused.
    pub expires_at: Option<u64>,
    /// Devices that are not cut off.
    pub devices: Vec<Device>,
}

/// A device of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub name: String,
    /// What it logs in with.
    pub login: String,
    /// Seconds since 1970 when it logged in last.
    pub last_used_at: Option<u64>,
    /// From where.
    pub last_used_from: Option<String>,
}

/// Why it is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For programs.
    pub kind: Kind,
    /// For people.
    pub error: String,
}

/// What kind of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The user of this machine has no account by the configuration: login and password are wanted.
    PasswordWanted,
    /// They are wrong, or the account may not log in.
    Denied,
    /// What was asked cannot be meant; a weak password, too.
    Invalid,
    /// There is no such device.
    NotFound,
    /// It may work later.
    Temporary,
}

impl Refusal {
    /// For this reason.
    pub fn new(kind: Kind, error: impl Into<String>) -> Self {
        Self { kind, error: error.into() }
    }
}
