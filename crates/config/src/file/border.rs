//! `[[listener]]`, `[limits]` and `[auth]` as written: where and how a peer is met.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[[listener]]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    /// Name in the log and for `--set listener.NAME.KEY=VALUE`; each once. Required.
    pub name: String,
    /// What is spoken there. Required.
    pub protocol: Protocol,
    /// Where it listens: `ADDRESS:PORT`, `[ADDRESS]:PORT` for IPv6. `[::]:PORT` is IPv6 only; give `0.0.0.0:PORT` beside it.
    /// The interfaces for other mail servers (`policy`, `socketmap`, `milter`, `dovecot-auth`) also listen at `unix:PATH`.
    /// Required.
    #[schemars(length(min = 1))]
    pub bind: Vec<String>,
    /// Networks that may connect at all. Default `[]`: everybody; for the interfaces for other mail servers, which believe what
    /// they are told of a client, loopback, and nothing wider than `relay.networks` may be.
    #[serde(default)]
    pub peers: Vec<String>,
    /// For `policy`, `milter` and `socketmap`: who decides about relaying. `"permit"`: this server; a grant answers OK, and a
    /// recipient that is not ours is refused without one. In Postfix the policy service must then stand before
    /// `reject_unauth_destination`. `"restrict"`: the mail server that asks; we only take away. Default `"restrict"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<RelayMode>,
    /// Permissions of the `unix:` sockets, octal. Default `"0660"`.
    #[serde(default = "socket_mode")]
    pub socket_mode: String,
    /// When a login is offered: never, only under TLS (plain-text mechanisms) or always. Default `"never"` for `smtp`,
    /// `"tls"` for the others; mechanisms that do not show the password are offered without TLS too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthOffer>,
    /// Whether mail is taken only after a login. Default `true` for `submission` and `submissions`, else `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_required: Option<bool>,
    /// Whether STARTTLS (STLS) is offered or asked for before anything else. Default `"offered"` when `[tls]` has a
    /// certificate, else `"off"`. The protocols that end in `s` begin with TLS and ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsOffer>,
    /// Proxies that must begin with a PROXY protocol header (v1 or v2); nobody else may send one. The address in the header
    /// is the client, and never inherits what the proxy is trusted with. As narrow as `relay.networks` must be. Default `[]`.
    #[serde(default)]
    pub proxy_from: Vec<String>,
    /// Clients that may use XCLIENT. Each XCLIENT must name an address, of which the proxy's own rights are no part; behind a
    /// PROXY header nobody may use it. As narrow as `relay.networks` must be. Default `[]`.
    #[serde(default)]
    pub xclient_from: Vec<String>,
    /// Connections at a time; more are answered with 421. 1 to 1,000,000. Default 10,000.
    #[serde(default = "connections_max")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// Connections at a time of one client: an IPv4 address or an IPv6 /64, behind a PROXY header the one it names. 1 to 1,000,000. Default 100.
    #[serde(default = "connections_per_client_max")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_client_max: u32,
    /// Wait before the greeting of SMTP, in milliseconds: who talks before it is no mail server, and is refused with 554.
    /// 0 to 60,000. Default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 60_000))]
    pub greet_pause_ms: u32,
}

fn socket_mode() -> String {
    "0660".to_owned()
}

fn connections_max() -> u32 {
    10_000
}

fn connections_per_client_max() -> u32 {
    100
}

/// `listener.protocol`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Mail from other servers, port 25.
    Smtp,
    /// Mail of our users, STARTTLS, port 587.
    Submission,
    /// Mail of our users, TLS from the first octet, port 465.
    Submissions,
    /// Mailboxes, port 110.
    Pop3,
    /// Mailboxes, TLS from the first octet, port 995.
    Pop3s,
    /// DRAC over UDP and TCP: other POP servers tell of logins. Who may add stands in `[relay.drac]`.
    Dracd,
    /// Postfix's policy delegation.
    Policy,
    /// Look-ups by sendmail, Postfix and Exim.
    Socketmap,
    /// sendmail's mail filter protocol.
    Milter,
    /// Dovecot's authentication protocol: SMTP AUTH of Postfix and Exim from our accounts.
    DovecotAuth,
    /// Dovecot's authentication policy over HTTP: its logins become grants, its failures count as ours do.
    AuthPolicy,
}

/// `listener.relay`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RelayMode {
    /// We decide.
    Permit,
    /// The mail server that asks decides.
    Restrict,
}

/// `listener.auth`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthOffer {
    /// No login.
    Never,
    /// Plain-text mechanisms only under TLS.
    Tls,
    /// Plain-text mechanisms in the clear too.
    Always,
}

