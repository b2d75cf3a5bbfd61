//! `[records]`: decisions, as they are kept.

use crate::reading::Reading;
use crate::restart::Restart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{path::PathBuf, time::Duration};

/// `[records]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Records", deny_unknown_fields, default)]
pub struct WrittenRecords {
    /// Keep a record of each recipient that is accepted or refused, and of each refused connection, command and login, for
    /// `sekisho explain`, `sekisho records` and the reports. No mail waits for them: if the disk is too slow, records are dropped
    /// and counted, and a crash loses those of the last second. Default `true`.
    pub enabled: bool,
    /// Folder of the records. Default `"records"`.
    pub path: String,
    /// How long a record is kept, in days. 1 to 3,650. Default 30.
    #[schemars(range(min = 1, max = 3_650))]
    pub keep_days: u32,
    /// Size of all records together, in octets; when it is reached, the oldest are deleted.
    /// 16,777,216 to 1,099,511,627,776. Default 1,073,741,824.
    #[schemars(range(min = 16_777_216, max = 1_099_511_627_776_u64))]
    pub max_octets: u64,
    /// Personal data that is left out. `"none"`: everything is kept. `"addresses"`: for mail addresses and logins only the domain
    /// is kept, and a hash of the whole with a key of this server, so that a search for the exact address still finds it.
    /// `"all"`: the same, and the network of a client (/24 or /48) instead of its address, without its names. Existing records
    /// stay as they are. Default `"none"`.
    pub redact: Redaction,
}

impl Default for WrittenRecords {
    fn default() -> Self {
        let (path, redact) = ("records".to_owned(), Redaction::None);
        Self { enabled: true, path, keep_days: 30, max_octets: 1 << 30, redact }
    }
}

/// `records.redact`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Redaction {
    /// All of it is kept.
    None,
    /// The local part of each address, and logins, as a hash.
    Addresses,
    /// That, and clients cut to their network.
    All,
}

/// `[records]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Records {
    pub enabled: bool,
    pub path: PathBuf,
    pub keep: Duration,
    pub max_octets: u64,
    pub redact: Redaction,
}

impl WrittenRecords {
    pub(crate) fn meant(&self, reading: &Reading<'_>) -> Records {
        Records {
            enabled: self.enabled,
            path: reading.below(&self.path),
            keep: Duration::from_secs(u64::from(self.keep_days) * 86_400),
            max_octets: self.max_octets,
            redact: self.redact,
        }
    }
}

impl Records {
    pub(crate) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("records.enabled", &self.enabled, &new.enabled);
        restart.compare("records.path", &self.path, &new.path);
    }
}
