//! Names of hosts that are remembered for a while, at most so many of them.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keep::BoundedMap;
use tokio::time::Instant;

/// Each until its time.
#[derive(Debug)]
pub(crate) struct Names(Mutex<BoundedMap<Box<str>, Instant>>);

impl Names {
    /// One more than `names_max` makes another forgotten.
    pub(crate) fn new(names_max: usize) -> Self {
        Self(Mutex::new(BoundedMap::new(names_max)))
    }

    pub(crate) fn remember(&self, name: &str, span: Duration) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(name.into(), Instant::now() + span);
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        names.get_mut(name).is_some_and(|until| *until > Instant::now())
    }
}
