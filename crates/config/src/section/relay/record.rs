//! `[relay.record]`: the lines that relayed messages leave.

use crate::reading::Reading;
use crate::restart::Restart;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[relay.record]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename = "Record", deny_unknown_fields, default)]
pub struct WrittenRecord {
    /// Each relayed message gets a line in `record/relay.jsonl` of `data_dir`; a keyed sum binds it to the line before (`sekisho
    /// log relay --verify`). This is the number of full files of 16 MiB (about 20,000 messages) that are kept besides the one in
    /// use; then the oldest is removed. 1 to 1,000. Default 64.
    #[schemars(range(min = 1, max = 1_000))]
    pub files: u32,
    /// File for the end of the chain, every hour and when the server stops, as `NUMBER:SUM`, besides the log (`relay_chain`). Put
    /// it on another disk or machine: then a cut-off end is found. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_file: Option<String>,
}

impl Default for WrittenRecord {
    fn default() -> Self {
        Self { files: 64, head_file: None }
    }
}

/// `[relay.record]`, as meant.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "told at the keys of the same name above")]
pub struct Record {
    pub files: u32,
    pub head_file: Option<PathBuf>,
}

impl WrittenRecord {
    pub(super) fn meant(&self, reading: &Reading<'_>) -> Record {
        Record { files: self.files, head_file: self.head_file.as_ref().map(|path| reading.below(path)) }
    }
}

impl Record {
    pub(super) fn needing_a_restart(&self, new: &Self, restart: &mut Restart) {
        restart.compare("relay.record.files", &self.files, &new.files);
    }
}
