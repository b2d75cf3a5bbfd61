//! `[spool]`: the durable queue.

use crate::reading::Reading;
use crate::restart::Restart;
use crate::value::secs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[spool]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Spool", deny_unknown_fields, default)]
pub struct WrittenSpool {
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
    /// Space that stays free on the disk, in octets; below that new mail gets 452. 0 to 1,099,511,627,776. Default 104,857,600.
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
    /// How long to hold a mail that cannot be delivered and came from a stranger, who cannot get a bounce, in hours; then it is
    /// dropped, with a log line. Mail that `queue hold` or an access rule holds has no limit. 1 to 8,760. Default 168.
    #[schemars(range(min = 1, max = 8_760))]
    pub held_hours: u32,
    /// How many such mails are held for one destination; beyond that the oldest is dropped. 1 to 1,000,000. Default 10,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub held_messages: u32,
    /// How much of the queue's space on the disk, used and free, such mails of one destination may take, in percent; beyond that
    /// the oldest is dropped. All destinations together take half. 1 to 50. Default 10.
    #[schemars(range(min = 1, max = 50))]
    pub held_percent: u32,
}

impl Default for WrittenSpool {
    fn default() -> Self {
        Self {
            path: "spool".to_owned(),
            segment_octets: 67_108_864,
            inline_octets: 262_144,
            free_octets_min: 104_857_600,
            retry_first_secs: 300,
            retry_max_secs: 14_400,
            give_up_hours: 120,
            held_hours: 168,
            held_messages: 10_000,
            held_percent: 10,
        }
    }
}

/// `[spool]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Spool {
    pub path: PathBuf,
    pub segment_octets: u64,
    pub inline_octets: u64,
    pub free_octets_min: u64,
    pub retry_first: Duration,
    pub retry_max: Duration,
    pub give_up: Duration,
    pub held: Duration,
    pub held_messages: u32,
    pub held_percent: u32,
}

impl WrittenSpool {
    pub(crate) fn meant(&self, reading: &mut Reading<'_>) -> Spool {
        if self.retry_first_secs > self.retry_max_secs {
            let message = "`spool.retry_first_secs` is longer than `spool.retry_max_secs`";
            reading.wrong("spool.retry_first_secs", message, "waits grow from the first to the longest");
        }
        if self.segment_octets / 4 < self.inline_octets {
            let message = "`spool.segment_octets` is less than four times `spool.inline_octets`";
            reading.wrong("spool.segment_octets", message, "a segment holds several messages");
        }
        Spool {
            path: reading.below(&self.path),
            segment_octets: self.segment_octets,
            inline_octets: self.inline_octets,
            free_octets_min: self.free_octets_min,
            retry_first: secs(self.retry_first_secs),
            retry_max: secs(self.retry_max_secs),
            give_up: hours(self.give_up_hours),
            held: hours(self.held_hours),
            held_messages: self.held_messages,
            held_percent: self.held_percent,
        }
    }
}

fn hours(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 3_600)
}

impl Spool {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("spool.path", &self.path, &new.path);
        restart.compare("spool.segment_octets", &self.segment_octets, &new.segment_octets);
        restart.compare("spool.inline_octets", &self.inline_octets, &new.inline_octets);
        restart.compare("spool.free_octets_min", &self.free_octets_min, &new.free_octets_min);
        restart.compare("spool.retry_first_secs", &self.retry_first, &new.retry_first);
        restart.compare("spool.retry_max_secs", &self.retry_max, &new.retry_max);
        restart.compare("spool.give_up_hours", &self.give_up, &new.give_up);
        restart.compare("spool.held_hours", &self.held, &new.held);
        restart.compare("spool.held_messages", &self.held_messages, &new.held_messages);
        restart.compare("spool.held_percent", &self.held_percent, &new.held_percent);
    }
}
