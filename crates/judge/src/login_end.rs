//! Counting what logins come to.

use keep::tally::{COUNTED, LoginAt, LoginEnd};

use super::auth::Outcome;

impl Outcome {
    /// Counts what the login came to; what is not its end counts nothing.
    pub fn count(&self, at: LoginAt) {
        let end = match self {
            Self::Challenge(_) => return,
            Self::Proved(..) => LoginEnd::Proved,
            Self::Denied(_) | Self::Malformed => LoginEnd::Denied,
            Self::Throttled(_) => LoginEnd::Throttled,
            Self::Unavailable => LoginEnd::Unavailable,
        };
        COUNTED.logins.one(at as usize, end as usize);
    }
}
