//! Who follows decisions: each is handed on, and nothing ever waits for who reads too slowly.
//!
//! Of one client at most [`RECORDS_PER_MINUTE`] connections, logins and guesses that are refused are told one by one: who knocks a
//! thousand times must not push the records of all others out.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use guard::record::{Origin, TurnedAway};
use guard::{ExplainId, Record};
use keep::BoundedMap;
use keep::gcra::{Rate, Tat};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::facts;

/// Refused connections, logins and guesses of one client that are told one by one.
pub const RECORDS_PER_MINUTE: u32 = 60;
/// Clients that are remembered for it.
const CLIENTS_MAX: usize = 8_192;

/// Hands records on.
#[derive(Debug)]
pub struct Records {
    follower: RwLock<Option<mpsc::Sender<Record>>>,
    dropped: Arc<AtomicU64>,
    flooding: Mutex<BoundedMap<IpAddr, Tat>>,
    flooded: AtomicU64,
    begun: Instant,
}

impl Default for Records {
    fn default() -> Self {
        Self {
            follower: RwLock::default(),
            dropped: Arc::default(),
            flooding: Mutex::new(BoundedMap::new(CLIENTS_MAX)),
            flooded: AtomicU64::new(0),
            begun: Instant::now(),
        }
    }
}

impl Records {
    /// The records of decisions from now on, at most `records_max` of them unread: what comes then is dropped, and counted. Who
    /// followed before is told no more.
    pub fn follow(&self, records_max: usize) -> mpsc::Receiver<Record> {
        let (sender, receiver) = mpsc::channel(records_max.max(1));
        *self.follower.write().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        receiver
    }

    /// Nobody follows any more: whoever did has read all when he sees the end.
    pub fn end(&self) {
        *self.follower.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Records that nobody had room for.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Their count, for who tells of it.
    pub fn dropped_count(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Refusals that were only counted, since their clients had too many.
    pub fn flooded(&self) -> u64 {
        self.flooded.load(Ordering::Relaxed)
    }

    pub(super) fn is_followed(&self) -> bool {
        self.follower.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// The id under which a client that is turned away is told of; `None`: it had too many, and this one is only counted.
    pub fn id_for(&self, client: Option<IpAddr>) -> Option<ExplainId> {
        let client = guard::cut_ipv6(client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 64);
        let rate = Rate::per(Duration::from_mins(1), RECORDS_PER_MINUTE);
        let now = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut flooding = self.flooding.lock().unwrap_or_else(PoisonError::into_inner);
        let tat = flooding.entry(client, |tat| tat.ahead(now));
        if let Ok(next) = rate.charge(*tat, now, 1) {
            *tat = next;
            drop(flooding);
            Some(facts::explain_id())
        } else {
            self.flooded.fetch_add(1, Ordering::Relaxed);
            None
        }
    }

    /// Tells of who was turned away.
    pub fn turned_away(&self, id: ExplainId, of: Origin, away: TurnedAway) {
        if self.is_followed() {
            self.tell(Record::turned_away(id, of, away));
        }
    }

    pub(super) fn tell(&self, record: Record) {
        let gone = match &*self.follower.read().unwrap_or_else(PoisonError::into_inner) {
            None => return,
            Some(follower) => match follower.try_send(record) {
                Ok(()) => return,
                Err(TrySendError::Full(_)) => {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(TrySendError::Closed(_)) => follower.clone(),
            },
        };
        let mut follower = self.follower.write().unwrap_or_else(PoisonError::into_inner);
        if follower.as_ref().is_some_and(|now| now.same_channel(&gone)) {
            *follower = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_client_that_floods_most_is_only_counted() {
        let records = Records::default();
        let told = |client: &str| (0..200).filter(|_| records.id_for(client.parse().ok()).is_some()).count();
        let first = told("192.0.2.7");
        assert!((60..70).contains(&first), "{first}");
        assert!(told("192.0.2.8") >= 60, "another client has its own");
        assert!(records.flooded() >= 260);
        assert!(told("2001:db8::1") >= 60);
        assert!(told("2001:db8::2") < 10, "the same /64");
    }
}
