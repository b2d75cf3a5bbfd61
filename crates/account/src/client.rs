//! Asking the server. Nothing here waits without a bound.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::wire::{Answer, Question};

/// Longer than the server takes for whatever it is asked.
const PATIENCE: Duration = Duration::from_secs(45);
/// Octets of an answer: an account with many devices.
const ANSWER_OCTETS_MAX: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there, or we may not write to it.
    #[error("{path}: no server answers there: {error}", path = .path.display())]
    NoServer {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What came is no answer.
    #[error("{path}: the server's answer cannot be read: {error}", path = .path.display())]
    Unreadable {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        error: io::Error,
    },
}

/// Asks one question.
pub fn ask(path: &Path, question: &Question) -> Result<Answer, AskError> {
    let no_server = |error| AskError::NoServer { path: path.to_owned(), error };
    let unreadable = |error| AskError::Unreadable { path: path.to_owned(), error };
    let mut stream = UnixStream::connect(path).map_err(no_server)?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .map_err(no_server)?;
    let mut line = serde_json::to_vec(question).map_err(|error| unreadable(error.into()))?;
    line.push(b'\n');
    stream.write_all(&line).map_err(unreadable)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER_OCTETS_MAX)).read_until(b'\n', &mut answer).map_err(unreadable)?;
    if answer.is_empty() {
        let why = "it has too many connections of yours, or is stopping";
        return Err(unreadable(io::Error::new(io::ErrorKind::UnexpectedEof, why)));
    }
    serde_json::from_slice(&answer).map_err(|error| unreadable(error.into()))
}
