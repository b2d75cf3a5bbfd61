//! How many connections there are: a user who opens many must not keep the others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Connections of one user.
pub(crate) const PER_USER_MAX: usize = 4;
/// Connections in all. Each costs a task, and perhaps the check of a password, of which only some run at a time.
pub(crate) const ALL_MAX: usize = 128;

/// Who is connected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<u32, usize>>>);

/// A connection's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Crowd,
    uid: u32,
}

impl Crowd {
    /// A place for one more of this user; `None`: there is none.
    pub(crate) fn place(&self, uid: u32) -> Option<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = places.values().sum();
        let own = places.get(&uid).copied().unwrap_or(0);
        if all >= ALL_MAX || own >= PER_USER_MAX {
            return None;
        }
        places.insert(uid, own + 1);
        Some(Place { crowd: self.clone(), uid })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        match places.get_mut(&self.uid) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(places.remove(&self.uid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_keeps_nobody_else_out() {
        let crowd = Crowd::default();
        let mut own: Vec<Option<Place>> = (0..PER_USER_MAX).map(|_| crowd.place(1)).collect();
        assert!(own.iter().all(Option::is_some));
        assert!(crowd.place(1).is_none());
        assert!(crowd.place(2).is_some(), "given back at once");
        own.pop();
        assert!(crowd.place(1).is_some());
        drop(own);
        assert!(crowd.0.lock().unwrap().is_empty(), "nobody is remembered");
        let all: Vec<Place> = (0..1_000).filter_map(|uid| crowd.place(uid)).collect();
        assert_eq!(all.len(), ALL_MAX);
    }
}
