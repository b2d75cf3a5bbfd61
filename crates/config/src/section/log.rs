//! `[log]`: the log, one line per event.

use crate::reading::Reading;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Log", deny_unknown_fields, default)]
pub struct WrittenLog {
    /// Form of a line: `text` is `TIME LEVEL EVENT KEY=VALUE …`, `json` an object a line. Default `"text"`.
    pub format: LogFormat,
    /// File to append to, opened again at SIGHUP. Default none: standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What is logged: this level and those above it. Default `"info"`.
    pub level: LogLevel,
    /// Lines a second of one event at `info`; the rest is counted in a line `lines_suppressed`, once a second. Lines about
    /// accepted mail are never left out. 100 to 1,000,000. Default 5,000.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub lines_per_second_max: u32,
}

impl Default for WrittenLog {
    fn default() -> Self {
        Self { format: LogFormat::Text, file: None, level: LogLevel::Info, lines_per_second_max: 5_000 }
    }
}

/// `log.format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `TIME LEVEL EVENT KEY=VALUE …`
    Text,
    /// One JSON object a line.
    Json,
}

/// `log.level`
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// The operator must act.
    Error,
    /// Service is degraded.
    Warn,
    /// One line per fate: connection, recipient, message, login.
    Info,
    /// Decisions.
    Debug,
    /// The wire.
    Trace,
}

/// `[log]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Form of a line.
    pub format: LogFormat,
    /// `None`: standard error.
    pub file: Option<PathBuf>,
    /// What is logged.
    pub level: LogLevel,
    /// Lines of one event at `info` in a second.
    pub lines_per_second_max: u32,
}

impl WrittenLog {
    pub(crate) fn meant(&self, reading: &Reading<'_>) -> Log {
        Log {
            format: self.format,
            file: self.file.as_ref().map(|path| reading.below(path)),
            level: self.level,
            lines_per_second_max: self.lines_per_second_max,
        }
    }
}
