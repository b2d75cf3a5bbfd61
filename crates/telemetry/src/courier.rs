//! Brings messages to where alarms are told: one after the other, from a bounded queue, again and again with growing pauses while
//! nobody takes them.

use std::sync::Arc;
use std::time::Duration;

use keep::tally::Tally;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use crate::alarm::Message;

/// Messages that may wait for one receiver; more are only in the log.
pub(crate) const QUEUE_MAX: usize = 256;
/// The first pause; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// A message that nobody took for so long is given up.
const GIVEN_UP: Duration = Duration::from_hours(24);

/// What became of messages to all receivers.
#[derive(Debug, Default)]
pub struct Told {
    /// Taken.
    pub sent: Tally,
    /// Attempts that failed.
    pub failed: Tally,
    /// Dropped: no room to wait, or given up.
    pub dropped: Tally,
}

/// Takes messages for one receiver.
#[derive(Debug, Clone)]
pub(crate) struct Outlet {
    name: &'static str,
    queue: mpsc::Sender<Arc<Message>>,
    told: Arc<Told>,
}

impl Outlet {
    /// A receiver of that name, and the queue that [`carry`] is to work on.
    pub(crate) fn new(name: &'static str, told: Arc<Told>) -> (Self, mpsc::Receiver<Arc<Message>>) {
        let (queue, waiting) = mpsc::channel(QUEUE_MAX);
        (Self { name, queue, told }, waiting)
    }

    /// Lines the message up; where there is no room, it is dropped and counted. Never waits.
    pub(crate) fn tell(&self, message: &Arc<Message>) {
        if self.queue.try_send(Arc::clone(message)).is_err() {
            self.told.dropped.one();
            warn!(receiver = self.name, alarm = message.alarm, note = "too many alarms wait for it", "alarm untold");
        }
    }
}

/// Brings what waits in the queue to the receiver by `send`, until the queue is closed and empty. What waits at the end of the
/// process is lost: it stands in the log.
pub(crate) async fn carry<F>(
    name: &'static str,
    mut queue: mpsc::Receiver<Arc<Message>>,
    told: Arc<Told>,
    mut send: impl FnMut(Arc<Message>) -> F,
) where
    F: Future<Output = Result<(), String>>,
{
    while let Some(message) = queue.recv().await {
        let (begun, mut pause) = (Instant::now(), PAUSE);
        loop {
            let Err(error) = send(Arc::clone(&message)).await else {
                told.sent.one();
                break;
            };
            told.failed.one();
            if begun.elapsed() + pause > GIVEN_UP {
                told.dropped.one();
                warn!(receiver = name, alarm = message.alarm, %error, note = "given up", "alarm untold");
                break;
            }
            if pause == PAUSE {
                // Once for each message: the rest is the same.
                warn!(receiver = name, alarm = message.alarm, %error, note = "tried again", "alarm delayed");
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Level, Turn};
    use std::sync::Mutex;

    fn message(subject: &str) -> Arc<Message> {
        Arc::new(Message {
            state: Turn::Raised,
            alarm: "test",
            level: Level::Warning,
            hostname: "mail.example.test".to_owned(),
            subject: subject.to_owned(),
            title: "this is a test",
            detail: String::new(),
            todo: "nothing",
            commands: Vec::new(),
            at: String::new(),
            text: String::new(),
        })
    }

    /// A receiver that is down for ten minutes and comes back gets everything, in order, once.
    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_comes_back_gets_what_waited() {
        let told = Arc::new(Told::default());
        let (outlet, queue) = Outlet::new("webhook", Arc::clone(&told));
        for n in 0..3 {
            outlet.tell(&message(&n.to_string()));
        }
        drop(outlet);
        let (start, got) = (Instant::now(), Mutex::new(Vec::new()));
        let attempts = Tally::new();
        carry("webhook", queue, Arc::clone(&told), |message| {
            attempts.one();
            let is_down = start.elapsed() < Duration::from_mins(10);
            if !is_down {
                got.lock().unwrap().push(message.subject.clone());
            }
            async move { if is_down { Err("connection refused".to_owned()) } else { Ok(()) } }
        })
        .await;
        assert_eq!(*got.lock().unwrap(), ["0", "1", "2"]);
        assert!(start.elapsed() < Duration::from_mins(16), "no pause is longer than five minutes");
        assert!(attempts.read() < 20, "it is not hammered while it is down: {}", attempts.read());
        assert_eq!((told.sent.read(), told.dropped.read(), told.failed.read()), (3, 0, attempts.read() - 3));
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_takes_is_given_up_after_a_day_and_the_queue_is_bounded() {
        let told = Arc::new(Told::default());
        let (outlet, queue) = Outlet::new("webhook", Arc::clone(&told));
        for n in 0..QUEUE_MAX + 5 {
            outlet.tell(&message(&n.to_string()));
        }
        assert_eq!(told.dropped.read(), 5);
        drop(outlet);
        let (start, got) = (Instant::now(), Mutex::new(Vec::new()));
        carry("webhook", queue, Arc::clone(&told), |message| {
            let is_first = message.subject == "0";
            if !is_first {
                got.lock().unwrap().push(message.subject.clone());
            }
            async move { if is_first { Err("500".to_owned()) } else { Ok(()) } }
        })
        .await;
        assert!(start.elapsed() <= GIVEN_UP);
        assert_eq!((told.dropped.read(), got.lock().unwrap().len()), (6, QUEUE_MAX - 1));
    }
}
