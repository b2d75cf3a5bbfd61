//! What is known, and *unknown* as an answer of its own: a look-up that failed is never a default.

use serde::Serialize;

/// The answer of a look-up. It has no default, so that nobody reads "could not ask" as "no".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fact<T> {
    /// The look-up was answered.
    Known(T),
    /// It was not; nothing may be concluded.
    Unknown(Fault),
}

impl<T> Fact<T> {
    /// The same fact about another thing.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::Unknown(fault) => Fact::Unknown(fault),
        }
    }

    /// The same fact by reference.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Unknown(fault) => Fact::Unknown(*fault),
        }
    }
}

impl<T> From<Result<T, Fault>> for Fact<T> {
    fn from(result: Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(fault) => Self::Unknown(fault),
        }
    }
}

/// Why something is unknown; the text says where (`"state"`, `"directory"`, `"dns"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No answer in time.
    #[error("{0}: timed out")]
    TimedOut(&'static str),
    /// The service does not answer or cannot write.
    #[error("{0}: unavailable")]
    Unavailable(&'static str),
    /// An answer that cannot be read.
    #[error("{0}: broken")]
    Broken(&'static str),
    /// The service was closed and will not come back in this process.
    #[error("{0}: closed")]
    Closed(&'static str),
}

impl Fault {
    /// Stable word for logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::TimedOut(_) => "timed-out",
            Self::Unavailable(_) => "unavailable",
            Self::Broken(_) => "broken",
            Self::Closed(_) => "closed",
        }
    }

    /// Where it happened.
    pub fn at(self) -> &'static str {
        match self {
            Self::TimedOut(at) | Self::Unavailable(at) | Self::Broken(at) | Self::Closed(at) => at,
        }
    }
}
