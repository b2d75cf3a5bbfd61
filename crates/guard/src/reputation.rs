//! What others say of a client or a domain: DNS lists and SPF, as values. Each can only be held against a mail, or speak for it
//! against such a suspicion; none gives a right.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::rule::Mode;

/// A list in DNS has the client, or a domain of the mail, by a code that the configuration declares (RFC 5782).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// What the configuration calls the list.
    #[serde(serialize_with = "text")]
    pub zone: Arc<str>,
    /// The answer that counts.
    pub code: Ipv4Addr,
    /// What the configuration has it weigh; below 0: the list speaks for the client.
    pub weight: i32,
    /// Whether the list is in force, or only tried.
    pub mode: Mode,
}

fn text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

/// What SPF says of the reverse-path, or of the greeting name where that is null (RFC 7208 §2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpfResult {
    /// There is no record, or no domain to ask about.
    None,
    /// The domain says nothing about the client.
    Neutral,
    /// The client may send for the domain.
    Pass,
    /// The client may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// It could not be found out now: weighs nothing.
    TempError,
    /// The record cannot be understood.
    PermError,
}

impl SpfResult {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::None, Self::Neutral, Self::Pass, Self::Fail, Self::SoftFail, Self::TempError, Self::PermError];

    /// The word of the standard.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}
