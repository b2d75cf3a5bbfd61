//! `[limits]`: what a peer may cost.

use crate::reading::Reading;
use crate::value::{count, secs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Limits", deny_unknown_fields, default)]
pub struct WrittenLimits {
    /// Longest command line with its CRLF, in octets. 512 to 65,536 (RFC 5321 §4.5.3.1.4). Default 2,048.
    #[schemars(range(min = 512, max = 65_536))]
    pub command_line_octets: u32,
    /// Longest line of a message with its CRLF, in octets. No buffer grows with it; a line is kept octet by octet and sent on as
    /// it came. 1,000 to 67,108,864 (RFC 5321 §4.5.3.1.6). Default 1,048,578.
    #[schemars(range(min = 1_000, max = 67_108_864))]
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
    /// Connections at a time of one client over all SMTP and POP3 listeners: an IPv4 address or an IPv6 /64. With more it is answered
    /// with 421 `too-many-connections`. Not for `relay.networks`, `relay.clients` by address, listed proxies and this machine.
    /// 1 to 1,000,000. Default 200.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_client: u32,
    /// The same for a network: an IPv4 /24 or an IPv6 /48; an IPv6 /56 may have half of it. 1 to 1,000,000. Default 1,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_network: u32,
    /// New connections in a minute of one client over all SMTP and POP3 listeners. 1 to 1,000,000. Default 600.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_minute_per_client: u32,
    /// The same for a network, as above. 1 to 1,000,000. Default 2,400.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_per_minute_per_network: u32,
    /// Recipients that do not exist that one client, an IPv4 address or an IPv6 /64, may try in an hour; beyond that all its
    /// recipients get 450. 1 to 1,000,000. Default 100.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub unknown_recipients_per_client: u32,
    /// The same for a network, an IPv4 /24 or an IPv6 /48: beyond that every client there that tries one is limited. 1 to
    /// 1,000,000. Default 400.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub unknown_recipients_per_network: u32,
    /// The same for all clients that send for one domain. 1 to 1,000,000. Default 400.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub unknown_recipients_per_sender_domain: u32,
    /// The same for a login, from all its addresses together. 1 to 1,000,000. Default 400.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub unknown_recipients_per_login: u32,
    /// Messages of strangers that one alias may send on to other hosts in an hour; beyond that it gets 450. 1 to 1,000,000.
    /// Default 1,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub forwards_per_alias: u32,
    /// The same for all that aliases send on for one client, an IPv4 address or an IPv6 /64. 1 to 1,000,000. Default 200.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub forwards_per_client: u32,
    /// `Received:` headers that a message may have; with more it probably goes in circles. 20 to 500. Default 100 (RFC 5321
    /// §6.3).
    #[schemars(range(min = 20, max = 500))]
    pub hops: u32,
    /// Longest header of a message, in octets; it is read to its end, and a longer one is refused with 554. 65,536 to
    /// 67,108,864. Default 1,048,576.
    #[schemars(range(min = 65_536, max = 67_108_864))]
    pub header_octets: u64,
    /// Piece in which a message is handed from the session to the spool, in octets. 4,096 to 1,048,576. Default 65,536.
    #[schemars(range(min = 4_096, max = 1_048_576))]
    pub body_chunk_octets: u32,
    /// Memory for messages that are on their way to the disk, in octets, all sessions together. A quarter of it is for complete
    /// messages, which wait for each other; a message that is still arriving goes to a file when the memory is used up. 4,194,304
    /// to 68,719,476,736. Default 268,435,456.
    #[schemars(range(min = 4_194_304, max = 68_719_476_736_u64))]
    pub memory_octets: u64,
}

impl Default for WrittenLimits {
    fn default() -> Self {
        Self {
            command_line_octets: 2_048,
            text_line_octets: 1_048_578,
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
            connections_per_client: 200,
            connections_per_network: 1_000,
            connections_per_minute_per_client: 600,
            connections_per_minute_per_network: 2_400,
            unknown_recipients_per_client: 100,
            unknown_recipients_per_network: 400,
            unknown_recipients_per_sender_domain: 400,
            unknown_recipients_per_login: 400,
            forwards_per_alias: 1_000,
            forwards_per_client: 200,
            hops: 100,
            header_octets: 1_048_576,
            body_chunk_octets: 65_536,
            memory_octets: 268_435_456,
        }
    }
}

/// `[limits]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Limits {
    pub command_line_octets: usize,
    pub text_line_octets: usize,
    pub message_octets: u64,
    pub recipients: usize,
    pub errors: u32,
    pub unknown_commands: u32,
    pub auth_failures: u32,
    pub messages_per_session: u32,
    pub command_timeout: Duration,
    pub data_timeout: Duration,
    pub session_timeout: Duration,
    pub pop3_timeout: Duration,
    pub connections_per_client: usize,
    pub connections_per_network: usize,
    pub connections_per_minute_per_client: u32,
    pub connections_per_minute_per_network: u32,
    pub unknown_recipients_per_client: u32,
    pub unknown_recipients_per_network: u32,
    pub unknown_recipients_per_sender_domain: u32,
    pub unknown_recipients_per_login: u32,
    pub forwards_per_alias: u32,
    pub forwards_per_client: u32,
    pub hops: usize,
    pub header_octets: u64,
    pub body_chunk_octets: usize,
    pub memory_octets: u64,
}

impl WrittenLimits {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Limits {
        if self.command_timeout_secs > self.session_timeout_secs {
            let message = "`limits.command_timeout_secs` is longer than `limits.session_timeout_secs`";
            reading.wrong("limits.command_timeout_secs", message, "a session outlasts its commands");
        }
        if u64::from(self.body_chunk_octets) > self.memory_octets {
            reading.wrong("limits.body_chunk_octets", "one piece is larger than `limits.memory_octets`", "");
        }
        Limits {
            command_line_octets: count(self.command_line_octets),
            text_line_octets: count(self.text_line_octets),
            message_octets: self.message_octets,
            recipients: count(self.recipients),
            errors: self.errors,
            unknown_commands: self.unknown_commands,
            auth_failures: self.auth_failures,
            messages_per_session: self.messages_per_session,
            command_timeout: secs(self.command_timeout_secs),
            data_timeout: secs(self.data_timeout_secs),
            session_timeout: secs(self.session_timeout_secs),
            pop3_timeout: secs(self.pop3_timeout_secs),
            connections_per_client: count(self.connections_per_client),
            connections_per_network: count(self.connections_per_network),
            connections_per_minute_per_client: self.connections_per_minute_per_client,
            connections_per_minute_per_network: self.connections_per_minute_per_network,
            unknown_recipients_per_client: self.unknown_recipients_per_client,
            unknown_recipients_per_network: self.unknown_recipients_per_network,
            unknown_recipients_per_sender_domain: self.unknown_recipients_per_sender_domain,
            unknown_recipients_per_login: self.unknown_recipients_per_login,
            forwards_per_alias: self.forwards_per_alias,
            forwards_per_client: self.forwards_per_client,
            hops: count(self.hops),
            header_octets: self.header_octets,
            body_chunk_octets: count(self.body_chunk_octets),
            memory_octets: self.memory_octets,
        }
    }
}
