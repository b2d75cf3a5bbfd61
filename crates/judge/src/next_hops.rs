//! The way to whoever speaks to next hops, which stands above this crate: questions go to it over a bounded channel.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Questions that wait to be put. What finds no place is as good as not answered.
const QUESTIONS_MAX: usize = 100;
/// How long an answer is waited for: less than a command may wait for all that it asks.
const ANSWER_WAIT: Duration = Duration::from_secs(4);

/// A question to a next hop.
#[derive(Debug)]
pub struct Question {
    /// The next hop, `host:port`.
    pub server: String,
    /// The recipient, without brackets.
    pub forward_path: String,
    /// Where the answer goes: whether it has it; dropped: it does not tell.
    pub answer: oneshot::Sender<bool>,
}

/// The way to whoever asks next hops.
#[derive(Debug, Default)]
pub struct NextHops(OnceLock<mpsc::Sender<Question>>);

impl NextHops {
    /// Where questions come out; once.
    pub fn questions(&self) -> Option<mpsc::Receiver<Question>> {
        let (sender, receiver) = mpsc::channel(QUESTIONS_MAX);
        self.0.set(sender).is_ok().then_some(receiver)
    }

    /// Asks, within its time. `None`: the next hop does not tell, or nobody asks it.
    pub(super) async fn ask(&self, server: String, forward_path: String) -> Option<bool> {
        let (answer, answered) = oneshot::channel();
        self.0.get()?.try_send(Question { server, forward_path, answer }).ok()?;
        tokio::time::timeout(ANSWER_WAIT, answered).await.ok()?.ok()
    }
}
