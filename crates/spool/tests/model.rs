//! Law: whatever is done in whatever order, with restarts in between, the spool holds what a plain map would.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::*;
use proptest::prelude::*;
use spool::{Outcome, QueueId, Spool};

#[derive(Debug, Clone)]
enum Act {
    Accept {
        recipients: usize,
        octets: usize,
    },
    /// Takes the next due message and settles its recipients, one outcome each in turn; fewer outcomes settle fewer.
    Attempt {
        outcomes: Vec<u8>,
    },
    Hold(prop::sample::Index),
    Release(prop::sample::Index),
    Delete(prop::sample::Index),
    Later,
    Reopen,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1usize..4, 0usize..20_000).prop_map(|(recipients, octets)| Act::Accept { recipients, octets }),
        8 => prop::collection::vec(0u8..4, 0..4).prop_map(|outcomes| Act::Attempt { outcomes }),
        1 => any::<prop::sample::Index>().prop_map(Act::Hold),
        1 => any::<prop::sample::Index>().prop_map(Act::Release),
        1 => any::<prop::sample::Index>().prop_map(Act::Delete),
        1 => Just(Act::Later),
        1 => Just(Act::Reopen),
    ]
}

/// A message of the model.
struct Mail {
    octets: usize,
    waiting: Vec<bool>,
    /// Recipients that are held by themselves.
    shelved: Vec<bool>,
    held: bool,
}

struct World {
    dir: tempfile::TempDir,
    spool: Option<Arc<Spool>>,
    mails: BTreeMap<QueueId, Mail>,
    now: u64,
}

impl World {
    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    fn pick(&self, index: prop::sample::Index) -> Option<QueueId> {
        (!self.mails.is_empty()).then(|| *self.mails.keys().nth(index.index(self.mails.len())).unwrap())
    }

    async fn act(&mut self, act: &Act) {
        match act {
            Act::Accept { recipients, octets: len } => self.accept(*recipients, *len).await,
            Act::Attempt { outcomes } => self.attempt(outcomes).await,
            Act::Hold(index) => {
                if let Some(id) = self.pick(*index) {
                    assert!(self.spool().hold(id).await.unwrap());
                    self.mails.get_mut(&id).unwrap().held = true;
                }
            }
            Act::Release(index) => {
                if let Some(id) = self.pick(*index) {
                    assert!(self.spool().release(id, self.now).await.unwrap());
                    let mail = self.mails.get_mut(&id).unwrap();
                    mail.held = false;
                    for (waiting, shelved) in mail.waiting.iter_mut().zip(&mut mail.shelved) {
                        *waiting |= std::mem::take(shelved);
                    }
                }
            }
            Act::Delete(index) => {
                if let Some(id) = self.pick(*index) {
                    assert!(self.spool().delete(id).await.unwrap());
                    self.mails.remove(&id);
                }
            }
            Act::Later => self.now += 5 * 60 * MINUTE,
            Act::Reopen => {
                self.spool.take().unwrap().close().await;
                let (spool, recovery) = open(self.dir.path());
                assert!(recovery.damaged.is_empty() && recovery.missing_bodies.is_empty() && recovery.orphans == 0);
                self.spool = Some(spool);
            }
        }
    }

    async fn accept(&mut self, recipients: usize, len: usize) {
        let forward_paths = ["a@x", "b@x", "c@x"];
        let incoming = self.spool().incoming();
        let envelope = envelope("s@t", &forward_paths[..recipients]);
        let seed = self.now + len as u64;
        let id = incoming.commit(envelope, octets(seed, len)).await.unwrap();
        self.mails.insert(
            id,
            Mail { octets: len, waiting: vec![true; recipients], shelved: vec![false; recipients], held: false },
        );
    }

    async fn attempt(&mut self, outcomes: &[u8]) {
        let Some(job) = self.spool().try_next(self.now).await else { return };
        let mail = self.mails.get_mut(&job.id).unwrap();
        assert!(!mail.held, "a held message was handed out");
        assert!(job.due.iter().all(|n| mail.waiting[*n]), "a settled recipient was handed out");
        assert_eq!(content(&job).await.len(), mail.octets);
        let mut told = Vec::new();
        for (n, outcome) in job.due.iter().zip(outcomes) {
            let outcome = match outcome {
                0 => Outcome::Delivered { note: "ok".into() },
                1 => Outcome::Failed { reply: "550 no".into() },
                2 => Outcome::Held { reason: "look".into() },
                _ => Outcome::Deferred { reason: "busy".into(), retry_hint: None },
            };
            match outcome {
                Outcome::Delivered { .. } | Outcome::Failed { .. } => mail.waiting[*n] = false,
                Outcome::Held { .. } => (mail.waiting[*n], mail.shelved[*n]) = (false, true),
                Outcome::Deferred { .. } | Outcome::Postponed { .. } | Outcome::Kept { .. } => (),
            }
            told.push((*n, outcome));
        }
        let finished = !mail.waiting.contains(&true) && !mail.shelved.contains(&true);
        assert_eq!(job.settle(told).finished, finished);
        if finished {
            self.mails.remove(&job.id);
        }
    }

    async fn check(&self) {
        assert_eq!(self.spool().len(), self.mails.len());
        for (id, mail) in &self.mails {
            let listed = self.spool().show(*id).await.unwrap();
            let waiting = listed.recipients.iter().map(|r| r.state == spool::RecipientState::Waiting);
            assert_eq!((waiting.collect::<Vec<_>>(), listed.hold.is_some()), (mail.waiting.clone(), mail.held));
            let shelved = listed.recipients.iter().map(|r| r.state == spool::RecipientState::Held);
            assert_eq!(shelved.collect::<Vec<_>>(), mail.shelved);
            assert_eq!(listed.held, mail.held || mail.shelved.contains(&true));
        }
        let stats = self.spool().stats(self.now);
        assert_eq!(stats.messages, self.mails.len() as u64);
        assert_eq!(stats.active, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_spool_holds_what_a_plain_map_would(acts in prop::collection::vec(any_act(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let (spool, _) = open(dir.path());
            let mut world = World { dir, spool: Some(spool), mails: BTreeMap::new(), now: ARRIVED };
            for act in &acts {
                world.act(act).await;
            }
            world.check().await;
            world.act(&Act::Reopen).await;
            world.check().await;
        });
    }
}
