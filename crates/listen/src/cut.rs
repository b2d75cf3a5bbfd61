//! The signals by which a connection is ended from outside: its right has ended, an operator says so, or the server stops.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// A connection's end, said by somebody else, and heard at the connection's next wait. One task waits, the connection's own:
/// each wait looks at two values and needs no list of those who wait.
#[derive(Debug, Default)]
pub struct Cut {
    cause: OnceLock<&'static str>,
    /// The server is to stop, and the connection was not told yet.
    stops: AtomicBool,
    waiting: AtomicWaker,
}

/// What is heard of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// This connection is to end.
    Cut,
    /// The server is to stop; told once.
    Stop,
}

impl Cut {
    /// Ends the connection. Of several causes the first counts; whether this was it.
    pub fn say(&self, cause: &'static str) -> bool {
        let is_first = self.cause.set(cause).is_ok();
        self.waiting.wake();
        is_first
    }

    /// Says that the server is to stop: the connection ends when what it does is done.
    pub fn say_stop(&self) {
        self.stops.store(true, Ordering::Release);
        self.waiting.wake();
    }

    /// Why it is to end; `None`: it is not.
    pub fn cause(&self) -> Option<&'static str> {
        self.cause.get().copied()
    }

    /// What was said.
    pub(crate) fn poll_heard(&self, cx: &mut Context<'_>) -> Poll<Said> {
        // Registered before it is looked at: what is said in between wakes.
        self.waiting.register(cx.waker());
        if self.cause.get().is_some() {
            return Poll::Ready(Said::Cut);
        }
        if self.stops.load(Ordering::Acquire) && self.stops.swap(false, Ordering::AcqRel) {
            return Poll::Ready(Said::Stop);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::Arc;

    use super::*;

    async fn heard(cut: &Cut) -> Said {
        poll_fn(|cx| cut.poll_heard(cx)).await
    }

    #[tokio::test]
    async fn what_was_said_before_is_heard_and_the_first_cause_counts() {
        let cut = Cut::default();
        assert_eq!(cut.cause(), None);
        assert!(cut.say("locked"));
        assert!(!cut.say("by the operator"));
        assert_eq!((heard(&cut).await, heard(&cut).await), (Said::Cut, Said::Cut));
        assert_eq!(cut.cause(), Some("locked"));
    }

    #[tokio::test]
    async fn who_waits_is_woken_and_the_stop_is_told_once() {
        let cut = Arc::new(Cut::default());
        let waits = tokio::spawn({
            let cut = Arc::clone(&cut);
            async move { (heard(&cut).await, heard(&cut).await) }
        });
        tokio::task::yield_now().await;
        cut.say_stop();
        while cut.stops.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        assert!(!waits.is_finished());
        cut.say("locked");
        assert_eq!(waits.await.unwrap(), (Said::Stop, Said::Cut));
    }
}
