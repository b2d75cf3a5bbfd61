//! The Unix socket of the admin API: made so that nobody else can ever connect, taken over from a dead server only.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

use super::{Backend, audit::Peer, router};
use listen::socket;

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// A server answers there.
    #[error("{path}: a server is running there already", path = .0.display())]
    InUse(PathBuf),
    /// The system refuses.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// Makes the socket with its permissions. What a dead server left is removed.
pub fn bind(path: &Path, mode: u32) -> Result<UnixListener, BindError> {
    socket::listen_unix(path, mode).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse(path.to_owned()),
        _ => BindError::Io { path: path.to_owned(), error },
    })
}

/// Answers until `shutdown` comes; requests that are being answered then are answered.
pub async fn serve(
    listener: UnixListener,
    backend: Backend,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = router(backend).into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, routes).with_graceful_shutdown(shutdown).await
}
