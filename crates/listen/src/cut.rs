//! The signal by which a connection is ended from outside: its right has ended, or an operator says so.

use std::sync::OnceLock;

use tokio::sync::Notify;

/// A connection's end, said by somebody else. It is heard once, at the connection's next wait.
#[derive(Debug, Default)]
pub struct Cut {
    cause: OnceLock<&'static str>,
    said: Notify,
}

impl Cut {
    /// Ends the connection. Of several causes the first counts; whether this was it.
    pub fn say(&self, cause: &'static str) -> bool {
        let is_first = self.cause.set(cause).is_ok();
        self.said.notify_one();
        is_first
    }

    /// Why it is to end; `None`: it is not.
    pub fn cause(&self) -> Option<&'static str> {
        self.cause.get().copied()
    }

    /// Waits until it is said.
    pub(crate) async fn heard(&self) {
        while self.cause.get().is_none() {
            self.said.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_said_before_is_heard_and_the_first_cause_counts() {
        let cut = Cut::default();
        assert_eq!(cut.cause(), None);
        assert!(cut.say("locked"));
        assert!(!cut.say("by the operator"));
        cut.heard().await;
        cut.heard().await;
        assert_eq!(cut.cause(), Some("locked"));
    }
}
