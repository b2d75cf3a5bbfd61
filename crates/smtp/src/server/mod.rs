//! The server's side of a session: bytes and answers go in, replies and questions come out, time is an argument.
//!
//! It answers for the order of commands, for every limit, and for a relay proof living no longer than its transaction
//! (T12). It does not decide who may send what: it asks.

mod config;
mod envelope;
mod interface;

pub use config::{AuthOffer, Flavour, Limits, Offer, Peer, ServerConfig, TlsFacts};
pub use envelope::{
    Accepted, BodyKind, Envelope, Helo, HeloVerb, Mail, MailParams, Notify, Rcpt, RcptParams, Ret, SubmittedBy, XClient,
};
pub use interface::{Answer, Drained, Input, Output, Question};

use std::marker::PhantomData;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// One session.
#[derive(Debug)]
pub struct Session<R> {
    config: Arc<ServerConfig>,
    peer: Peer,
    login: Option<String>,
    state: PhantomData<R>,
}

impl<R> Session<R> {
    /// A session that has said nothing yet.
    pub fn new(config: Arc<ServerConfig>, peer: Peer, _now: Instant) -> Self {
        Self { config, peer, login: None, state: PhantomData }
    }

    /// The first act: asks [`Question::Connect`].
    pub fn start(&mut self, now: Instant, out: &mut Vec<Output<R>>) {
        let _ = (now, &self.config);
        out.push(Output::Ask(Question::Connect));
    }

    /// Takes one input and appends, in order, what the caller must do now.
    pub fn handle(&mut self, input: Input<'_, R>, now: Instant, out: &mut Vec<Output<R>>) {
        let _ = (input, now, out);
    }

    /// When [`Input::Timeout`] is due; `None` while a question is out.
    pub fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Who authenticated.
    pub fn login(&self) -> Option<&str> {
        self.login.as_deref()
    }

    /// The client's address: the peer's, or what a listed proxy said by XCLIENT.
    pub fn client_addr(&self) -> IpAddr {
        self.peer.addr
    }

    /// TLS, if it is up.
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.peer.tls.as_ref()
    }

    /// Whether octets are of use now; false while a question is out, so that a client waits for its answer.
    pub fn wants_bytes(&self) -> bool {
        false
    }
}
