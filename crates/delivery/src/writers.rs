//! The threads that write into Maildirs. They run behind everything else: taking mail in and answering clients goes before
//! putting away what is safe on disk already.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::oneshot;

/// How much they stand back, in steps of nice(2): with a busy machine they keep about a tenth of a processor each.
const NICE: i32 = 19;

type Work = Box<dyn FnOnce() + Send>;

/// The threads; they end when this value is dropped and their work is done.
#[derive(Debug)]
pub(crate) struct Writers {
    work: mpsc::Sender<Work>,
}

impl Writers {
    /// Starts them; with none that could be started, all work is refused and the mail waits.
    pub(crate) fn start(threads: usize) -> Self {
        let (work, inbox) = mpsc::channel::<Work>();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 0..threads {
            let inbox = Arc::clone(&inbox);
            let started = std::thread::Builder::new().name(format!("maildir-{number}")).spawn(move || attend(&inbox));
            if let Err(error) = started {
                tracing::error!(%error, "thread unavailable");
            }
        }
        Self { work }
    }

    /// Runs `work` on one of the threads; `None` if it panicked or no thread is there.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move || {
            if let Ok(done) = catch_unwind(AssertUnwindSafe(work)) {
                // Whoever asked may be gone; what was written stays written.
                let _ = answer.send(done);
            }
        });
        self.work.send(work).ok()?;
        answered.await.ok()
    }
}

fn attend(inbox: &Mutex<mpsc::Receiver<Work>>) {
    // A system that does not let us stand back lets us work all the same.
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        work();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_and_a_panic_ends_only_its_own() {
        let writers = Writers::start(1);
        assert_eq!(writers.run(|| 1 + 1).await, Some(2));
        assert_eq!(writers.run(|| -> i32 { panic!("on purpose") }).await, None);
        assert_eq!(writers.run(|| 3).await, Some(3));
        assert_eq!(Writers::start(0).run(|| 4).await, None);
    }
}
