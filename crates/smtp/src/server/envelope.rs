//! What a transaction is made of: greeting, reverse-path, recipients, and the parameters of MAIL and RCPT.

use std::net::IpAddr;

use crate::address::{ForwardPath, Host, Mailbox, ReversePath};
use crate::dsn::{Notify, Ret};

/// How a client introduced itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Helo {
    /// The command that it used.
    pub verb: HeloVerb,
    /// What it calls itself; believed by nobody.
    pub host: Host,
}

/// The commands that introduce a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeloVerb {
    /// RFC 821: no extensions.
    Helo,
    /// RFC 5321 §4.1.1.1.
    Ehlo,
    /// RFC 2033.
    Lhlo,
}

/// MAIL as it was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Where a bounce would go.
    pub reverse_path: ReversePath,
    /// All that stood behind it.
    pub params: MailParams,
}

/// The parameters of MAIL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParams {
    /// `SIZE=`: octets as the client counts them (RFC 1870).
    pub size: Option<u64>,
    /// `BODY=`; `None` if not said.
    pub body: Option<BodyKind>,
    /// `SMTPUTF8` (RFC 6531).
    pub smtputf8: bool,
    /// `AUTH=`: who submitted the message according to the client (RFC 4954 §5). Never a proof of anything.
    pub auth: Option<SubmittedBy>,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=`, still in xtext (RFC 3461 §4.4).
    pub envid: Option<String>,
}

/// Values of `BODY=` (RFC 6152); `BINARYMIME` is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

/// Values of `AUTH=` in MAIL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmittedBy {
    /// `<>`: unknown.
    Unknown,
    /// An address.
    Mailbox(Mailbox),
}

/// RCPT as it was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rcpt {
    /// Where the mail shall go, without a route.
    pub forward_path: ForwardPath,
    /// Hosts stood in front of it.
    pub had_source_route: bool,
    /// All that stood behind it.
    pub params: RcptParams,
}

/// The parameters of RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RcptParams {
    /// `NOTIFY=`; empty if not said.
    pub notify: Notify,
    /// `ORCPT=`: type, semicolon, address in xtext, as received (RFC 3461 §4.2).
    pub orcpt: Option<String>,
}

/// XCLIENT as it was parsed: what a listed proxy says about its client. `None` = not said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct XClient {
    /// `ADDR=`.
    pub addr: Option<IpAddr>,
    /// `NAME=`: the name that the proxy found for the address; `[UNAVAILABLE]` is `None`.
    pub name: Option<String>,
    /// `HELO=`.
    pub helo: Option<String>,
    /// `LOGIN=` was given. It is never believed (T7).
    pub had_login: bool,
}

/// A recipient that was accepted, with the proof that it may be.
#[derive(Debug)]
pub struct Accepted<R> {
    /// What the caller answered to [`super::Question::Rcpt`]; it lives no longer than the transaction (T12).
    pub proof: R,
    /// `NOTIFY=` and `ORCPT=`.
    pub params: RcptParams,
}

/// The envelope of a message that is complete.
#[derive(Debug)]
pub struct Envelope<R> {
    /// How the client introduced itself.
    pub helo: Helo,
    /// Where a bounce would go.
    pub reverse_path: ReversePath,
    /// The parameters of MAIL.
    pub mail: MailParams,
    /// The recipients, at least one, each with its proof.
    pub recipients: Vec<Accepted<R>>,
    /// TLS was up.
    pub tls: bool,
    /// The client had authenticated.
    pub authenticated: bool,
}

impl<R> Envelope<R> {
    /// The word for `with` in `Received:`.
    pub fn protocol(&self) -> &'static str {
        let Self { helo, mail, tls, authenticated, .. } = self;
        With { verb: helo.verb, smtputf8: mail.smtputf8, tls: *tls, authenticated: *authenticated }.protocol()
    }
}

/// How a message came in, as `with` in `Received:` tells it.
#[derive(Debug, Clone, Copy)]
pub struct With {
    /// How the client introduced itself.
    pub verb: HeloVerb,
    /// MAIL had `SMTPUTF8`.
    pub smtputf8: bool,
    /// TLS was up.
    pub tls: bool,
    /// The client had authenticated.
    pub authenticated: bool,
}

impl With {
    /// The word for it (RFC 3848, RFC 6531 §4.3).
    pub fn protocol(self) -> &'static str {
        if self.verb == HeloVerb::Helo && !self.tls && !self.authenticated {
            return "SMTP";
        }
        match (self.smtputf8, self.tls, self.authenticated) {
            (false, false, false) => "ESMTP",
            (false, true, false) => "ESMTPS",
            (false, false, true) => "ESMTPA",
            (false, true, true) => "ESMTPSA",
            (true, false, false) => "UTF8SMTP",
            (true, true, false) => "UTF8SMTPS",
            (true, false, true) => "UTF8SMTPA",
            (true, true, true) => "UTF8SMTPSA",
        }
    }
}
