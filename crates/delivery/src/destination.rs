//! What waits for one destination, and how many connections serve it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spool::QueueId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::classify::Verdict;
use crate::config::Limits;
use crate::job::Part;

/// Where mail goes together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Destination {
    /// The one host that relays for us.
    Smarthost,
    /// The next hop of a relay domain: `host:port`.
    NextHop(String),
    /// A domain or an address literal, by DNS.
    Domain(String),
    /// A mailbox server: `host:port`, or the path of a socket.
    Lmtp(String),
}

/// The destinations that have mail, or whose hosts rest.
#[derive(Debug, Default)]
pub(crate) struct Destinations(Mutex<HashMap<Destination, Arc<Queue>>>);

/// Destinations kept though they have nothing to do; more are swept.
const IDLE_MAX: usize = 1000;

/// One destination.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) destination: Destination,
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct State {
    parts: VecDeque<Part>,
    workers: usize,
    /// Of the workers, those that wait with an open connection.
    idle: usize,
    rest: Option<Rest>,
    /// Who waits since its hosts did not answer, and which recipients: they go as soon as one does.
    found_away: HashMap<QueueId, Vec<usize>>,
}

/// Messages that are remembered so for one destination; others go when their time comes.
const FOUND_AWAY_MAX: usize = 50_000;

/// A host that could not be reached is left alone.
#[derive(Debug, Clone)]
struct Rest {
    until: Instant,
    length: Duration,
    verdict: Verdict,
}

/// What became of a part that was to be queued.
#[derive(Debug)]
pub(crate) enum Queued {
    /// A worker will take it.
    Waits,
    /// A worker will take it, if one more is started.
    WantsWorker,
    /// The queue is full.
    Full(Part),
    /// The host rests, for the reason and the time given.
    Rests(Part, Box<Verdict>, Duration),
}

/// A rest that begins.
#[derive(Debug)]
pub(crate) struct Resting {
    /// What waited, to be deferred.
    pub(crate) parts: Vec<Part>,
    /// How long it takes.
    pub(crate) length: Duration,
}

impl Destinations {
    /// The queue of a destination, made where there is none.
    pub(crate) fn queue(&self, destination: &Destination) -> Arc<Queue> {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(destination) {
            return Arc::clone(queue);
        }
        if queues.len() >= IDLE_MAX {
            queues.retain(|_, queue| Arc::strong_count(queue) > 1 || !queue.is_forgettable());
        }
        let queue = Arc::new(Queue {
            destination: destination.clone(),
            state: Mutex::new(State::default()),
            bell: Notify::new(),
        });
        queues.insert(destination.clone(), Arc::clone(&queue));
        queue
    }

    /// Ends the rest of a destination, if it has one.
    pub(crate) fn wake(&self, destination: &Destination) {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(destination).map(Arc::clone);
        if let Some(queue) = queue {
            queue.wake();
        }
    }

    /// Destinations known, and messages waiting for them.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (queues.len(), queues.values().map(|queue| queue.state().parts.len()).sum())
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_forgettable(&self) -> bool {
        let state = self.state();
        let rests = state.rest.as_ref().is_some_and(|rest| rest.until > Instant::now());
        state.workers == 0 && state.parts.is_empty() && state.found_away.is_empty() && !rests
    }

    /// Queues a part, if of waiting and carried ones there are fewer than `parts_max`. After [`Queued::WantsWorker`] the caller starts one: it is counted already.
    pub(crate) fn push(&self, part: Part, workers_max: usize, parts_max: usize) -> Queued {
        let mut state = self.state();
        let now = Instant::now();
        if let Some(rest) = state.rest.clone().filter(|rest| rest.until > now) {
            state.found_away(&part);
            return Queued::Rests(part, Box::new(rest.verdict), rest.until - now);
        }
        let carried = state.workers.saturating_sub(state.idle);
        if state.parts.len() + carried >= parts_max.max(1) {
            return Queued::Full(part);
        }
        state.parts.push_back(part);
        // One after a rest: a host that was away is not greeted by ten connections.
        let workers_max = if state.rest.is_some() { 1 } else { workers_max.max(1) };
        if state.idle >= state.parts.len() || state.workers >= workers_max {
            drop(state);
            self.bell.notify_one();
            return Queued::Waits;
        }
        state.workers += 1;
        Queued::WantsWorker
    }

    /// The next part, if one waits.
    pub(crate) fn pop(&self) -> Option<Part> {
        self.state().parts.pop_front()
    }

    /// Waits for a part; `None` after `idle`. Cancel-safe.
    pub(crate) async fn wait(&self, idle: Duration) -> Option<Part> {
        let _waiting = Waiting::new(self);
        let deadline = Instant::now() + idle;
        loop {
            if let Some(part) = self.pop() {
                return Some(part);
            }
            tokio::time::timeout_at(deadline, self.bell.notified()).await.ok()?;
        }
    }

    /// A worker goes, unless a part came meanwhile.
    pub(crate) fn leave(&self) -> Option<Part> {
        let mut state = self.state();
        let part = state.parts.pop_front();
        if part.is_none() {
            state.workers = state.workers.saturating_sub(1);
        }
        part
    }

    /// A worker died; what waits is taken out, so that the leases end.
    pub(crate) fn lost_worker(&self) -> Vec<Part> {
        let mut state = self.state();
        state.workers = state.workers.saturating_sub(1);
        if state.workers == 0 { state.parts.drain(..).collect() } else { Vec::new() }
    }

    /// No host could be reached: nobody asks again before the rest is over.
    pub(crate) fn rest(&self, verdict: &Verdict, limits: &Limits) -> Resting {
        let mut state = self.state();
        let now = Instant::now();
        let length = match &state.rest {
            // Several workers run into the same wall: that is one failure.
            Some(rest) if rest.until > now => rest.length,
            Some(rest) => (rest.length * 2).min(limits.host_rest_max),
            None => limits.host_rest,
        };
        state.rest = Some(Rest { until: now + length, length, verdict: verdict.clone() });
        let parts: Vec<Part> = state.parts.drain(..).collect();
        for part in &parts {
            state.found_away(part);
        }
        Resting { parts, length }
    }

    /// Gives what waits, without a rest: an answer for good needs no host.
    pub(crate) fn drain(&self) -> Vec<Part> {
        self.state().parts.drain(..).collect()
    }

    /// This one waits for the hosts to come back.
    pub(crate) fn found_away(&self, part: &Part) {
        self.state().found_away(part);
    }

    /// A host was reached. Gives who waited for that.
    pub(crate) fn reached(&self) -> Vec<(QueueId, Vec<usize>)> {
        let mut state = self.state();
        state.rest = None;
        std::mem::take(&mut state.found_away).into_iter().collect()
    }

    /// The operator wants it tried, whatever rests. What it was told to rest for so far is not forgotten.
    pub(crate) fn wake(&self) {
        if let Some(rest) = &mut self.state().rest {
            rest.until = Instant::now();
        }
    }
}

impl State {
    fn found_away(&mut self, part: &Part) {
        let id = part.ticket.job.id;
        if self.found_away.len() >= FOUND_AWAY_MAX && !self.found_away.contains_key(&id) {
            return;
        }
        let known = self.found_away.entry(id).or_default();
        for recipient in &part.recipients {
            if !known.contains(recipient) {
                known.push(*recipient);
            }
        }
    }
}

/// Counts a waiting worker, also when the waiting is given up.
struct Waiting<'a>(&'a Queue);

impl<'a> Waiting<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.state().idle += 1;
        Self(queue)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.idle = state.idle.saturating_sub(1);
    }
}
