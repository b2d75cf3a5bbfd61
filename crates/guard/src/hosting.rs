//! Who answers for a recipient here, and the proof that somebody does.

use serde::Serialize;
use smtp::address::{ForwardPath, Mailbox};

use crate::choice::Proof;

/// What directory and configuration say about a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hosting {
    /// An account has exactly this mailbox (after case folding only): no `+detail` cut off, no catch-all, no alias.
    Mailbox,
    /// It is delivered by an alias, a `+detail` form or a catch-all.
    Alias,
    /// It lies in a relay domain. The policy is asked again: without an entry there it counts as `NotHosted`.
    RelayDomain,
    /// The domain is ours, the user is not there.
    UnknownUser,
    /// The domain is ours, and the address leads to itself or to nobody: a mistake of our own that only the operator ends.
    Misconfigured,
    /// The domain is ours, and its mail is to come later.
    DomainOff,
    /// The domain is not ours.
    NotHosted,
}

/// What the next hop of a relay domain says of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HopAnswer {
    /// Nothing is held against it: it has the recipient, or was not asked.
    Fine,
    /// It does not have it.
    HasNot,
    /// It could not be asked, and without its word nothing is taken.
    Away,
}

impl Hosting {
    /// Stable word for traces.
    pub fn code(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Alias => "alias",
            Self::RelayDomain => "relay-domain",
            Self::UnknownUser => "unknown-user",
            Self::Misconfigured => "misconfigured",
            Self::DomainOff => "domain-off",
            Self::NotHosted => "not-hosted",
        }
    }
}

/// Proof that a recipient is ours to answer for: made only by this crate's judgement, private fields, no `Clone`,
/// `Default` or `Deserialize`.
/// ```compile_fail,E0451
/// fn forge(path: smtp::address::ForwardPath) -> guard::HostedPath {
///     guard::HostedPath { path, own: None, hosting: guard::Hosting::Mailbox, sent_by: guard::Proof::Login }
/// }
/// ```
/// ```compile_fail,E0277
/// fn twice<T: Clone>() {}
/// twice::<guard::HostedPath>();
/// ```
/// ```compile_fail,E0277
/// fn from_nothing<T: Default>() {}
/// from_nothing::<guard::HostedPath>();
/// ```
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub struct HostedPath {
    path: ForwardPath,
    own: Option<Mailbox>,
    hosting: Hosting,
    sent_by: Proof,
}

impl HostedPath {
    /// `own` is the mailbox meant by `<Postmaster>` or by an address literal of this server.
    pub(crate) fn new(path: ForwardPath, own: Option<Mailbox>, hosting: Hosting) -> Self {
        Self { path, own, hosting, sent_by: Proof::None }
    }

    pub(crate) fn set_sent_by(&mut self, proof: Proof) {
        self.sent_by = proof;
    }

    /// How its sender was known, as far as anything depended on it: those behind it who go by that are asked again where its
    /// mail goes.
    pub fn sent_by(&self) -> Proof {
        self.sent_by
    }

    /// As the client gave it.
    pub fn path(&self) -> &ForwardPath {
        &self.path
    }

    /// The mailbox that the directory was asked about; `None` only for `<Postmaster>` without a default domain.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        match (&self.own, &self.path) {
            (Some(own), _) => Some(own),
            (None, ForwardPath::Mailbox(mailbox)) => Some(mailbox),
            (None, ForwardPath::Postmaster) => None,
        }
    }

    /// How it is hosted.
    pub fn hosting(&self) -> Hosting {
        self.hosting
    }
}
