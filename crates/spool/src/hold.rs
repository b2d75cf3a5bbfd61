//! What the operator may do with a message: keep it, let it go, try it, take it out. What is held here has no end by
//! itself and counts towards no bound.

use tokio::sync::oneshot;

use crate::entry::{Entry, OriginKey};
use crate::job::load;
use crate::shared::Done;
use crate::state::State;
use crate::{AcceptError, Envelope, QueueId, Spool, UnixMicros};

/// Messages changed before the lock is let go for a moment.
const PAGE: usize = 256;
/// Why a message is held that the operator holds.
const OPERATOR: &str = "operator";

impl Spool {
    /// Keeps a message until [`Spool::release`]; a transaction under way is still settled. Durable; `false` if there is
    /// no such message.
    pub async fn hold(&self, id: QueueId) -> Result<bool, AcceptError> {
        Ok(self.hold_all(vec![id], OPERATOR).await? == 1)
    }

    /// Keeps all that a login brought, by whichever right, until it is released; `reason` is a stable word. Of a message that
    /// is held already the reason becomes this. Durable; how many were held. Mail whose accepting had begun before the call is
    /// among them.
    pub async fn hold_of_login(&self, login: &str, reason: &str) -> Result<usize, AcceptError> {
        self.written().await?;
        let of_login = |entry: &Entry| matches!(&entry.origin, OriginKey::Account(by) if **by == *login);
        self.hold_all(self.ids_of(of_login), reason).await
    }

    /// As [`Spool::hold_of_login`], for what came by a right without a login (`network`, `client-map`, `pop`): of that all
    /// which `is_over` says. A message that cannot be read now is held, too.
    pub async fn hold_of_grant(
        &self,
        grant: &str,
        reason: &str,
        is_over: impl Fn(&Envelope) -> bool,
    ) -> Result<usize, AcceptError> {
        self.written().await?;
        let of_grant = |entry: &Entry| matches!(&entry.origin, OriginKey::Grant(by) if **by == *grant);
        let mut over = Vec::new();
        for id in self.ids_of(of_grant) {
            let Some(position) = self.shared.index().entries.get(&id).map(|entry| entry.position.clone()) else {
                continue;
            };
            if load(&self.shared, id, position).await.map_or(true, |(envelope, _)| is_over(&envelope)) {
                over.push(id);
            }
        }
        self.hold_all(over, reason).await
    }

    /// Lets a held message go, and its recipients that are held by themselves, and makes it due at `now`. Durable.
    pub async fn release(&self, id: QueueId, now: UnixMicros) -> Result<bool, AcceptError> {
        let changed = self.change(id, |entry| {
            entry.hold = None;
            for recipient in entry.recipients.all_mut().iter_mut().filter(|it| it.state == State::Held) {
                recipient.state = State::Waiting;
            }
            make_due(entry, now);
        });
        changed.await
    }

    /// Lets all go that are held for this reason, and makes them due at `now`; recipients that are held by themselves stay so.
    /// Durable; how many were released.
    pub async fn release_all(&self, reason: &str, now: UnixMicros) -> Result<usize, AcceptError> {
        let mut released = 0;
        for page in self.ids_of(|entry| entry.hold.as_deref() == Some(reason)).chunks(PAGE) {
            let mut index = self.shared.index();
            for &id in page {
                let changed = index.update(id, |entry| {
                    entry.hold = None;
                    make_due(entry, now);
                    std::mem::replace(&mut entry.dirty, true)
                });
                let Some(was_dirty) = changed else { continue };
                released += 1;
                index.follow(id);
                if !was_dirty {
                    self.shared.post(|inbox| inbox.dirty.push(id));
                }
            }
        }
        self.shared.due_bell.notify_one();
        if released > 0 {
            self.written().await?;
        }
        Ok(released)
    }

    /// Makes a message due at `now`, whatever its back-off; a held one stays held.
    pub async fn retry(&self, id: QueueId, now: UnixMicros) -> Result<bool, AcceptError> {
        self.change(id, |entry| make_due(entry, now)).await
    }