/// `listener.tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsOffer {
    /// No STARTTLS.
    Off,
    /// STARTTLS may be used.
    Offered,
    /// Nothing is done before STARTTLS.
    Required,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest command line with its CRLF, in octets. 512 to 65,536 (RFC 5321 §4.5.3.1.4). Default 2,048.
    #[schemars(range(min = 512, max = 65_536))]
    pub command_line_octets: u32,
    /// Longest line of a message with its CRLF, in octets. 1,000 to 1,048,576 (RFC 5321 §4.5.3.1.6). Default 8,192.
    #[schemars(range(min = 1_000, max = 1_048_576))]
    pub text_line_octets: u32,
    /// Largest message, in octets; told to the client as SIZE. 65,536 to 2,147,483,648. Default 52,428,800.
    #[schemars(range(min = 65_536, max = 2_147_483_648_u64))]
    pub message_octets: u64,
    /// Most recipients of one message. 100 to 50,000 (RFC 5321 §4.5.3.1.8). Default 1,000.
    #[schemars(range(min = 100, max = 50_000))]
    pub recipients: u32,
    /// Refused commands in one session; then it is closed with 421. 1 to 10,000. Default 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub errors: u32,
    /// Unknown commands in one session; then it is closed with 421. 1 to 10,000. Default 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub unknown_commands: u32,
    /// Failed logins in one session; then it is closed with 421. 1 to 100. Default 3.
    #[schemars(range(min = 1, max = 100))]
    pub auth_failures: u32,
    /// Messages in one session. 1 to 1,000,000. Default 1,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub messages_per_session: u32,
    /// Longest wait for a command, in seconds. 10 to 3,600 (RFC 5321 §4.5.3.2.7: 300). Default 300.
    #[schemars(range(min = 10, max = 3_600))]
    pub command_timeout_secs: u32,
    /// Longest wait within a message, in seconds. 10 to 3,600 (RFC 5321 §4.5.3.2.5: 180). Default 180.
    #[schemars(range(min = 10, max = 3_600))]
    pub data_timeout_secs: u32,
    /// Longest session, in seconds. 60 to 86,400. Default 7,200.
    #[schemars(range(min = 60, max = 86_400))]
    pub session_timeout_secs: u32,
    /// Longest wait for a POP3 command, in seconds. 60 to 3,600 (RFC 1939 §3: 600). Default 600.
    #[schemars(range(min = 60, max = 3_600))]
    pub pop3_timeout_secs: u32,
    /// `Received:` headers that a message may have; with more it goes in a circle. 20 to 500. Default 100 (RFC 5321 §6.3).
    #[schemars(range(min = 20, max = 500))]
    pub hops: u32,
    /// Piece in which a message is handed from the session to the spool, in octets. 4,096 to 1,048,576. Default 65,536.
    #[schemars(range(min = 4_096, max = 1_048_576))]
    pub body_chunk_octets: u32,
    /// Memory for messages that are on their way to the disk, in octets, all sessions together. A quarter of it is for those
    /// that are all here, which wait for each other; one that is still coming in goes to a file when there is none left.
    /// 4,194,304 to 68,719,476,736. Default 268,435,456.
    #[schemars(range(min = 4_194_304, max = 68_719_476_736_u64))]
    pub memory_octets: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line_octets: 2_048,
            text_line_octets: 8_192,
            message_octets: 52_428_800,
            recipients: 1_000,
            errors: 20,
            unknown_commands: 10,
            auth_failures: 3,
            messages_per_session: 1_000,
            command_timeout_secs: 300,
            data_timeout_secs: 180,
            session_timeout_secs: 7_200,
            pop3_timeout_secs: 600,
            hops: 100,
            body_chunk_octets: 65_536,
            memory_octets: 268_435_456,
        }
    }
}

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Mechanisms that are offered, of `SCRAM-SHA-256-PLUS`, `SCRAM-SHA-256`, `CRAM-MD5`, `PLAIN`, `LOGIN`. `CRAM-MD5` is
    /// offered without TLS only: only devices have a secret for it, and under TLS a client might choose it before `PLAIN`.
    /// Default `["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"]`.
    pub mechanisms: Vec<String>,
    /// Whether POP3 offers APOP (for device secrets). Default `true`.
    pub apop: bool,
    /// Memory of one argon2id, in KiB. A hash that was cheaper is made anew at its next login. 8,192 to 1,048,576. Default 19,456.
    #[schemars(range(min = 8_192, max = 1_048_576))]
    pub argon2_memory_kib: u32,
    /// Passes of one argon2id. 1 to 32. Default 2.
    #[schemars(range(min = 1, max = 32))]
    pub argon2_passes: u32,
    /// Password checks at a time; 0 is one a processor. 0 to 1,024. Default 0.
    #[schemars(range(min = 0, max = 1_024))]
    pub argon2_concurrency: u32,
    /// How long a checked password is remembered (as a keyed hash in memory), in minutes; 0 is not at all. 0 to 60. Default 10.
    #[schemars(range(min = 0, max = 60))]
    pub cache_minutes: u32,
    /// Different wrong guesses from one client address within `failure_minutes`, before it must wait. 1 to 10,000. Default 20.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_per_client: u32,
    /// Different wrong guesses at one account within `failure_minutes`, before logins to it must wait. 1 to 10,000. Default 50.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_per_account: u32,
    /// How long a wrong guess counts, in minutes. 1 to 1,440. Default 60.
    #[schemars(range(min = 1, max = 1_440))]
    pub failure_minutes: u32,
    /// Wait before the answer to a failed login, in milliseconds; doubled with each further one, up to 16 times. 0 to 10,000.
    /// Default 500.
    #[schemars(range(min = 0, max = 10_000))]
    pub failure_delay_ms: u32,
    /// Addresses behind which many users log in, such as a webmail's, a proxy's or a health probe's: what fails there counts
    /// against the accounts alone, so that one user locks out nobody else. Default `[]`.
    pub shared_addresses: Vec<String>,
}

impl Default for Auth {
    fn default() -> Self {
        let mechanisms = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"];
        Self {
            mechanisms: mechanisms.map(str::to_owned).to_vec(),
            apop: true,
            argon2_memory_kib: 19_456,
            argon2_passes: 2,
            argon2_concurrency: 0,
            cache_minutes: 10,
            failures_per_client: 20,
            failures_per_account: 50,
            failure_minutes: 60,
            failure_delay_ms: 500,
            shared_addresses: Vec::new(),
        }
    }
}
