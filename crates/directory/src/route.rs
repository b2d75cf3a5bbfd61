//! What an address leads to.

use std::sync::Arc;

/// Aliases that may stand one behind the other.
pub const ALIAS_DEPTH_MAX: usize = 10;
/// Addresses that one address may lead to, intermediate ones counted.
pub const ALIAS_WIDTH_MAX: usize = 1_000;

/// What the directory says of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosting {
    /// The address of an account.
    Mailbox,
    /// An alias, or the postmaster's address that falls to the configured account.
    Alias,
    /// Nobody's own: the domain's catch-all takes it.
    CatchAll,
    /// The domain is ours, the address is not there.
    UnknownUser,
    /// The domain is not ours.
    NotHosted,
}

impl Hosting {
    /// Whether mail to the address is taken.
    pub fn is_found(self) -> bool {
        matches!(self, Self::Mailbox | Self::Alias | Self::CatchAll)
    }
}

/// The answer to one address. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// What the address is.
    pub hosting: Hosting,
    /// Where its mail goes, each target once; empty exactly if `hosting` is not found.
    pub targets: Arc<[Target]>,
    /// For each of them the alias that led there, `@domain` for a catch-all; `None`: the address itself did.
    pub aliases: Arc<[Option<Arc<str>>]>,
}

impl Resolution {
    pub(crate) fn nothing(hosting: Hosting) -> Self {
        Self { hosting, targets: Arc::from([]), aliases: Arc::from([]) }
    }

    /// Whether the owner of any of its accounts chose whose mail it takes.
    pub fn has_choices(&self) -> bool {
        self.targets.iter().any(|target| matches!(target, Target::Account { has_choices: true, .. }))
    }

    /// The logins that may send by this address: its accounts. A catch-all owns none of the addresses it takes.
    pub fn owners(&self) -> Vec<Arc<str>> {
        if self.hosting == Hosting::CatchAll {
            return Vec::new();
        }
        let login = |target: &Target| match target {
            Target::Account { login, .. } => Some(Arc::clone(login)),
            Target::Forward { .. } => None,
        };
        self.targets.iter().filter_map(login).collect()
    }
}

/// One place a mail goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A mailbox here.
    Account {
        /// `user@domain`, in lower case.
        login: Arc<str>,
        /// Relative to the mail directory.
        maildir: Arc<str>,
        /// Octets that the mailbox may hold; `None`: no bound.
        quota_octets: Option<u64>,
        /// Its owner chose whose mail it takes.
        has_choices: bool,
    },
    /// An address elsewhere that an alias names.
    Forward {
        /// `local@domain`, the domain in lower case.
        address: Arc<str>,
    },
}

impl Target {
    /// What makes two targets the same.
    pub(crate) fn name(&self) -> &Arc<str> {
        match self {
            Self::Account { login, .. } => login,
            Self::Forward { address } => address,
        }
    }
}
