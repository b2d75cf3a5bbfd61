//! `[[watch]]`: logs of other servers that tell of logins.

use crate::reading::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[[watch]]`: a log of another POP or IMAP server whose lines of logins become grants. The weakest evidence: whoever can write
/// there is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Watch", deny_unknown_fields)]
pub struct WrittenWatch {
    /// Which server wrote the lines. Required.
    pub format: WatchFormat,
    /// The log file; it may be rotated. Default none: `unit` is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Unit of the system's journal, read by `journalctl`. Default none: `file` is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// `watch.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WatchFormat {
    /// `pop3-login: Login: user=<…>, …, rip=…`
    Dovecot,
    /// `pop3d: LOGIN, user=…, ip=[…]`
    Courier,
    /// `pop3[…]: login: host [ADDRESS] user …`
    Cyrus,
}

/// `[[watch]]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Which server wrote the lines.
    pub format: WatchFormat,
    /// Where they are.
    pub source: WatchSource,
}

/// Where a log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchSource {
    /// A file.
    File(PathBuf),
    /// A unit of the system's journal.
    Unit(String),
}

/// All of `[[watch]]`, as meant.
pub(crate) fn meant(written: &[WrittenWatch], reading: &mut Reading<'_>) -> Vec<Watch> {
    let each = written.iter().enumerate();
    each.filter_map(|(index, entry)| entry.meant(&format!("watch[{index}]"), reading)).collect()
}

impl WrittenWatch {
    fn meant(&self, path: &str, reading: &mut Reading<'_>) -> Option<Watch> {
        let source = match (&self.file, &self.unit) {
            (Some(file), None) => WatchSource::File(reading.base_dir.join(file)),
            (None, Some(unit)) => WatchSource::Unit(unit.clone()),
            _ => {
                reading.wrong(path, "a log is either a `file` or a `unit`", "give exactly one of the two");
                return None;
            }
        };
        Some(Watch { format: self.format, source })
    }
}
