//! Who holds how much of the evidence, so that whoever fills the table makes room in what is his: each account, each server
//! that tells, and each IPv6 /64 (one subscriber may walk it) has a bound, and above the bound of all the one that has most.
//! Of each the oldest goes first.
//!
//! Only the writing thread adds and removes, so this needs to be no faster than that.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::record::Key;

/// Addresses at which one account may have evidence: it is one person's, or one office's.
const OF_ACCOUNT_MAX: usize = 1_024;
/// Evidence within one IPv6 /64.
const OF_NETWORK_MAX: usize = 4_096;
/// Who has more than so many makes room for others first.
const MANY: usize = 64;
/// What a line may hold of what is gone, besides as much as is there.
const GONE_MAX: usize = 16;

/// Whose evidence it is, or where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// An account, or a server that tells.
    Subject(Arc<str>),
    /// The first half of an IPv6 address.
    Network(u64),
}

/// All who hold something.
#[derive(Debug)]
pub(super) struct Shares {
    lines: HashMap<Holder, Line>,
    /// Who has more than [`MANY`]; the last has most.
    many: BTreeSet<Many>,
    /// Evidence of one server, which tells of many clients.
    of_server_max: usize,
    of_network_max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Many {
    count: usize,
    login: Arc<str>,
}

/// What one has, the oldest first; some of it may be gone.
#[derive(Debug, Default)]
struct Line {
    count: usize,
    queue: VecDeque<Entry>,
}

/// A key, and the step of the index at which it ends unless it was renewed.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) step: u64,
}

impl Shares {
    /// Of a table with so many entries.
    pub(super) fn new(grants_max: usize) -> Self {
        let of_server_max = (grants_max / 2).max(1);
        let of_network_max = OF_NETWORK_MAX.min(of_server_max);
        Self { lines: HashMap::new(), many: BTreeSet::new(), of_server_max, of_network_max }
    }

    /// Something was added.
    pub(super) fn add(&mut self, entry: &Entry) {
        for holder in holders(&entry.key) {
            let line = self.lines.entry(holder.clone()).or_default();
            line.queue.push_back(entry.clone());
            let before = line.count;
            line.count += 1;
            self.counted(&holder, before);
        }
    }

    /// Something is gone. `is_there` tells of others whether they are, where a line has to be tidied up.
    pub(super) fn remove(&mut self, key: &Key, is_there: impl Fn(&Key) -> bool) {
        for holder in holders(key) {
            let Some(line) = self.lines.get_mut(&holder) else { continue };
            let before = line.count;
            line.count = line.count.saturating_sub(1);
            if line.queue.front().is_some_and(|first| first.key == *key) {
                line.queue.pop_front();
            }
            if line.queue.len() > 2 * line.count + GONE_MAX {
                let mut seen = HashSet::new();
                line.queue.retain(|entry| is_there(&entry.key) && seen.insert(entry.key.clone()));
            }
            self.counted(&holder, before);
        }
    }

    fn counted(&mut self, holder: &Holder, before: usize) {
        let now = self.count(holder);
        if now == 0 {
            self.lines.remove(holder);
        }
        let Holder::Subject(login) = holder else { return };
        let many = |count| Many { count, login: Arc::clone(login) };
        if before > MANY {
            self.many.remove(&many(before));
        }
        if now > MANY {
            self.many.insert(many(now));
        }
    }

    fn count(&self, holder: &Holder) -> usize {
        self.lines.get(holder).map_or(0, |line| line.count)
    }

    /// Of those who hold this, the one who has too much.
    pub(super) fn over(&self, key: &Key) -> Option<Holder> {
        holders(key).find(|holder| self.count(holder) > self.bound(holder))
    }

    fn bound(&self, holder: &Holder) -> usize {
        match holder {
            Holder::Network(_) => self.of_network_max,
            // See `record::subject_text`.
            Holder::Subject(login) if login.starts_with('[') => self.of_server_max,
            Holder::Subject(_) => OF_ACCOUNT_MAX,
        }
    }

    /// Who has most, if it is many.
    pub(super) fn greatest(&self) -> Option<Holder> {
        self.many.last().map(|many| Holder::Subject(Arc::clone(&many.login)))
    }

    /// Takes the first of a line, which may be gone, or to be put back by [`Shares::again`].
    pub(super) fn first(&mut self, holder: &Holder) -> Option<Entry> {
        self.lines.get_mut(holder)?.queue.pop_front()
    }

    /// It was renewed: its turn comes later.
    pub(super) fn again(&mut self, holder: &Holder, entry: Entry) {
        if let Some(line) = self.lines.get_mut(holder) {
            line.queue.push_back(entry);
        }
    }
}

/// The narrower one first: who walks a /64 makes room there, and not among the others of the server that tells.
fn holders(key: &Key) -> impl Iterator<Item = Holder> {
    let network = match key.addr {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => u64::try_from(u128::from(v6) >> 64).ok().map(Holder::Network),
    };
    network.into_iter().chain([Holder::Subject(Arc::clone(&key.login))])
}
