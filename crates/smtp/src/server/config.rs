//! What a session is told at its start: limits, what is offered, who the peer is.

use crate::address::Domain;
use crate::command::Syntax;
use std::net::IpAddr;
use std::time::Duration;

/// What all sessions of a listener have in common.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The name in the greeting and in EHLO.
    pub hostname: String,
    /// The word behind `ESMTP` in the greeting.
    pub software: String,
    /// Bounds on what a client may do.
    pub limits: Limits,
    /// What EHLO lists.
    pub offer: Offer,
    /// What the listener is for.
    pub flavour: Flavour,
    /// How closely clients must keep to the grammar.
    pub syntax: Syntax,
    /// What completes an address without a domain of a client that is trusted or has logged in.
    pub default_domain: Option<Domain>,
}

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Takes mail from other servers.
    Mx,
    /// Takes mail from users (RFC 6409).
    Submission,
}

/// Bounds on what a client may do. Each has its reply in [`crate::replies`].
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest command line with its CRLF, in octets. At least 512 (RFC 5321 §4.5.3.1.4).
    pub command_line_octets: usize,
    /// Longest line of a message with its CRLF, in octets. At least 1,000 (RFC 5321 §4.5.3.1.6).
    pub text_line_octets: usize,
    /// Largest message, in octets as it came in, without what dot-stuffing added.
    pub message_octets: u64,
    /// Most recipients of one message. At least 100 (RFC 5321 §4.5.3.1.8).
    pub recipients: usize,
    /// Most errors in a session, refused recipients among them; then 421.
    pub errors: u32,
    /// Most commands in a session that are unknown or not offered; then 421.
    pub unknown_commands: u32,
    /// Most failed AUTH exchanges in a session; then 421 (T15).
    pub auth_failures: u32,
    /// Most messages in a session; then 421 at MAIL.
    pub messages: u32,
    /// Time for the client to finish its next command line. Octets that trickle in do not renew it.
    pub command_timeout: Duration,
    /// Time without any octet while a message comes in.
    pub data_timeout: Duration,
    /// Time for the whole session.
    pub session_timeout: Duration,
    /// A message is handed on in pieces of about this many octets.
    pub body_chunk_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line_octets: 2048,
            text_line_octets: 1024 * 1024 + 2,
            message_octets: 50 * 1024 * 1024,
            recipients: 100,
            errors: 20,
            unknown_commands: 10,
            auth_failures: 3,
            messages: 1000,
            command_timeout: Duration::from_mins(5),
            data_timeout: Duration::from_mins(3),
            session_timeout: Duration::from_hours(1),
            body_chunk_octets: 64 * 1024,
        }
    }
}

/// What EHLO lists beside the extensions that are always there, and what must come before MAIL.
#[derive(Debug, Clone)]
pub struct Offer {
    /// STARTTLS, as long as TLS is not up.
    pub starttls: bool,
    /// When AUTH is offered.
    pub auth: AuthOffer,
    /// Mechanisms without TLS (only for [`AuthOffer::Always`]), in upper case.
    pub auth_mechanisms_clear: Vec<&'static str>,
    /// Mechanisms under TLS, in upper case.
    pub auth_mechanisms_tls: Vec<&'static str>,
    /// How the mechanisms are listed.
    pub auth_form: AuthForm,
    /// MAIL only after AUTH: 530 5.7.0.
    pub auth_required: bool,
    /// All but the bare minimum only after STARTTLS: 530 5.7.0.
    pub tls_required: bool,
}

/// How EHLO lists the mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthForm {
    /// By RFC 4954.
    Standard,
    /// As `AUTH=` too, as it was said before RFC 2554.
    AlsoEquals,
}

/// When AUTH is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthOffer {
    /// Not at all.
    Never,
    /// Once TLS is up.
    UnderTls,
    /// With and without TLS.
    Always,
}

/// Who is at the other end.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its address; an IPv4-mapped one is taken as its IPv4 address.
    pub addr: IpAddr,
    /// It is listed as a proxy that may send XCLIENT.
    pub xclient: bool,
    /// It is one of our own network: its addresses without a domain are ours.
    pub trusted: bool,
    /// TLS was up before the first octet (submissions).
    pub tls: bool,
}
