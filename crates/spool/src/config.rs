//! What the operator sets, as meant.

use std::path::PathBuf;
use std::time::Duration;

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
    /// How much is held of what cannot be delivered and nobody may be told of.
    pub held: HeldLimits,
    /// Where each message that is relayed leaves its line ([`Incoming::relayed`](crate::Incoming::relayed)). Default none.
    pub relayed: Option<keep::chain::Chain>,
}

/// Bounds to recipients that are held by themselves ([`Outcome::Held`](crate::Outcome::Held)); beyond them the oldest are
/// dropped. What a person or a rule holds ([`Spool::hold`](crate::Spool::hold)) has no bound and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLimits {
    /// How long one is held. Default 7 days.
    pub age: Duration,
    /// Messages for one destination. Default 10,000.
    pub messages_max: usize,
    /// The share of one destination in the room that the spool has on its disk, used and free, in percent; all together have
    /// half. Default 10.
    pub percent: u8,
}

impl Default for HeldLimits {
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), messages_max: 10_000, percent: 10 }
    }
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
            held: HeldLimits::default(),
            relayed: None,
        }
    }
}