    /// Makes these recipients due at `now`, whatever their back-off, without waiting for the disk: what a crash forgets waits as it
    /// did before. A held message stays held, and who waits no more is left alone. Gives how many messages there were.
    pub fn hasten(&self, recipients: &[(QueueId, Vec<usize>)], now: UnixMicros) -> usize {
        let mut hastened = 0;
        for page in recipients.chunks(PAGE) {
            let mut index = self.shared.index();
            for (id, of_it) in page {
                let changed = index.update(*id, |entry| {
                    let all = entry.recipients.all_mut();
                    for &n in of_it {
                        if let Some(recipient) = all.get_mut(n).filter(|recipient| recipient.is_waiting()) {
                            recipient.due = now;
                        }
                    }
                    std::mem::replace(&mut entry.dirty, true)
                });
                let Some(was_dirty) = changed else { continue };
                hastened += 1;
                if !was_dirty {
                    self.shared.post(|inbox| inbox.dirty.push(*id));
                }
            }
        }
        self.shared.due_bell.notify_one();
        hastened
    }

    /// Takes a message out for good, without a word to anybody. Durable. An attempt under way is not stopped.
    pub async fn delete(&self, id: QueueId) -> Result<bool, AcceptError> {
        let reply = {
            let mut index = self.shared.index();
            let Some(entry) = index.remove(id) else { return Ok(false) };
            let done = Done { id, file_octets: entry.file_octets() };
            let (barrier, reply) = oneshot::channel();
            self.shared.post(|inbox| {
                inbox.done.push(done);
                inbox.barrier(barrier);
            });
            reply
        };
        reply.await.unwrap_or(Err(AcceptError::Closed)).map(|()| true)
    }

    /// Waits until all that came in before is written, and so in the index.
    async fn written(&self) -> Result<(), AcceptError> {
        let (barrier, reply) = oneshot::channel();
        self.shared.post(|inbox| inbox.barrier(barrier));
        reply.await.unwrap_or(Err(AcceptError::Closed))
    }

    fn ids_of(&self, of: impl Fn(&Entry) -> bool) -> Vec<QueueId> {
        self.shared.index().entries.iter().filter(|(_, entry)| of(entry)).map(|(id, _)| *id).collect()
    }

    async fn hold_all(&self, ids: Vec<QueueId>, reason: &str) -> Result<usize, AcceptError> {
        let mut held = 0;
        {
            let mut index = self.shared.index();
            let reason = index.reason(reason);
            for id in ids {
                let changed = index.update(id, |entry| {
                    entry.hold = Some(reason.clone());
                    std::mem::replace(&mut entry.dirty, true)
                });
                let Some(was_dirty) = changed else { continue };
                held += 1;
                index.held.set_kept(id, true);
                if !was_dirty {
                    self.shared.post(|inbox| inbox.dirty.push(id));
                }
            }
        }
        if held > 0 {
            self.written().await?;
        }
        Ok(held)
    }

    async fn change(&self, id: QueueId, change: impl FnOnce(&mut Entry)) -> Result<bool, AcceptError> {
        let reply = {
            let mut index = self.shared.index();
            let changed = index.update(id, |entry| {
                change(entry);
                std::mem::replace(&mut entry.dirty, true)
            });
            let Some(was_dirty) = changed else { return Ok(false) };
            index.follow(id);
            let (barrier, reply) = oneshot::channel();
            self.shared.post(|inbox| {
                if !was_dirty {
                    inbox.dirty.push(id);
                }
                inbox.barrier(barrier);
            });
            reply
        };
        self.shared.due_bell.notify_one();
        reply.await.unwrap_or(Err(AcceptError::Closed)).map(|()| true)
    }
}

fn make_due(entry: &mut Entry, now: UnixMicros) {
    for recipient in entry.recipients.all_mut().iter_mut().filter(|recipient| recipient.is_waiting()) {
        recipient.due = now;
    }
}
