//! Why something is refused, in stable words.

/// Why something is refused. The code is stable: reply, log, metric and the page for the refused sender use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No authority gives the right to relay: 550 5.7.1.
    RelayDenied,
    /// Our domain, no such user: 550 5.1.1.
    UnknownUser,
    /// Our domain, but the address leads to itself or to nobody: 550 5.3.5.
    ConfigurationFault,
    /// The reverse-path does not belong to the login: 553 5.7.1.
    SenderNotYours,
    /// There is a POP grant, but for accounts that do not own the reverse-path: 550 5.7.1.
    SenderNotGranted,
    /// The null reverse-path needs SMTP AUTH or a listed client; a POP grant does not carry it: 550 5.7.1.
    NullSenderNotGranted,
    /// A fact that decides is unknown: 451 4.3.0.
    AuthorityUnavailable,
    /// The quota of the POP grant is used up: 450 4.7.1.
    GrantExhausted,
    /// The local part is itself an address or route, and no mailbox here has that name: 550 5.7.1.
    RoutingRefused,
    /// An address literal that is no mailbox here: 550 5.7.1.
    LiteralRefused,
    /// The device may not send to this recipient: 550 5.7.1.
    RecipientOutOfScope,
    /// An entry of an access map refuses it: 550, or what the entry says.
    AccessDenied,
    /// An entry of an access map puts it off: 450, or what the entry says.
    AccessDeferred,
    /// Every mailbox of the recipient is over its quota: 552 5.2.2.
    MailboxFull,
    /// The client has tried too many recipients that nobody is: 450 4.7.1 for all of them.
    TooManyUnknown,
    /// What is held against a stranger adds up to too much: 550 5.7.1.
    Suspicious,
    /// A DNS list has the client or the domain it sends for: 550 5.7.1.
    Listed,
    /// A stranger has to come back after a while: 451 4.7.1.
    Greylisted,
    /// The greeting name is refused: 550 5.7.1.
    HeloRefused,
    /// The client or its network has too many connections, or begins them too fast: 421 4.7.0, at the connection.
    TooManyConnections,
    /// The server is nearly full, and the client has proved nothing: 421 4.3.2.
    Busy,
    /// The client is banned: 421 4.7.1 for the first time, then 554 5.7.1.
    Banned,
    /// The recipient's owner refuses the sender, or does not have it among those whom alone he accepts: 550 5.7.1.
    RefusedByRecipient,
    /// The recipient's domain is switched off for a while: 450 4.2.1.
    DomainOff,
    /// There is a right other than SMTP AUTH, but relaying is locked down, since a stranger could relay: 451 4.7.1.
    RelayLocked,
}

impl Reason {
    /// Every reason, for documents and tests.
    pub const ALL: [Self; 25] = [
        Self::RelayDenied,
        Self::UnknownUser,
        Self::SenderNotYours,
        Self::SenderNotGranted,
        Self::NullSenderNotGranted,
        Self::AuthorityUnavailable,
        Self::GrantExhausted,
        Self::RoutingRefused,
        Self::LiteralRefused,
        Self::RecipientOutOfScope,
        Self::AccessDenied,
        Self::AccessDeferred,
        Self::MailboxFull,
        Self::TooManyUnknown,
        Self::ConfigurationFault,
        Self::Suspicious,
        Self::Listed,
        Self::Greylisted,
        Self::HeloRefused,
        Self::TooManyConnections,
        Self::Busy,
        Self::Banned,
        Self::RefusedByRecipient,
        Self::DomainOff,
        Self::RelayLocked,
    ];

    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::RelayDenied => "relay-denied",
            Self::UnknownUser => "unknown-user",
            Self::ConfigurationFault => "configuration-fault",
            Self::SenderNotYours => "sender-not-yours",
            Self::SenderNotGranted => "sender-not-granted",
            Self::NullSenderNotGranted => "null-sender-not-granted",
            Self::AuthorityUnavailable => "authority-unavailable",
            Self::GrantExhausted => "grant-exhausted",
            Self::RoutingRefused => "routing-refused",
            Self::LiteralRefused => "literal-refused",
            Self::RecipientOutOfScope => "recipient-out-of-scope",
            Self::AccessDenied => "access-denied",
            Self::AccessDeferred => "access-deferred",
            Self::MailboxFull => "mailbox-full",
            Self::TooManyUnknown => "too-many-unknown",
            Self::Suspicious => "suspicious",
            Self::Listed => "listed",
            Self::Greylisted => "greylisted",
            Self::HeloRefused => "helo-refused",
            Self::TooManyConnections => "too-many-connections",
            Self::Busy => "busy",
            Self::Banned => "banned",
            Self::RefusedByRecipient => "refused-by-recipient",
            Self::DomainOff => "domain-off",
            Self::RelayLocked => "relay-locked",
        }
    }

    /// Whether it says no more than that nothing gives the right to relay: another server may give it.
    pub fn is_of_relaying(self) -> bool {
        match self {
            Self::RelayDenied
            | Self::SenderNotGranted
            | Self::NullSenderNotGranted
            | Self::GrantExhausted
            | Self::LiteralRefused => true,
            Self::UnknownUser
            | Self::ConfigurationFault
            | Self::SenderNotYours
            | Self::AuthorityUnavailable
            | Self::RoutingRefused
            | Self::RecipientOutOfScope
            | Self::AccessDenied
            | Self::AccessDeferred
            | Self::MailboxFull
            | Self::TooManyUnknown
            | Self::Suspicious
            | Self::Listed
            | Self::Greylisted
            | Self::HeloRefused
            | Self::TooManyConnections
            | Self::Busy
            | Self::Banned
            | Self::RefusedByRecipient
            | Self::DomainOff
            | Self::RelayLocked => false,
        }
    }

    /// Whether the refusal passes by itself.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::AuthorityUnavailable
                | Self::GrantExhausted
                | Self::AccessDeferred
                | Self::TooManyUnknown
                | Self::Greylisted
                | Self::TooManyConnections
                | Self::Busy
                | Self::DomainOff
                | Self::RelayLocked
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_stable_and_distinct() {
        let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(
            codes.join(" "),
            "relay-denied unknown-user sender-not-yours sender-not-granted null-sender-not-granted \
             authority-unavailable grant-exhausted routing-refused literal-refused recipient-out-of-scope \
             access-denied access-deferred mailbox-full too-many-unknown configuration-fault \
             suspicious listed greylisted helo-refused too-many-connections busy banned refused-by-recipient \
             domain-off relay-locked"
        );
    }

    #[test]
    fn only_our_own_faults_and_quotas_are_temporary() {
        let temporary: Vec<_> = Reason::ALL.into_iter().filter(|reason| reason.is_temporary()).collect();
        let expected = [
            Reason::AuthorityUnavailable,
            Reason::GrantExhausted,
            Reason::AccessDeferred,
            Reason::TooManyUnknown,
            Reason::Greylisted,
            Reason::TooManyConnections,
            Reason::Busy,
            Reason::DomainOff,
            Reason::RelayLocked,
        ];
        assert_eq!(temporary, expected);
    }
}
