//! What the operator sets, as meant.

use std::path::PathBuf;

use crate::schedule::Backoff;

/// Settings of a spool; [`SpoolConfig::new`] gives the defaults.
#[derive(Debug, Clone)]
pub struct SpoolConfig {
    /// The folder, created when it is not there. One process at a time has it.
    pub dir: PathBuf,
    /// Size a segment is given on disk. At least four times `inline_octets`. Default 32 MiB.
    pub segment_octets: u64,
    /// A longer message gets a file of its own. At most 1 MiB. Default 64 KiB.
    pub inline_octets: usize,
    /// Nothing is accepted that would leave less than this free on the file system. Default 64 MiB.
    pub free_octets_min: u64,
    /// Most octets of fresh mail kept in memory so that the first attempt need not read them. Default 64 MiB.
    pub fresh_octets_max: usize,
    /// When a deferred recipient is tried again, and when it is given up.
    pub backoff: Backoff,
}

impl SpoolConfig {
    /// The defaults, for a spool in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            segment_octets: 32 << 20,
            inline_octets: 64 << 10,
            free_octets_min: 64 << 20,
            fresh_octets_max: 64 << 20,
            backoff: Backoff::default(),
        }
    }
}
