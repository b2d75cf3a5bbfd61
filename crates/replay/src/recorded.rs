//! A record as it is read: what `guard::Record` wrote, of this form.

use std::net::IpAddr;

use guard::case::{Conduct, Manner};
use guard::circumstances::Circumstances;
use serde::{Deserialize, Serialize};

/// One decision that was kept.
#[derive(Debug, Clone, Deserialize)]
pub struct Recorded {
    /// `guard::record::FORM` when it was made.
    pub form: u16,
    /// The id that reply and log name it by.
    pub id: String,
    /// Where it was made.
    pub of: Origin,
    /// When it was judged, in microseconds since 1970.
    pub at: u64,
    /// On the way of a mail.
    pub stage: String,
    /// The client.
    pub client: Option<IpAddr>,
    /// What it called itself.
    #[serde(default)]
    pub helo: Option<String>,
    /// Who logged in.
    #[serde(default)]
    pub login: Option<String>,
    /// The device by which he did.
    #[serde(default)]
    pub device: Option<String>,
    /// The reverse-path, in its brackets.
    #[serde(default)]
    pub reverse_path: Option<String>,
    /// The forward-path, in its brackets.
    #[serde(default)]
    pub forward_path: Option<String>,
    /// What was seen of the connection.
    #[serde(default)]
    pub seen: Seen,
    /// What else it depended on.
    #[serde(default)]
    pub circumstances: Circumstances,
    /// What was known.
    #[serde(default)]
    pub facts: Vec<RecordedFact>,
    /// Rules that held.
    #[serde(default)]
    pub rules: Vec<serde_json::Value>,
    /// `proceed`, `hosted`, `relayed`, `refuse` or `defer`.
    pub outcome: String,
    /// What was to be done besides.
    #[serde(default)]
    pub effects: Effects,
    /// Why not.
    #[serde(default)]
    pub refused: Option<Refused>,
    /// By what right.
    #[serde(default)]
    pub right: Option<UsedRight>,
    /// What of it is not as it was.
    #[serde(default)]
    pub redacted: Option<String>,
}

/// Where a decision was made.
#[derive(Debug, Clone, Deserialize)]
pub struct Origin {
    /// The session's id in the log.
    pub session: String,
    /// The listener's name.
    pub listener: String,
}

impl Recorded {
    /// As the store gives it.
    pub fn of(kept: &records::Kept) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(kept)?)
    }
}

/// What was seen of a connection without asking anybody.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// In what its interface differs; `None`: it came to no case.
    pub manner: Option<Manner>,
    /// What was noted of its client.
    #[serde(flatten)]
    pub conduct: Conduct,
    /// Others seemed to come by its address.
    pub distrusted: bool,
    /// Somebody was said to have logged in.
    pub claims_login: bool,
    /// `SIZE=` in octets.
    pub declared_octets: Option<u64>,
    /// It was asked once more about a recipient that was taken.
    pub again: bool,
}

/// What was to be done with what was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Effects {
    /// Throw it away.
    pub discard: bool,
    /// Keep it for a person to look at.
    pub hold: bool,
    /// Header fields to put above it.
    pub prepend: Vec<String>,
    /// Seconds for which the reply was held back.
    pub slow_secs: u32,
}

/// What a fact is known of.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OfWhat {
    /// The case.
    #[default]
    Case,
    /// An address.
    Address(IpAddr),
}

/// One fact.
#[derive(Debug, Clone, Deserialize)]
pub struct RecordedFact {
    /// Its word.
    pub fact: String,
    /// What was known.
    pub value: Known,
    /// When, in microseconds since 1970.
    pub at: u64,
    /// What it is known of, where the case alone does not say it.
    #[serde(default)]
    pub of: OfWhat,
}

/// What was known of a fact.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// This.
    Known(serde_json::Value),
    /// Nothing, for this cause.
    Unknown(String),
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// The stable word.
    pub reason: String,
    /// What of the mail.
    #[serde(default)]
    pub of: Option<String>,
}

/// The right by which a recipient was relayed.
#[derive(Debug, Clone, Deserialize)]
pub struct UsedRight {
    /// Stable word.
    pub code: String,
    /// The line of the configuration that gave it.
    #[serde(default)]
    pub line: Option<String>,
}
