//! What ends a connection to a server.

use super::{Response, ResponseError};

/// Why the connection cannot be used any further. Ask [`super::Session::abandon`] for what was settled before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The peer does not speak SMTP.
    #[error(transparent)]
    Response(#[from] ResponseError),
    /// A reply that answers no command, or that is none of the answers to this one.
    #[error("unexpected reply: {0}")]
    Unexpected(Response),
    /// Octets behind the 220 to STARTTLS: somebody put words into the server's mouth (CVE-2011-0411's other side).
    #[error("octets behind the reply to STARTTLS")]
    BytesBehindStartTls,
    /// We asked for something in a state which does not allow it.
    #[error("{0} is out of place now")]
    OutOfPlace(&'static str),
    /// What we were to send contains a line end or a blank.
    #[error("unfit to be sent: {0}")]
    Unfit(&'static str),
}
