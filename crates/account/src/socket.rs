//! The socket: connections, each with one question, and their ends.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::crowd::Crowd;
use crate::desk::Desk;
use crate::wire::{Answer, Kind, QUESTION_OCTETS_MAX, Question, Refusal};

/// For a question to come, and for an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before the next try, where the system has no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[error("account.socket {path}: {error}", path = path.display())]
pub struct BindError {
    path: PathBuf,
    error: io::Error,
}

/// Makes the socket with its permissions. What a dead server left is removed.
pub fn bind(path: &Path, mode: u32) -> Result<UnixListener, BindError> {
    listen::socket::listen_unix(path, mode).map_err(|error| BindError { path: path.to_owned(), error })
}

/// Answers until `shutdown` comes; questions that are being answered then are answered.
pub async fn serve(listener: UnixListener, desk: Desk, shutdown: impl Future<Output = ()>) {
    let (desk, crowd, mut connections) = (Arc::new(desk), Crowd::default(), JoinSet::new());
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => begin(stream, &desk, &crowd, &mut connections),
                Err(error) => {
                    warn!(%error, "account unaccepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Who is not known by the system is nobody, and is closed.
fn begin(stream: UnixStream, desk: &Arc<Desk>, crowd: &Crowd, connections: &mut JoinSet<()>) {
    let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
    let Some(place) = crowd.place(uid) else {
        debug!(uid, "account crowded");
        return;
    };
    let desk = Arc::clone(desk);
    connections.spawn(async move {
        converse(stream, uid, &desk).await;
        drop(place);
    });
}

/// Who is slow is not waited for; a change that has begun is brought to its end, whoever has gone meanwhile.
async fn converse(mut stream: UnixStream, uid: u32, desk: &Desk) {
    let (receiving, mut sending) = stream.split();
    let mut line = Vec::new();
    let mut bounded = BufReader::new(receiving.take(QUESTION_OCTETS_MAX as u64));
    match timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => return,
        Err(_) => return debug!(uid, "account overdue"),
    }
    let answer = match serde_json::from_slice::<Question>(&line) {
        Ok(question) => desk.answer(question, uid).await,
        // What was sent is not repeated: a password may be in it.
        Err(_) => Answer::Refused(Refusal::new(Kind::Invalid, "this is no question: a line of JSON is wanted")),
    };
    let Ok(mut octets) = serde_json::to_vec(&answer) else { return };
    octets.push(b'\n');
    // Who has gone needs no answer.
    let _ = timeout(PATIENCE, sending.write_all(&octets)).await;
    let _ = sending.shutdown().await;
}
