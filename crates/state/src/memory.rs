//! What is remembered until its end.

/// Of whom or what something is remembered. Each kind has a table of its own, so that a flood of one hides no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MemoryKey<'a> {
    /// That a next hop refused a recipient for good, by the forward-path.
    HopRefusals(&'a str),
}

impl MemoryKey<'_> {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 1;

    /// The kind's number, from 0.
    pub(crate) fn kind(self) -> usize {
        match self {
            Self::HopRefusals(_) => 0,
        }
    }
}
