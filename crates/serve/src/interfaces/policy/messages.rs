//! What is remembered of messages about which a mail server asks more than once: recipients that were charged, and what
//! access rules want done. Nearly all messages have neither, and nothing is kept of them.
//!
//! Bounded in number and time. What is forgotten too early is charged again, never permitted.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use guard::Effects;
use keep::BoundedMap;
use mta::policy::Request;
use tokio::sync::{Mutex as Turn, MutexGuard};

use config::RelayMode;
use judge::Case;

/// Messages that are remembered.
const MESSAGES_MAX: usize = 10_000;
/// For so long after the last question at least, and at most twice as long.
const KEPT: Duration = Duration::from_mins(10);
/// Permitted recipients that are remembered of one message; Postfix takes 1,000 unless told otherwise.
const RECIPIENTS_MAX: usize = 1_000;

/// A message by a keyed hash of the listener, its `instance`, and who sends it: a message of somebody else is another one
/// whatever its `instance`.
type Key = u128;

/// Where it is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The listener.
    pub listener: &'a str,
    /// Who decides about relaying there now.
    pub mode: RelayMode,
}

/// Messages by number and time: what is not asked about is given up.
pub struct Messages {
    ages: Mutex<Ages>,
    hashers: [RandomState; 2],
}

struct Ages {
    kept: BoundedMap<Key, Arc<Turn<Message>>>,
    /// When its turn came last.
    since: Option<Instant>,
}

impl Default for Ages {
    fn default() -> Self {
        Self { kept: BoundedMap::new(MESSAGES_MAX), since: None }
    }
}

/// What is known of one message.
#[derive(Default)]
pub struct Message {
    case: Option<Case>,
    /// What access rules want done with it.
    pub(super) effects: Effects,
    charged: bool,
    pub(super) discarded: bool,
    pub(super) held: bool,
    pub(super) prepended: usize,
    permitted: Vec<Key>,
}

/// A message while a question about it is answered.
pub struct Kept<'a> {
    messages: &'a Messages,
    /// `None`: the mail server does not say which message it is.
    key: Option<Key>,
    message: Arc<Turn<Message>>,
}

impl Default for Messages {
    fn default() -> Self {
        Self { ages: Mutex::default(), hashers: [RandomState::new(), RandomState::new()] }
    }
}

impl Messages {
    /// The message of a request.
    pub fn of(&self, asker: Asker<'_>, request: &Request, now: Instant) -> Kept<'_> {
        let key = self.key(asker, request);
        let message = match key {
            Some(key) => self.ages().entry(key, now),
            None => Arc::default(),
        };
        Kept { messages: self, key, message }
    }

    /// The message of a request if something is remembered of it.
    pub fn known(&self, asker: Asker<'_>, request: &Request, now: Instant) -> Option<Kept<'_>> {
        let key = self.key(asker, request)?;
        let message = self.ages().find(key, now)?;
        Some(Kept { messages: self, key: Some(key), message })
    }

    fn key(&self, asker: Asker<'_>, request: &Request) -> Option<Key> {
        if request.instance().is_empty() {
            return None;
        }
        let sender = (request.client_address(), request.sender(), request.sasl_username());
        Some(self.hash((asker.listener, asker.mode == RelayMode::Permit, request.instance(), sender)))
    }

    fn hash(&self, value: impl std::hash::Hash) -> Key {
        let [first, second] = &self.hashers;
        (u128::from(first.hash_one(&value)) << 64) | u128::from(second.hash_one(&value))
    }

    fn ages(&self) -> std::sync::MutexGuard<'_, Ages> {
        self.ages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ages {
    fn entry(&mut self, key: Key, now: Instant) -> Arc<Turn<Message>> {
        self.find(key, now).unwrap_or_else(|| {
            let message = Arc::default();
            self.kept.insert(key, Arc::clone(&message));
            message
        })
    }

    fn find(&mut self, key: Key, now: Instant) -> Option<Arc<Turn<Message>>> {
        self.turn(now);
        self.kept.get_mut(&key).cloned()
    }

    /// The turn comes when its time is over or there are too many of them.
    fn turn(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let waited = now.saturating_duration_since(since);
        // Nobody asked for twice the time.
        if waited >= 2 * KEPT {
            self.kept.clear();
        } else if waited >= KEPT || self.kept.is_full() {
            self.kept.turn(|_| 0);
        } else {
            return;
        }
        self.since = Some(now);
    }

    /// Forgets a message of which there is nothing to remember, unless another question waits for it.
    fn forget(&mut self, key: Key, message: &Arc<Turn<Message>>) {
        if Arc::strong_count(message) <= 2 && self.kept.get_mut(&key).is_some_and(|kept| Arc::ptr_eq(kept, message)) {
            self.kept.remove(&key);
        }
    }
}

impl Kept<'_> {
    /// Waits for its turn: one question about a message is answered after the other.
    pub async fn message(&self) -> MutexGuard<'_, Message> {
        self.message.lock().await
    }

    /// A recipient as it is remembered.
    pub fn recipient(&self, octets: &[u8]) -> Key {
        self.messages.hash(octets)
    }

    /// The question is answered.
    pub fn done(&self, message: MutexGuard<'_, Message>) {
        let empty = !message.charged && message.effects.is_empty();
        drop(message);
        if let Some(key) = self.key.filter(|_| empty) {
            self.messages.ages().forget(key, &self.message);
        }
    }
}

impl Message {
    /// Its case; a new one for the first recipient.
    pub fn case(&mut self, new: impl FnOnce() -> Case) -> &mut Case {
        self.case.get_or_insert_with(new)
    }

    /// A recipient was judged.
    pub fn judged(&mut self) {
        if let Some(case) = &self.case {
            // A login is remembered, too: if its account is another one at the next question, it is no right any more.
            self.charged = case.is_charged() || case.is_told();
            self.effects = case.effects().cloned().unwrap_or_default();
        }
    }

    /// Whether this recipient was permitted, and charged for.
    pub fn was_permitted(&self, recipient: Key) -> bool {
        self.permitted.contains(&recipient)
    }

    /// Remembers a permitted recipient, if it was charged for; the others cost nothing to be judged again.
    pub fn permitted(&mut self, recipient: Key) {
        if self.charged && self.permitted.len() < RECIPIENTS_MAX && !self.was_permitted(recipient) {
            self.permitted.push(recipient);
        }
    }
}
