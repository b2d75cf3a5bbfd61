//! What brings a ban: a small table of offences with how many an hour an address may have.

/// What an address did that an honest client seldom does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offence {
    /// A login with a wrong secret that was not tried lately: the same one again is no guess.
    FailedLogin,
    /// A recipient of ours whom nobody has, tried without a login.
    UnknownRecipient,
    /// A command that no mail protocol has.
    UnknownCommand,
    /// Another protocol, such as HTTP.
    OtherProtocol,
    /// Octets before the greeting was sent (RFC 5321 §3.1), where it is held back.
    EarlyTalk,
    /// A connection above what its rate allows.
    Connection,
}

impl Offence {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FailedLogin,
        Self::UnknownRecipient,
        Self::UnknownCommand,
        Self::OtherProtocol,
        Self::EarlyTalk,
        Self::Connection,
    ];

    /// The word in log and list.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// So many in an hour bring a ban. What each is refused with before stands elsewhere and comes sooner.
    pub fn per_hour(self) -> u32 {
        self.row().per_hour
    }

    fn row(self) -> Row {
        match self {
            Self::FailedLogin => Row { code: "failed-logins", per_hour: 30 },
            Self::UnknownRecipient => Row { code: "unknown-recipients", per_hour: 200 },
            Self::UnknownCommand => Row { code: "unknown-commands", per_hour: 30 },
            Self::OtherProtocol => Row { code: "other-protocol", per_hour: 5 },
            Self::EarlyTalk => Row { code: "early-talk", per_hour: 20 },
            Self::Connection => Row { code: "connections", per_hour: 300 },
        }
    }
}

/// The table of offences, one row each.
struct Row {
    code: &'static str,
    per_hour: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offences_have_words_of_their_own() {
        let codes: Vec<&str> = Offence::ALL.iter().map(|offence| offence.code()).collect();
        assert_eq!(
            codes.join(" "),
            "failed-logins unknown-recipients unknown-commands other-protocol early-talk connections"
        );
        assert!(Offence::ALL.iter().all(|offence| offence.per_hour() > 0));
    }
}
