//! Whose mail the owner of a recipient takes, as he chose: what his choices come to for a sender, and how a sender is known.
//!
//! A refusal holds without proof. What is accepted where others are not is taken only of who is known to be who he says: else
//! anybody would come in under a friend's name.

/// What the choices behind a recipient come to for the reverse-path of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Nothing is said against it.
    None,
    /// Everybody behind the recipient accepts it.
    Accepted,
    /// Nobody behind the recipient takes it.
    Refused,
    /// Nobody behind the recipient has it among the senders that alone he accepts.
    NotAccepted,
    /// Somebody accepts it, if it is proved; nobody takes it otherwise.
    IfProved,
    /// Somebody takes it, and somebody else does if it is proved.
    MoreIfProved,
}

/// How it is known that a reverse-path is who it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Proof {
    /// It is not.
    #[default]
    None,
    /// Its domain lets this client send for it.
    Domain,
    /// Somebody to whom it belongs logged in here.
    Login,
}

impl Choice {
    /// Stable word for traces and records.
    pub fn code(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::NotAccepted => "not-accepted",
            Self::IfProved => "if-proved",
            Self::MoreIfProved => "more-if-proved",
        }
    }

    /// Whether anything depends on a proof.
    pub fn goes_by_proof(self) -> bool {
        matches!(self, Self::NotAccepted | Self::IfProved | Self::MoreIfProved)
    }

    /// Whether somebody takes it. Logins of this server are taken by those who accept only some, unless they are refused.
    pub fn takes(self, proof: Proof) -> bool {
        match self {
            Self::None | Self::Accepted | Self::MoreIfProved => true,
            Self::Refused => false,
            Self::NotAccepted => proof == Proof::Login,
            Self::IfProved => proof != Proof::None,
        }
    }

    /// What two of those behind one recipient come to together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (one, two) if one == two => one,
            (Self::Refused, adverse @ (Self::NotAccepted | Self::IfProved))
            | (adverse @ (Self::NotAccepted | Self::IfProved), Self::Refused) => adverse,
            (Self::NotAccepted, Self::IfProved) | (Self::IfProved, Self::NotAccepted) => Self::IfProved,
            (one, two) if one.goes_by_proof() || two.goes_by_proof() => Self::MoreIfProved,
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Choice; 6] =
        [Choice::None, Choice::Accepted, Choice::Refused, Choice::NotAccepted, Choice::IfProved, Choice::MoreIfProved];

    #[test]
    fn a_mail_is_taken_if_anybody_takes_it() {
        for one in ALL {
            for two in ALL {
                let both = one.and(two);
                assert_eq!(both, two.and(one));
                for proof in [Proof::None, Proof::Domain, Proof::Login] {
                    assert_eq!(both.takes(proof), one.takes(proof) || two.takes(proof), "{one:?} {two:?} {proof:?}");
                }
                assert!(both.goes_by_proof() || !(one.goes_by_proof() || two.goes_by_proof()), "{one:?} {two:?}");
            }
        }
    }
}
