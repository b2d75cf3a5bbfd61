//! What a listener offers and how much it bears.

use std::time::Duration;

/// How a listener behaves; shared by all its sessions.
#[derive(Debug, Clone)]
pub struct Config {
    /// What the greeting and `IMPLEMENTATION` call the server.
    pub software: String,
    /// Bounds on what a client can make us hold or do.
    pub limits: Limits,
    /// What is offered.
    pub offer: Offer,
}

/// Bounds on what a client can make us hold or do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest command line with its CRLF, in octets (RFC 2449 §4: at least 255).
    pub command_line_octets: usize,
    /// Longest line of an AUTH exchange, and of an AUTH command, in octets.
    pub auth_line_octets: usize,
    /// Errors after which the session is closed.
    pub errors: u32,
    /// Failed logins after which the session is closed.
    pub auth_failures: u32,
    /// Time from the connection to the login.
    pub login_timeout: Duration,
    /// Time between two commands after the login (RFC 1939 §3: at least 10 minutes).
    pub idle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line_octets: 512,
            auth_line_octets: 12_288,
            errors: 20,
            auth_failures: 3,
            login_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(10),
        }
    }
}

/// What is offered to a client.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    /// STLS (RFC 2595). Needs a certificate.
    pub stls: bool,
    /// USER and PASS.
    pub user_pass: PlainText,
    /// AUTH mechanisms without TLS, in order of preference.
    pub auth_mechanisms_clear: Vec<&'static str>,
    /// AUTH mechanisms under TLS, in order of preference.
    pub auth_mechanisms_tls: Vec<&'static str>,
}

/// Where passwords may be sent as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainText {
    /// Nowhere.
    Never,
    /// Under TLS only.
    #[default]
    UnderTls,
    /// Anywhere: only for networks that nobody listens to.
    Always,
}
