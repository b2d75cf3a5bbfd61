//! Octets that came in and were not read yet. An empty buffer has no memory, so an idle session has none.

use std::fmt;
use std::mem;

#[derive(Default)]
pub(super) struct Buffer {
    octets: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.octets[self.start..]
    }

    pub(super) fn len(&self) -> usize {
        self.octets.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn append(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        if self.start > 0 {
            self.octets.drain(..mem::take(&mut self.start));
        }
        self.octets.extend_from_slice(octets);
    }

    pub(super) fn consume(&mut self, octets: usize) {
        self.start += octets;
        if self.is_empty() {
            *self = Self::default();
        }
    }
}

/// Without the octets: there may be a password among them.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.len())
    }
}
