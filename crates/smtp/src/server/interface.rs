//! What goes into a session and what comes out of it.

use std::fmt;

use super::envelope::{Envelope, Helo, Mail, Rcpt, XClient};
use crate::reply::Reply;

/// Something happened.
pub enum Input<'a, R> {
    /// Octets came in. Better not read while [`super::Session::wants_bytes`] is false; what comes anyway is kept.
    Bytes(&'a [u8]),
    /// The answer to the question that is out. Without one it is ignored.
    Answer(Answer<R>),
    /// The handshake after [`Output::StartTls`] is done. A failed one is [`Input::PeerGone`].
    TlsUp,
    /// [`super::Session::deadline`] has passed.
    Timeout,
    /// The peer closed the connection, or it broke.
    PeerGone,
    /// The server stops: 421 at the next command boundary.
    Shutdown,
    /// This session is ended: 421 at once, wherever it stands.
    Cut,
}

/// Without the octets: there may be a password among them.
impl<R: fmt::Debug> fmt::Debug for Input<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(octets) => write!(f, "Bytes({} octets)", octets.len()),
            Self::Answer(answer) => f.debug_tuple("Answer").field(answer).finish(),
            Self::TlsUp => f.write_str("TlsUp"),
            Self::Timeout => f.write_str("Timeout"),
            Self::PeerGone => f.write_str("PeerGone"),
            Self::Shutdown => f.write_str("Shutdown"),
            Self::Cut => f.write_str("Cut"),
        }
    }
}

/// Something is to be done, in the order given.
pub enum Output<R> {
    /// Send it. Those of a pipelined group come together and may be flushed once.
    Reply(Reply),
    /// Find the answer and give it back by [`Input::Answer`]. At most one question is out at a time.
    Ask(Question<R>),
    /// Send what is unsent, then do the TLS handshake, then give [`Input::TlsUp`].
    StartTls(Drained),
    /// The next piece of a message, unstuffed; lines end in CRLF, but a piece may end anywhere.
    Body(Vec<u8>),
    /// The message whose pieces came before will not be finished: drop them.
    DiscardBody,
    /// Send what is unsent and close. Nothing comes after it.
    Close,
}

/// Without the text of a message.
impl<R: fmt::Debug> fmt::Debug for Output<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply) => write!(f, "Reply({reply})"),
            Self::Ask(question) => f.debug_tuple("Ask").field(question).finish(),
            Self::StartTls(_) => f.write_str("StartTls"),
            Self::Body(piece) => write!(f, "Body({} octets)", piece.len()),
            Self::DiscardBody => f.write_str("DiscardBody"),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// Proof that no octet of the clear text is left in the session, made only there. A driver with a read buffer of its own
/// must drop that too.
#[derive(Debug)]
#[must_use]
pub struct Drained(pub(super) ());

/// What the session cannot know.
pub enum Question<R> {
    /// May this peer talk to us? Proceed (220), Refuse.
    Connect,
    /// Is the greeting acceptable? Proceed, Refuse.
    Helo(Helo),
    /// An AUTH exchange begins; octets are decoded. AuthChallenge, Authenticated, AuthFailed, Refuse (not counted).
    AuthStart {
        /// One of the offered mechanisms, in upper case.
        mechanism: &'static str,
        /// The initial response; `Some(vec![])` for `=`.
        initial: Option<Vec<u8>>,
    },
    /// The client's next response. `None`: the exchange was cancelled or its response was no base64; drop the exchange and
    /// answer anything, the session has its own reply.
    AuthStep(Option<Vec<u8>>),
    /// A transaction begins. Proceed, Refuse.
    Mail(Mail),
    /// May this recipient be accepted? Recipient with the proof, Refuse.
    Rcpt(Rcpt),
    /// A message is about to come in. Proceed, ProceedInPieces, Refuse (no room on disk).
    Data {
        /// What the client declared in `SIZE=`.
        declared_size: Option<u64>,
        /// How many recipients were accepted.
        recipients: usize,
    },
    /// The message is complete; these octets follow the pieces given by [`Output::Body`]. Accepted once it is durable,
    /// Refuse.
    Message(Box<Envelope<R>>, Vec<u8>),
    /// A listed proxy tells whom it speaks for. Proceed, Refuse.
    XClient(XClient),
}

/// Without secrets: AUTH responses are left out.
impl<R: fmt::Debug> fmt::Debug for Question<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("Connect"),
            Self::Helo(helo) => f.debug_tuple("Helo").field(helo).finish(),
            Self::AuthStart { mechanism, .. } => write!(f, "AuthStart({mechanism})"),
            Self::AuthStep(_) => f.write_str("AuthStep"),
            Self::Mail(mail) => f.debug_tuple("Mail").field(mail).finish(),
            Self::Rcpt(rcpt) => f.debug_tuple("Rcpt").field(rcpt).finish(),
            Self::Data { declared_size, recipients } => write!(f, "Data({declared_size:?}, {recipients})"),
            Self::Message(envelope, last) => write!(f, "Message({envelope:?}, {} octets)", last.len()),
            Self::XClient(facts) => f.debug_tuple("XClient").field(facts).finish(),
        }
    }
}

/// What the caller found. One that does not fit the question ends the session with 421: a slip must not open anything.
pub enum Answer<R> {
    /// Yes.
    Proceed,
    /// Yes to a message, which is to be handed on in pieces of about so many octets and not of `body_chunk_octets`: the
    /// session keeps no more of it.
    ProceedInPieces(usize),
    /// The recipient may be accepted; the proof goes into the envelope.
    Recipient(R),
    /// No; the session goes on. A 5xx counts as an error.
    Refuse(Reply),
    /// No, and the session ends.
    RefuseAndClose(Reply),
    /// Send this challenge (not yet in base64) and wait for the client's response.
    AuthChallenge(Vec<u8>),
    /// The client is who it says.
    Authenticated {
        /// The account's login.
        login: String,
        /// Last data of the mechanism; sent as a challenge that the client must answer with an empty line.
        last: Option<Vec<u8>>,
    },
    /// The credentials are wrong; counted (T15).
    AuthFailed(Reply),
    /// The message is durable.
    Accepted(Reply),
}

/// Without secrets: challenges are left out.
impl<R: fmt::Debug> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proceed => f.write_str("Proceed"),
            Self::ProceedInPieces(octets) => write!(f, "ProceedInPieces({octets})"),
            Self::Recipient(proof) => f.debug_tuple("Recipient").field(proof).finish(),
            Self::Refuse(reply) => write!(f, "Refuse({reply})"),
            Self::RefuseAndClose(reply) => write!(f, "RefuseAndClose({reply})"),
            Self::AuthChallenge(_) => f.write_str("AuthChallenge"),
            Self::Authenticated { login, .. } => write!(f, "Authenticated({login:?})"),
            Self::AuthFailed(reply) => write!(f, "AuthFailed({reply})"),
            Self::Accepted(reply) => write!(f, "Accepted({reply})"),
        }
    }
}
