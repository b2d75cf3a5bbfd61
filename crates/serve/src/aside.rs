//! What may wait for a disk is done on a thread of its own: not on the runtime's, which serve everybody, nor in its pool for
//! blocking work, which mailboxes on a dead disk may fill.

use std::io;
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Does the work on a thread of its own, within the runtime. Whoever stops waiting leaves it to itself; the end of the process
/// does not wait for it.
pub async fn aside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    let (tell, told) = oneshot::channel();
    let runtime = Handle::current();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _inside = runtime.enter();
        // Nobody waits any more: then it is dropped here.
        let _ = tell.send(work());
    })?;
    told.await.map_err(|_| io::Error::other(format!("{name} ended by a panic")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_done_aside_holds_nobody_up() {
        let (let_go, held) = std::sync::mpsc::channel::<()>();
        let waiting = tokio::spawn(aside("held", move || held.recv().is_ok()));
        assert_eq!(aside("other", || 7).await.unwrap(), 7, "on one runtime thread");
        let_go.send(()).unwrap();
        assert!(waiting.await.unwrap().unwrap());
        assert!(aside("panics", || panic!("on purpose")).await.is_err());
    }
}
