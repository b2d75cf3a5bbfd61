//! `[alarms]`: what an operator is told of at once, and how. The log tells of it always.

use crate::reading::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// `[alarms]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Alarms", deny_unknown_fields, default)]
pub struct WrittenAlarms {
    /// URL to which each alarm is posted as JSON: `https://…`, or `http://` with an address of this machine. While it does not
    /// accept them, they wait (at most 256) and are sent again for a day. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// Program with its arguments, run for each alarm without a shell, as the server's user, for 30 seconds at most. The alarm is
    /// in its environment: `SEKISHO_STATE`, `SEKISHO_ALARM`, `SEKISHO_LEVEL`, `SEKISHO_SUBJECT`, `SEKISHO_TEXT` and others.
    /// Default `[]`: none.
    pub command: Vec<String>,
    /// Each alarm is also sent as mail to `domains.postmaster`, through this server's own queue. Default `false`.
    pub mail: bool,
    /// Language of titles and remedies. Default `"en"`.
    pub language: AlarmLanguage,
    /// How long an alarm about the same subject is not repeated, in minutes. 1 to 10,080. Default 60.
    #[schemars(range(min = 1, max = 10_080))]
    pub quiet_minutes: u32,
    /// How many hours the oldest mail may wait for delivery without an alarm. 1 to 720. Default 24.
    #[schemars(range(min = 1, max = 720))]
    pub queue_age_hours: u32,
    /// How many messages the queue may grow within an hour without an alarm; it must also have doubled. 10 to 10,000,000. Default
    /// 1,000.
    #[schemars(range(min = 10, max = 10_000_000))]
    pub queue_growth: u32,
    /// How many recipients a login, device, POP grant or client may have within an hour without an alarm; it must also be three
    /// times as many as in its greatest hour of the last week. In the first hour of the process five times as many are allowed.
    /// 10 to 10,000,000. Default 200.
    #[schemars(range(min = 10, max = 10_000_000))]
    pub sender_recipients: u32,
}

/// `alarms.language`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlarmLanguage {
    /// English.
    En,
    /// Japanese.
    Ja,
}

impl Default for WrittenAlarms {
    fn default() -> Self {
        Self {
            webhook: None,
            command: Vec::new(),
            mail: false,
            language: AlarmLanguage::En,
            quiet_minutes: 60,
            queue_age_hours: 24,
            queue_growth: 1_000,
            sender_recipients: 200,
        }
    }
}

/// `[alarms]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// Where they are posted to.
    pub webhook: Option<String>,
    /// What is run; empty: nothing.
    pub command: Vec<String>,
    /// To whom they are sent: the postmaster.
    pub mail: Option<String>,
    /// Their language.
    pub language: AlarmLanguage,
    /// Not told again for so long.
    pub quiet: Duration,
    /// How long mail may wait.
    pub queue_age: Duration,
    /// By how many messages the queue may grow within an hour.
    pub queue_growth: u32,
    /// How many recipients a sender may have within an hour.
    pub sender_recipients: u32,
}

impl WrittenAlarms {
    pub(crate) fn meant(&self, postmaster: Option<String>, reading: &mut Reading<'_>) -> Alarms {
        if self.webhook.as_deref().is_some_and(|url| !may_be_posted_to(url)) {
            let message = "`alarms.webhook` is no URL of HTTPS";
            reading.wrong(
                "alarms.webhook",
                message,
                "\"https://…\", or \"http://127.0.0.1:PORT/…\" within this machine",
            );
        }
        if self.command.first().is_some_and(|program| !program.starts_with('/')) {
            let message = "`alarms.command` begins with no path";
            reading.wrong(
                "alarms.command",
                message,
                "as in [\"/usr/local/bin/page\", \"--urgent\"]: no shell looks for it",
            );
        }
        if self.mail && postmaster.is_none() {
            let message = "`alarms.mail` needs somebody to write to";
            reading.wrong("alarms.mail", message, "set `domains.postmaster`");
        }
        Alarms {
            webhook: self.webhook.clone(),
            command: self.command.clone(),
            mail: postmaster.filter(|_| self.mail),
            language: self.language,
            quiet: Duration::from_mins(self.quiet_minutes.into()),
            queue_age: Duration::from_hours(self.queue_age_hours.into()),
            queue_growth: self.queue_growth,
            sender_recipients: self.sender_recipients,
        }
    }
}

/// Alarms name logins: they go in clear only within this machine.
fn may_be_posted_to(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_plain = !bare.is_empty() && !url.contains(|sign: char| sign.is_whitespace() || sign.is_control());
    match scheme {
        "https" => is_plain,
        "http" => is_plain && bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::may_be_posted_to;

    #[test]
    fn alarms_leave_the_machine_under_tls_only() {
        for url in ["https://chat.example/a?b", "https://chat.example:8443", "http://127.0.0.1:9/", "http://[::1]:9/x"]
        {
            assert!(may_be_posted_to(url), "{url}");
        }
        for url in [
            "",
            "https://",
            "http://localhost/",
            "http://192.0.2.1/",
            "http://127.0.0.1@evil.example/",
            "ftp://a/",
            "https://a b/",
        ] {
            assert!(!may_be_posted_to(url), "{url}");
        }
    }
}
