//! Locking.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; a panic elsewhere does not spread (the data is left consistent at every step).
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
