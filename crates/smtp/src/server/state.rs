//! Where a session stands. A state has only what is known in it: relay proofs live in the envelope, the envelope in the
//! states of a transaction, so whatever ends the transaction ends the proofs (T12).

use std::fmt;
use std::net::IpAddr;

use super::envelope::{Envelope, Helo, RcptParams};
use crate::dot::TextReader;
use crate::reply::Reply;

/// States whose name tells of a question wait for its answer.
#[derive(Debug)]
pub(super) enum State<R> {
    /// Before the first act.
    Silent,
    /// `Question::Connect` is out.
    ConnectAsked,
    /// The client has not introduced itself.
    Fresh,
    /// `Question::Helo` is out.
    HeloAsked(Introduction),
    /// No transaction is open.
    Ready(Helo),
    /// An AUTH exchange.
    Auth(Helo, AuthStep),
    /// `Question::Mail` is out.
    MailAsked(Box<Envelope<R>>),
    /// Recipients may come.
    Mail(Box<Envelope<R>>),
    /// `Question::Rcpt` is out.
    RcptAsked(Candidate<R>),
    /// `Question::Data` is out for DATA.
    DataAsked(Box<Envelope<R>>),
    /// A message comes in.
    Body(Body<R>),
    /// `Question::Data` is out for the first BDAT.
    BdatAsked(FirstChunk<R>),
    /// A chunk of BDAT comes in.
    Chunk(Body<R>, Chunk),
    /// Some chunks came, the last did not.
    BetweenChunks(Body<R>),
    /// A chunk comes in that is wanted no more.
    Swallowing(Box<Swallowing<R>>),
    /// `Question::Message` is out.
    MessageAsked(Helo),
    /// `Question::XClient` is out.
    XClientAsked(Proxied),
    /// The handshake is under way.
    Securing,
    /// The end.
    Closed,
}

/// A greeting on trial.
#[derive(Debug)]
pub(super) struct Introduction {
    pub(super) before: Option<Helo>,
    pub(super) helo: Helo,
}

/// A recipient on trial. Its path is in the question, and comes back in the proof.
#[derive(Debug)]
pub(super) struct Candidate<R> {
    pub(super) envelope: Box<Envelope<R>>,
    pub(super) params: RcptParams,
}

/// The first BDAT of a message.
#[derive(Debug)]
pub(super) struct FirstChunk<R> {
    pub(super) envelope: Box<Envelope<R>>,
    pub(super) chunk: Chunk,
}

/// What a proxy said, on trial.
#[derive(Debug)]
pub(super) struct Proxied {
    pub(super) before: Option<Helo>,
    pub(super) addr: Option<IpAddr>,
}

/// A message that comes in.
pub(super) struct Body<R> {
    pub(super) envelope: Box<Envelope<R>>,
    pub(super) reader: TextReader,
    /// Text that was not yet handed on.
    pub(super) piece: Vec<u8>,
    /// It is handed on once it has so many octets.
    pub(super) piece_octets: usize,
}

/// Without the text.
impl<R: fmt::Debug> fmt::Debug for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").field("envelope", &self.envelope).field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// A chunk of BDAT.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk {
    pub(super) octets: u64,
    pub(super) left: u64,
    pub(super) last: bool,
}

/// A refused chunk: its octets must not be taken for commands.
#[derive(Debug)]
pub(super) struct Swallowing<R> {
    pub(super) left: u64,
    pub(super) reply: Reply,
    pub(super) then: State<R>,
}

/// Where an AUTH exchange stands.
#[derive(Debug)]
pub(super) enum AuthStep {
    /// A question is out.
    Asked,
    /// The client's response is awaited.
    Challenged,
    /// An empty line is awaited, then the exchange has succeeded.
    Concluding { login: String },
    /// The exchange is over; a question is out only to tell so. Then this is the reply.
    Aborting(Reply),
}

impl<R> State<R> {
    pub(super) fn is_question_out(&self) -> bool {
        match self {
            Self::ConnectAsked
            | Self::HeloAsked(_)
            | Self::MailAsked(_)
            | Self::RcptAsked(_)
            | Self::DataAsked(_)
            | Self::BdatAsked(_)
            | Self::MessageAsked(_)
            | Self::XClientAsked(_)
            | Self::Auth(_, AuthStep::Asked | AuthStep::Aborting(_)) => true,
            Self::Silent
            | Self::Fresh
            | Self::Ready(_)
            | Self::Auth(_, AuthStep::Challenged | AuthStep::Concluding { .. })
            | Self::Mail(_)
            | Self::Body(_)
            | Self::Chunk(..)
            | Self::BetweenChunks(_)
            | Self::Swallowing(_)
            | Self::Securing
            | Self::Closed => false,
        }
    }

    /// A whole line is awaited, and nothing is half done.
    pub(super) fn is_command_boundary(&self) -> bool {
        matches!(
            self,
            Self::Fresh
                | Self::Ready(_)
                | Self::Mail(_)
                | Self::BetweenChunks(_)
                | Self::Auth(_, AuthStep::Challenged | AuthStep::Concluding { .. })
        )
    }

    /// Pieces of a message were handed on, or may have been.
    pub(super) fn has_begun_message(&self) -> bool {
        matches!(self, Self::Body(_) | Self::Chunk(..) | Self::BetweenChunks(_))
    }

    /// How the client introduced itself.
    pub(super) fn helo(&self) -> Option<&Helo> {
        match self {
            Self::Ready(helo) | Self::Auth(helo, _) | Self::MessageAsked(helo) => Some(helo),
            Self::Mail(envelope) | Self::MailAsked(envelope) | Self::DataAsked(envelope) => Some(&envelope.helo),
            Self::RcptAsked(candidate) => Some(&candidate.envelope.helo),
            Self::BdatAsked(first) => Some(&first.envelope.helo),
            Self::Body(body) | Self::Chunk(body, _) | Self::BetweenChunks(body) => Some(&body.envelope.helo),
            Self::Swallowing(swallowing) => swallowing.then.helo(),
            Self::HeloAsked(Introduction { before, .. }) | Self::XClientAsked(Proxied { before, .. }) => {
                before.as_ref()
            }
            Self::Silent | Self::ConnectAsked | Self::Fresh | Self::Securing | Self::Closed => None,
        }
    }

    /// The same, with whatever else the state held dropped.
    pub(super) fn into_helo(self) -> Option<Helo> {
        match self {
            Self::Ready(helo) | Self::Auth(helo, _) | Self::MessageAsked(helo) => Some(helo),
            Self::Mail(envelope) | Self::MailAsked(envelope) | Self::DataAsked(envelope) => Some(envelope.helo),
            Self::RcptAsked(candidate) => Some(candidate.envelope.helo),
            Self::BdatAsked(first) => Some(first.envelope.helo),
            Self::Body(body) | Self::Chunk(body, _) | Self::BetweenChunks(body) => Some(body.envelope.helo),
            Self::Swallowing(swallowing) => swallowing.then.into_helo(),
            Self::HeloAsked(Introduction { before, .. }) | Self::XClientAsked(Proxied { before, .. }) => before,
            Self::Silent | Self::ConnectAsked | Self::Fresh | Self::Securing | Self::Closed => None,
        }
    }

    /// No transaction, the client introduced or not.
    pub(super) fn idle(helo: Option<Helo>) -> Self {
        helo.map_or(Self::Fresh, Self::Ready)
    }
}
