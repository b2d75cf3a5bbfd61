//! What is held by itself is kept within its bounds: when more comes, every minute, and when room is wanted.

use tokio::sync::oneshot;

use crate::held::{Alarm, Bounds, Drop, Excess};
use crate::index::Index;
use crate::shared::{Done, Shared};
use crate::state::State;
use crate::{AcceptError, QueueId};

/// How often ages are looked at, in microseconds.
const AGES_EVERY: i64 = 60 * 1_000_000;
/// Most messages dropped at once for room, so that the lock is let go.
const ROOM_STEPS: usize = 10_000;

impl Shared {
    /// After more was held for a destination.
    pub(crate) fn tend(&self, destination: &str) {
        let room_octets = self.room_octets();
        loop {
            let mut index = self.index();
            let bounds = Bounds { limits: &self.config.held, room_octets, now: index.moment() };
            let alarms = index.held.alarms(&bounds);
            let excess = index.held.excess(Some(destination), &bounds);
            let gone = excess.is_some_and(|excess| self.drop_held(&mut index, &excess));
            drop(index);
            tell(alarms);
            if !gone {
                return;
            }
        }
    }

    /// What is due by the clock; does something once a minute at most.
    pub(crate) fn tend_by_time(&self) {
        let now = {
            let mut index = self.index();
            let now = index.moment();
            if index.tended_at.is_some_and(|at| now.saturating_sub(at) < AGES_EVERY) {
                return;
            }
            index.tended_at = Some(now);
            now
        };
        let room_octets = self.room_octets();
        let bounds = Bounds { limits: &self.config.held, room_octets, now };
        let mut index = self.index();
        index.held.tidy(now);
        let alarms = index.held.alarms(&bounds);
        for aged in index.held.aged(&bounds) {
            self.drop_held(&mut index, &aged);
        }
        while let Some(excess) = index.held.excess(None, &bounds)
            && self.drop_held(&mut index, &excess)
        {}
        drop(index);
        tell(alarms);
    }

    /// Whether a mail of so many octets may come; what is held goes before anybody else's mail is refused for it.
    pub(crate) async fn make_room(&self, octets: u64) -> Result<(), AcceptError> {
        let Err(refusal) = self.space.check(octets) else { return Ok(()) };
        let AcceptError::Full { free_octets, needed_octets, .. } = &refusal else { return Err(refusal) };
        if !self.drop_for_room(needed_octets.saturating_sub(*free_octets)) {
            return Err(refusal);
        }
        let (barrier, written) = oneshot::channel();
        self.post(|inbox| inbox.barrier(barrier));
        let _ = written.await;
        self.space.forget();
        self.space.check(octets)
    }

    /// Drops the oldest of what is held until so many octets go; whether any went.
    pub(crate) fn drop_for_room(&self, octets: u64) -> bool {
        let mut index = self.index();
        let mut freed = 0u64;
        let mut any = false;
        for _ in 0..ROOM_STEPS {
            let Some(oldest) = index.held.oldest(Excess::Room) else { break };
            let more = index.held.octets_of(oldest.id);
            if !self.drop_held(&mut index, &oldest) {
                break;
            }
            any = true;
            freed = freed.saturating_add(more.max(1));
            if freed >= octets {
                break;
            }
        }
        any
    }

    /// Used by the spool and free for it, in octets.
    pub(crate) fn room_octets(&self) -> u64 {
        self.space.room_octets(|| self.index().segments_octets())
    }

    /// Settles held recipients as failed; whether anything changed.
    fn drop_held(&self, index: &mut Index, dropped: &Drop) -> bool {
        let id = dropped.id;
        index.held.dropped(dropped);
        let changed = index.update(id, |entry| {
            for held in &dropped.recipients {
                if let Some(now) =
                    entry.recipients.all_mut().get_mut(held.recipient).filter(|it| it.state == State::Held)
                {
                    now.state = State::Failed;
                }
            }
            (entry.is_finished(), std::mem::replace(&mut entry.dirty, true))
        });
        let Some((finished, was_dirty)) = changed else { return false };
        for held in &dropped.recipients {
            tracing::info!(queue_id = %id, forward_path = ?held.forward_path, destination = ?held.destination,
                excess = %dropped.excess, "recipient dropped");
        }
        if finished {
            self.finish(index, id);
        } else if !was_dirty {
            self.post(|inbox| inbox.dirty.push(id));
        }
        true
    }

    /// Takes a message out that is settled.
    pub(crate) fn finish(&self, index: &mut Index, id: QueueId) {
        let file_octets = index.remove(id).and_then(|entry| entry.file_octets());
        self.post(|inbox| inbox.done.push(Done { id, file_octets }));
    }
}

fn tell(alarms: Vec<Alarm>) {
    for Alarm { destination, messages, octets } in alarms {
        tracing::warn!(?destination, messages, octets, "hold crowded");
    }
}
