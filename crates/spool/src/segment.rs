//! A segment: an append-only file of records. It goes when nothing in it, nor in any older one, is needed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::QueueId;
use crate::error::SpoolError;
use crate::mutex::locked;

const SUFFIX: &str = ".segment";

/// An open segment. The counts are only changed under the index's lock.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    used_octets: AtomicU64,
    live: AtomicU64,
    live_octets: AtomicU64,
    damaged: AtomicBool,
    ids: Mutex<Vec<QueueId>>,
}

impl Segment {
    pub(crate) fn new(number: u64, path: PathBuf, file: File) -> Self {
        Self {
            number,
            path,
            file,
            used_octets: AtomicU64::new(0),
            live: AtomicU64::new(0),
            live_octets: AtomicU64::new(0),
            damaged: AtomicBool::new(false),
            ids: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn grow_to(&self, octets: u64) {
        self.used_octets.fetch_max(octets, Ordering::Relaxed);
    }

    pub(crate) fn used_octets(&self) -> u64 {
        self.used_octets.load(Ordering::Relaxed)
    }

    pub(crate) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    pub(crate) fn live_octets(&self) -> u64 {
        self.live_octets.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, id: QueueId, octets: u32) {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.live_octets.fetch_add(u64::from(octets), Ordering::Relaxed);
        locked(&self.ids).push(id);
    }

    pub(crate) fn subtract(&self, octets: u32) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        self.live_octets.fetch_sub(u64::from(octets), Ordering::Relaxed);
    }

    /// Up to `count` ids that were added once; the caller looks whether they still are.
    pub(crate) fn take_ids(&self, count: usize) -> Vec<QueueId> {
        let mut ids = locked(&self.ids);
        let keep = ids.len().saturating_sub(count);
        ids.split_off(keep)
    }

    pub(crate) fn give_back_ids(&self, ids: &[QueueId]) {
        locked(&self.ids).extend_from_slice(ids);
    }

    /// Something in it cannot be read: it will be kept aside, not removed.
    pub(crate) fn mark_damaged(&self) {
        self.damaged.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }
}

/// Where a record stands.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u32,
    pub(crate) octets: u32,
}

impl Position {
    /// The whole record's octets, unchecked.
    pub(crate) fn read(&self) -> Result<Vec<u8>, SpoolError> {
        let mut octets = vec![0; self.octets as usize];
        self.segment
            .file
            .read_exact_at(&mut octets, u64::from(self.offset))
            .map_err(SpoolError::at(&self.segment.path, "read"))?;
        Ok(octets)
    }
}

pub(crate) fn file_name(number: u64) -> String {
    format!("{}{SUFFIX}", QueueId(number))
}

/// The number in a segment's file name.
pub(crate) fn number_of(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_suffix(SUFFIX)?.parse::<QueueId>().ok().map(QueueId::as_u64)
}
