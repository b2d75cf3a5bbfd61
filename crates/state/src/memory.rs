//! What is remembered until its end: small answers under a key.

/// Of what something is remembered. Each kind has a table of its own and a number of answers that each key has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MemoryKey<'a> {
    /// The networks from which an account's owner logged in, by the account's login.
    OwnersNetworks(&'a str),
}

impl MemoryKey<'_> {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 1;

    /// The kind's number, from 0.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::OwnersNetworks(_) => 0,
        }
    }

    /// Answers kept under one key; one more pushes out the one that ends first.
    pub(crate) fn answers_max(self) -> usize {
        match self {
            Self::OwnersNetworks(_) => 4,
        }
    }
}

/// Whether it was remembered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    /// It was not.
    New,
    /// It was; its end is another now.
    Again,
}
