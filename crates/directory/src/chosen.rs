//! What may be chosen about senders, and how much of it.

/// Senders that one account may accept and refuse, together.
pub const CHOICES_MAX: usize = 1_000;
/// Octets that they may have, together.
pub(crate) const CHOICE_OCTETS_MAX: usize = 65_536;

/// What somebody chose about a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChoiceKind {
    /// Its mail is taken.
    Accept,
    /// Its mail is refused.
    Refuse,
}

impl ChoiceKind {
    /// As it is kept.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Refuse => "refuse",
        }
    }
}

/// Whether an account takes anything but what it accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Others {
    /// Whoever is not refused is taken.
    #[default]
    Taken,
    /// Only what it accepts, logins of this server, and the null reverse-path.
    NotTaken,
}

/// The choices of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// What becomes of senders that it says nothing about.
    pub others: Others,
    /// Senders in their order.
    pub accepted: Vec<String>,
    /// Senders in their order.
    pub refused: Vec<String>,
}

/// A change of them: all of it or nothing. An address, a domain (with its subdomains), `.domain` (the subdomains alone) or `<>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChoiceChange {
    /// To be accepted from now on, and refused no more.
    pub accept: Vec<String>,
    /// To be refused from now on, and accepted no more.
    pub refuse: Vec<String>,
    /// About which nothing is to be said any more; each must be there.
    pub remove: Vec<String>,
    /// What becomes of all others; `None`: as before.
    pub others: Option<Others>,
}
