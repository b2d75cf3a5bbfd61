//! `[spool]` and `[delivery]` as written: where mail lies and where it goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Spool {
    /// Folder of the queue. Default `"spool"`.
    pub path: String,
    /// Size at which a segment is closed and the next one begun, in octets; at least four times `inline_octets`.
    /// 1,048,576 to 1,073,741,824. Default 67,108,864.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub segment_octets: u64,
    /// Largest message that is written into a segment, in octets; larger ones get a file of their own.
    /// 4,096 to 1,048,576. Default 262,144.
    #[schemars(range(min = 4_096, max = 1_048_576))]
    pub inline_octets: u64,
    /// Space that stays free on the disk, in octets; below it new mail is answered with 452. 0 to 1,099,511,627,776.
    /// Default 104,857,600.
    #[schemars(range(min = 0, max = 1_099_511_627_776_u64))]
    pub free_octets_min: u64,
    /// Wait after the first failed attempt, in seconds; doubled with each further one. 1 to 86,400. Default 300.
    #[schemars(range(min = 1, max = 86_400))]
    pub retry_first_secs: u32,
    /// Longest wait between attempts, in seconds. 1 to 86,400 (RFC 5321 §4.5.4.1). Default 14,400.
    #[schemars(range(min = 1, max = 86_400))]
    pub retry_max_secs: u32,
    /// After how long a mail that cannot be delivered is given up, in hours. 1 to 720 (RFC 5321 §4.5.4.1: 96 to 120).
    /// Default 120.
    #[schemars(range(min = 1, max = 720))]
    pub give_up_hours: u32,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            path: "spool".to_owned(),
            segment_octets: 67_108_864,
            inline_octets: 262_144,
            free_octets_min: 104_857_600,
            retry_first_secs: 300,
            retry_max_secs: 14_400,
            give_up_hours: 120,
        }
    }
}

/// `[delivery]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// Who keeps the mailboxes of our accounts: `maildir`, or `lmtp:HOST:PORT` or `lmtp:/SOCKET`. Default `"maildir"`.
    pub local: String,
    /// Folder of the mailboxes, one Maildir an account: `DOMAIN/NAME`. Default `"mail"`.
    pub maildir_root: String,
    /// Room of a mailbox whose account has none of its own, in octets; 0 is no bound. Default 0.
    pub quota_octets: u64,
    /// Where mail to other domains goes: to their MX hosts, all to the `smarthost`, or all into the `sink` (for trying out).
    /// Default `"mx"`.
    pub remote: RemoteKind,
    /// The smarthost, for `remote = "smarthost"`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smarthost: Option<Smarthost>,
    /// Maildir for `remote = "sink"`. Default `"sink"`.
    pub sink: String,
    /// Deliveries at a time, over all destinations. 1 to 10,000. Default 200.
    #[schemars(range(min = 1, max = 10_000))]
    pub concurrency: u32,
    /// Connections at a time to one destination. 1 to 1,000. Default 10.
    #[schemars(range(min = 1, max = 1_000))]
    pub concurrency_per_destination: u32,
    /// Messages sent over one connection before a new one is made. 1 to 100,000. Default 100.
    #[schemars(range(min = 1, max = 100_000))]
    pub messages_per_connection: u32,
    /// Longest wait for a connection, in seconds. 1 to 600. Default 30.
    #[schemars(range(min = 1, max = 600))]
    pub connect_timeout_secs: u32,
    /// Longest wait for a reply, in seconds. 10 to 3,600 (RFC 5321 §4.5.3.2: 300, 600 after the data). Default 300.
    #[schemars(range(min = 10, max = 3_600))]
    pub reply_timeout_secs: u32,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            local: "maildir".to_owned(),
            maildir_root: "mail".to_owned(),
            quota_octets: 0,
            remote: RemoteKind::Mx,
            smarthost: None,
            sink: "sink".to_owned(),
            concurrency: 200,
            concurrency_per_destination: 10,
            messages_per_connection: 100,
            connect_timeout_secs: 30,
            reply_timeout_secs: 300,
        }
    }
}

/// `delivery.remote`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// To the MX hosts of each domain.
    Mx,
    /// All to one host.
    Smarthost,
    /// All into one Maildir.
    Sink,
}

/// `[delivery.smarthost]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Smarthost {
    /// Its name or address. Required.
    pub host: String,
    /// Its port. 1 to 65,535. Default 587.
    #[serde(default = "smarthost_port")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: u16,
    /// TLS: not at all, if it is offered, by STARTTLS or else not sent, or from the first octet. Default `"starttls"`.
    #[serde(default)]
    pub tls: SmarthostTls,
    /// Login there. Default none: no login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// File whose first line is the password, not readable by others. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// Mechanism of the login: `SCRAM-SHA-256`, `CRAM-MD5`, `PLAIN` or `LOGIN`. Default none: the strongest that is offered;
    /// `PLAIN` and `LOGIN` only under TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
}

fn smarthost_port() -> u16 {
    587
}

/// `delivery.smarthost.tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmarthostTls {
    /// Never.
    Off,
    /// If it is offered; the certificate is not checked.
    Offered,
    /// By STARTTLS, certificate checked, or nothing is sent.
    #[default]
    Starttls,
    /// From the first octet, certificate checked.
    Implicit,
}
