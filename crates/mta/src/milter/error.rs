//! What a mail server can do wrong, and what the caller of a session can.

/// The mail server does not keep to the protocol, or the caller does not. After every variant but the last the session is
/// over, says the same again, and the connection is to be closed; the server then does what it was configured to do without a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MilterError {
    /// A packet announces a length that it cannot have; nothing of it is kept.
    #[error("milter: packet of {octets} octets, at most {max} are taken")]
    Length {
        /// Announced: command and data.
        octets: u32,
        /// The limit.
        max: usize,
    },
    /// No command of the protocol.
    #[error("milter: no such command: {}", .0.escape_ascii())]
    UnknownCommand(u8),
    /// The data of a command do not have its form.
    #[error("milter: command {}: {what}", .command.escape_ascii())]
    Malformed {
        /// Its octet.
        command: u8,
        /// What is amiss.
        what: &'static str,
    },
    /// A command that cannot come now.
    #[error("milter: command {} is out of order", .0.escape_ascii())]
    OutOfOrder(u8),
    /// The server speaks only a version that is too old.
    #[error("milter: protocol version {0} is too old")]
    Version(u32),
    /// The headers of one message outgrew [`Config::header_octets_max`](super::Config::header_octets_max).
    #[error("milter: headers of more than {max} octets")]
    HeadersTooLong {
        /// The limit.
        max: usize,
    },
    /// More came in than anybody waits for: the server sends on without its replies.
    #[error("milter: more than {max} octets of input wait")]
    TooMuchInput {
        /// The limit.
        max: usize,
    },
    /// The caller is at fault; the session goes on.
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

/// The caller asked for something that the protocol does not allow now. Nothing was written and nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misuse {
    /// The event before has no reply yet.
    #[error("the last event still wants its reply")]
    ReplyOwed,
    /// No event wants a reply.
    #[error("nothing wants a reply")]
    NothingAsked,
    /// Not an answer to this step.
    #[error("this reply does not fit this step")]
    WrongStep,
    /// The server did not grant this action, or it was not asked for.
    #[error("this action was not negotiated")]
    NotNegotiated,
    /// A reply that is neither 4xx nor 5xx, or whose enhanced status code is of another class.
    #[error("a reply with code {0} cannot be given, or its enhanced status code contradicts it")]
    ReplyCode(u16),
    /// Text that would break out of its place: a NUL, a line end that does not continue a header, a colon in a name.
    #[error("the text would break out of its place")]
    Text,
    /// Longer than a packet may be.
    #[error("longer than a packet may be")]
    TooLong,
}
