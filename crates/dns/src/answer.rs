//! What a look-up yields: found, none, or no answer.

use hickory_resolver::net::NetError;

/// The outcome of a look-up. "None" is what DNS said; whatever it did not say is a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// There are such records.
    Found(T),
    /// There is no such name, or it has no such record.
    None,
    /// It could not be found out.
    Failed(Failure),
}

impl<T> Answer<T> {
    /// What was found, in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Answer<U> {
        match self {
            Self::Found(found) => Answer::Found(form(found)),
            Self::None => Answer::None,
            Self::Failed(failure) => Answer::Failed(failure),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing came before the deadline.
    #[error("timed out")]
    TimedOut,
    /// A name server was asked and could not tell, or could not be asked.
    #[error("{0}")]
    Server(String),
}

/// A host that takes mail for a domain (RFC 5321 §5.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exchange {
    /// Lower is better.
    pub preference: u16,
    /// Without the dot at the end, lower case; empty in a null MX (RFC 7505).
    pub host: String,
}

impl From<NetError> for Failure {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut,
            other => Self::Server(other.to_string()),
        }
    }
}
