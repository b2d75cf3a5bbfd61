//! Work on mailboxes' files: on blocking threads, so many at once and each within its time. A disk that hangs, or a file server that
//! is gone, holds its own threads and nobody else's: those of the pool serve the whole program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

/// Threads that may be at it at once; the pool has some hundreds.
const AT_ONCE: usize = 64;

/// Those who wait for mailboxes' files.
#[derive(Debug, Clone)]
pub struct Files(Arc<Semaphore>);

impl Default for Files {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Files {
    /// Does the work on a blocking thread. After `limit`, waiting for a thread included, it is left to itself, and the error is of
    /// kind `TimedOut`. A panic in it is a fault of ours and goes on here.
    pub async fn within<T: Send + 'static>(
        &self,
        limit: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let until = Instant::now() + limit;
        let stalled = || io::Error::new(io::ErrorKind::TimedOut, "the mailbox's disk does not answer");
        let place = timeout_at(until, Arc::clone(&self.0).acquire_owned()).await.map_err(|_| stalled())?;
        let place = place.map_err(io::Error::other)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Not before: a thread that hangs keeps its place.
            drop(place);
            done
        });
        match timeout_at(until, done).await.map_err(|_| stalled())? {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Cut off with the runtime, and whoever waits with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_disk_that_hangs_takes_its_share_of_threads_and_no_more() {
        let files = Files::default();
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let short = Duration::from_millis(20);
        for _ in 0..AT_ONCE {
            let held = Arc::clone(&held);
            let stalled = files.within(short, move || held.lock().is_ok_and(|held| held.recv().is_ok())).await;
            assert_eq!(stalled.unwrap_err().kind(), io::ErrorKind::TimedOut);
        }
        let refused = files.within(short, || unreachable!("there is no place")).await;
        assert_eq!(refused.map(|()| 0).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(tokio::task::spawn_blocking(|| 7).await.unwrap(), 7, "others have threads");
        drop(let_go);
        assert_eq!(files.within(Duration::from_secs(20), || 7).await.unwrap(), 7);
    }
}
