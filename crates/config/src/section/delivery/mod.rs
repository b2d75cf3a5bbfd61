//! `[delivery]`: where mail goes from the queue.

mod smarthost;

pub use smarthost::{Smarthost, SmarthostLogin, SmarthostTls, WrittenSmarthost};

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value::{self, HostPort, count, secs};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[delivery]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Delivery", deny_unknown_fields, default)]
pub struct WrittenDelivery {
    /// Where the mailboxes of the accounts are: `maildir`, or `lmtp:HOST:PORT` or `lmtp:/SOCKET`. Default `"maildir"`.
    pub local: String,
    /// Folder of the mailboxes, one Maildir an account: `DOMAIN/NAME`. Default `"mail"`.
    pub maildir_root: String,
    /// Size limit of a mailbox if its account has none of its own, in octets; 0 is no limit. Default 0.
    pub quota_octets: u64,
    /// Where mail to other domains goes: to their MX hosts, all to the `smarthost`, or all into the `sink` (for trying out).
    /// Default `"mx"`.
    pub remote: RemoteKind,
    /// The smarthost, for `remote = "smarthost"`. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smarthost: Option<WrittenSmarthost>,
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
    /// How long a destination rests after none of its hosts could be reached, in seconds; each further failure doubles it. Its
    /// mail waits, and goes as soon as a host answers. 1 to 3,600. Default 60.
    #[schemars(range(min = 1, max = 3_600))]
    pub rest_secs: u32,
    /// The longest such time, in seconds. 1 to 86,400. Default 1,800.
    #[schemars(range(min = 1, max = 86_400))]
    pub rest_max_secs: u32,
}

impl Default for WrittenDelivery {
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
            rest_secs: 60,
            rest_max_secs: 1_800,
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

/// `[delivery]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Delivery {
    pub local: Local,
    pub maildir_root: PathBuf,
    /// `None`: no bound.
    pub quota_octets: Option<u64>,
    pub remote: Remote,
    pub concurrency: usize,
    pub concurrency_per_destination: usize,
    pub messages_per_connection: u32,
    pub connect_timeout: Duration,
    pub reply_timeout: Duration,
    pub rest: Duration,
    /// Never shorter than `rest`.
    pub rest_max: Duration,
}

/// Who keeps the mailboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// We, below `delivery.maildir_root`.
    Maildir,
    /// An LMTP server on TCP.
    LmtpTcp(HostPort),
    /// An LMTP server on a Unix socket.
    LmtpUnix(PathBuf),
}

/// Where mail to other domains goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remote {
    /// To the MX hosts of each domain.
    Mx,
    /// All to one host.
    Smarthost(Smarthost),
    /// All into one Maildir.
    Sink(PathBuf),
}

impl WrittenDelivery {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Delivery {
        Delivery {
            local: self.local(reading),
            maildir_root: reading.below(&self.maildir_root),
            quota_octets: Some(self.quota_octets).filter(|octets| *octets > 0),
            remote: self.remote(reading),
            concurrency: count(self.concurrency),
            concurrency_per_destination: count(self.concurrency_per_destination),
            messages_per_connection: self.messages_per_connection,
            connect_timeout: secs(self.connect_timeout_secs),
            reply_timeout: secs(self.reply_timeout_secs),
            rest: secs(self.rest_secs),
            rest_max: secs(self.rest_max_secs.max(self.rest_secs)),
        }
    }

    fn local(&self, reading: &mut Reading<'_>) -> Local {
        let text = self.local.as_str();
        match text.strip_prefix("lmtp:") {
            Some(path) if path.starts_with('/') => Local::LmtpUnix(reading.below(path)),
            Some(host) => match reading.parsed("delivery.local", value::host_port(host, 24)) {
                Some(host) => Local::LmtpTcp(host),
                None => Local::Maildir,
            },
            None => {
                if text != "maildir" {
                    let message = format!("`delivery.local`: \"{text}\" keeps no mailboxes");
                    let hint = "\"maildir\", \"lmtp:HOST:PORT\" or \"lmtp:/SOCKET\"";
                    reading.wrong("delivery.local", message, hint);
                }
                Local::Maildir
            }
        }
    }

    fn remote(&self, reading: &mut Reading<'_>) -> Remote {
        match (self.remote, &self.smarthost) {
            (RemoteKind::Mx, _) => Remote::Mx,
            (RemoteKind::Sink, _) => Remote::Sink(reading.below(&self.sink)),
            (RemoteKind::Smarthost, None) => {
                let hint = "add [delivery.smarthost] with its host";
                reading.wrong("delivery.remote", "`delivery.remote` is \"smarthost\", but there is none", hint);
                Remote::Mx
            }
            (RemoteKind::Smarthost, Some(smarthost)) => smarthost.meant(reading).map_or(Remote::Mx, Remote::Smarthost),
        }
    }
}

impl Delivery {
    /// Mailboxes are looked up anew for each mail (`local`, `maildir_root`, `quota_octets`); the rest is delivery's own.
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("delivery.remote (smarthost, sink)", &self.remote, &new.remote);
        restart.compare("delivery.concurrency", &self.concurrency, &new.concurrency);
        let (old_each, new_each) = (&self.concurrency_per_destination, &new.concurrency_per_destination);
        restart.compare("delivery.concurrency_per_destination", old_each, new_each);
        let (old_messages, new_messages) = (&self.messages_per_connection, &new.messages_per_connection);
        restart.compare("delivery.messages_per_connection", old_messages, new_messages);
        restart.compare("delivery.connect_timeout_secs", &self.connect_timeout, &new.connect_timeout);
        restart.compare("delivery.reply_timeout_secs", &self.reply_timeout, &new.reply_timeout);
        restart.compare("delivery.rest_secs", &self.rest, &new.rest);
        restart.compare("delivery.rest_max_secs", &self.rest_max, &new.rest_max);
    }
}
