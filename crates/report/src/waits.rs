//! Who was greylisted, and who of them came back. A pool sends again from another address: mails are told apart by their paths.

use std::collections::HashMap;

/// Mails that are told apart.
const MAILS_MAX: usize = 50_000;

/// Greylisted mails.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    mails: HashMap<(String, String), Wait>,
    /// Mails beyond what is told apart.
    pub(crate) others: u64,
}

#[derive(Debug)]
struct Wait {
    first_micros: u64,
    taken_micros: Option<u64>,
}

/// What they come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Waited {
    /// Mails to a recipient that were asked to come back.
    pub mails: u64,
    /// Those that came back and were taken.
    pub taken: u64,
    /// Of these, half waited no longer than so many seconds.
    pub median_secs: Option<u64>,
    /// The longest wait, in seconds.
    pub longest_secs: Option<u64>,
}

impl Waits {
    /// It has to come back.
    pub(crate) fn greylisted(&mut self, from: &str, to: &str, at_micros: u64) {
        let key = (from.to_owned(), to.to_owned());
        if self.mails.len() >= MAILS_MAX && !self.mails.contains_key(&key) {
            self.others += 1;
            return;
        }
        self.mails.entry(key).or_insert(Wait { first_micros: at_micros, taken_micros: None });
    }

    /// It was taken.
    pub(crate) fn taken(&mut self, from: &str, to: &str, at_micros: u64) {
        if self.mails.is_empty() {
            return;
        }
        if let Some(wait) = self.mails.get_mut(&(from.to_owned(), to.to_owned())) {
            wait.taken_micros.get_or_insert(at_micros);
        }
    }

    /// What they come to.
    pub(crate) fn come_to(&self) -> Waited {
        let waited = |wait: &Wait| Some(wait.taken_micros?.saturating_sub(wait.first_micros) / 1_000_000);
        let mut secs: Vec<u64> = self.mails.values().filter_map(waited).collect();
        secs.sort_unstable();
        Waited {
            mails: self.mails.len() as u64 + self.others,
            taken: secs.len() as u64,
            median_secs: secs.get(secs.len() / 2).copied(),
            longest_secs: secs.last().copied(),
        }
    }
}
